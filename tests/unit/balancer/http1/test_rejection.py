"""Heads that are not whole: to wait, or to refuse."""

import time

import pytest

from balancer.http1.errors import BadMessage, Reason
from balancer.http1.rejection import reject_request, reject_response


@pytest.mark.parametrize(
    "buffer",
    [b"", b"\r", b"\r\n", b"G", b"\r\nGET", b"GET ", b"GET /\x00", b"GET / HTTP/1.1\r", b"GET / HTTP/1.1\r\nX"],
)
def test_a_request_may_still_become_one(buffer: bytes) -> None:
    reject_request(buffer, 100)


@pytest.mark.parametrize(
    ("buffer", "reason"),
    [
        (b"\n", Reason.METHOD),
        (b"\rX", Reason.METHOD),
        (b"{", Reason.METHOD),
        (b"GET\x00", Reason.METHOD),
        (b"GET /\r\n", Reason.REQUEST_LINE),
        (b"GET / HTTP/3.0\r\n", Reason.VERSION),
        (b"GET /#x HTTP/1.1\r\n", Reason.TARGET),
        (b"GET / HTTP/1.1\r\nX\r\n", Reason.FIELD_NAME),
        (b"GET /" + b"x" * 100, Reason.TARGET_TOO_LONG),
        (b"GET / HTTP/1.1\r\n" + b"x" * 100, Reason.HEAD_TOO_LARGE),
    ],
)
def test_a_request_can_no_more_become_one(buffer: bytes, reason: Reason) -> None:
    with pytest.raises(BadMessage) as refused:
        reject_request(buffer, 100)
    assert refused.value.reason == reason


@pytest.mark.parametrize("buffer", [b"", b"HT", b"HTTP/1.1 2", b"HTTP/1.1 200 OK\r\nX: "])
def test_a_response_may_still_become_one(buffer: bytes) -> None:
    reject_response(buffer, 100)


@pytest.mark.parametrize(
    ("buffer", "reason"),
    [
        (b"HX", Reason.STATUS_LINE),
        (b"HTTP/2", Reason.STATUS_LINE),
        (b"HTTP/1.1 x\r\n", Reason.STATUS_LINE),
        (b"HTTP/1.1 200 OK\n", Reason.LINE_END),
        (b"HTTP/1.1 200 OK\r\n X\r\n", Reason.OBSOLETE_FOLD),
        (b"HTTP/1.1 200 OK\r\n" + b"x" * 100, Reason.HEAD_TOO_LARGE),
    ],
)
def test_a_response_can_no_more_become_one(buffer: bytes, reason: Reason) -> None:
    with pytest.raises(BadMessage) as refused:
        reject_response(buffer, 100)
    assert refused.value.reason == reason


def test_the_first_bad_line_is_the_reason() -> None:
    with pytest.raises(BadMessage) as refused:
        reject_request(b"GET / HTTP/1.1\r\nX y\r\nZ: \x00\r\n\r\n", 100)
    assert refused.value.reason == Reason.FIELD_NAME


def test_a_large_head_byte_by_byte_costs_little_for_each_byte() -> None:
    head = b"GET / HTTP/1.1\r\n" + b"a:\r\n" * 4_000
    assert len(head) <= 16_384
    started_at = time.process_time()
    for _ in range(50):
        reject_request(head, 16_384)
    assert time.process_time() - started_at < 1.0
