import pytest

from balancer.config_http2 import Http2
from balancer.http2.library import Library
from balancer.http2.streamstate import REMEMBERED_STREAMS, ClosedStreams, StreamState


@pytest.mark.parametrize(
    ("length", "received", "ended", "misses"),
    [
        (None, 7, True, False),
        (3, 2, False, False),
        (3, 2, True, True),
        (3, 3, True, False),
        (3, 4, False, True),
    ],
)
def test_the_length_that_was_said(length, received, ended, misses):
    stream = StreamState(Library(Http2()).begin(1, ended=False))
    stream.length, stream.received = length, received
    assert stream.misses_length(ended=ended) is misses


def test_what_ended_last_is_remembered():
    closed = ClosedStreams()
    closed.remember(1, by_us=True)
    closed.remember(3, by_us=False)
    assert [closed.by_us(number) for number in (1, 3, 5)] == [True, False, None]
    for number in range(5, 5 + 2 * REMEMBERED_STREAMS - 2, 2):
        closed.remember(number, by_us=False)
    assert [closed.by_us(number) for number in (1, 3)] == [None, False]
