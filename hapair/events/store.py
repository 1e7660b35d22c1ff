"""The events that are kept: a bounded number of each kind, for a bounded time. Pure.

Each kind has a ring of its own, so that a server that flips every second does not push out who became
Active last night.
"""

import heapq
import math
from collections import deque
from itertools import takewhile
from operator import itemgetter

from hapair.events.event import Event

PER_KIND = 300
AGE_S = 7 * 86_400.0


class EventStore:
    """Events in the order in which they came. `now` is on any one steady clock, in seconds."""

    def __init__(self, *, per_kind: int = PER_KIND, age_s: float = AGE_S) -> None:
        self._per_kind = per_kind
        self._age_s = age_s
        self._rings: dict[str, deque[tuple[float, int, Event]]] = {}

    def __len__(self) -> int:
        return sum(len(ring) for ring in self._rings.values())

    def put(self, event: Event, now: float, *, number: int | None = None) -> None:
        """The newest; `number` (its id, if not said otherwise) is higher than that of any other."""
        ring = self._rings.setdefault(event.kind, deque(maxlen=self._per_kind))
        ring.append((now, event.id if number is None else number, event))
        self.expire(now)

    def expire(self, now: float) -> None:
        """Forget what is too old."""
        for ring in self._rings.values():
            while ring and ring[0][0] <= now - self._age_s:
                ring.popleft()

    def after(self, number: int, upto: float = math.inf) -> list[Event]:
        """Those with a higher number, of at most `upto`; oldest first."""
        newest_first = (
            takewhile(lambda one: one[0] > number, ((place, event) for _, place, event in reversed(ring)))
            for ring in self._rings.values()
        )
        found = [event for place, event in heapq.merge(*newest_first, key=itemgetter(0), reverse=True) if place <= upto]
        found.reverse()
        return found
