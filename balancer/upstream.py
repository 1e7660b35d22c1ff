"""Connections to one server that are kept for the next request.

The one kept last is used first: it is the least likely to be closed by the server just now, its memory is warm, and
what is not needed stays at the bottom until its time is up. A kept connection is quiet: whatever happens on it (the
server closes it, or sends bytes that nobody asked for) makes it unfit for use, and it is closed at once.
"""

from __future__ import annotations

from balancer.failures import StreamFailure
from balancer.streams import Stream


class KeptConnections:
    """The idle connections to one server."""

    __slots__ = ("_idle_s", "_streams")

    def __init__(self, idle_s: float) -> None:
        self._idle_s = idle_s
        self._streams: list[Stream] = []

    def __len__(self) -> int:
        return len(self._streams)

    def keep(self, stream: Stream) -> None:
        """Keep a connection whose last response was read wholly. One with anything more to read is closed instead."""
        if stream.quiet or _is_empty(stream):
            self._streams.append(stream)
            stream.watch(self._discard, stream.reactor.now + self._idle_s)
        else:
            stream.close()

    def take(self) -> Stream | None:
        """A connection for the next request, or None."""
        while self._streams:
            stream = self._streams.pop()
            if stream.quiet:
                stream.unwatch()
                return stream
            stream.close()
        return None

    def close_all(self) -> None:
        """Close them."""
        for stream in self._streams:
            stream.close()
        self._streams.clear()

    def _discard(self, stream: Stream, mask: int) -> None:
        self._streams.remove(stream)
        stream.close()


def _is_empty(stream: Stream) -> bool:
    """Ask the kernel: a body that was spliced, or filled the last read, leaves open whether anything follows."""
    try:
        return stream.try_receive(1) is None and stream.quiet
    except StreamFailure:
        return False
