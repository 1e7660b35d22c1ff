"""Fresh ARP lookups; the prober itself runs in tests/netns/test_lab.py."""

from hapair.lab.lookups import Lookup, answer_in, decode, encode, request

A, B = "02:00:00:00:00:0a", "02:00:00:00:00:0b"
REPLY = bytes.fromhex(
    "020000000032 02000000000a 0806"
    "0001 0800 06 04 0002 02000000000a c0a80164 020000000032 c0a80133"
)  # fmt: skip


def test_a_request_is_one_that_rfc_826_describes() -> None:
    assert request(bytes.fromhex("020000000032"), "192.168.1.51", "192.168.1.100").hex() == (
        "ffffffffffff" "020000000032" "0806"
        "0001080006040001" "020000000032" "c0a80133" "000000000000" "c0a80164"
    )  # fmt: skip


def test_a_reply_names_the_hardware_address() -> None:
    assert answer_in(REPLY, "192.168.1.100") == A
    assert answer_in(REPLY + bytes(18), "192.168.1.100") == A  # padded to Ethernet's least


def test_what_is_no_reply_about_the_address_is_nothing() -> None:
    assert answer_in(REPLY, "192.168.1.101") is None
    assert answer_in(REPLY[:41], "192.168.1.100") is None
    assert answer_in(REPLY[:21] + b"\x01" + REPLY[22:], "192.168.1.100") is None


def test_the_first_answer_is_where_a_client_goes() -> None:
    lookup = Lookup(1.0, ((B, 1.1), (A, 1.2)))
    assert (lookup.reached(A), lookup.reached(B)) == (False, True)
    assert (lookup.answered_by(A), lookup.answered_by("02:00:00:00:00:0c")) == (True, False)
    assert not Lookup(1.0, ()).reached(A)


def test_a_line_brings_it_over() -> None:
    lookup = Lookup(1.5, ((A, 1.75),))
    assert decode(encode(lookup)) == lookup
