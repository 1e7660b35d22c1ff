"""Streams of a connection: one that is open, and what is known of those that ended (RFC 9113 section 5.1). Pure."""

from balancer.http2.library import H2Stream
from balancer.http2.sending import SendState

REMEMBERED_STREAMS = 1_024
"""Of those that ended last: whether we reset them, so that what the client sent before it knew is ignored."""


class StreamState(SendState):
    """One open stream, both halves: what h2 knows of it, and what it does not."""

    __slots__ = ("credit", "length", "received", "remote_ended")

    def __init__(self, stream: H2Stream) -> None:
        super().__init__(stream)
        self.credit = 0
        """Consumed, and not yet given back by WINDOW_UPDATE."""
        self.length: int | None = None
        """What Content-Length says."""
        self.received = 0
        self.remote_ended = False
        """END_STREAM was received."""

    @property
    def receive_window(self) -> int:
        """What we let the client send."""
        return self._h2.inbound_flow_control_window

    def misses_length(self, *, ended: bool) -> bool:
        """The body is longer than Content-Length says, or has `ended` and is shorter."""
        if self.length is None:
            return False
        return self.received != self.length if ended else self.received > self.length


class ClosedStreams:
    """The streams that ended last, and whether it was we who reset them."""

    __slots__ = ("_by_us",)

    def __init__(self) -> None:
        self._by_us: dict[int, bool] = {}

    def remember(self, stream_id: int, *, by_us: bool) -> None:
        known = self._by_us
        known[stream_id] = by_us
        if len(known) > REMEMBERED_STREAMS:
            del known[next(iter(known))]

    def by_us(self, stream_id: int) -> bool | None:
        """None where nothing is remembered: it never began, or ended long ago."""
        return self._by_us.get(stream_id)
