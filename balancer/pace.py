"""How slow one direction of a connection may be: idle time, and a minimum rate with a reserve. Pure.

Only time counts in which we wait for the peer. A peer that is waited for uses up its reserve; every byte that it
sends or takes earns a part of it back, and the reserve is never more than a window's worth. So whoever keeps the
minimum rate is never late, whoever sends a byte now and then is late after one window, and a long stall of somebody
else (a server that does not read, an event stream with nothing to say) is not held against the client.
"""

from __future__ import annotations

from math import inf


class Pace:
    """One direction. Instants and spans in seconds, rates in bytes per second."""

    __slots__ = ("_bytes_per_s", "_idle_s", "_reserve_s", "_since", "_window_s", "waiting")

    def __init__(self, idle_s: float, bytes_per_s: float | None = None, window_s: float = inf) -> None:
        """Late after `idle_s` without a byte; with a rate also after `window_s` of being slower than that."""
        self._idle_s = idle_s
        self._bytes_per_s = bytes_per_s
        self._window_s = window_s if bytes_per_s is not None else inf
        self._reserve_s = self._window_s
        self._since = 0.0
        self.waiting = False
        """Somebody waits for the peer now."""

    @property
    def late_at(self) -> float:
        """The instant at which the peer is late if it does nothing; infinity while nobody waits for it."""
        return self._since + min(self._idle_s, self._reserve_s) if self.waiting else inf

    @property
    def too_slow(self) -> bool:
        """What ran out, or would run out first, is the reserve, and not the idle time."""
        return self._reserve_s < self._idle_s

    def begin(self, now: float) -> None:
        """From now on the peer is waited for."""
        self._since = now
        self.waiting = True

    def end(self, now: float, moved: int) -> None:
        """The wait is over: `moved` bytes came or went."""
        if self.waiting:
            self._spend(now, moved)
            self.waiting = False

    def progress(self, now: float, moved: int) -> None:
        """The wait goes on, and `moved` bytes have gone meanwhile."""
        if moved:
            self._spend(now, moved)
            self._since = now

    def _spend(self, now: float, moved: int) -> None:
        if self._bytes_per_s is not None:
            reserve_s = self._reserve_s - (now - self._since) + moved / self._bytes_per_s
            self._reserve_s = min(reserve_s, self._window_s)
