"""Gratuitous ARP and unsolicited neighbour advertisements, and when they are sent."""

from ipaddress import IPv4Address, IPv6Address

from vrrp.announcements import after_claim, after_rival, announcement, gratuitous_arp

FRAME = gratuitous_arp(IPv4Address("192.0.2.10"), bytes.fromhex("00005e000133"))


def test_rule_36_broadcast():
    assert FRAME[:6].hex() == "ffffffffffff"


def test_rule_36_sender_and_target_are_the_vip():
    assert FRAME[28:32] == FRAME[38:42] == bytes((192, 0, 2, 10))


def test_rule_36_carries_the_mac_that_answers_for_the_vip():
    assert FRAME[6:12].hex() == FRAME[22:28].hex() == "00005e000133"


def test_is_a_request():
    assert FRAME[20:22].hex() == "0001"


def test_it_is_picked_by_family():
    assert announcement(IPv4Address("192.0.2.10"), bytes.fromhex("00005e000133")) == FRAME


# tshark calls the checksum correct.
ADVERTISEMENT = bytes.fromhex(
    "333300000001 00005e000233 86dd"
    "60000000 0020 3a ff 20010db8000000000000000000000010 ff020000000000000000000000000001"
    "88 00 1ada a0000000 20010db8000000000000000000000010 0201 00005e000233"
)


def test_rule_36_unsolicited_neighbour_advertisement():
    assert announcement(IPv6Address("2001:db8::10"), bytes.fromhex("00005e000233")).hex() == ADVERTISEMENT.hex()


def test_a_claim_is_announced_five_times_then_after_one_and_five_seconds():
    assert after_claim(100.0) == (100.0, 100.01, 100.03, 100.06, 100.1, 101.0, 105.0)


def test_a_rival_is_answered_at_once_and_thrice_more():
    assert after_rival(100.0, ()) == (100.0, 100.05, 100.2, 101.0)
    assert after_rival(100.0, (105.0,)) == (100.0, 100.05, 100.2, 101.0)


def test_a_rival_that_keeps_on_does_not_make_us_flood():
    assert after_rival(100.0, (100.04, 101.0)) == (100.04, 100.05, 100.2, 101.0)
