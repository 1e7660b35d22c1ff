"""Packets that make both ends of a TCP flow speak, so that this machine can answer with a reset. Pure.

An end that only receives would hear nothing of a flow that is cut. A segment with SYN in an established connection is
answered by an ACK that tells exactly which sequence number is due (RFC 5961 section 4), and the answer to that, a reset
by the rules of balancer.kernel.ruleset, is believed. Between the ends a SYN from the client, or a SYN with ACK from the
server, is what firewalls that follow connections let pass and forget.
"""

import struct
from collections.abc import Iterator
from ipaddress import ip_address
from typing import NamedTuple

from balancer.kernel.conntrack import TCP, Flow

_SYN, _SYN_ACK = 0x02, 0x12
_TCP = struct.Struct("!HHIIBBHHH")
_IPV4 = struct.Struct("!BBHHHBBH4s4s")
_IPV6 = struct.Struct("!IHBB16s16s")


class Poke(NamedTuple):
    """A whole IP packet, and where it goes."""

    packet: bytes
    to: str


def pokes(flow: Flow) -> Iterator[Poke]:
    """To the client as if from the VIP, to the server as if from its client."""
    if flow.protocol == TCP:
        yield _poke(flow.vip, flow.vip_port, flow.client, flow.client_port, _SYN_ACK)
        yield _poke(flow.sender, flow.sender_port, flow.server, flow.server_port, _SYN)


def _poke(source: bytes, source_port: int, target: bytes, target_port: int, flags: int) -> Poke:
    segment = _TCP.pack(source_port, target_port, 0, 0, 5 << 4, flags, 0, 0, 0)
    ends = source + target
    total = _checksum(ends + struct.pack("!II", len(segment), TCP) + segment)
    segment = segment[:16] + struct.pack("!H", total) + segment[18:]
    if len(source) == 16:
        header = _IPV6.pack(6 << 28, len(segment), TCP, 64, source, target)
    else:
        # The kernel fills in the header's checksum (raw(7)).
        header = _IPV4.pack(0x45, 0, _IPV4.size + len(segment), 0, 0, 64, TCP, 0, source, target)
    return Poke(header + segment, str(ip_address(target)))


def _checksum(data: bytes) -> int:
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF
