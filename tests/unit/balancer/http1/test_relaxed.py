"""Heads whose lines end with LF alone, where a frontend takes them."""

import pytest

from balancer.config import HttpLimits
from balancer.http1.errors import BadMessage, Reason
from balancer.http1.relaxed import mended
from balancer.http1.request import parse_request

LIMITS = HttpLimits(bare_lf=True)
PLAIN = b"POST /x HTTP/1.1\r\nHost: a\r\nX: b\r\nContent-Length: 3\r\n\r\n"
BARE = PLAIN.replace(b"\r\n", b"\n")


@pytest.mark.parametrize("head", [
    BARE,
    PLAIN.replace(b"X: b\r\n", b"X: b\n"),
    PLAIN[:-2] + b"\n",
    BARE[:-1] + b"\r\n",
    b"\n" + BARE,
    b"\r\n" + BARE,
    b"\n" + PLAIN,
])  # fmt: skip
def test_it_is_what_it_would_be_with_cr_lf(head: bytes) -> None:
    expected = parse_request(PLAIN, HttpLimits())
    assert expected is not None
    for rest in (b"", b"a\nb", b"\n\n\n"):  # which is a body, and no matter of heads
        assert parse_request(head + rest, LIMITS) == expected._replace(size=len(head))
    for size in range(len(head)):
        assert parse_request(head[:size], LIMITS) is None
    with pytest.raises(BadMessage):
        parse_request(head, HttpLimits())


@pytest.mark.parametrize(("data", "reason"), [
    (b"GET / HTTP/1.1\nHost: a\n b\n\n", Reason.OBSOLETE_FOLD),
    (b"GET / HTTP/1.1\nHost : a\n\n", Reason.FIELD_NAME),
    (b"GET / HTTP/1.1\rHost: a\n\n", Reason.REQUEST_LINE),
    (b"GET / HTTP/1.1\nHost: a\nX: a\rb\n\n", Reason.FIELD_VALUE),
    (b"GET / HTTP/1.1\nHost: a\nX: a\r\r\n\n", Reason.FIELD_VALUE),
    (b"GET /\n\n", Reason.REQUEST_LINE),
    (b"\n\n\nGET / HTTP/1.1\nHost: a\n\n", Reason.METHOD),
    (b"GET / HTTP/1.1\nHost: a\nContent-Length: 1\nTransfer-Encoding: chunked\n\n", Reason.LENGTH_AND_CODING),
    (b"GET / HTTP/1.1\nHost: a\nX: " + b"x" * 17_000 + b"\n\n", Reason.HEAD_TOO_LARGE),
    (b"GET / HTTP/1.1\nHost: a\n" + b"X: y\n" * 101 + b"\n", Reason.TOO_MANY_FIELDS),
])  # fmt: skip
def test_nothing_else_is_taken_more_easily(data: bytes, reason: Reason) -> None:
    with pytest.raises(BadMessage) as refused:
        parse_request(data, LIMITS)
    assert refused.value.reason is reason


def test_no_more_is_looked_at_than_may_be() -> None:
    text, size = mended(b"GET / HTTP/1.1\n" + b"X: y\n" * 100_000, 1024)
    assert size == 0
    assert 1024 < len(text) < 1500


def test_what_one_frontend_takes_is_not_remembered_for_others() -> None:
    head = b"GET /not-remembered HTTP/1.1\nHost: a\r\n\r\n"
    for _ in range(2):
        assert parse_request(head, LIMITS) is not None
        with pytest.raises(BadMessage):
            parse_request(head, HttpLimits())
