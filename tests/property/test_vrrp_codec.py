"""The codec: what is encoded is decoded again, and any bytes are a value or AdvertRejected."""

from contextlib import suppress
from ipaddress import IPv4Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vrrp.advertisement import GROUP, Advertisement, AdvertRejected, Datagram, decode, decode_payload, encode

hosts = st.integers(0, 2**32 - 1).map(IPv4Address)
checksums = st.sampled_from(["rfc5798", "rfc9568"])
adverts = st.builds(
    Advertisement,
    vrid=st.integers(1, 255),
    priority=st.integers(0, 255),
    max_advert_interval_cs=st.integers(1, 4095),
    addresses=st.lists(hosts, min_size=1, max_size=255).map(tuple),
)


@given(advert=adverts, source=hosts, checksum=checksums)
def test_round_trip(advert, source, checksum):
    payload = encode(advert, source=source, checksum=checksum)
    decoded, seen = decode(Datagram(payload, source, GROUP, 255))
    assert decoded == advert
    # One advertisement in 65,536 fits both forms: then the sum of the pseudo-header is nothing.
    assert seen == checksum or encode(advert, source=source, checksum="rfc5798") == payload


@given(payload=st.binary(max_size=1100), source=hosts, ttl=st.integers(0, 255))
def test_any_bytes_are_a_value_or_rejected(payload, source, ttl):
    with suppress(AdvertRejected):
        assert decode(Datagram(payload, source, GROUP, ttl))[1] in ("rfc5798", "rfc9568")


@given(advert=adverts, bit=st.integers(0), checksum=checksums)
def test_one_flipped_bit_never_passes(advert, bit, checksum):
    source = IPv4Address("10.99.0.1")  # not one whose pseudo-header amounts to a single bit
    payload = bytearray(encode(advert, source=source, checksum=checksum))
    bit %= len(payload) * 8
    payload[bit // 8] ^= 1 << bit % 8
    with pytest.raises(AdvertRejected):
        decode(Datagram(bytes(payload), source, GROUP, 255))


@given(advert=adverts, reserved=st.integers(0, 15))
def test_reserved_bits_change_nothing(advert, reserved):
    payload = bytearray(encode(advert, source=IPv4Address("192.0.2.1"), checksum="rfc9568"))
    payload[4] |= reserved << 4
    assert decode_payload(bytes(payload)) == advert
