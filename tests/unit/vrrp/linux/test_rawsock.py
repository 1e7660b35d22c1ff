"""Reading what a raw socket hands over. The sockets themselves are tried in tests/netns."""

import socket
from ipaddress import IPv4Address, IPv6Address

from vrrp.advertisement import Datagram
from vrrp.linux.rawsock import datagram6_in, datagram_in

ADDRESSES = bytes((10, 99, 0, 1, 224, 0, 0, 18))


def test_header_is_taken_off():
    header = bytes.fromhex("45c00020000040 00ff7000 00") + ADDRESSES
    assert datagram_in(header + b"payload") == Datagram(
        b"payload", IPv4Address("10.99.0.1"), IPv4Address("224.0.0.18"), 255
    )


def test_options_are_skipped():
    header = bytes.fromhex("46c00024000040 00fe7000 00") + ADDRESSES + bytes.fromhex("94040000")
    assert datagram_in(header + b"payload").payload == b"payload"
    assert datagram_in(header + b"payload").ttl == 254


def test_ipv6_comes_without_header_and_with_its_destination_and_hop_limit_beside_it():
    destination = bytes.fromhex("ff020000000000000000000000000012")
    control = [
        (socket.IPPROTO_IPV6, socket.IPV6_PKTINFO, destination + (7).to_bytes(4, "little")),
        (socket.IPPROTO_IPV6, socket.IPV6_HOPLIMIT, (255).to_bytes(4, "little")),
    ]
    assert datagram6_in(b"payload", control, "fe80::1%eth0") == Datagram(
        b"payload", IPv6Address("fe80::1"), IPv6Address("ff02::12"), 255
    )


def test_ipv6_of_which_nothing_else_is_known_has_hop_limit_0():
    assert datagram6_in(b"", [], "fe80::1").ttl == 0
