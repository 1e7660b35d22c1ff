import pytest

from balancer.config_http2 import Http2
from balancer.http2 import frames
from balancer.http2.errors import Reason, Violation
from balancer.http2.frames import WINDOW_UPDATE, Frame, FrameReader
from balancer.http2.library import Library
from balancer.http2.sending import BATCH_BYTES, MOST_CONTROL_BYTES, Sender, SendState


class Rig:
    """A connection with open streams 1, 3, 5... whose windows, and that of the connection, are as given."""

    def __init__(self, *windows: int, window: int = 65_535, max_frame_bytes: int = 16_384) -> None:
        self.library = Library(Http2())
        self.sender = Sender(self.library)
        self.change({4: 0, 5: max_frame_bytes})
        self.streams = [self.begin(2 * number + 1, size) for number, size in enumerate(windows)]
        if window > 65_535:
            self.open(0, window - 65_535)
        elif window < 65_535:
            self.sender.data(self.begin(99, 65_535), bytes(65_535 - window), ended=True)
            while self.sender.take():
                pass
        self.sender.take()
        self.sender.drained.clear()

    def begin(self, stream_id: int, window: int) -> SendState:
        stream = SendState(self.library.begin(stream_id, ended=True))
        if window:
            self.open(stream_id, window)
        return stream

    def open(self, stream_id: int, by: int) -> None:
        self.library.receive(Frame(WINDOW_UPDATE, 0, stream_id, by.to_bytes(4, "big")))
        for stream in getattr(self, "streams", ()):
            if stream.stream_id == stream_id:
                self.sender.opened(stream)

    def change(self, values: dict[int, int]) -> None:
        self.library.settings(frames.settings(values)[frames.HEADER_BYTES :])

    def taken(self) -> list[Frame]:
        reader = FrameReader(1 << 20)
        reader.add(self.sender.take())
        found = []
        while (one := reader.next()) is not None:
            found.append(one)
        return found

    def sizes(self) -> list[tuple[int, int, int]]:
        """Stream, flags and length of each frame."""
        return [(one.stream_id, one.flags, len(one.payload)) for one in self.taken()]


def test_nothing_to_send():
    assert Rig().sender.take() == b""


def test_heads_go_before_all_data():
    rig = Rig(100, 100)
    one, other = rig.streams
    rig.sender.data(one, b"abc", ended=True)
    rig.sender.head(other, [(b":status", b"200")], ended=False)
    assert [(frame.stream_id, frame.kind) for frame in rig.taken()] == [(3, 1), (1, 0)]


def test_a_stream_is_held_back_by_its_own_window():
    rig = Rig(2, 100)
    one, other = rig.streams
    rig.sender.data(one, b"abc", ended=True)
    rig.sender.data(other, b"abc", ended=True)
    assert rig.sizes() == [(1, 0, 2), (3, 1, 3)]
    assert one.waiting
    assert rig.sender.take() == b""
    rig.open(1, 1)
    assert rig.sizes() == [(1, 1, 1)]
    assert not one.waiting


def test_all_are_held_back_by_that_of_the_connection():
    rig = Rig(100, 100, window=4)
    one, other = rig.streams
    rig.sender.data(one, b"abc", ended=True)
    rig.sender.data(other, b"abc", ended=True)
    assert rig.sizes() == [(1, 1, 3), (3, 0, 1)]
    assert rig.sender.take() == b""
    rig.open(0, 1)
    assert rig.sizes() == [(3, 0, 1)]
    rig.open(0, 100)
    assert rig.sizes() == [(3, 1, 1)]


def test_an_end_needs_no_window():
    rig = Rig(0, window=0)
    rig.sender.data(rig.streams[0], b"", ended=True)
    assert rig.sizes() == [(1, 1, 0)]


def test_streams_have_their_turns():
    rig = Rig(1 << 20, 1 << 20, 1 << 20, window=1 << 20)
    for stream in rig.streams:
        rig.sender.data(stream, bytes(40_000), ended=True)
    assert [stream for stream, _, _ in rig.sizes()] == [1, 3, 5, 1]  # what BATCH_BYTES is reached by
    assert [stream for stream, _, _ in rig.sizes()] == [3, 5, 1, 3, 5]
    assert BATCH_BYTES == 65_536


def test_frames_are_as_large_as_the_client_allows():
    rig = Rig(1 << 20, max_frame_bytes=30_000)
    rig.sender.data(rig.streams[0], bytes(40_000), ended=True)
    assert rig.sizes() == [(1, 0, 30_000), (1, 1, 10_000)]


def test_frames_never_grow_so_large_that_others_wait_long():
    rig = Rig(1 << 20, window=1 << 20, max_frame_bytes=2**24 - 1)
    rig.sender.data(rig.streams[0], bytes(100_000), ended=True)
    assert rig.sizes() == [(1, 0, 65_536)]


def test_a_head_in_as_many_frames_as_it_takes():
    rig = Rig(100)
    rig.sender.head(rig.streams[0], [(b":status", b"200"), (b"x", b"y" * 40_000)], ended=True)
    assert [(frame.kind, frame.flags, len(frame.payload)) for frame in rig.taken()] == [
        (1, 1, 16_384),
        (9, 0, 16_384),
        (9, 4, 7_240),
    ]


def test_trailers_come_last():
    rig = Rig(2)
    [one] = rig.streams
    rig.sender.head(one, [(b":status", b"200")], ended=False)
    rig.sender.data(one, b"abc", ended=False)
    rig.sender.end_with(one, [(b"a", b"b")])
    assert [frame.kind for frame in rig.taken()] == [1, 0]
    rig.open(1, 10)
    assert [(frame.kind, frame.flags) for frame in rig.taken()] == [(0, 0), (1, 5)]
    assert one.ended


def test_full_until_all_was_taken():
    rig = Rig(2)
    [one], sender = rig.streams, rig.sender
    assert not sender.is_full(one)
    sender.data(one, b"abc", ended=False)
    assert sender.is_full(one)
    sender.take()
    assert sender.is_full(one)
    assert sender.drained == []
    rig.open(1, 10)
    sender.take()
    assert not sender.is_full(one)
    assert sender.drained == [one]


def test_full_where_the_client_takes_nothing():
    rig = Rig(2)
    [one], sender = rig.streams, rig.sender
    sender.control(bytes(MOST_CONTROL_BYTES + 1))
    assert sender.congested
    assert sender.is_full(one)
    assert sender.has_control
    assert sender.drained == []
    sender.take()
    assert sender.drained == [one]
    assert (sender.congested, sender.has_control) == (False, False)


def test_a_stream_that_was_dropped_sends_nothing():
    rig = Rig(100)
    [one], sender = rig.streams, rig.sender
    sender.data(one, b"abc", ended=True)
    sender.drop(one)
    sender.data(one, b"abc", ended=True)
    sender.head(one, [(b":status", b"200")], ended=True)
    assert sender.take() == b""
    assert not one.waiting


def test_a_window_may_become_negative_by_settings():
    rig = Rig(100)
    [one] = rig.streams
    rig.change({4: 150})
    rig.open(1, 1)
    rig.sender.data(one, bytes(251), ended=False)
    assert rig.sizes()[-1] == (1, 0, 251)
    rig.change({4: 100})
    assert one.window == -50
    rig.sender.data(one, b"a", ended=True)
    assert [stream for stream, _, _ in rig.sizes()] == [0]  # the acknowledgement
    rig.open(1, 51)
    assert rig.sizes() == [(1, 1, 1)]


def test_windows_have_an_end():
    rig = Rig(2**31 - 1)
    with pytest.raises(Violation) as caught:
        rig.change({4: 1})
    assert caught.value.reason is Reason.WINDOW
    rig = Rig()
    with pytest.raises(Violation) as caught:
        rig.open(0, 2**31 - 1)
    assert caught.value.reason is Reason.WINDOW
