"""Ethernet frames as bytes: ARP, neighbour discovery, and IP packets to a group. Pure."""

import struct
from typing import Final

from vrrp.advertisement import IP_PROTOCOL, TTL, internet_checksum
from vrrp.config import Address

BROADCAST: Final = b"\xff" * 6
ETHERTYPE_IPV4, ETHERTYPE_ARP, ETHERTYPE_IPV6 = b"\x08\x00", b"\x08\x06", b"\x86\xdd"
TOS_INTERNETWORK_CONTROL: Final = 0xC0
ICMPV6: Final = 58

_DONT_FRAGMENT = 0x4000
_IPV4 = struct.Struct("!BBHHHBBH4s4s")
_IPV6 = struct.Struct("!IHBB16s16s")
_PSEUDO_HEADER6 = struct.Struct("!16s16sIxxxB")


def advert_frame(payload: bytes, source: Address, destination: Address, vmac: bytes) -> bytes:
    """An advertisement to a group (224.0.0.18 or ff02::12) as it leaves a virtual router (RFC 9568 section 7.3).

    `vmac`, 6 bytes, is its Ethernet source. TTL and hop limit are 255, the traffic class that of internetwork control.
    """
    if source.version == 4:
        ethertype, packet = ETHERTYPE_IPV4, _ipv4(payload, source, destination)
    else:
        ethertype = ETHERTYPE_IPV6
        packet = ipv6(payload, source, destination, next_header=IP_PROTOCOL, traffic_class=TOS_INTERNETWORK_CONTROL)
    return multicast_mac(destination) + vmac + ethertype + packet


def multicast_mac(group: Address) -> bytes:
    """The Ethernet address of an IP group (RFC 1112 section 6.4; RFC 2464 section 7)."""
    if group.version == 6:
        return b"\x33\x33" + group.packed[-4:]
    return b"\x01\x00\x5e" + bytes((group.packed[1] & 0x7F,)) + group.packed[2:]


def arp(operation: int, *, sender: tuple[bytes, bytes], target: tuple[bytes, bytes]) -> bytes:
    """The body of an ARP packet; `sender` and `target` are MAC and IPv4 address, packed."""
    return struct.pack("!HHBBH", 1, 0x0800, 6, 4, operation) + b"".join(sender + target)


def icmpv6(message: bytes, source: Address, destination: Address) -> bytes:
    """An IPv6 packet with an ICMPv6 message whose checksum field (bytes 2 and 3) is zero yet. Hop limit 255."""
    checksum = icmpv6_checksum(message, source.packed, destination.packed)
    message = message[:2] + checksum.to_bytes(2, "big") + message[4:]
    return ipv6(message, source, destination, next_header=ICMPV6)


def icmpv6_checksum(message: bytes, source: bytes, destination: bytes) -> int:
    """RFC 4443 section 2.3. Over a message that holds its own checksum the result is 0."""
    return internet_checksum(_PSEUDO_HEADER6.pack(source, destination, len(message), ICMPV6) + message)


def ipv6(payload: bytes, source: Address, destination: Address, *, next_header: int, traffic_class: int = 0) -> bytes:
    """An IPv6 packet with hop limit 255."""
    first = 6 << 28 | traffic_class << 20
    return _IPV6.pack(first, len(payload), next_header, TTL, source.packed, destination.packed) + payload


def _ipv4(payload: bytes, source: Address, destination: Address) -> bytes:
    def header(checksum: int) -> bytes:
        length = _IPV4.size + len(payload)
        return _IPV4.pack(
            0x45,
            TOS_INTERNETWORK_CONTROL,
            length,
            0,
            _DONT_FRAGMENT,
            TTL,
            IP_PROTOCOL,
            checksum,
            source.packed,
            destination.packed,
        )

    return header(internet_checksum(header(0))) + payload
