"""What happened on both nodes of a pair, as far as this one knows: its own events, and those that the peer tells."""

from operator import attrgetter

from hapair.events.event import Event
from hapair.events.feed import EventFeed

_BY_TIME = attrgetter("at")


class PairEvents:
    """Two feeds as one, in the order of the time of day. The feeds share one bell."""

    def __init__(self, own: EventFeed, theirs: EventFeed) -> None:
        self.own = own
        self.theirs = theirs
        """Empty where there is no peer."""

    def read(self) -> "PairReader":
        """All that is still to come."""
        return PairReader(self)

    def all(self) -> list[Event]:
        """What is kept; what happened first comes first."""
        return sorted((*self.own.after(), *self.theirs.after()), key=_BY_TIME)


class PairReader:
    """A place among the events of both."""

    def __init__(self, events: PairEvents) -> None:
        self._events = events
        self._own = events.own.read(events.own.last_id)
        self._theirs = events.theirs.read(events.theirs.last_id)

    async def next(self) -> list[Event]:
        """All that is new; waits for the first. To cancel it loses nothing."""
        while not (self._own.is_behind or self._theirs.is_behind):
            await self._events.own.bell.wait()
        return self.rest()

    def rest(self) -> list[Event]:
        """All that is new; may be nothing."""
        return sorted((*self._own.rest(), *self._theirs.rest()), key=_BY_TIME)

    def known(self) -> list[Event]:
        """What is kept and is not new."""
        own, theirs = self._events.own.after(0, self._own.place), self._events.theirs.after(0, self._theirs.place)
        return sorted((*own, *theirs), key=_BY_TIME)
