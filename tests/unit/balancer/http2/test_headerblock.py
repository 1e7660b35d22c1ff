import pytest

from balancer.http2.errors import Reason, Violation
from balancer.http2.frames import CONTINUATION, END_HEADERS, END_STREAM, HEADERS, PADDED, Frame
from balancer.http2.headerblock import MOST_CONTINUATIONS, HeaderBlock


def test_one_frame():
    block = HeaderBlock(Frame(HEADERS, END_HEADERS | END_STREAM, 1, b"abc"), 100)
    assert (block.stream_id, bytes(block.data), block.ended, block.whole) == (1, b"abc", True, True)


def test_several():
    block = HeaderBlock(Frame(HEADERS, PADDED, 1, b"\2ab\0\0"), 100)
    assert not block.whole
    block.add(Frame(CONTINUATION, 0, 1, b""))
    assert not block.whole
    block.add(Frame(CONTINUATION, END_HEADERS, 1, b"c"))
    assert (bytes(block.data), block.ended, block.whole) == (b"abc", False, True)


def test_on_no_stream():
    with pytest.raises(Violation) as caught:
        HeaderBlock(Frame(HEADERS, END_HEADERS, 0, b""), 100)
    assert caught.value.reason is Reason.STREAM_ZERO


@pytest.mark.parametrize(
    ("continuation", "reason"),
    [
        (Frame(CONTINUATION, END_HEADERS, 3, b""), Reason.BLOCK_INTERRUPTED),
        (Frame(CONTINUATION, END_HEADERS, 1, bytes(98)), Reason.BLOCK_TOO_LARGE),
    ],
)
def test_a_continuation_that_is_none(continuation, reason):
    block = HeaderBlock(Frame(HEADERS, 0, 1, b"abc"), 100)
    with pytest.raises(Violation) as caught:
        block.add(continuation)
    assert caught.value.reason is reason


def test_too_much_in_the_first_frame():
    with pytest.raises(Violation) as caught:
        HeaderBlock(Frame(HEADERS, END_HEADERS, 1, bytes(101)), 100)
    assert caught.value.reason is Reason.BLOCK_TOO_LARGE


def test_too_many_pieces():
    block = HeaderBlock(Frame(HEADERS, 0, 1, b""), 100)
    for _ in range(MOST_CONTINUATIONS):
        block.add(Frame(CONTINUATION, 0, 1, b""))
    with pytest.raises(Violation) as caught:
        block.add(Frame(CONTINUATION, END_HEADERS, 1, b""))
    assert caught.value.reason is Reason.TOO_MANY_CONTINUATIONS
