"""Minimum rates of one client connection: a slow body and a slow reader are told from ones that merely pause.

Both directions share the stream's one deadline. It is set to the earlier instant of the two; when it passes, the stream
asks here (`extend`) who is late, and by then the kernel knows what the client has acknowledged meanwhile. A call that
is parked in `splice` or `send_all` need not be left for that.
"""

from __future__ import annotations

from math import inf

from balancer.config import FrontendTimeouts
from balancer.pace import Pace
from balancer.pipes import PIPE_BYTES
from balancer.streams import RECEIVE_BYTES, Stream


class PacedClient:
    """A client's stream, for bodies, where the frontend has a minimum rate. Elsewhere nobody makes one of these."""

    __slots__ = ("_acknowledged", "_stream", "coming", "going")

    def __init__(self, stream: Stream, timeouts: FrontendTimeouts) -> None:
        self._stream = stream
        self._acknowledged = 0
        self.coming = Pace(timeouts.body_s, timeouts.upload_rate, timeouts.rate_window_s)
        self.going = Pace(timeouts.idle_s, timeouts.download_rate, timeouts.rate_window_s)
        stream.referee = self.extend

    async def receive(self, max_bytes: int = RECEIVE_BYTES) -> bytes:
        """As Stream.receive."""
        self._begin(self.coming)
        data = await self._stream.receive(max_bytes)
        self.coming.end(self._stream.reactor.now, len(data))
        return data

    async def splice_to(self, sink: Stream, max_bytes: int = PIPE_BYTES) -> int:
        """As Stream.splice_to. Done while much is coming, so that the wait is for the sink."""
        self._begin(self.coming)
        moved = await self._stream.splice_to(sink, max_bytes)
        self.coming.begin(self._stream.reactor.now)
        self.coming.end(self._stream.reactor.now, moved)
        return moved

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """As Stream.send_all."""
        sent = self._stream.try_send(data)
        if sent < len(data):
            self._begin_sending()
            await self._stream.send_all(memoryview(data)[sent:])
            self.going.end(self._stream.reactor.now, len(data) - sent)

    async def splice_from(self, source: Stream, max_bytes: int) -> int:
        """As `source.splice_to(client)`."""
        self._begin_sending()
        moved = await source.splice_to(self._stream, max_bytes)
        self.going.end(self._stream.reactor.now, moved)
        return moved

    def extend(self) -> bool:
        """The stream's deadline has passed: whether it was moved on, because nobody is late."""
        stream, now = self._stream, self._stream.reactor.now
        if self.going.waiting:
            acknowledged = stream.acknowledged()
            if stream.waits_to_send:
                self.going.progress(now, acknowledged - self._acknowledged)
            else:
                self.going.begin(now)  # the wait is for the server
            self._acknowledged = acknowledged
        late_at = min(self.coming.late_at, self.going.late_at)
        if not now < late_at < inf:
            return False
        stream.deadline = late_at
        return True

    def _begin_sending(self) -> None:
        self._acknowledged = self._stream.acknowledged()
        self._begin(self.going)

    def _begin(self, pace: Pace) -> None:
        pace.begin(self._stream.reactor.now)
        self._stream.deadline = min(self.coming.late_at, self.going.late_at)
