"""Takes events in, and gives them to whoever reads: what is kept at once, what is new as it happens.

A reader is no queue but a place in the store: one that is slow costs nothing, and is told how many it has missed.
"""

import math
from collections.abc import AsyncIterator, Callable
from contextvars import ContextVar

import trio

from hapair.events.event import Event, Happening, event_of
from hapair.events.store import EventStore

acting: ContextVar[str] = ContextVar("acting", default="")
"""Who asked for what is done now: set by an admin surface in the task that serves somebody."""


class Bell:
    """Wakes all who wait for news of one feed, or of several."""

    def __init__(self) -> None:
        self._rung = trio.Event()

    def ring(self) -> None:
        """There is something new."""
        self._rung.set()
        self._rung = trio.Event()

    async def wait(self) -> None:
        """Until it rings the next time."""
        await self._rung.wait()


class EventFeed:
    """The events of one node. `wall` is the time of day in seconds of the Unix epoch, `clock` a steady one."""

    def __init__(
        self,
        node: str,
        *,
        wall: Callable[[], float],
        clock: Callable[[], float],
        store: EventStore | None = None,
        bell: Bell | None = None,
        write: Callable[[Event], None] = lambda _: None,
    ) -> None:
        """`write` is given each event that is recorded here and has no line in the log yet."""
        self.node = node
        self.last_id = 0
        """How many there were: of this node's own the id of the last one."""
        self.bell = Bell() if bell is None else bell
        self._wall = wall
        self._clock = clock
        self._write = write
        self._store = EventStore() if store is None else store

    def record(self, happening: Happening) -> Event:
        """It happened now. Never waits."""
        event = event_of(happening, id=self.last_id + 1, at=self._wall(), node=self.node, acting=acting.get())
        self._take(event)
        if not happening.logged:
            self._write(event)
        return event

    def hear(self, event: Event) -> None:
        """It happened on the node whose feed this is, which says so itself; it keeps the number that it has there."""
        self._take(event)

    def _take(self, event: Event) -> None:
        self.last_id += 1
        self._store.put(event, self._clock(), number=self.last_id)
        self.bell.ring()

    def after(self, id: int = 0, upto: float = math.inf) -> list[Event]:
        """Those that are kept and came after that one, up to another one; oldest first."""
        self._store.expire(self._clock())
        return self._store.after(id, upto)

    def read(self, after: int = 0) -> "Reader":
        """What came after that one, and then each as it happens: `async for event in feed.read(): ...`.

        An id from before a restart of the node is one that nothing came after yet: it reads from the beginning.
        """
        return Reader(self, after if 0 <= after <= self.last_id else 0)

    def gap(self, missed: int) -> Event:
        """Tells a reader of what it came too late for; it is not kept."""
        words = f"{missed} event{'s were' if missed > 1 else ' was'} missed: more happened than is kept"
        happening = Happening(kind="missed", subject=self.node, words=words, severity="warning")
        return event_of(happening, id=self.last_id, at=self._wall(), node=self.node)


class Reader:
    """A place among the events. Events of kind `missed` tell of a gap."""

    def __init__(self, feed: EventFeed, place: int) -> None:
        self._feed = feed
        self.place = place
        """It has read up to here."""
        self._gone_before = feed.last_id - place - len(feed.after(place))

    @property
    def is_behind(self) -> bool:
        """There is something new."""
        return self.place != self._feed.last_id

    async def next(self) -> list[Event]:
        """All that is new; waits for the first. To cancel it loses nothing."""
        while not self.is_behind:
            await self._feed.bell.wait()
        return self.rest()

    def rest(self) -> list[Event]:
        """All that is new; may be nothing."""
        found, last_id = self._feed.after(self.place), self._feed.last_id
        missed = last_id - self.place - len(found) - self._gone_before
        self.place, self._gone_before = last_id, 0
        return [self._feed.gap(missed), *found] if missed > 0 else found

    async def __aiter__(self) -> AsyncIterator[Event]:
        while True:
            for event in await self.next():
                yield event
