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
UNFILED = 1 << 62


class Timed(Protocol):
    """What can be filed: `filed_tick` belongs to the wheel and starts as UNFILED."""

    deadline: float
    filed_tick: int

    def expire(self) -> None: ...


class TimerWheel:
    """Owners by the tick at which to look at them next."""

    __slots__ = ("_buckets", "_ticks")

    def __init__(self) -> None:
        self._buckets: dict[int, set[Timed]] = {}
        self._ticks: list[int] = []

    def file(self, owner: Timed, now: float) -> None:
        """See that `owner.expire()` is called soon after its deadline. Call again once that has moved to earlier."""
        if owner.deadline == inf:
            return
        tick = int(min(owner.deadline, now + HORIZON_S) / TICK_S) + 1
        if tick >= owner.filed_tick:
            return
        self.remove(owner)
        owner.filed_tick = tick
        bucket = self._buckets.get(tick)
        if bucket is None:
            self._buckets[tick] = {owner}
            heapq.heappush(self._ticks, tick)
        else:
            bucket.add(owner)

    def remove(self, owner: Timed) -> None:
        """Forget an owner."""
        if owner.filed_tick != UNFILED:
            self._buckets.get(owner.filed_tick, set()).discard(owner)
            owner.filed_tick = UNFILED

    def expire(self, now: float) -> None:
        """Call `expire()` on each owner whose deadline has passed."""
        while self._ticks and self._ticks[0] * TICK_S <= now:
            tick = heapq.heappop(self._ticks)
            for owner in self._buckets.pop(tick):
                if owner.filed_tick == tick:  # else an earlier owner of this bucket had it removed
                    self._look_at(owner, now)

    def _look_at(self, owner: Timed, now: float) -> None:
        owner.filed_tick = UNFILED
        if owner.deadline <= now:
            owner.expire()
        else:
            self.file(owner, now)

    def next_at(self) -> float:
        """When to call `expire` next; infinity when nothing is filed."""
        return self._ticks[0] * TICK_S if self._ticks else inf
