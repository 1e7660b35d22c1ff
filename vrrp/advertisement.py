"""VRRPv3 advertisements, bytes to value and back (RFC 9568 section 5.2). Pure.

 0                   1                   2                   3
 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
+-------+-------+---------------+---------------+---------------+
|Version| Type  | Virtual Rtr ID|   Priority    |  Addr Count   |
+-------+-------+---------------+---------------+---------------+
| Rsvd  |  Max Advertise Int    |           Checksum            |
+-------+-----------------------+-------------------------------+
|                        IPv4 address(es)                       |
"""

import struct
from dataclasses import dataclass
from enum import Enum
from ipaddress import IPv4Address

from vrrp.config import Checksum

GROUP = IPv4Address("224.0.0.18")
IP_PROTOCOL = 112
TTL = 255
RESIGN_PRIORITY = 0
"""The sender stops being Active (RFC 9568 section 5.2.4)."""

_VERSION_AND_TYPE = 0x31
_HEADER = struct.Struct("!BBBBHH")
_CHECKSUM_AT = 6


class RejectReason(Enum):
    """Why an advertisement was dropped; the value is the name under which it is counted."""

    TTL = "ttl"
    DESTINATION = "destination"
    OWN_ADDRESS = "own_address"
    VERSION = "version"
    TYPE = "type"
    LENGTH = "length"
    CHECKSUM = "checksum"
    VRID = "vrid"
    COUNT = "count"
    INTERVAL = "interval"


class AdvertRejected(Exception):  # noqa: N818 - the house word for hostile input
    """What was received is not an advertisement to act upon."""

    def __init__(self, reason: RejectReason, detail: str) -> None:
        super().__init__(f"{reason.value}: {detail}")
        self.reason = reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Advertisement:
    """What an Active Router says."""

    vrid: int
    priority: int
    max_advert_interval_cs: int
    addresses: tuple[IPv4Address, ...]


@dataclass(frozen=True, slots=True)
class Datagram:
    """One received IP packet of protocol 112: its payload, and what its header said."""

    payload: bytes
    source: IPv4Address
    destination: IPv4Address
    ttl: int


def encode(
    advertisement: Advertisement, *, source: IPv4Address, destination: IPv4Address = GROUP, checksum: Checksum
) -> bytes:
    """The payload of an IP packet from `source` to `destination`. Reserved bits are sent as 0."""
    head = _HEADER.pack(
        _VERSION_AND_TYPE,
        advertisement.vrid,
        advertisement.priority,
        len(advertisement.addresses),
        advertisement.max_advert_interval_cs,
        0,
    )
    message = head + b"".join(address.packed for address in advertisement.addresses)
    covered = message if checksum == "rfc9568" else _pseudo_header(source, destination, len(message)) + message
    return message[:_CHECKSUM_AT] + internet_checksum(covered).to_bytes(2, "big") + message[_CHECKSUM_AT + 2 :]


def decode(datagram: Datagram) -> tuple[Advertisement, Checksum]:
    """The advertisement in a datagram, and which checksum it came with. Raises AdvertRejected (section 7.1)."""
    if datagram.ttl != TTL:
        raise AdvertRejected(RejectReason.TTL, f"{datagram.ttl} instead of 255: it was forwarded by a router")
    if datagram.destination != GROUP:
        raise AdvertRejected(RejectReason.DESTINATION, f"sent to {datagram.destination} instead of {GROUP}")
    advertisement = decode_payload(datagram.payload)
    return advertisement, _verified_checksum(datagram)


def decode_payload(payload: bytes) -> Advertisement:
    """The advertisement in a payload whose checksum is not looked at. Raises AdvertRejected."""
    if len(payload) < _HEADER.size:
        raise AdvertRejected(RejectReason.LENGTH, f"{len(payload)} bytes are less than a header")
    version_and_type, vrid, priority, count, interval, _ = _HEADER.unpack_from(payload)
    if version_and_type >> 4 != 3:
        raise AdvertRejected(RejectReason.VERSION, f"version {version_and_type >> 4} instead of 3")
    if version_and_type & 0x0F != 1:
        raise AdvertRejected(RejectReason.TYPE, f"type {version_and_type & 0x0F} instead of 1")
    if count == 0:
        raise AdvertRejected(RejectReason.COUNT, "no address")
    interval_cs = interval & 0x0FFF  # the four bits above are reserved: ignored, whatever they are
    if interval_cs == 0:
        raise AdvertRejected(RejectReason.INTERVAL, "an advertisement interval of 0")
    if len(payload) != _HEADER.size + 4 * count:
        raise AdvertRejected(RejectReason.LENGTH, f"{len(payload)} bytes with {count} addresses")
    addresses = tuple(IPv4Address(payload[at : at + 4]) for at in range(_HEADER.size, len(payload), 4))
    return Advertisement(vrid=vrid, priority=priority, max_advert_interval_cs=interval_cs, addresses=addresses)


def vrid_of(payload: bytes) -> int | None:
    """The VRID that a payload names, however malformed the rest of it is; None where it ends before it."""
    return payload[1] if len(payload) > 1 else None


def internet_checksum(data: bytes) -> int:
    """RFC 1071. Over data that holds its own checksum the result is 0."""
    if len(data) % 2:
        data += b"\0"
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    return total ^ 0xFFFF


def _verified_checksum(datagram: Datagram) -> Checksum:
    payload = datagram.payload
    if internet_checksum(_pseudo_header(datagram.source, datagram.destination, len(payload)) + payload) == 0:
        return "rfc5798"
    if internet_checksum(payload) == 0:
        return "rfc9568"
    raise AdvertRejected(RejectReason.CHECKSUM, f"{payload[6:8].hex()} fits neither form")


def _pseudo_header(source: IPv4Address, destination: IPv4Address, length: int) -> bytes:
    return source.packed + destination.packed + struct.pack("!BBH", 0, IP_PROTOCOL, length)
