import pytest

from balancer.checks.dns import is_answer, judge, question
from balancer.checks.exchanges import Unhealthy

ASKED = question("example.org AAAA", 0x1234)
ANSWER = b"\x12\x34\x81\x80\0\1\0\1\0\0\0\0" + ASKED[12:] + b"\xc0\x0c\0\x1c\0\1\0\0\0\x3c\0\x10" + bytes(16)


def test_a_question() -> None:
    assert ASKED == b"\x12\x34\1\0\0\1\0\0\0\0\0\0\7example\3org\0\0\x1c\0\1"
    assert question("example.org.", 1)[12:] == b"\7example\3org\0\0\1\0\1"
    assert question(". NS", 1)[12:] == b"\0\0\2\0\1"


def test_an_answer_is_that_to_our_question() -> None:
    assert is_answer(ANSWER, ASKED)
    assert is_answer(ANSWER.replace(b"example", b"ExAmPlE"), ASKED)
    assert is_answer(b"\x12\x34\x81\x81\0\0\0\0\0\0\0\0", ASKED)
    assert not is_answer(b"\x12\x35" + ANSWER[2:], ASKED)
    assert not is_answer(ASKED, ASKED)
    assert not is_answer(ANSWER.replace(b"example", b"exempla"), ASKED)
    assert not is_answer(ANSWER[:11], ASKED)


def test_a_record_is_wanted() -> None:
    assert judge(ANSWER) == "1 record"
    assert judge(b"\0\0\x83\x80\0\1\0\0\0\0\0\0") == "0 records"


@pytest.mark.parametrize(
    ("flags", "reason"),
    [(b"\x81\x82", "SERVFAIL"), (b"\x81\x83", "NXDOMAIN"), (b"\x81\x85", "REFUSED"), (b"\x81\x8b", "answer code 11"),
     (b"\x81\x80", "no records of this type")],
)  # fmt: skip
def test_anything_else_fails(flags: bytes, reason: str) -> None:
    with pytest.raises(Unhealthy, match=reason):
        judge(b"\0\0" + flags + b"\0\1\0\0\0\0\0\0")
