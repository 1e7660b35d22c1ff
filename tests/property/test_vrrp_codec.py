"""The codec: what is encoded is decoded again, and any bytes are a value or AdvertRejected."""

from contextlib import suppress
from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vrrp.advertisement import Advertisement, AdvertRejected, Datagram, decode, decode_payload, encode, group_of
from vrrp.authentication import Signer, Verifier

KEY = bytes(32)

hosts4 = st.integers(0, 2**32 - 1).map(IPv4Address)
hosts6 = st.integers(0, 2**128 - 1).map(IPv6Address)
hosts = hosts4 | hosts6
link_locals = st.integers(0, 2**118 - 1).map(lambda low: IPv6Address(0xFE80 << 112 | low))
checksums = st.sampled_from(["rfc5798", "rfc9568"])
passwords = st.none() | st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=8)
versions = st.sampled_from([2, 3])
lists4 = st.lists(hosts4, min_size=1, max_size=255).map(tuple)
lists6 = st.tuples(link_locals, st.lists(hosts6, max_size=254)).map(lambda both: (both[0], *both[1]))


def adverts_of(addresses, intervals_cs):
    return st.builds(
        Advertisement,
        vrid=st.integers(1, 255),
        priority=st.integers(0, 255),
        max_advert_interval_cs=intervals_cs,
        addresses=addresses,
    )


adverts4 = adverts_of(lists4, st.integers(1, 4095))
adverts6 = adverts_of(lists6, st.integers(1, 4095))
adverts2 = adverts_of(lists4, st.integers(1, 255).map(lambda seconds: seconds * 100))
versioned = st.tuples(adverts4 | adverts6, st.just(3)) | st.tuples(adverts2, st.just(2))
KINDS = {"IPv4": (adverts4, hosts4), "IPv6": (adverts6, hosts6)}


def to_group(payload, source, ttl=255):
    return Datagram(payload, source, group_of(source.version), ttl)


@given(advert=adverts4, source=hosts4, checksum=checksums)
def test_round_trip(advert, source, checksum):
    payload = encode(advert, source=source, checksum=checksum)
    decoded, seen = decode(to_group(payload, source))
    assert decoded == advert
    # One advertisement in 65,536 fits both forms: then the sum of the pseudo-header is nothing.
    assert seen == checksum or encode(advert, source=source, checksum="rfc5798") == payload


@given(advert=adverts6, source=hosts6, checksum=checksums)
def test_round_trip_of_ipv6(advert, source, checksum):
    payload = encode(advert, source=source, checksum=checksum)
    assert decode(to_group(payload, source)) == (advert, "rfc5798")


@given(advert=adverts2, source=hosts4, checksum=checksums, password=passwords)
def test_round_trip_of_version_2(advert, source, checksum, password):
    payload = encode(advert, source=source, checksum=checksum, version=2, password=password)
    assert decode(to_group(payload, source), version=2, password=password) == (advert, "rfc9568")


@pytest.mark.parametrize("kind", KINDS)
@given(data=st.data(), ttl=st.integers(0, 255), checksum=checksums)
def test_round_trip_of_unicast(kind, data, ttl, checksum):
    adverts, addresses = KINDS[kind]
    advert, source, destination = data.draw(adverts), data.draw(addresses), data.draw(addresses)
    if destination == group_of(source.version):
        return
    payload = encode(advert, source=source, destination=destination, checksum=checksum)
    assert decode(Datagram(payload, source, destination, ttl), peers=[source])[0] == advert


@given(payload=st.binary(max_size=1100), source=hosts, ttl=st.integers(0, 255), version=versions, password=passwords)
def test_any_bytes_are_a_value_or_rejected(payload, source, ttl, version, password):
    with suppress(AdvertRejected):
        assert decode(to_group(payload, source, ttl), version=version, password=password)[1] in ("rfc5798", "rfc9568")


@given(
    start=st.sampled_from([0x21, 0x31]), rest=st.binary(min_size=5, max_size=200), count=st.integers(0, 6), source=hosts
)
def test_bytes_that_begin_well_are_a_value_or_rejected(start, rest, count, source):
    payload = bytes((start, *rest[:2], count, *rest[2:]))
    with suppress(AdvertRejected):
        assert decode_payload(payload, version=start >> 4, family=source.version).vrid == rest[0]


@given(payload=st.binary(max_size=200), source=hosts, destination=hosts, version=versions)
def test_any_bytes_by_unicast_are_a_value_or_rejected(payload, source, destination, version):
    with suppress(AdvertRejected):
        decode(Datagram(payload, source, destination, 64), version=version, peers=[source])


@given(versioned=versioned, bit=st.integers(0), checksum=checksums)
def test_one_flipped_bit_never_passes(versioned, bit, checksum):
    advert, version = versioned
    # Sources whose pseudo-header does not amount to a single bit.
    source = IPv4Address("10.99.0.1") if advert.addresses[0].version == 4 else IPv6Address("fe80::a63:1")
    payload = bytearray(encode(advert, source=source, checksum=checksum, version=version))
    bit %= len(payload) * 8
    payload[bit // 8] ^= 1 << bit % 8
    with pytest.raises(AdvertRejected):
        decode(to_group(bytes(payload), source), version=version)


@given(advert=adverts4 | adverts6, reserved=st.integers(0, 15))
def test_reserved_bits_change_nothing(advert, reserved):
    family = advert.addresses[0].version
    source = IPv4Address("192.0.2.1") if family == 4 else IPv6Address("fe80::1")
    payload = bytearray(encode(advert, source=source, checksum="rfc9568"))
    payload[4] |= reserved << 4
    assert decode_payload(bytes(payload), family=family) == advert


@given(payload=st.binary(max_size=200), source=hosts)
def test_any_bytes_are_refused_by_a_verifier(payload, source):
    with pytest.raises(AdvertRejected):
        Verifier(KEY, "required").verify(payload, source)
    assert Verifier(KEY, "permissive").verify(payload, source) == payload


@given(order=st.lists(st.integers(0, 200), min_size=1, max_size=100))
def test_whatever_the_order_none_is_accepted_twice_and_none_that_is_new_is_refused(order):
    source, payload = IPv4Address("192.0.2.1"), bytes.fromhex("31339601006442ad0a630064")
    verifier, seen = Verifier(KEY, "required"), set()
    for counter in order:
        advert = Signer(KEY, 1, counter).sign(payload, source)
        if counter in seen or counter <= max(seen, default=0) - 64:
            with pytest.raises(AdvertRejected):
                verifier.verify(advert, source)
        else:
            assert verifier.verify(advert, source) == payload
            seen.add(counter)
