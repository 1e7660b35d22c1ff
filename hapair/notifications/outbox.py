"""What one who is told has yet to be told, and when that is tried. Pure."""

from collections import deque
from dataclasses import dataclass

from hapair.events.event import Event

WAITING_LIMIT = 100
AGE_LIMIT_S = 3600.0
"""News that could not be told for so long is not told any more."""
FIRST_PAUSE_S, LONGEST_PAUSE_S = 1.0, 300.0


@dataclass(frozen=True, slots=True, kw_only=True)
class NotificationView:
    """One who is told, for the status. Counters since it is told."""

    name: str
    sent: int
    failed: int
    """Attempts."""
    dropped: int
    """Events that it was never told of."""
    waiting: int
    trouble: str | None
    """Why the last attempt failed; None: it did not."""


class Outbox:
    """In the order in which it happened. `now` is on any one steady clock, in seconds."""

    def __init__(self, *, limit: int = WAITING_LIMIT) -> None:
        self.sent = 0
        self.failed = 0
        """Attempts."""
        self.dropped = 0
        """Events that were never told: too many waited, it took too long, or they were refused for good."""
        self._limit = limit
        self._waiting: deque[tuple[float, Event]] = deque()
        self._pause_s = FIRST_PAUSE_S

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, event: Event, now: float) -> None:
        """Where too many wait, the oldest is dropped."""
        self._waiting.append((now, event))
        if len(self._waiting) > self._limit:
            self._waiting.popleft()
            self.dropped += 1

    def first(self, now: float) -> Event | None:
        """What is to be told next."""
        while self._waiting and self._waiting[0][0] < now - AGE_LIMIT_S:
            self._waiting.popleft()
            self.dropped += 1
        return self._waiting[0][1] if self._waiting else None

    def told(self, event: Event) -> None:
        """It went well."""
        self._remove(event)
        self.sent += 1
        self._pause_s = FIRST_PAUSE_S

    def refused(self, event: Event) -> None:
        """It is of no use to try again."""
        if self._remove(event):
            self.dropped += 1
        self.failed += 1

    def failed_s(self) -> float:
        """It did not go well: how long to wait before the next attempt."""
        self.failed += 1
        pause_s, self._pause_s = self._pause_s, min(LONGEST_PAUSE_S, 2 * self._pause_s)
        return pause_s

    def _remove(self, event: Event) -> bool:
        """It may have been dropped while it was being told."""
        if self._waiting and self._waiting[0][1] is event:
            self._waiting.popleft()
            return True
        return False
