"""The codec. The tests named after a rule follow RFC 9568 sections 5.2 and 7.1."""

from dataclasses import replace
from ipaddress import IPv4Address

import pytest

from vrrp.advertisement import (
    GROUP,
    IP_PROTOCOL,
    TTL,
    Advertisement,
    AdvertRejected,
    Datagram,
    RejectReason,
    decode,
    encode,
    internet_checksum,
    vrid_of,
)

SOURCE = IPv4Address("10.99.0.1")
GOOD = Datagram(bytes.fromhex("31339601006442ad0a630064"), SOURCE, IPv4Address("224.0.0.18"), 255)
ADVERT = Advertisement(vrid=51, priority=150, max_advert_interval_cs=100, addresses=(IPv4Address("10.99.0.100"),))


def reason(datagram):
    with pytest.raises(AdvertRejected) as rejected:
        decode(datagram)
    return rejected.value.reason


def changed(**bytes_at):
    """GOOD with single bytes replaced: `changed(b4=0x10)`. Its checksum is made right again (message-only)."""
    payload = bytearray(GOOD.payload)
    for name, value in bytes_at.items():
        payload[int(name[1:])] = value
    payload[6:8] = b"\0\0"
    words = [payload[at] << 8 | payload[at + 1] for at in range(0, len(payload), 2)]
    payload[6:8] = (0xFFFF - (sum(words) % 0xFFFF)).to_bytes(2, "big")
    return replace(GOOD, payload=bytes(payload))


def test_rule_1_group_protocol_and_ttl():
    assert (str(GROUP), IP_PROTOCOL, TTL) == ("224.0.0.18", 112, 255)


def test_rule_3_bytes():
    payload = encode(ADVERT, source=SOURCE, checksum="rfc5798")
    assert payload.hex(" ") == "31 33 96 01 00 64 42 ad 0a 63 00 64"


def test_rule_3_reserved_bits_are_sent_as_zero():
    widest = replace(ADVERT, max_advert_interval_cs=4095)
    assert encode(widest, source=SOURCE, checksum="rfc5798")[4:6].hex() == "0fff"


def test_rule_5_checksum_with_pseudo_header_or_of_the_message_alone():
    assert encode(ADVERT, source=SOURCE, checksum="rfc5798")[6:8].hex() == "42ad"
    assert encode(ADVERT, source=SOURCE, checksum="rfc9568")[6:8].hex() == "2da0"


def test_rule_5_both_are_accepted_and_told_apart():
    assert decode(GOOD) == (ADVERT, "rfc5798")
    assert decode(replace(GOOD, payload=bytes.fromhex("3133960100642da00a630064"))) == (ADVERT, "rfc9568")


@pytest.mark.parametrize("ttl", [254, 1, 0])
def test_rule_7_ttl_255(ttl):
    assert reason(replace(GOOD, ttl=ttl)) is RejectReason.TTL


@pytest.mark.parametrize("version", [0, 1, 2, 4, 15])
def test_rule_8_version_3(version):
    assert reason(changed(b0=version << 4 | 1)) is RejectReason.VERSION


@pytest.mark.parametrize("kind", [0, 2, 15])
def test_rule_9_type_1(kind):
    assert reason(changed(b0=0x30 | kind)) is RejectReason.TYPE


@pytest.mark.parametrize("length", range(12))
def test_rule_10_complete(length):
    assert reason(replace(GOOD, payload=GOOD.payload[:length])) is RejectReason.LENGTH


@pytest.mark.parametrize("tail", [b"\0", b"\x0a\x63\x00\x65"])
def test_rule_10_nothing_behind_it(tail):
    assert reason(replace(GOOD, payload=GOOD.payload + tail)) is RejectReason.LENGTH


def test_rule_10_count_beyond_the_packet():
    assert reason(changed(b3=2)) is RejectReason.LENGTH


@pytest.mark.parametrize("checksum", ["0000", "ffff", "42ae", "2da1"])
def test_rule_11_checksum(checksum):
    payload = GOOD.payload[:6] + bytes.fromhex(checksum) + GOOD.payload[8:]
    assert reason(replace(GOOD, payload=payload)) is RejectReason.CHECKSUM


def test_rule_11_checksum_covers_the_source_address():
    assert reason(replace(GOOD, source=IPv4Address("10.99.0.2"))) is RejectReason.CHECKSUM


def test_rule_13_count_is_not_zero():
    assert reason(changed(b3=0)) is RejectReason.COUNT


def test_rule_14_interval_is_not_zero():
    assert reason(changed(b4=0, b5=0)) is RejectReason.INTERVAL
    assert reason(changed(b4=0xF0, b5=0)) is RejectReason.INTERVAL


def test_rule_16_a_packet_to_the_group_is_all_that_counts():
    assert reason(replace(GOOD, destination=IPv4Address("10.99.0.2"))) is RejectReason.DESTINATION


def test_rule_17_reserved_bits_are_ignored():
    assert decode(changed(b4=0xF0)) == (ADVERT, "rfc9568")


def test_every_priority_is_read():
    assert decode(changed(b2=0))[0].priority == 0
    assert decode(changed(b2=255))[0].priority == 255


def test_what_it_was_rejected_for_is_said():
    with pytest.raises(AdvertRejected, match="ttl: 64 instead of 255: it was forwarded by a router"):
        decode(replace(GOOD, ttl=64))


@pytest.mark.parametrize(("payload", "vrid"), [(b"", None), (b"\x31", None), (b"\x31\x07", 7), (b"\xff\x00rest", 0)])
def test_vrid_of_anything(payload, vrid):
    assert vrid_of(payload) == vrid


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
