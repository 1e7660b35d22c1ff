"""The codec. The tests named after a rule follow RFC 9568 sections 5.2 and 7.1; version 2: RFC 3768 and RFC 2338."""

import struct
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Interface, IPv4Network, IPv6Address, IPv6Interface

import pytest

from vrrp.advertisement import (
    GROUP,
    GROUP6,
    IP_PROTOCOL,
    TTL,
    Advertisement,
    AdvertRejected,
    Datagram,
    RejectReason,
    check_way,
    decode,
    decode_payload,
    differences,
    encode,
    group_of,
    internet_checksum,
    is_unusual,
    message_bytes,
    refusal,
    vrid_of,
)
from vrrp.config import VirtualRouterConfig

SOURCE, PEER = IPv4Address("10.99.0.1"), IPv4Address("10.99.0.2")
ADVERT = Advertisement(vrid=51, priority=150, max_advert_interval_cs=100, addresses=(IPv4Address("10.99.0.100"),))
GOOD = Datagram(bytes.fromhex("31339601006442ad0a630064"), SOURCE, IPv4Address("224.0.0.18"), 255)

SOURCE6, PEER6 = IPv6Address("fe80::ff:fe00:a"), IPv6Address("fe80::ff:fe00:b")
VIPS6 = (IPv6Address("fe80::100"), IPv6Address("fd99::100"))
ADVERT6 = Advertisement(vrid=51, priority=150, max_advert_interval_cs=100, addresses=VIPS6)
TEXT6 = "3133960200643d13 fe800000000000000000000000000100 fd990000000000000000000000000100"
GOOD6 = Datagram(bytes.fromhex(TEXT6), SOURCE6, IPv6Address("ff02::12"), 255)

GOOD2 = replace(GOOD, payload=bytes.fromhex("2133960100013e030a6300640000000000000000"))
WITH_PASSWORD = replace(GOOD, payload=bytes.fromhex("213396010101cf840a6300647365637265743132"))

both = pytest.mark.parametrize("good", [pytest.param(GOOD, id="IPv4"), pytest.param(GOOD6, id="IPv6")])
all_three = pytest.mark.parametrize(
    ("good", "version"),
    [pytest.param(GOOD, 3, id="IPv4"), pytest.param(GOOD6, 3, id="IPv6"), pytest.param(GOOD2, 2, id="version 2")],
)


def reason(datagram, **options):
    with pytest.raises(AdvertRejected) as rejected:
        decode(datagram, **options)
    return rejected.value.reason


def changed(good=GOOD, payload=None, **bytes_at):
    """`good` with single bytes replaced: `changed(b4=0x10)`. Its checksum is made right again (IPv4: message-only)."""
    changed = bytearray(good.payload if payload is None else payload)
    for name, value in bytes_at.items():
        changed[int(name[1:])] = value
    changed[6:8] = b"\0\0"
    summed = bytes(changed)
    if good.source.version == 6:
        summed += good.source.packed + good.destination.packed + struct.pack("!II", len(changed), 112)
    words = [summed[at] << 8 | summed[at + 1] for at in range(0, len(summed), 2)]
    changed[6:8] = (0xFFFF - (sum(words) % 0xFFFF)).to_bytes(2, "big")
    return replace(good, payload=bytes(changed))


def config(**options):
    addresses = options.pop("addresses", ("10.99.0.100/24",))
    return VirtualRouterConfig(
        name="lan", vrid=51, interface="eth0", addresses=tuple(map(IPv4Interface, addresses)), **options
    )


CONFIG6 = VirtualRouterConfig(
    name="lan6", vrid=51, interface="eth0", addresses=(IPv6Interface("fe80::100/64"),), checksum="rfc9568"
)


def test_rule_1_group_protocol_and_ttl():
    assert (str(GROUP), str(GROUP6), IP_PROTOCOL, TTL) == ("224.0.0.18", "ff02::12", 112, 255)
    assert (group_of(4), group_of(6)) == (GROUP, GROUP6)


def test_rule_3_bytes():
    payload = encode(ADVERT, source=SOURCE, checksum="rfc5798")
    assert payload.hex(" ") == "31 33 96 01 00 64 42 ad 0a 63 00 64"


def test_rule_3_bytes_of_ipv6():
    assert encode(ADVERT6, source=SOURCE6, checksum="rfc5798") == bytes.fromhex(TEXT6)


def test_rule_3_reserved_bits_are_sent_as_zero():
    widest = replace(ADVERT, max_advert_interval_cs=4095)
    assert encode(widest, source=SOURCE, checksum="rfc5798")[4:6].hex() == "0fff"


@all_three
@pytest.mark.parametrize("priority", [0, 1, 254, 255])
def test_rule_4_every_priority_is_read(good, version, priority):
    assert decode(changed(good, b2=priority), version=version)[0].priority == priority


def test_rule_5_checksum_with_pseudo_header_or_of_the_message_alone():
    assert encode(ADVERT, source=SOURCE, checksum="rfc5798")[6:8].hex() == "42ad"
    assert encode(ADVERT, source=SOURCE, checksum="rfc9568")[6:8].hex() == "2da0"


def test_rule_5_pseudo_header_has_the_destination():
    unicast = encode(ADVERT, source=SOURCE, destination=PEER, checksum="rfc5798")
    assert unicast[6:8].hex() == "185b"


def test_rule_5_both_are_accepted_and_told_apart():
    assert decode(GOOD) == (ADVERT, "rfc5798")
    assert decode(replace(GOOD, payload=bytes.fromhex("3133960100642da00a630064"))) == (ADVERT, "rfc9568")


def test_rule_5_ipv6_has_one_form_only():
    assert encode(ADVERT6, source=SOURCE6, checksum="rfc9568") == bytes.fromhex(TEXT6)
    assert decode(GOOD6) == (ADVERT6, "rfc5798")
    message_only = GOOD6.payload[:6] + bytes.fromhex("3a4b") + GOOD6.payload[8:]
    assert reason(replace(GOOD6, payload=message_only)) is RejectReason.CHECKSUM


@pytest.mark.parametrize(
    ("router", "seen", "unusual"),
    [
        pytest.param(config(), "rfc5798", False, id="as we send it"),
        pytest.param(config(), "rfc9568", True, id="the other form"),
        pytest.param(config(checksum="rfc9568"), "rfc5798", True, id="the other way round"),
        pytest.param(config(version=2), "rfc9568", False, id="version 2 has one form"),
        pytest.param(CONFIG6, "rfc5798", False, id="IPv6 has one form"),
    ],
)
def test_rule_5_the_form_that_we_do_not_send_is_unusual(router, seen, unusual):
    assert is_unusual(router, seen) is unusual


def test_rule_6_and_15_the_first_ipv6_address_is_link_local():
    swapped = GOOD6.payload[:8] + GOOD6.payload[24:40] + GOOD6.payload[8:24]
    assert reason(replace(GOOD6, payload=swapped)) is RejectReason.LINK_LOCAL


@pytest.mark.parametrize(("first", "second"), [(0xFE, 0x7F), (0xFE, 0xC0), (0xFF, 0x80), (0xFD, 0x80)])
def test_rule_15_link_local_is_fe80_slash_10(first, second):
    assert reason(changed(GOOD6, b8=first, b9=second)) is RejectReason.LINK_LOCAL


def test_rule_15_all_of_fe80_slash_10_is_link_local():
    assert decode(changed(GOOD6, b8=0xFE, b9=0xBF))[0].addresses[0] == IPv6Address("febf::100")


@all_three
@pytest.mark.parametrize("ttl", [254, 64, 1, 0])
def test_rule_7_ttl_255(good, version, ttl):
    assert reason(replace(good, ttl=ttl), version=version) is RejectReason.TTL


@both
@pytest.mark.parametrize("version", [0, 1, 2, 4, 15])
def test_rule_8_version_3(good, version):
    assert reason(changed(good, b0=version << 4 | 1)) is RejectReason.VERSION


def test_rule_8_each_version_refuses_the_other():
    assert reason(GOOD2) is RejectReason.VERSION
    assert reason(GOOD, version=2) is RejectReason.VERSION


@all_three
@pytest.mark.parametrize("kind", [0, 2, 15])
def test_rule_9_type_1(good, version, kind):
    assert reason(changed(good, b0=version << 4 | kind), version=version) is RejectReason.TYPE


@all_three
def test_rule_10_complete(good, version):
    for length in range(len(good.payload)):
        cut = replace(good, payload=good.payload[:length])
        # With a count of 2 these 16 bytes are a whole message of IPv4.
        wanted = RejectReason.FAMILY if good is GOOD6 and length == 16 else RejectReason.LENGTH
        assert reason(cut, version=version) is wanted


@all_three
@pytest.mark.parametrize("tail", [b"\0", b"\x0a\x63\x00\x65", bytes(16)])
def test_rule_10_nothing_behind_it(good, version, tail):
    assert reason(replace(good, payload=good.payload + tail), version=version) is RejectReason.LENGTH


@all_three
def test_rule_10_count_beyond_the_packet(good, version):
    assert reason(changed(good, b3=9), version=version) is RejectReason.LENGTH


@pytest.mark.parametrize("checksum", ["0000", "ffff", "42ae", "2da1"])
def test_rule_11_checksum(checksum):
    payload = GOOD.payload[:6] + bytes.fromhex(checksum) + GOOD.payload[8:]
    assert reason(replace(GOOD, payload=payload)) is RejectReason.CHECKSUM


@both
def test_rule_11_checksum_covers_the_source_address(good):
    other = PEER if good is GOOD else PEER6
    assert reason(replace(good, source=other)) is RejectReason.CHECKSUM


def test_rule_11_version_2_has_no_pseudo_header():
    assert decode(replace(GOOD2, source=PEER), version=2) == (ADVERT, "rfc9568")
    with_pseudo_header = GOOD2.payload[:6] + bytes.fromhex("5308") + GOOD2.payload[8:]
    assert reason(replace(GOOD2, payload=with_pseudo_header), version=2) is RejectReason.CHECKSUM


@pytest.mark.parametrize(("payload", "vrid"), [(b"", None), (b"\x31", None), (b"\x31\x07", 7), (b"\xff\x00rest", 0)])
def test_rule_12_vrid_of_anything(payload, vrid):
    assert vrid_of(payload) == vrid


@all_three
def test_rule_13_count_is_not_zero(good, version):
    assert reason(changed(good, b3=0), version=version) is RejectReason.COUNT


@both
@pytest.mark.parametrize("reserved", [0x00, 0xF0])
def test_rule_14_interval_is_not_zero(good, reserved):
    assert reason(changed(good, b4=reserved, b5=0)) is RejectReason.INTERVAL


def test_rule_14_interval_is_not_zero_in_version_2():
    assert reason(changed(GOOD2, b5=0), version=2) is RejectReason.INTERVAL


def test_rule_16_addresses_are_of_the_packets_own_family():
    inside = replace(GOOD6, payload=GOOD.payload)
    assert reason(inside) is RejectReason.FAMILY
    assert reason(replace(GOOD, payload=GOOD6.payload)) is RejectReason.FAMILY
    assert reason(replace(GOOD, destination=GROUP6)) is RejectReason.FAMILY


@pytest.mark.parametrize(("good", "unicast"), [(GOOD, PEER), (GOOD6, PEER6)])
def test_rule_16_a_packet_to_the_group_is_all_that_counts(good, unicast):
    assert reason(replace(good, destination=unicast)) is RejectReason.DESTINATION


def test_rule_17_reserved_bits_are_ignored():
    assert decode(changed(b4=0xF0)) == (ADVERT, "rfc9568")
    assert decode(changed(GOOD6, b4=0xF0)) == (ADVERT6, "rfc5798")


def test_rule_18_another_interval_is_refused_by_version_2_alone():
    theirs = replace(ADVERT, max_advert_interval_cs=300)
    rejected = refusal(config(version=2), theirs)
    assert rejected is not None
    assert (rejected.reason, str(rejected)) == (RejectReason.INTERVAL, "interval: every 3 s, ours 1 s")
    assert refusal(config(), theirs) is None


def test_rule_18_in_version_2_the_owner_too_must_have_our_interval():
    rejected = refusal(config(version=2), replace(ADVERT, max_advert_interval_cs=200, priority=255))
    assert rejected is not None
    assert rejected.reason is RejectReason.INTERVAL


@pytest.mark.parametrize("priority", [0, 1, 150, 254])
def test_rule_19_other_addresses_are_refused_by_version_2_alone(priority):
    theirs = replace(ADVERT, priority=priority, addresses=(IPv4Address("10.99.0.101"),))
    rejected = refusal(config(version=2), theirs)
    assert rejected is not None
    assert (rejected.reason, str(rejected)) == (RejectReason.ADDRESSES, "addresses: 10.99.0.101; ours 10.99.0.100")
    assert refusal(config(), theirs) is None


def test_rule_19_the_owner_may_list_what_it_likes():
    theirs = replace(ADVERT, priority=255, addresses=(IPv4Address("10.99.0.101"),))
    assert refusal(config(version=2), theirs) is None


def test_rule_19_the_order_does_not_matter():
    ours = config(version=2, addresses=("10.99.0.100/24", "10.99.0.101/24"))
    theirs = replace(ADVERT, addresses=(IPv4Address("10.99.0.101"), IPv4Address("10.99.0.100")))
    assert refusal(ours, theirs) is None


def test_rule_20_an_owner_hears_another_owner():
    assert refusal(config(priority=255), replace(ADVERT, priority=255)) is None
    assert refusal(config(priority=255, version=2), replace(ADVERT, priority=255)) is None


def test_rule_21_what_is_sent_to_the_group_is_never_forwarded():
    assert GROUP in IPv4Network("224.0.0.0/24")  # RFC 5771 section 4: not forwarded, whatever its TTL
    assert GROUP6.packed[:2].hex() == "ff02"  # link-local scope


def test_rule_43_version_2():
    assert encode(ADVERT, source=SOURCE, checksum="rfc5798", version=2) == GOOD2.payload
    assert decode(GOOD2, version=2) == (ADVERT, "rfc9568")


def test_rule_43_version_2_counts_in_seconds():
    slowest = replace(ADVERT, max_advert_interval_cs=25500)
    payload = encode(slowest, source=SOURCE, checksum="rfc5798", version=2)
    assert payload[4:6].hex() == "00ff"
    assert decode(replace(GOOD, payload=payload), version=2)[0] == slowest


def test_rule_43_version_2_always_has_its_trailer():
    without = changed(payload=GOOD2.payload[:12])
    assert reason(without, version=2) is RejectReason.LENGTH


@pytest.mark.parametrize("payload", [GOOD2.payload, bytes.fromhex("2133960100010000") + bytes(24)])
def test_rule_43_version_2_is_for_ipv4_alone(payload):
    assert reason(changed(GOOD6, payload=payload), version=2) is RejectReason.FAMILY


def test_rule_44_password():
    payload = encode(ADVERT, source=SOURCE, checksum="rfc5798", version=2, password="secret12")
    assert payload == WITH_PASSWORD.payload
    assert decode(WITH_PASSWORD, version=2, password="secret12") == (ADVERT, "rfc9568")


def test_rule_44_a_short_password_is_padded_with_nul():
    payload = encode(ADVERT, source=SOURCE, checksum="rfc5798", version=2, password="ab")
    assert payload[12:].hex() == "6162000000000000"
    assert decode(replace(GOOD, payload=payload), version=2, password="ab")[0] == ADVERT


@pytest.mark.parametrize("password", ["secret13", "secret1", "SECRET12", "s"])
def test_rule_44_another_password_is_refused(password):
    assert reason(WITH_PASSWORD, version=2, password=password) is RejectReason.AUTHENTICATION


@pytest.mark.parametrize("kind", [0, 2, 3, 255])
def test_rule_44_another_auth_type_is_refused(kind):
    other = changed(WITH_PASSWORD, b4=kind)
    assert reason(other, version=2, password="secret12") is RejectReason.AUTHENTICATION


@pytest.mark.parametrize("kind", [1, 2, 3, 255])
def test_rule_44_auth_type_0_is_demanded_where_there_is_no_password(kind):
    assert reason(changed(WITH_PASSWORD, b4=kind), version=2) is RejectReason.AUTHENTICATION


def test_rule_44_authentication_data_is_ignored_with_auth_type_0():
    assert decode(changed(WITH_PASSWORD, b4=0), version=2)[0] == ADVERT


def unicast(good, ttl=255):
    """From its source to the peer, with the checksum that belongs there."""
    to = PEER if good.source.version == 4 else PEER6
    advert = ADVERT if good.source.version == 4 else ADVERT6
    payload = encode(advert, source=good.source, destination=to, checksum="rfc5798")
    return Datagram(payload, good.source, to, ttl)


@both
@pytest.mark.parametrize("ttl", [255, 64, 1])
def test_unicast_from_a_peer_may_have_been_routed(good, ttl):
    assert decode(unicast(good, ttl), peers=[good.source])[0].priority == 150


@both
def test_unicast_from_anyone_else_is_refused(good):
    other = PEER if good is GOOD else PEER6
    assert reason(unicast(good), peers=[other]) is RejectReason.PEER


@both
def test_a_router_with_peers_does_not_listen_to_the_group(good):
    assert reason(good, peers=[good.source]) is RejectReason.DESTINATION


@both
def test_a_router_without_peers_does_not_listen_to_unicast(good):
    assert reason(unicast(good)) is RejectReason.DESTINATION


def test_version_2_by_unicast():
    routed = replace(GOOD2, destination=PEER, ttl=64)
    assert decode(routed, version=2, peers=[SOURCE]) == (ADVERT, "rfc9568")


@both
def test_the_way_can_be_asked_for_before_the_payload_is_looked_at(good):
    anything = replace(good, payload=b"anything")
    check_way(anything, ())
    with pytest.raises(AdvertRejected, match="ttl: 254"):
        check_way(replace(anything, ttl=254), ())
    with pytest.raises(AdvertRejected, match="destination: sent to"):
        check_way(anything, [good.source])


def test_what_it_was_rejected_for_is_said():
    with pytest.raises(AdvertRejected, match="ttl: 64 instead of 255: it was forwarded by a router"):
        decode(replace(GOOD, ttl=64))


def test_a_payload_without_its_header():
    assert decode_payload(GOOD.payload) == ADVERT
    assert decode_payload(GOOD6.payload, family=6) == ADVERT6
    assert decode_payload(GOOD2.payload, version=2) == ADVERT


@pytest.mark.parametrize(
    ("payload", "options", "length"),
    [
        (b"", {}, 8),
        (b"\x31\x33\x96", {}, 8),
        (GOOD.payload, {}, 12),
        (GOOD.payload + b"more", {}, 12),
        (GOOD6.payload, {"family": 6}, 40),
        (GOOD2.payload, {"version": 2}, 20),
    ],
)
def test_message_bytes(payload, options, length):
    assert message_bytes(payload, **options) == length


@pytest.mark.parametrize(
    ("data", "checksum"),
    [
        pytest.param("0001f203f4f5f6f7", 0x220D, id="the example of RFC 1071"),
        pytest.param("", 0xFFFF, id="nothing"),
        pytest.param("01", 0xFEFF, id="odd"),
        pytest.param("ffffffff", 0x0000, id="carries"),
    ],
)
def test_internet_checksum(data, checksum):
    assert internet_checksum(bytes.fromhex(data)) == checksum


LAN = VirtualRouterConfig(name="lan", vrid=51, interface="eth0", addresses=(IPv4Interface("192.0.2.10/24"),))
AGREED = Advertisement(vrid=51, priority=1, max_advert_interval_cs=100, addresses=(IPv4Address("192.0.2.10"),))


class TestDifferences:
    """Rules 18 and 19: told, never acted upon."""

    def test_none(self):
        assert differences(LAN, AGREED) == []

    def test_rule_18_interval(self):
        theirs = replace(AGREED, max_advert_interval_cs=25)
        assert differences(LAN, theirs) == ["advertisement interval 250 ms, ours 1000 ms"]

    def test_rule_19_addresses(self):
        theirs = replace(AGREED, addresses=(IPv4Address("192.0.2.10"), IPv4Address("192.0.2.11")))
        assert differences(LAN, theirs) == ["addresses 192.0.2.10, 192.0.2.11; ours 192.0.2.10"]
