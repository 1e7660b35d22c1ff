"""Coarse deadlines for very many connections. Pure: `now` is an argument.

A connection moves its deadline at every request, and nearly always to later. So a deadline is a plain attribute of
its owner, and the wheel only promises to look at the owner in time: when the tick comes under which an owner is filed,
and its deadline has moved on, it is filed again. Moving a deadline is one store.

Most connections do not live as long as one tick. So a new owner is only put on a list, and filed when the tick is
over: by then most are gone. And nothing is filed further ahead than HORIZON_S, so the wheel stays small however long
the deadlines are. (A heap of deadlines would pay a push for each move, and keep closed connections for minutes.)
"""

from __future__ import annotations

import heapq
from math import inf
from typing import Protocol

TICK_S = 0.05
HORIZON_S = 16.0


class Timed(Protocol):
    """What can be filed. `filed_at` is the wheel's: when it will look next; infinity where it knows nothing of it."""

    deadline: float
    filed_at: float

    def expire(self) -> None: ...


class TimerWheel:
    """Owners by the instant, in whole ticks, at which to look at them next."""

    __slots__ = ("_buckets", "_fresh", "_instants", "_next_tick_at")

    def __init__(self) -> None:
        self._buckets: dict[float, set[Timed]] = {}
        self._instants: list[float] = []
        self._fresh: list[Timed] = []
        self._next_tick_at = inf

    def file(self, owner: Timed, now: float) -> None:
        """See that `owner.expire()` is called soon after its deadline. Call again once that has moved to earlier.

        Needed only where `owner.deadline < owner.filed_at`; who calls very often, asks that first.
        """
        if owner.deadline >= owner.filed_at:
            return
        self.remove(owner)
        if not self._fresh:
            self._next_tick_at = (int(now / TICK_S) + 1) * TICK_S
        self._fresh.append(owner)
        owner.filed_at = self._next_tick_at

    def remove(self, owner: Timed) -> None:
        """Forget an owner."""
        bucket = self._buckets.get(owner.filed_at)
        if bucket is not None:
            bucket.discard(owner)
        owner.filed_at = inf

    def expire(self, now: float) -> None:
        """Call `expire()` on each owner whose deadline has passed."""
        if self._next_tick_at <= now:
            fresh, self._fresh = self._fresh, []
            self._look_at(fresh, self._next_tick_at, now)
            if not self._fresh:
                self._next_tick_at = inf
        while self._instants and self._instants[0] <= now:
            instant = heapq.heappop(self._instants)
            self._look_at(self._buckets.pop(instant), instant, now)

    def next_at(self) -> float:
        """When to call `expire` next; infinity when nothing is filed."""
        return min(self._next_tick_at, self._instants[0] if self._instants else inf)

    def _look_at(self, owners: list[Timed] | set[Timed], instant: float, now: float) -> None:
        for owner in owners:
            if owner.filed_at != instant:
                continue  # removed since, and perhaps filed elsewhere
            owner.filed_at = inf
            if owner.deadline <= now:
                owner.expire()
            elif owner.deadline != inf:
                self._put(owner, now)

    def _put(self, owner: Timed, now: float) -> None:
        instant = owner.filed_at = (int(min(owner.deadline, now + HORIZON_S) / TICK_S) + 1) * TICK_S
        bucket = self._buckets.get(instant)
        if bucket is None:
            self._buckets[instant] = {owner}
            heapq.heappush(self._instants, instant)
        else:
            bucket.add(owner)
