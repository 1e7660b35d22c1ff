"""The pinger's packets; it runs in tests/netns/test_lab.py."""

from hapair.lab.pinger import echo_request, parse_reply


def test_a_request_is_one_that_rfc_792_describes() -> None:
    # 0800 checksum 1234 0007 00010007; the words add up to 0x1a43, and their complement is the checksum
    assert echo_request(0x1234, 0x0001_0007).hex() == "0800e5bc1234000700010007"


REPLY = bytes.fromhex("45000020 0001 4000 c9 01 0000 c0a80164 c0a80132") + bytes.fromhex("0000 edbc 1234 0007 00010007")


def test_a_reply_tells_number_and_ttl() -> None:
    assert parse_reply(REPLY, 0x1234) == (0x0001_0007, 201)


def test_what_is_no_reply_to_us_is_nothing() -> None:
    assert parse_reply(REPLY, 0x1235) is None
    assert parse_reply(REPLY[:20] + b"\x03" + REPLY[21:], 0x1234) is None
    assert parse_reply(REPLY[:30], 0x1234) is None


def test_options_in_the_header_are_stepped_over() -> None:
    assert parse_reply(b"\x46" + REPLY[1:20] + bytes(4) + REPLY[20:], 0x1234) == (0x0001_0007, 201)
