"""The events that are kept: a bounded number of each kind, for a bounded time. Pure.

Each kind has a ring of its own, so that a server that flips every second does not push out who became
Active last night.
"""

import heapq
from collections import deque
from itertools import takewhile
from operator import attrgetter

from hapair.events.event import Event

PER_KIND = 300
AGE_S = 7 * 86_400.0


class EventStore:
    """Events in the order of their ids. `now` is on any one steady clock, in seconds."""

    def __init__(self, *, per_kind: int = PER_KIND, age_s: float = AGE_S) -> None:
        self._per_kind = per_kind
        self._age_s = age_s
        self._rings: dict[str, deque[tuple[float, Event]]] = {}

    def __len__(self) -> int:
        return sum(len(ring) for ring in self._rings.values())

    def put(self, event: Event, now: float) -> None:
        """The newest; its id is higher than that of any other."""
        self._rings.setdefault(event.kind, deque(maxlen=self._per_kind)).append((now, event))
        self.expire(now)

    def expire(self, now: float) -> None:
        """Forget what is too old."""
        for ring in self._rings.values():
            while ring and ring[0][0] <= now - self._age_s:
                ring.popleft()

    def after(self, id: int) -> list[Event]:
        """Those with a higher id, oldest first."""
        newest_first = (
            takewhile(lambda event: event.id > id, (event for _, event in reversed(ring)))
            for ring in self._rings.values()
        )
        found = list(heapq.merge(*newest_first, key=attrgetter("id"), reverse=True))
        found.reverse()
        return found
