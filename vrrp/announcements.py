"""Gratuitous ARP and unsolicited neighbour advertisements: how a LAN learns where a VIP is, and when it is told. Pure.

A switch or a neighbour may miss one frame, so a claim is announced several times at once, and again a second and five
seconds later, when a port that has just come up has begun to forward.
"""

from ipaddress import IPv4Address, IPv6Address

from vrrp.config import Address
from vrrp.frames import BROADCAST, ETHERTYPE_ARP, ETHERTYPE_IPV6, advert_frame, arp, icmpv6, multicast_mac

__all__ = [
    "advert_frame",
    "after_claim",
    "after_rival",
    "announcement",
    "gratuitous_arp",
    "unsolicited_neighbour_advertisement",
]

AFTER_CLAIM_S = (0.0, 0.01, 0.03, 0.06, 0.1, 1.0, 5.0)
AFTER_RIVAL_S = (0.05, 0.2, 1.0)

_REQUEST = 1
_ALL_NODES = IPv6Address("ff02::1")
_NEIGHBOUR_ADVERTISEMENT = 136
_ROUTER_AND_OVERRIDE = b"\xa0\0\0\0"
_TARGET_LINK_LAYER_ADDRESS = b"\x02\x01"


def announcement(vip: Address, mac: bytes) -> bytes:
    """The Ethernet frame that says: `vip` is at `mac` (6 bytes)."""
    if isinstance(vip, IPv4Address):
        return gratuitous_arp(vip, mac)
    return unsolicited_neighbour_advertisement(vip, mac)


def gratuitous_arp(vip: IPv4Address, mac: bytes) -> bytes:
    """An Ethernet frame: an ARP request from VIP for VIP (RFC 9568 section 8.1.2).

    A request, as keepalived sends it: neighbours that ignore unasked replies still update their entry by it.
    """
    body = arp(_REQUEST, sender=(mac, vip.packed), target=(BROADCAST, vip.packed))
    return BROADCAST + mac + ETHERTYPE_ARP + body


def unsolicited_neighbour_advertisement(vip: IPv6Address, mac: bytes) -> bytes:
    """An Ethernet frame: a neighbour advertisement to all nodes with R=1, S=0, O=1 (RFC 9568 section 8.2.2)."""
    message = bytes((_NEIGHBOUR_ADVERTISEMENT, 0, 0, 0)) + _ROUTER_AND_OVERRIDE + vip.packed
    packet = icmpv6(message + _TARGET_LINK_LAYER_ADDRESS + mac, vip, _ALL_NODES)
    return multicast_mac(_ALL_NODES) + mac + ETHERTYPE_IPV6 + packet


def after_claim(now: float) -> tuple[float, ...]:
    """When to announce VIPs that were claimed at `now`."""
    return tuple(now + after_s for after_s in AFTER_CLAIM_S)


def after_rival(now: float, pending: tuple[float, ...]) -> tuple[float, ...]:
    """When to announce after another Active Router was heard, instead of the `pending` announcements.

    At once, unless one is about to go out: a rival that keeps sending must not make us flood the LAN.
    """
    soon = pending[:1] if pending and pending[0] - now <= AFTER_RIVAL_S[0] else (now,)
    return soon + tuple(now + after_s for after_s in AFTER_RIVAL_S)
