"""The PROXY protocol, versions 1 and 2: what a proxy says about a connection before the connection's first byte. Pure.

(HAProxy's proxy-protocol.txt.) The receiver never guesses: whether there is a header is a matter of configuration. So
`parse` is for connections that must begin with one; anything else raises BadProxyHeader.
"""

import ipaddress
import re
import struct
from dataclasses import dataclass
from enum import Enum

from balancer.tls.info import TlsInfo

SIGNATURE = b"\r\n\r\n\x00\r\nQUIT\n"
LARGEST = 16_384
"""Of a header, with all of its TLVs."""
LONGEST_LINE = 107
"""Of version 1, with CR LF."""
LONGEST_UNIQUE_ID = 128

ALPN, AUTHORITY, CRC32C, NOOP, UNIQUE_ID, SSL, NETNS = 0x01, 0x02, 0x03, 0x04, 0x05, 0x20, 0x30
SSL_VERSION, SSL_CN, SSL_CIPHER = 0x21, 0x22, 0x23
CLIENT_SSL, CLIENT_CERT_CONN, CLIENT_CERT_SESS = 1, 2, 4

_LOCAL, _PROXY = 0x20, 0x21
_UNSPEC, _TCP4, _TCP6, _UNIX_STREAM = 0x00, 0x11, 0x21, 0x31
_ADDRESS_BYTES = {_UNSPEC: 0, _TCP4: 12, _TCP6: 36, _UNIX_STREAM: 216}
_HEAD = struct.Struct("!12sBBH")
_TLV = struct.Struct("!BH")
_PORT = re.compile(rb"0|[1-9][0-9]{0,4}")
_LINE = re.compile(rb"PROXY (TCP4|TCP6) ([0-9A-Fa-f:.]+) ([0-9A-Fa-f:.]+) ([0-9]+) ([0-9]+)")
_UNKNOWN = re.compile(rb"PROXY UNKNOWN(?: [^\r\n]*)?")

Address = tuple[str, int]
"""An IP address in its family's canonical form, and a port."""


class Reason(Enum):
    """Why bytes are no header."""

    NOT_A_HEADER = "it does not begin with a PROXY header"
    LINE = "malformed version 1 line"
    LINE_TOO_LONG = "version 1 line longer than 107 bytes"
    ADDRESS = "malformed address"
    PORT = "malformed port"
    VERSION = "unknown version"
    COMMAND = "unknown command"
    FAMILY = "address family that is not for TCP"
    TOO_SHORT = "too short for its addresses"
    TOO_LARGE = "header too large"
    TLV = "malformed TLV"
    CHECKSUM = "wrong CRC32C"


class BadProxyHeader(Exception):  # noqa: N818 - named for what it is about
    """Bytes that are no PROXY header. Nothing of the connection can be trusted."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason.value)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Header:
    """A valid header. Without addresses (LOCAL, UNKNOWN, UNSPEC, Unix sockets) those of the connection itself hold."""

    size: int
    """How many bytes it was."""
    source: Address | None = None
    destination: Address | None = None
    tlvs: tuple[tuple[int, bytes], ...] = ()

    def value(self, kind: int) -> bytes | None:
        """The first TLV of a kind."""
        return next((value for one, value in self.tlvs if one == kind), None)

    @property
    def over_tls(self) -> bool:
        """The client spoke TLS to whoever wrote this."""
        ssl = self.value(SSL)
        return ssl is not None and bool(ssl[0] & CLIENT_SSL)


def parse(buffer: bytes) -> Header | None:
    """The header that `buffer` begins with, or None while it is incomplete. Raises BadProxyHeader."""
    if buffer[:12] == SIGNATURE[: len(buffer)]:
        return _parse_v2(buffer) if len(buffer) >= 12 else None
    if buffer[:6] == b"PROXY "[: len(buffer)]:
        return _parse_v1(buffer)
    raise BadProxyHeader(Reason.NOT_A_HEADER)


def _parse_v1(buffer: bytes) -> Header | None:
    end = buffer.find(b"\n", 0, LONGEST_LINE)
    if end < 0:
        if len(buffer) >= LONGEST_LINE:
            raise BadProxyHeader(Reason.LINE_TOO_LONG)
        return None
    line = buffer[:end]
    if not line.endswith(b"\r"):
        raise BadProxyHeader(Reason.LINE)
    if _UNKNOWN.fullmatch(line[:-1]):
        return Header(end + 1)
    match = _LINE.fullmatch(line[:-1])
    if match is None:
        raise BadProxyHeader(Reason.LINE)
    family = 4 if match[1] == b"TCP4" else 6
    source, destination = (_text_address(match[number], family) for number in (2, 3))
    return Header(end + 1, (source, _text_port(match[4])), (destination, _text_port(match[5])))


def _text_address(text: bytes, family: int) -> str:
    try:
        address = ipaddress.ip_address(text.decode("ascii"))
    except ValueError:
        raise BadProxyHeader(Reason.ADDRESS) from None
    if address.version != family:
        raise BadProxyHeader(Reason.ADDRESS)
    return str(address)


def _text_port(text: bytes) -> int:
    if not _PORT.fullmatch(text) or int(text) > 65535:
        raise BadProxyHeader(Reason.PORT)
    return int(text)


def _parse_v2(buffer: bytes) -> Header | None:
    if len(buffer) > 12 and buffer[12] >> 4 != 2:
        raise BadProxyHeader(Reason.VERSION)
    if len(buffer) > 12 and buffer[12] not in (_LOCAL, _PROXY):
        raise BadProxyHeader(Reason.COMMAND)
    if len(buffer) < _HEAD.size:
        return None
    _, command, family, length = _HEAD.unpack_from(buffer)
    size = _HEAD.size + length
    if size > LARGEST:
        raise BadProxyHeader(Reason.TOO_LARGE)
    if command == _LOCAL:
        return Header(size) if len(buffer) >= size else None
    addresses = _ADDRESS_BYTES.get(family)
    if addresses is None:
        raise BadProxyHeader(Reason.FAMILY)
    if length < addresses:
        raise BadProxyHeader(Reason.TOO_SHORT)
    if len(buffer) < size:
        return None
    tlvs = () if family == _UNSPEC else _parse_tlvs(buffer[_HEAD.size + addresses : size])
    _check_tlvs(tlvs, buffer[:size])
    source, destination = _addresses(family, buffer[_HEAD.size : _HEAD.size + addresses])
    return Header(size, source, destination, tlvs)


def _addresses(family: int, data: bytes) -> tuple[Address | None, Address | None]:
    if family not in (_TCP4, _TCP6):
        return None, None
    width = 4 if family == _TCP4 else 16
    source_port, destination_port = struct.unpack_from("!HH", data, 2 * width)
    source, destination = (str(ipaddress.ip_address(data[at : at + width])) for at in (0, width))
    return (source, source_port), (destination, destination_port)


def _parse_tlvs(data: bytes) -> tuple[tuple[int, bytes], ...]:
    tlvs = []
    at = 0
    while at < len(data):
        if len(data) - at < _TLV.size:
            raise BadProxyHeader(Reason.TLV)
        kind, length = _TLV.unpack_from(data, at)
        at += _TLV.size
        if len(data) - at < length:
            raise BadProxyHeader(Reason.TLV)
        tlvs.append((kind, data[at : at + length]))
        at += length
    return tuple(tlvs)


def _check_tlvs(tlvs: tuple[tuple[int, bytes], ...], header: bytes) -> None:
    for kind, value in tlvs:
        if kind == UNIQUE_ID and len(value) > LONGEST_UNIQUE_ID:
            raise BadProxyHeader(Reason.TLV)
        if kind == SSL:
            if len(value) < 5:
                raise BadProxyHeader(Reason.TLV)
            _parse_tlvs(value[5:])
        if kind == CRC32C:
            _check_sum(value, header)


def _check_sum(value: bytes, header: bytes) -> None:
    """The sum is over the header with the sum's own four bytes zero. Of several none can be right."""
    if len(value) != 4:
        raise BadProxyHeader(Reason.TLV)
    at = _place_of_sum(header)
    if crc32c(header[:at] + bytes(4) + header[at + 4 :]) != int.from_bytes(value, "big"):
        raise BadProxyHeader(Reason.CHECKSUM)


def _place_of_sum(header: bytes) -> int:
    at = _HEAD.size + _ADDRESS_BYTES[header[13]]
    while header[at] != CRC32C:
        at += _TLV.size + _TLV.unpack_from(header, at)[1]
    return at + _TLV.size


def _table() -> tuple[int, ...]:
    table = []
    for byte in range(256):
        crc = byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
        table.append(crc)
    return tuple(table)


_CRC_TABLE = _table()


def crc32c(data: bytes) -> int:
    """The Castagnoli checksum (RFC 3720 appendix B.4)."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ _CRC_TABLE[(crc ^ byte) & 0xFF]
    return crc ^ 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class TlsFacts:
    """What is told of a client's TLS."""

    version: str
    """As OpenSSL says it: `TLSv1.3`."""
    cipher: str = ""
    alpn: bytes = b""
    server_name: str = ""
    """What the client asked for (SNI)."""
    client_name: str = ""
    """The common name in the client's certificate."""
    verified: bool = False
    """The client showed a certificate, which was verified."""


def facts_of(tls: TlsInfo | None) -> TlsFacts | None:
    """What is told of a connection of ours with TLS; None of a plain one."""
    if tls is None:
        return None
    return TlsFacts(
        version=tls.version,
        cipher=tls.cipher,
        alpn=(tls.alpn or "").encode("ascii"),
        server_name=tls.server_name or "",
        client_name="" if tls.client is None else tls.client.common_name,
        verified=tls.client is not None,
    )


def local(version: str) -> bytes:
    """The header of a connection that is the proxy's own: of a check."""
    return b"PROXY UNKNOWN\r\n" if version == "v1" else _HEAD.pack(SIGNATURE, _LOCAL, _UNSPEC, 0)


def encode(
    version: str, source: Address, destination: Address, *, tls: TlsFacts | None = None, unique_id: bytes = b""
) -> bytes:
    """The header of `version` (`v1`, `v2`) for a client's connection. Version 1 tells addresses only.

    Where the two are not of one family both are written as IPv6.
    """
    one, other = (ipaddress.ip_address(address.partition("%")[0]) for address, _ in (source, destination))
    if one.version != other.version:
        one, other = (
            ipaddress.IPv6Address(f"::ffff:{address}") if address.version == 4 else address for address in (one, other)
        )
    if version == "v1":
        return b"PROXY TCP%d %b %b %d %d\r\n" % (
            one.version, str(one).encode("ascii"), str(other).encode("ascii"), source[1], destination[1]
        )  # fmt: skip
    body = one.packed + other.packed + struct.pack("!HH", source[1], destination[1]) + _tlvs(tls, unique_id)
    return _HEAD.pack(SIGNATURE, _PROXY, _TCP4 if one.version == 4 else _TCP6, len(body)) + body


def _tlvs(tls: TlsFacts | None, unique_id: bytes) -> bytes:
    found = []
    if tls is not None:
        found = [(ALPN, tls.alpn), (AUTHORITY, tls.server_name.encode("utf-8", "replace")), (SSL, _ssl(tls))]
    found.append((UNIQUE_ID, unique_id[:LONGEST_UNIQUE_ID]))
    return b"".join(_tlv(kind, value) for kind, value in found if value)


def _ssl(tls: TlsFacts) -> bytes:
    client = CLIENT_SSL | (CLIENT_CERT_CONN | CLIENT_CERT_SESS if tls.verified else 0)
    inside = ((SSL_VERSION, tls.version), (SSL_CN, tls.client_name), (SSL_CIPHER, tls.cipher))
    tlvs = b"".join(_tlv(kind, text.encode("utf-8", "replace")) for kind, text in inside if text)
    return struct.pack("!BI", client, 0 if tls.verified else 1) + tlvs


def _tlv(kind: int, value: bytes) -> bytes:
    return _TLV.pack(kind, len(value)) + value
