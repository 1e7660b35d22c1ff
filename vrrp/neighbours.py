"""Questions to a neighbour on the LAN, ARP or neighbour discovery, and its answers. Pure.

What it answers, whatever firewall it has, is that the LAN carries our frames there and its frames back.
"""

from ipaddress import IPv4Address, IPv6Address

from vrrp.config import Address
from vrrp.frames import (
    BROADCAST,
    ETHERTYPE_ARP,
    ETHERTYPE_IPV6,
    ICMPV6,
    arp,
    icmpv6,
    icmpv6_checksum,
    multicast_mac,
)

_REQUEST, _REPLY = 1, 2
_NEIGHBOUR_SOLICITATION, _NEIGHBOUR_ADVERTISEMENT = 135, 136
_SOURCE_LINK_LAYER_ADDRESS = b"\x01\x01"
_SOLICITED_NODE = IPv6Address("ff02::1:ff00:0").packed[:13]
_HOP_LIMIT = 255
_ETHERNET_BYTES, _ARP_BYTES, _IPV6_BYTES, _ADVERTISEMENT_BYTES = 14, 28, 40, 24
_ARP_HEADER = arp(_REPLY, sender=(b"", b""), target=(b"", b""))


def question(target: Address, source: Address, mac: bytes) -> bytes:
    """The frame that asks for a neighbour, in the family of its address."""
    if isinstance(target, IPv4Address):
        return arp_request(target, source, mac)
    return neighbour_solicitation(target, source, mac)


def arp_request(target: Address, source: Address, mac: bytes) -> bytes:
    """An Ethernet frame: who has `target`? The answer goes to `source`, an IPv4 address, at `mac`."""
    body = arp(_REQUEST, sender=(mac, source.packed), target=(bytes(6), target.packed))
    return BROADCAST + mac + ETHERTYPE_ARP + body


def neighbour_solicitation(target: Address, source: Address, mac: bytes) -> bytes:
    """An Ethernet frame: the same for IPv6, to the solicited-node group of `target` (RFC 4861 section 4.3)."""
    group = IPv6Address(_SOLICITED_NODE + target.packed[13:])
    message = bytes((_NEIGHBOUR_SOLICITATION, 0, 0, 0, 0, 0, 0, 0)) + target.packed
    packet = icmpv6(message + _SOURCE_LINK_LAYER_ADDRESS + mac, source, group)
    return multicast_mac(group) + mac + ETHERTYPE_IPV6 + packet


def answer_in(frame: bytes) -> Address | None:
    """Whose ARP reply or neighbour advertisement an Ethernet frame is. None: it is neither, or malformed."""
    ethertype, packet = frame[12:_ETHERNET_BYTES], frame[_ETHERNET_BYTES:]
    if ethertype == ETHERTYPE_ARP:
        return _arp_answer(packet)
    if ethertype == ETHERTYPE_IPV6:
        return _advertisement_answer(packet)
    return None


def _arp_answer(packet: bytes) -> Address | None:
    if len(packet) < _ARP_BYTES or packet[:8] != _ARP_HEADER:
        return None
    return IPv4Address(packet[14:18])


def _advertisement_answer(packet: bytes) -> Address | None:
    """A hop limit below 255 would mean that it comes from beyond a router (RFC 4861 section 7.1.2)."""
    if len(packet) < _IPV6_BYTES + _ADVERTISEMENT_BYTES or packet[0] >> 4 != 6:
        return None
    length = int.from_bytes(packet[4:6], "big")
    message = packet[_IPV6_BYTES : _IPV6_BYTES + length]
    if packet[6] != ICMPV6 or packet[7] != _HOP_LIMIT or not _ADVERTISEMENT_BYTES <= length == len(message):
        return None
    if message[:2] != bytes((_NEIGHBOUR_ADVERTISEMENT, 0)) or icmpv6_checksum(message, packet[8:24], packet[24:40]):
        return None
    return IPv6Address(message[8:24])
