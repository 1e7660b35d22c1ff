"""What goes out next on one connection: control frames and heads first, then data of each stream in turn. Pure.

h2 makes the frames and keeps the windows; it sends what it is told to, when it is told. A stream's data waits here
until the client's windows let it go: at most what its relay handed over at once, for it may hand over more only when
that is gone (`is_full`). So a slow client holds its own streams back and no others.
"""

from collections import deque

from balancer.http2.compression import Fields
from balancer.http2.library import H2Stream, Library

BATCH_BYTES = 65_536
"""About how much is handed over at once: with more, whoever comes next would wait for longer."""
MOST_CONTROL_BYTES = 65_536
"""Waiting to be sent. Beyond it nothing more is taken from the client, nor from the servers, until it has gone."""


class SendState:
    """The half of a stream that we send."""

    __slots__ = ("_h2", "ended", "finishing", "pending", "queued", "stream_id", "trailers")

    def __init__(self, stream: H2Stream) -> None:
        self._h2 = stream
        self.stream_id = stream.stream_id
        self.pending = bytearray()
        self.trailers: Fields | None = None
        self.finishing = False
        """END_STREAM follows `pending`."""
        self.ended = False
        """END_STREAM has been handed over."""
        self.queued = False

    @property
    def window(self) -> int:
        """What the client lets us send. Less than nothing where its settings took it away."""
        return self._h2.outbound_flow_control_window

    @property
    def waiting(self) -> bool:
        """Something is still to be sent."""
        return bool(self.pending) or (self.finishing and not self.ended)


class Sender:
    """The sending half of one connection."""

    __slots__ = ("_held_back", "_library", "_ready", "drained")

    def __init__(self, library: Library) -> None:
        self.drained: list[SendState] = []
        """Streams that may hand over more since this was last emptied: what held them back has gone."""
        self._library = library
        self._ready: deque[SendState] = deque()
        self._held_back: list[SendState] = []

    def control(self, frame: bytes) -> None:
        """Send a frame before all data."""
        self._library.outgoing += frame

    @property
    def has_control(self) -> bool:
        """Control frames or heads wait to be taken."""
        return bool(self._library.outgoing)

    @property
    def congested(self) -> bool:
        """The client does not take what it has brought about."""
        return len(self._library.outgoing) > MOST_CONTROL_BYTES

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
        if stream.ended:
            return
        self._library.head(stream.stream_id, fields, ended=ended)
        if ended:
            stream.finishing = stream.ended = True
            self.drained.append(stream)

    def data(self, stream: SendState, data: bytes, *, ended: bool) -> None:
        """Send data after what is pending."""
        if stream.ended:
            return
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

    def opened(self, stream: SendState) -> None:
        """The client has opened the stream's window, or changed it by settings."""
        if stream.waiting:
            self._queue(stream)

    def take(self) -> bytes:
        """What to send now, b"" where there is nothing or nothing may be sent."""
        library = self._library
        if self._held_back:
            self.drained += self._held_back
            self._held_back.clear()
        ready, held_back, size = self._ready, [], len(library.outgoing)
        while ready and size < BATCH_BYTES:
            stream = ready.popleft()
            stream.queued = False
            if stream.ended:
                continue
            if stream.pending and library.window <= 0 < stream.window:
                held_back.append(stream)
            else:
                size += self._take_from(stream)
        for stream in held_back:
            self._queue(stream)
        return library.take()

    def _take_from(self, stream: SendState) -> int:
        """How many bytes of data it could send."""
        library, stream_id, pending, count = self._library, stream.stream_id, stream.pending, 0
        if pending:
            count = min(len(pending), library.most_data(stream_id))
            if count <= 0:
                return 0  # WINDOW_UPDATE puts it back
            last = stream.finishing and count == len(pending) and stream.trailers is None
            library.data(stream_id, bytes(memoryview(pending)[:count]), ended=last)
            del pending[:count]
            stream.ended = last
            if pending:
                self._queue(stream)
                return count
        if stream.finishing and not stream.ended:
            stream.ended = True
            if stream.trailers is None:
                library.data(stream_id, b"", ended=True)
            else:
                library.head(stream_id, stream.trailers, ended=True)
        self.drained.append(stream)
        return count

    def _queue(self, stream: SendState) -> None:
        if not stream.queued:
            stream.queued = True
            self._ready.append(stream)
