"""What a certificate says of itself: names, times, key, whose it is (RFC 5280). Reads DER, verifies nothing. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

_SEQUENCE, _SET, _INTEGER, _OID, _UTC_TIME, _GENERALIZED_TIME, _OCTETS = 0x30, 0x31, 0x02, 0x06, 0x17, 0x18, 0x04
_VERSION, _EXTENSIONS, _DNS_NAME = 0xA0, 0xA3, 0x82
_COMMON_NAME, _ALTERNATIVE_NAMES = b"\x55\x04\x03", b"\x55\x1d\x11"
_KINDS = {
    b"\x2a\x86\x48\xce\x3d\x02\x01": "EC",
    b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01": "RSA",
    b"\x2b\x65\x70": "Ed25519",
}
_CURVES = {b"\x2a\x86\x48\xce\x3d\x03\x01\x07": 256, b"\x2b\x81\x04\x00\x22": 384, b"\x2b\x81\x04\x00\x23": 521}
_ATTRIBUTES = {
    b"\x55\x04\x03": "CN", b"\x55\x04\x06": "C", b"\x55\x04\x07": "L", b"\x55\x04\x08": "ST", b"\x55\x04\x0a": "O",
    b"\x55\x04\x0b": "OU", b"\x55\x04\x05": "serialNumber", b"\x2a\x86\x48\x86\xf7\x0d\x01\x09\x01": "emailAddress",
}  # fmt: skip


class BadCertificate(Exception):  # noqa: N818 - named for what it is about
    """Bytes that are no certificate."""


@dataclass(frozen=True, slots=True)
class CertificateFacts:
    """Times are seconds since 1970."""

    names: tuple[str, ...]
    """DNS names in lower case; of a certificate without any, its common name."""
    not_before: float
    not_after: float
    key: str
    """`EC`, `RSA`, `Ed25519`, or `other`."""
    serial: str
    """Hexadecimal digits."""
    bits: int = 0
    """How long its key is; 0: not known."""
    subject: bytes = b""
    """A Name in DER, as `issuer`."""
    issuer: bytes = b""


def name_in_words(name: bytes) -> str:
    """`/O=Example/CN=anna`. Raises BadCertificate."""
    try:
        pairs = [list(_items(pair)) for _, relative in _items(name) for _, pair in _items(relative)]
        return "".join(
            f"/{_ATTRIBUTES.get(kind, 'x')}={value.decode('utf-8', 'replace')}" for (_, kind), (_, value) in pairs
        )
    except (IndexError, ValueError) as error:
        raise BadCertificate(f"not a name: {error}") from None


def parse_certificate(der: bytes) -> CertificateFacts:
    """Raises BadCertificate."""
    try:
        return _parse(der)
    except (IndexError, ValueError, StopIteration) as error:
        raise BadCertificate(f"not a certificate: {error}") from None


def _parse(der: bytes) -> CertificateFacts:
    outer = _content(der, _SEQUENCE)
    fields = list(_items(_content(outer, _SEQUENCE)))
    if fields[0][0] == _VERSION:
        del fields[0]
    (serial_tag, serial), _, (_, issuer), (_, validity), (_, subject), (_, key_info) = fields[:6]
    if serial_tag != _INTEGER:
        raise ValueError("no serial number")
    begin, end = list(_items(validity))[:2]
    extensions = next((content for tag, content in fields[6:] if tag == _EXTENSIONS), b"")
    names = _alternative_names(extensions) if extensions else None
    return CertificateFacts(
        names=tuple(_common_names(subject)) if names is None else names,
        not_before=_time(*begin),
        not_after=_time(*end),
        key=_KINDS.get(_first(_content(key_info, _SEQUENCE), _OID), "other"),
        serial=serial.hex().upper(),
        bits=_bits(key_info),
        subject=subject,
        issuer=issuer,
    )


def _bits(key_info: bytes) -> int:
    """How long a key is: that of its curve, or of its modulus."""
    (_, algorithm), (_, key) = list(_items(key_info))[:2]
    kind, *parameters = [content for _, content in _items(algorithm)]
    if _KINDS.get(kind) == "RSA":
        modulus = _first(_content(key[1:], _SEQUENCE), _INTEGER)
        return int.from_bytes(modulus, "big").bit_length()
    return _CURVES.get(parameters[0], 0) if parameters else 0


def _items(data: bytes) -> Iterator[tuple[int, bytes]]:
    """The tags and contents that follow one another. Raises ValueError."""
    at = 0
    while at < len(data):
        tag, length, at = data[at], data[at + 1], at + 2
        if length & 0x80:
            count = length & 0x7F
            if not 1 <= count <= 4:
                raise ValueError("a length that is not DER")
            length, at = int.from_bytes(data[at : at + count], "big"), at + count
        if at + length > len(data):
            raise ValueError("it ends early")
        yield tag, data[at : at + length]
        at += length


def _first(data: bytes, tag: int) -> bytes:
    found, content = next(_items(data))
    if found != tag:
        raise ValueError("unexpected structure")
    return content


_content = _first


def _common_names(subject: bytes) -> Iterator[str]:
    for _, relative in _items(subject):
        for _, pair in _items(relative):
            (_, kind), (_, value) = list(_items(pair))[:2]
            if kind == _COMMON_NAME:
                yield value.decode("utf-8", "replace").lower()


def _alternative_names(extensions: bytes) -> tuple[str, ...] | None:
    """None where the certificate has none at all."""
    for _, extension in _items(_content(extensions, _SEQUENCE)):
        parts = list(_items(extension))
        if parts[0] == (_OID, _ALTERNATIVE_NAMES) and parts[-1][0] == _OCTETS:
            names = _items(_content(parts[-1][1], _SEQUENCE))
            return tuple(name.decode("ascii", "replace").lower() for tag, name in names if tag == _DNS_NAME)
    return None


def _time(tag: int, text: bytes) -> float:
    form = {_UTC_TIME: "%y%m%d%H%M%SZ", _GENERALIZED_TIME: "%Y%m%d%H%M%SZ"}.get(tag)
    if form is None:
        raise ValueError("a time of another kind")
    return datetime.strptime(text.decode("ascii"), form).replace(tzinfo=UTC).timestamp()
