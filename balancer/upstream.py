"""Connections to servers that outlive one request.

The one kept last is used first: it is the least likely to be closed by the server just now, its memory is warm, and
what is not needed stays at the bottom until its time is up. A kept connection is quiet: whatever happens on it (the
server closes it, or sends bytes that nobody asked for) makes it unfit for use, and it is closed at once.
"""

from __future__ import annotations

from collections.abc import MutableMapping

from balancer.failures import StreamFailure
from balancer.slots import OPEN, Counters
from balancer.streams import Stream


class Upstream:
    """A connection to a server: in use, and counted as open, until `end`; then kept for the next request or closed."""

    __slots__ = ("_keeper", "counters", "idle", "ready_at", "reusable", "server", "stream", "was_kept")

    def __init__(self, keeper: KeptConnections, server: str, counters: Counters, stream: Stream) -> None:
        """A new connection, which has been counted already."""
        self._keeper = keeper
        self.server = server
        self.counters = counters
        self.stream = stream
        self.idle = False
        self.ready_at = stream.reactor.now
        """When it was made, or the current request had waited for it long enough."""
        self.was_kept = False
        """It was taken for another request, so that its server may have closed it for good reason."""
        self.reusable = False
        """To be set when a response has been read wholly and neither side spoke of closing."""
        stream.watcher = self._on_event

    @property
    def pool(self) -> str:
        """The name of the server's pool."""
        return self._keeper.pool

    def end(self) -> None:
        """The end of its use for one request. One with anything more to read is closed, whatever was said of it."""
        self.counters.add(OPEN, -1)
        stream = self.stream
        if self.reusable and (stream.quiet or _is_empty(stream)):
            self.idle = True
            self._keeper.keep(self)
        else:
            stream.close()

    def _on_event(self, stream: Stream, mask: int) -> None:
        if self.idle:
            self._keeper.drop(self)


class KeptConnections:
    """The idle connections to one server."""

    __slots__ = ("_idle_s", "_kept", "pool")

    def __init__(self, idle_s: float, pool: str = "") -> None:
        self.pool = pool
        self._idle_s = idle_s
        self._kept: list[Upstream] = []

    def __len__(self) -> int:
        return len(self._kept)

    def keep(self, upstream: Upstream) -> None:
        """Hold a quiet connection until it is taken, or something happens on it, or its time is up."""
        stream = upstream.stream
        stream.deadline = stream.reactor.now + self._idle_s
        if stream.deadline < stream.filed_at:
            stream.reactor.wheel.file(stream, stream.reactor.now)
        self._kept.append(upstream)

    def take(self) -> Upstream | None:
        """A connection for the next request, counted as open; None when there is none."""
        if not self._kept:
            return None
        upstream = self._kept.pop()
        upstream.idle = upstream.reusable = False
        upstream.was_kept = True
        upstream.counters.add(OPEN)
        return upstream

    @property
    def proven(self) -> int:
        """How many of them have served more than one request."""
        return sum(upstream.was_kept for upstream in self._kept)

    def drop(self, upstream: Upstream) -> None:
        """Close one that is kept."""
        self._kept.remove(upstream)
        upstream.stream.close()

    def retire(self) -> None:
        """Close them, and soon those as well that are still in use and will be kept here: nobody takes them again."""
        self.close_all()
        self._idle_s = 0.0

    def close_all(self) -> None:
        """Close them."""
        for upstream in self._kept:
            upstream.stream.close()
        self._kept.clear()


Kept = MutableMapping[str, KeptConnections]
"""By server."""


class KeptByServer(dict[str, KeptConnections]):
    """Room for the idle connections to each server of a pool, made when it is first asked for."""

    __slots__ = ("_idle_s", "_pool")

    def __init__(self, idle_s: float, pool: str) -> None:
        self._idle_s = idle_s
        self._pool = pool

    def __missing__(self, server: str) -> KeptConnections:
        kept = self[server] = KeptConnections(self._idle_s, self._pool)
        return kept


def _is_empty(stream: Stream) -> bool:
    """Ask the kernel: a body that was spliced, or filled the last read, leaves open whether anything follows."""
    try:
        return stream.try_receive(1) is None and stream.quiet
    except StreamFailure:
        return False
