"""Gratuitous ARP: how a LAN learns where a VIP now is, and when it is told. Pure.

A switch or a neighbour may miss one frame, so a claim is announced several times at once, and again a second and five
seconds later, when a port that has just come up has begun to forward.
"""

from ipaddress import IPv4Address

AFTER_CLAIM_S = (0.0, 0.01, 0.03, 0.06, 0.1, 1.0, 5.0)
AFTER_RIVAL_S = (0.05, 0.2, 1.0)

_BROADCAST = b"\xff" * 6
_ETHERTYPE_ARP = b"\x08\x06"
_ARP_REQUEST_ETHERNET_IPV4 = b"\x00\x01\x08\x00\x06\x04\x00\x01"


def gratuitous_arp(vip: IPv4Address, mac: bytes) -> bytes:
    """An Ethernet frame: an ARP request from VIP for VIP (RFC 9568 section 8.1.2).

    A request, as keepalived sends it: neighbours that ignore unasked replies still update their entry by it.
    """
    ethernet = _BROADCAST + mac + _ETHERTYPE_ARP
    return ethernet + _ARP_REQUEST_ETHERNET_IPV4 + mac + vip.packed + _BROADCAST + vip.packed


def after_claim(now: float) -> tuple[float, ...]:
    """When to announce VIPs that were claimed at `now`."""
    return tuple(now + after_s for after_s in AFTER_CLAIM_S)


def after_rival(now: float, pending: tuple[float, ...]) -> tuple[float, ...]:
    """When to announce after another Active Router was heard, instead of the `pending` announcements.

    At once, unless one is about to go out: a rival that keeps sending must not make us flood the LAN.
    """
    soon = pending[:1] if pending and pending[0] - now <= AFTER_RIVAL_S[0] else (now,)
    return soon + tuple(now + after_s for after_s in AFTER_RIVAL_S)
