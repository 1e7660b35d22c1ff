import pytest

from balancer.http2.errors import Reason, Violation
from balancer.http2.frames import Frame, FrameReader
from balancer.http2.sending import BATCH_BYTES, MOST_CONTROL_BYTES, Sender, SendState


def taken(sender: Sender) -> list[Frame]:
    reader = FrameReader(1 << 20)
    reader.add(sender.take())
    found = []
    while (one := reader.next()) is not None:
        found.append(one)
    return found


def sizes(sender: Sender) -> list[tuple[int, int, int]]:
    """Stream, flags and length of each frame."""
    return [(one.stream_id, one.flags, len(one.payload)) for one in taken(sender)]


def test_nothing_to_send():
    assert Sender().take() == b""


def test_heads_go_before_all_data():
    sender, one, other = Sender(), SendState(1, 100), SendState(3, 100)
    sender.data(one, b"abc", ended=True)
    sender.head(other, [(b":status", b"200")], ended=False)
    assert [(frame.stream_id, frame.kind) for frame in taken(sender)] == [(3, 1), (1, 0)]


def test_a_stream_is_held_back_by_its_own_window():
    sender, one, other = Sender(), SendState(1, 2), SendState(3, 100)
    sender.data(one, b"abc", ended=True)
    sender.data(other, b"abc", ended=True)
    assert sizes(sender) == [(1, 0, 2), (3, 1, 3)]
    assert one.waiting
    assert sender.take() == b""
    sender.open_stream_window(one, 1, Reason.WINDOW_OVERFLOW)
    assert sizes(sender) == [(1, 1, 1)]
    assert not one.waiting


def test_all_are_held_back_by_that_of_the_connection():
    sender, one, other = Sender(), SendState(1, 100), SendState(3, 100)
    sender.window = 4
    sender.data(one, b"abc", ended=True)
    sender.data(other, b"abc", ended=True)
    assert sizes(sender) == [(1, 1, 3), (3, 0, 1)]
    assert sender.take() == b""
    sender.open_window(1)
    assert sizes(sender) == [(3, 0, 1)]
    sender.open_window(100)
    assert sizes(sender) == [(3, 1, 1)]


def test_an_end_needs_no_window():
    sender, one = Sender(), SendState(1, 0)
    sender.window = 0
    sender.data(one, b"", ended=True)
    assert sizes(sender) == [(1, 1, 0)]


def test_streams_have_their_turns():
    sender = Sender()
    sender.window = 1 << 20
    for stream_id in (1, 3, 5):
        sender.data(SendState(stream_id, 1 << 20), bytes(40_000), ended=True)
    assert [stream for stream, _, _ in sizes(sender)] == [1, 3, 5, 1]  # what BATCH_BYTES is reached by
    assert [stream for stream, _, _ in sizes(sender)] == [3, 5, 1, 3, 5]
    assert BATCH_BYTES == 65_536


def test_frames_are_as_large_as_the_client_allows():
    sender, one = Sender(), SendState(1, 1 << 20)
    sender.max_frame_bytes = 30_000
    sender.data(one, bytes(40_000), ended=True)
    assert sizes(sender) == [(1, 0, 30_000), (1, 1, 10_000)]


def test_trailers_come_last():
    sender, one = Sender(), SendState(1, 2)
    sender.data(one, b"abc", ended=False)
    sender.end_with(one, [(b"a", b"b")])
    assert [frame.kind for frame in taken(sender)] == [0]
    sender.open_stream_window(one, 10, Reason.WINDOW_OVERFLOW)
    assert [(frame.kind, frame.flags) for frame in taken(sender)] == [(0, 0), (1, 5)]
    assert one.ended


def test_full_until_all_was_taken():
    sender, one = Sender(), SendState(1, 2)
    assert not sender.is_full(one)
    sender.data(one, b"abc", ended=False)
    assert sender.is_full(one)
    sender.take()
    assert sender.is_full(one)
    assert sender.drained == []
    sender.open_stream_window(one, 10, Reason.WINDOW_OVERFLOW)
    sender.take()
    assert not sender.is_full(one)
    assert sender.drained == [one]


def test_full_where_the_client_takes_nothing():
    sender, one = Sender(), SendState(1, 2)
    sender.control(bytes(MOST_CONTROL_BYTES + 1))
    assert sender.congested
    assert sender.is_full(one)
    assert sender.has_control
    assert sender.drained == []
    sender.take()
    assert sender.drained == [one]
    assert (sender.congested, sender.has_control) == (False, False)


def test_a_stream_that_was_dropped_sends_nothing():
    sender, one = Sender(), SendState(1, 100)
    sender.data(one, b"abc", ended=True)
    sender.drop(one)
    assert sender.take() == b""
    assert not one.waiting


def test_a_window_may_become_negative_by_settings():
    sender, one = Sender(), SendState(1, 100)
    sender.open_stream_window(one, -150, Reason.WINDOW_BY_SETTINGS)
    sender.data(one, b"a", ended=True)
    assert sender.take() == b""
    sender.open_stream_window(one, 51, Reason.WINDOW_OVERFLOW)
    assert sizes(sender) == [(1, 1, 1)]


def test_windows_have_an_end():
    sender, one = Sender(), SendState(1, 2**31 - 1)
    with pytest.raises(Violation) as caught:
        sender.open_stream_window(one, 1, Reason.WINDOW_BY_SETTINGS)
    assert caught.value.reason is Reason.WINDOW_BY_SETTINGS
    with pytest.raises(Violation) as caught:
        sender.open_window(2**31 - 1)
    assert caught.value.reason is Reason.WINDOW_OVERFLOW
