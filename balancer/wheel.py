"""Coarse deadlines for very many connections. Pure: `now` is an argument.

A connection moves its deadline at every request, and nearly always to later. So a deadline is a plain attribute of
its owner, and the wheel only promises to look at the owner in time: it files the owner under the tick of its deadline,
and when that tick comes, an owner whose deadline has moved on is filed again. Moving a deadline is one store.

Nothing is filed further ahead than HORIZON_S, so the wheel stays small however long the deadlines are. A heap of
(deadline, owner) would pay a push for each move and keep the stale entries of closed connections for minutes.
"""

from __future__ import annotations

import heapq
from math import inf
from typing import Protocol

TICK_S = 0.05
HORIZON_S = 16.0


class Timed(Protocol):
    """What can be filed. `filed_at` belongs to the wheel: when it will look, infinity where not filed."""

    deadline: float
    filed_at: float

    def expire(self) -> None: ...


class TimerWheel:
    """Owners by the instant, in whole ticks, at which to look at them next."""

    __slots__ = ("_buckets", "_instants")

    def __init__(self) -> None:
        self._buckets: dict[float, set[Timed]] = {}
        self._instants: list[float] = []

    def file(self, owner: Timed, now: float) -> None:
        """See that `owner.expire()` is called soon after its deadline. Call again once that has moved to earlier.

        Where calls are very frequent, skip those with `owner.deadline >= owner.filed_at`: they would do nothing.
        """
        tick = int(min(owner.deadline, now + HORIZON_S) / TICK_S) + 1
        if owner.deadline == inf or tick * TICK_S >= owner.filed_at:
            return
        self.remove(owner)
        owner.filed_at = tick * TICK_S
        bucket = self._buckets.get(owner.filed_at)
        if bucket is None:
            self._buckets[owner.filed_at] = {owner}
            heapq.heappush(self._instants, owner.filed_at)
        else:
            bucket.add(owner)

    def remove(self, owner: Timed) -> None:
        """Forget an owner."""
        if owner.filed_at != inf:
            bucket = self._buckets.get(owner.filed_at)
            if bucket is not None:
                bucket.discard(owner)
            owner.filed_at = inf

    def expire(self, now: float) -> None:
        """Call `expire()` on each owner whose deadline has passed."""
        while self._instants and self._instants[0] <= now:
            instant = heapq.heappop(self._instants)
            for owner in self._buckets.pop(instant):
                if owner.filed_at == instant:  # else an earlier owner of this bucket had it removed
                    self._look_at(owner, now)

    def _look_at(self, owner: Timed, now: float) -> None:
        owner.filed_at = inf
        if owner.deadline <= now:
            owner.expire()
        else:
            self.file(owner, now)

    def next_at(self) -> float:
        """When to call `expire` next; infinity when nothing is filed."""
        return self._instants[0] if self._instants else inf
