"""Reading what a raw socket hands over. The sockets themselves are tried in tests/netns."""

from ipaddress import IPv4Address

from vrrp.advertisement import Datagram
from vrrp.linux.rawsock import datagram_in

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
