"""VRRP advertisements, bytes to value and back: version 3 (RFC 9568 section 5.2) and version 2 (RFC 3768). Pure.

 0                   1                   2                   3
 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
+-------+-------+---------------+---------------+---------------+
|Version| Type  | Virtual Rtr ID|   Priority    |  Addr Count   |
+-------+-------+---------------+---------------+---------------+
| Rsvd  |  Max Advertise Int    |           Checksum            |   version 2: Auth Type, Adver Int in seconds
+-------+-----------------------+-------------------------------+
|                   IPv4 or IPv6 address(es)                    |
+---------------------------------------------------------------+
|          version 2 only: 8 bytes Authentication Data          |
"""

import struct
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import Enum
from hmac import compare_digest
from ipaddress import IPv4Address, IPv6Address

from vrrp.config import OWNER_PRIORITY, Address, Checksum, VirtualRouterConfig

GROUP = IPv4Address("224.0.0.18")
GROUP6 = IPv6Address("ff02::12")
IP_PROTOCOL = 112
TTL = 255
RESIGN_PRIORITY = 0
"""The sender stops being Active (RFC 9568 section 5.2.4)."""

_ADVERTISEMENT_TYPE = 1
_HEADER = struct.Struct("!BBBBHH")
_CHECKSUM_AT = 6
_NO_AUTHENTICATION, _PASSWORD = 0, 1  # Auth Types; the second is a leftover of RFC 2338
_AUTHENTICATION_BYTES = 8


class RejectReason(Enum):
    """Why an advertisement was dropped; the value is the name under which it is counted."""

    TTL = "ttl"
    DESTINATION = "destination"
    OWN_ADDRESS = "own_address"
    PEER = "peer"
    FAMILY = "family"
    VERSION = "version"
    TYPE = "type"
    LENGTH = "length"
    CHECKSUM = "checksum"
    VRID = "vrid"
    COUNT = "count"
    INTERVAL = "interval"
    LINK_LOCAL = "link_local"
    ADDRESSES = "addresses"
    AUTHENTICATION = "authentication"
    REPLAY = "replay"
    UNSIGNED = "unsigned"


class AdvertRejected(Exception):  # noqa: N818 - the house word for hostile input
    """What was received is not an advertisement to act upon."""

    def __init__(self, reason: RejectReason, detail: str) -> None:
        super().__init__(f"{reason.value}: {detail}")
        self.reason = reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Advertisement:
    """What an Active Router says. All addresses are of one family."""

    vrid: int
    priority: int
    max_advert_interval_cs: int
    """Version 2 has it in whole seconds on the wire."""
    addresses: tuple[Address, ...]


@dataclass(frozen=True, slots=True)
class Datagram:
    """One received IP packet of protocol 112: its payload, and what its header said (IPv6: ttl is the hop limit)."""

    payload: bytes
    source: Address
    destination: Address
    ttl: int


def group_of(family: int) -> Address:
    """Where all routers of a LAN listen: 224.0.0.18 or ff02::12. Neither ever leaves the LAN."""
    return GROUP if family == 4 else GROUP6


def encode(
    advertisement: Advertisement,
    *,
    source: Address,
    destination: Address | None = None,
    checksum: Checksum,
    version: int = 3,
    password: str | None = None,
) -> bytes:
    """The payload of an IP packet from `source` to `destination`; None: to the group. Reserved bits are sent as 0.

    `checksum` is a choice for version 3 with IPv4 only; `password` (at most 8 ASCII characters) is for version 2.
    """
    message = _message(advertisement, version, password)
    if version == 2 or (source.version == 4 and checksum == "rfc9568"):
        covered = message
    else:
        covered = _pseudo_header(source, destination or group_of(source.version), len(message)) + message
    return message[:_CHECKSUM_AT] + internet_checksum(covered).to_bytes(2, "big") + message[_CHECKSUM_AT + 2 :]


def decode(
    datagram: Datagram, *, version: int = 3, password: str | None = None, peers: Collection[Address] = ()
) -> tuple[Advertisement, Checksum]:
    """The advertisement in a datagram, and which checksum it came with. Raises AdvertRejected (section 7.1).

    With `peers` it must be unicast from one of them, may have been routed, and need not be of their subnet. IPv6 comes
    with "rfc5798" always and version 2 with "rfc9568": there is only one form for each (see `is_unusual`).
    """
    check_way(datagram, peers)
    payload, family = datagram.payload, datagram.source.version
    advertisement = decode_payload(payload, version=version, family=family)
    if version == 2:
        if internet_checksum(payload) != 0:
            raise AdvertRejected(RejectReason.CHECKSUM, f"{payload[6:8].hex()} is wrong")
        _check_password(payload, password)
        return advertisement, "rfc9568"
    return advertisement, _verified_checksum(datagram)


def check_way(datagram: Datagram, peers: Collection[Address]) -> None:
    """Raise AdvertRejected where it did not come the way that advertisements come: source, destination, TTL.

    `decode` looks at this too. Whoever verifies a signature asks before: else a copy that a router has passed on, and
    that is dropped in the end, would make a replay of the original.
    """
    family, group = datagram.source.version, group_of(datagram.source.version)
    if datagram.destination.version != family:
        raise AdvertRejected(RejectReason.FAMILY, f"sent to {datagram.destination} from {datagram.source}")
    if not peers:
        if datagram.ttl != TTL:
            raise AdvertRejected(RejectReason.TTL, f"{datagram.ttl} instead of 255: it was forwarded by a router")
        if datagram.destination != group:
            raise AdvertRejected(RejectReason.DESTINATION, f"sent to {datagram.destination} instead of {group}")
        return
    if datagram.source not in peers:
        raise AdvertRejected(RejectReason.PEER, f"{datagram.source} is none of the peers")
    if datagram.destination == group:
        raise AdvertRejected(RejectReason.DESTINATION, f"sent to {group} instead of to us alone")


def decode_payload(payload: bytes, *, version: int = 3, family: int = 4) -> Advertisement:
    """The advertisement in a payload of which neither checksum nor password is looked at. Raises AdvertRejected."""
    if len(payload) < _HEADER.size:
        raise AdvertRejected(RejectReason.LENGTH, f"{len(payload)} bytes are less than a header")
    version_and_type, vrid, priority, count, interval, _ = _HEADER.unpack_from(payload)
    if version_and_type >> 4 != version:
        raise AdvertRejected(RejectReason.VERSION, f"version {version_and_type >> 4} instead of {version}")
    if version_and_type & 0x0F != _ADVERTISEMENT_TYPE:
        raise AdvertRejected(RejectReason.TYPE, f"type {version_and_type & 0x0F} instead of 1")
    if count == 0:
        raise AdvertRejected(RejectReason.COUNT, "no address")
    # In version 3 the four bits above are reserved: ignored, whatever they are. In version 2 eight are the Auth Type.
    interval_cs = interval & 0x0FFF if version == 3 else (interval & 0xFF) * 100
    if interval_cs == 0:
        raise AdvertRejected(RejectReason.INTERVAL, "an advertisement interval of 0")
    addresses = _addresses(payload, count, version, family)
    return Advertisement(vrid=vrid, priority=priority, max_advert_interval_cs=interval_cs, addresses=addresses)


def refusal(config: VirtualRouterConfig, advertisement: Advertisement) -> AdvertRejected | None:
    """Why a router of this configuration must drop an advertisement that is sound in itself; None: it must not.

    Version 2 alone has such reasons (RFC 3768 section 7.1). Version 3 logs the difference and goes on.
    """
    if config.version != 2:
        return None
    theirs, ours = advertisement.max_advert_interval_cs, config.advertisement_interval_cs
    if theirs != ours:
        return AdvertRejected(RejectReason.INTERVAL, f"every {theirs // 100} s, ours {ours // 100} s")
    if advertisement.priority != OWNER_PRIORITY and set(advertisement.addresses) != set(config.vips):
        listed = ", ".join(map(str, advertisement.addresses))
        return AdvertRejected(RejectReason.ADDRESSES, f"{listed}; ours {', '.join(map(str, config.vips))}")
    return None


def differences(config: VirtualRouterConfig, advertisement: Advertisement) -> Sequence[str]:
    """What a peer was told otherwise than we were, in words. To be logged, never acted upon (section 7.1)."""
    found = []
    if advertisement.max_advert_interval_cs != config.advertisement_interval_cs:
        theirs = advertisement.max_advert_interval_cs * 10
        found.append(f"advertisement interval {theirs} ms, ours {config.advertisement_interval_cs * 10} ms")
    if set(advertisement.addresses) != set(config.vips):
        theirs_text = ", ".join(map(str, advertisement.addresses))
        found.append(f"addresses {theirs_text}; ours {', '.join(map(str, config.vips))}")
    return found


def is_unusual(config: VirtualRouterConfig, seen: Checksum) -> bool:
    """Whether a checksum has the form that this router does not send. Only version 3 with IPv4 has two."""
    return config.version == 3 and config.family == 4 and seen != config.checksum


def vrid_of(payload: bytes) -> int | None:
    """The VRID that a payload names, however malformed the rest of it is; None where it ends before it."""
    return payload[1] if len(payload) > 1 else None


def message_bytes(payload: bytes, *, version: int = 3, family: int = 4) -> int:
    """How long the message at the beginning of a payload says it is; a header at least."""
    count = payload[3] if len(payload) > 3 else 0
    return _HEADER.size + count * (4 if family == 4 else 16) + (_AUTHENTICATION_BYTES if version == 2 else 0)


def internet_checksum(data: bytes) -> int:
    """RFC 1071. Over data that holds its own checksum the result is 0."""
    if len(data) % 2:
        data += b"\0"
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    return total ^ 0xFFFF


def _message(advertisement: Advertisement, version: int, password: str | None) -> bytes:
    """With a checksum of 0."""
    interval, tail = advertisement.max_advert_interval_cs, b""
    if version == 2:
        kind = _NO_AUTHENTICATION if password is None else _PASSWORD
        interval, tail = kind << 8 | interval // 100, _authentication_data(password)
    head = _HEADER.pack(
        version << 4 | _ADVERTISEMENT_TYPE,
        advertisement.vrid,
        advertisement.priority,
        len(advertisement.addresses),
        interval,
        0,
    )
    return head + b"".join([address.packed for address in advertisement.addresses]) + tail


def _addresses(payload: bytes, count: int, version: int, family: int) -> tuple[Address, ...]:
    if version == 2 and family == 6:
        raise AdvertRejected(RejectReason.FAMILY, "version 2 is for IPv4 alone")
    length = message_bytes(payload, version=version, family=family)
    if len(payload) != length:
        if len(payload) == message_bytes(payload, version=version, family=6 if family == 4 else 4):
            raise AdvertRejected(RejectReason.FAMILY, f"addresses that are not IPv{family} ones")
        raise AdvertRejected(RejectReason.LENGTH, f"{len(payload)} bytes with {count} addresses")
    if family == 4:
        end = _HEADER.size + 4 * count
        return tuple([IPv4Address(payload[at : at + 4]) for at in range(_HEADER.size, end, 4)])
    if payload[_HEADER.size] != 0xFE or payload[_HEADER.size + 1] & 0xC0 != 0x80:  # fe80::/10
        raise AdvertRejected(RejectReason.LINK_LOCAL, "the first address is not link-local")
    return tuple([IPv6Address(payload[at : at + 16]) for at in range(_HEADER.size, length, 16)])


def _verified_checksum(datagram: Datagram) -> Checksum:
    payload = datagram.payload
    if internet_checksum(_pseudo_header(datagram.source, datagram.destination, len(payload)) + payload) == 0:
        return "rfc5798"
    if datagram.source.version == 4 and internet_checksum(payload) == 0:
        return "rfc9568"
    raise AdvertRejected(RejectReason.CHECKSUM, f"{payload[6:8].hex()} is wrong")


def _check_password(payload: bytes, password: str | None) -> None:
    """RFC 2338 section 5.3.6. What stands there without authentication is ignored (RFC 3768 section 5.3.10)."""
    kind, wanted = payload[4], _NO_AUTHENTICATION if password is None else _PASSWORD
    if kind != wanted:
        raise AdvertRejected(RejectReason.AUTHENTICATION, f"Auth Type {kind} instead of {wanted}")
    if password is None:
        return
    if not compare_digest(payload[-_AUTHENTICATION_BYTES:], _authentication_data(password)):
        raise AdvertRejected(RejectReason.AUTHENTICATION, "another password")


def _authentication_data(password: str | None) -> bytes:
    return (password or "").encode("ascii").ljust(_AUTHENTICATION_BYTES, b"\0")


def _pseudo_header(source: Address, destination: Address, length: int) -> bytes:
    if source.version == 4:
        return source.packed + destination.packed + struct.pack("!BBH", 0, IP_PROTOCOL, length)
    return source.packed + destination.packed + struct.pack("!II", length, IP_PROTOCOL)  # RFC 8200 section 8.1
