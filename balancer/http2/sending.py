"""What goes out next on one connection: control frames and heads first, then data of each stream in turn. Pure.

A stream's data waits here until the client's windows let it go: at most what its relay handed over at once, for it may
hand over more only when that is gone (`is_full`). So a slow client holds its own streams back and no others.
"""

from collections import deque

from balancer.http2 import frames
from balancer.http2.compression import FieldEncoder, Fields
from balancer.http2.errors import Reason, Violation

DEFAULT_WINDOW = 65_535
LARGEST_WINDOW = 2**31 - 1
BATCH_BYTES = 65_536
"""About how much is handed over at once: with more, whoever comes next would wait for longer."""
MOST_CONTROL_BYTES = 65_536
"""Waiting to be sent. Beyond it nothing more is taken from the client, nor from the servers, until it has gone."""


class SendState:
    """The half of a stream that we send."""

    __slots__ = ("ended", "finishing", "pending", "queued", "stream_id", "trailers", "window")

    def __init__(self, stream_id: int, window: int) -> None:
        self.stream_id = stream_id
        self.window = window
        self.pending = bytearray()
        self.trailers: Fields | None = None
        self.finishing = False
        """END_STREAM follows `pending`."""
        self.ended = False
        """END_STREAM has been handed over."""
        self.queued = False

    @property
    def waiting(self) -> bool:
        """Something is still to be sent."""
        return bool(self.pending) or (self.finishing and not self.ended)


class Sender:
    """The sending half of one connection."""

    __slots__ = (
        "_control",
        "_encoder",
        "_held_back",
        "_ready",
        "drained",
        "initial_window",
        "max_frame_bytes",
        "window",
    )

    def __init__(self) -> None:
        self.window = DEFAULT_WINDOW
        """Of the connection."""
        self.initial_window = DEFAULT_WINDOW
        self.max_frame_bytes = frames.SMALLEST_MAX_FRAME
        self.drained: list[SendState] = []
        """Streams that may hand over more since this was last emptied: what held them back has gone."""
        self._control = bytearray()
        self._ready: deque[SendState] = deque()
        self._held_back: list[SendState] = []
        self._encoder = FieldEncoder()

    def control(self, frame: bytes) -> None:
        """Send a frame before all data."""
        self._control += frame

    def limit_table(self, size: int) -> None:
        self._encoder.limit_table(size)

    @property
    def has_control(self) -> bool:
        """Control frames or heads wait to be taken."""
        return bool(self._control)

    @property
    def congested(self) -> bool:
        """The client does not take what it has brought about."""
        return len(self._control) > MOST_CONTROL_BYTES

    def is_full(self, stream: SendState) -> bool:
        """The stream must not hand over more now; it will be in `drained` when it may."""
        if stream.pending:
            return True
        if self.congested:
            self._held_back.append(stream)
            return True
        return False

    def head(self, stream: SendState, fields: Fields, *, ended: bool) -> None:
        """Send a header list: of an interim response, or the final one."""
        self._control += self._block(stream, fields, ended=ended)
        if ended:
            stream.finishing = stream.ended = True
            self.drained.append(stream)

    def data(self, stream: SendState, data: bytes, *, ended: bool) -> None:
        """Send data after what is pending."""
        stream.pending += data
        stream.finishing = stream.finishing or ended
        self._queue(stream)

    def end_with(self, stream: SendState, trailers: Fields) -> None:
        """Send trailers after what is pending."""
        stream.trailers = trailers
        stream.finishing = True
        self._queue(stream)

    def drop(self, stream: SendState) -> None:
        """Send nothing more of this stream."""
        stream.pending.clear()
        stream.ended = True

    def open_window(self, increment: int) -> None:
        """WINDOW_UPDATE of the connection. Raises Violation."""
        if self.window + increment > LARGEST_WINDOW:
            raise Violation(Reason.WINDOW_OVERFLOW)
        self.window += increment

    def open_stream_window(self, stream: SendState, increment: int, reason: Reason) -> None:
        """WINDOW_UPDATE of a stream, or a change (perhaps a negative one) by settings. Raises Violation."""
        if stream.window + increment > LARGEST_WINDOW:
            raise Violation(reason)
        stream.window += increment
        if stream.waiting:
            self._queue(stream)

    def take(self) -> bytes:
        """What to send now, b"" where there is nothing or nothing may be sent."""
        taken = self._control
        self._control = bytearray()
        if self._held_back:
            self.drained += self._held_back
            self._held_back.clear()
        ready, held_back = self._ready, []
        while ready and len(taken) < BATCH_BYTES:
            stream = ready.popleft()
            stream.queued = False
            if stream.pending and self.window <= 0 < stream.window:
                held_back.append(stream)
            elif not stream.ended:
                self._take_from(stream, taken)
        for stream in held_back:
            self._queue(stream)
        return bytes(taken)

    def _take_from(self, stream: SendState, taken: bytearray) -> None:
        pending = stream.pending
        if pending:
            count = min(len(pending), stream.window, self.window, self.max_frame_bytes)
            if count <= 0:
                return  # WINDOW_UPDATE puts it back
            last = stream.finishing and count == len(pending) and stream.trailers is None
            taken += frames.frame(frames.DATA, frames.END_STREAM if last else 0, stream.stream_id, pending[:count])
            del pending[:count]
            stream.window -= count
            self.window -= count
            stream.ended = last
            if pending:
                self._queue(stream)
                return
        if stream.finishing and not stream.ended:
            stream.ended = True
            if stream.trailers is None:
                taken += frames.frame(frames.DATA, frames.END_STREAM, stream.stream_id)
            else:
                taken += self._block(stream, stream.trailers, ended=True)
        self.drained.append(stream)

    def _queue(self, stream: SendState) -> None:
        if not stream.queued:
            stream.queued = True
            self._ready.append(stream)

    def _block(self, stream: SendState, fields: Fields, *, ended: bool) -> bytes:
        block = self._encoder.encode(fields)
        return frames.header_frames(stream.stream_id, block, self.max_frame_bytes, ended=ended)
