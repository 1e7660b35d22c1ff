"""Questions to neighbours and their answers, byte for byte; whatever else comes is no answer."""

from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vrrp.frames import icmpv6
from vrrp.neighbours import answer_in, question

MAC = bytes.fromhex("02000000000a")
ETHERNET = bytes.fromhex("02000000000a 02000000000b")
ARP_REPLY = ETHERNET + bytes.fromhex("0806 0001 0800 06 04 0002 02000000000b c0000201 02000000000a c0000202")


def advertisement(message="88 00 0000 60000000 20010db8000000000000000000000001", source="2001:db8::1"):
    packet = icmpv6(bytes.fromhex(message), ip_address(source), ip_address("2001:db8::2"))
    return ETHERNET + bytes.fromhex("86dd") + packet


def changed(frame, at, value):
    return frame[:at] + bytes((value,)) + frame[at + 1 :]


def test_arp_request():
    assert question(ip_address("192.0.2.1"), ip_address("192.0.2.2"), MAC).hex() == (
        "ffffffffffff" "02000000000a" "0806" "0001" "0800" "06" "04" "0001"
        "02000000000a" "c0000202" "000000000000" "c0000201"
    )  # fmt: skip


def test_neighbour_solicitation_goes_to_the_solicited_node_group():
    assert question(ip_address("2001:db8::12:3456"), ip_address("fe80::2"), MAC).hex() == (
        "3333ff123456" "02000000000a" "86dd"
        "60000000" "0020" "3a" "ff" "fe800000000000000000000000000002" "ff0200000000000000000001ff123456"
        "87" "00" "e288" "00000000" "20010db8000000000000000000123456" "0101" "02000000000a"
    )  # fmt: skip


def test_answers():
    assert answer_in(ARP_REPLY) == ip_address("192.0.2.1")
    assert answer_in(ARP_REPLY + bytes(18)) == ip_address("192.0.2.1")  # padded to 60 bytes
    assert answer_in(advertisement()) == ip_address("2001:db8::1")
    assert answer_in(advertisement(source="fe80::1")) == ip_address("2001:db8::1")  # it is the target that counts


@pytest.mark.parametrize(
    "frame",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(ARP_REPLY[:41], id="ARP too short"),
        pytest.param(changed(ARP_REPLY, 21, 1), id="ARP request"),
        pytest.param(changed(ARP_REPLY, 15, 6), id="ARP for other hardware"),
        pytest.param(changed(ARP_REPLY, 13, 0), id="IPv4"),
        pytest.param(advertisement()[:-1], id="advertisement cut off"),
        pytest.param(changed(advertisement(), 14, 0x40), id="not IPv6"),
        pytest.param(changed(advertisement(), 19, 23), id="length too small"),
        pytest.param(changed(advertisement(), 20, 17), id="UDP"),
        pytest.param(changed(advertisement(), 21, 254), id="from beyond a router"),
        pytest.param(changed(advertisement(), 77, 2), id="checksum"),
        pytest.param(advertisement("87 00 0000 00000000 20010db8000000000000000000000001"), id="solicitation"),
        pytest.param(advertisement("88 01 0000 00000000 20010db8000000000000000000000001"), id="unknown code"),
        pytest.param(advertisement("88 00 0000 00000000 20010db80000000000000000000000"), id="no whole target"),
    ],
)
def test_no_answers(frame):
    assert answer_in(frame) is None


@given(
    st.sampled_from([b"", ARP_REPLY, advertisement()]),
    st.lists(st.tuples(st.integers(0, 79), st.integers(0, 255)), max_size=4),
    st.integers(0, 100),
)
def test_whatever_comes_is_survived(frame, changes, length):
    for at, value in changes:
        if at < len(frame):
            frame = changed(frame, at, value)
    answer_in(frame[:length])


@given(st.binary(max_size=200))
def test_noise_is_no_answer(noise):
    assert answer_in(ETHERNET + noise) is None or noise[:2] in (b"\x08\x06", b"\x86\xdd")
