"""What the filters let through. The sockets themselves are tried in tests/netns."""

import socket
from ipaddress import ip_address

import pytest

from vrrp.frames import icmpv6
from vrrp.linux.witness import ONLY_ARP_REPLIES, ONLY_NEIGHBOUR_ADVERTISEMENTS

ARP = bytes.fromhex("02000000000a 02000000000b 0806 0001 0800 06 04 0002 02000000000b c0000201 02000000000a c0000202")


def passes(program, frame):
    """Whether the kernel, having attached the filter to a socket, would keep the frame. Loads past its end drop it."""
    at, accumulator = 0, 0
    while True:
        code, if_true, if_false, value = program[at]
        at += 1
        match code:
            case 0x30 | 0x28:
                size = 1 if code == 0x30 else 2
                if value + size > len(frame):
                    return False
                accumulator = int.from_bytes(frame[value : value + size], "big")
            case 0x15:
                at += if_true if accumulator == value else if_false
            case 0x06:
                return value > 0


def icmp(kind):
    address = ip_address("fe80::1")
    return bytes.fromhex("02000000000a 02000000000b 86dd") + icmpv6(
        bytes((kind, 0, 0, 0, 0, 0, 0, 0)), address, address
    )


@pytest.mark.parametrize(
    ("program", "frame", "kept"),
    [
        (ONLY_ARP_REPLIES, ARP, True),
        (ONLY_ARP_REPLIES, ARP[:21] + b"\1" + ARP[22:], False),
        (ONLY_ARP_REPLIES, b"", False),
        (ONLY_NEIGHBOUR_ADVERTISEMENTS, icmp(136), True),
        (ONLY_NEIGHBOUR_ADVERTISEMENTS, icmp(135), False),
        (ONLY_NEIGHBOUR_ADVERTISEMENTS, icmp(136)[:20] + bytes((socket.IPPROTO_UDP,)) + icmp(136)[21:], False),
        (ONLY_NEIGHBOUR_ADVERTISEMENTS, icmp(136)[:54], False),
    ],
)
def test_filter(program, frame, kept):
    assert passes(program, frame) is kept
