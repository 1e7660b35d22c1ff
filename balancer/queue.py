"""Who waits in one worker for a server of one pool: a line for each server, and one for whichever comes free. Pure.

In a server's own line stand the requests that belong to it (persistence). They come first when it has a place; but of
IN_A_ROW + 1 places that it gives while others wait too, one goes to those, so that neither starves. Whose own server is
lost, or took too long, goes over to the common line, to where it would stand had it waited there from the start.

Each worker has its own queue, and they tell each other since when the first of each line has waited. A place is left
to another worker's line whose first has waited for longer by FAIR_S, but not for more than YIELD_S: it may hang.

Nobody is served twice and nobody is forgotten: a waiter stands in one line until it is given a server, is told that it
waits in vain, or leaves, and one of the three happens to it once.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Collection, Container, Iterable
from dataclasses import dataclass
from enum import Enum
from itertools import takewhile
from math import inf
from typing import Protocol

from balancer.policies import Request

FAIR_S = 0.1
YIELD_S = 0.15
IN_A_ROW = 3
"""Places that a server gives to its own line one after the other while the common one waits."""
COMMON = ""
"""Stands for the common line where lines are known by their server."""


class Fate(Enum):
    """What becomes of a waiter."""

    WAITS = "waits"
    CHOSEN = "chosen"
    LATE = "it waited for as long as it may"
    NO_SERVER = "no server is left to wait for"
    LEFT = "it went away"


@dataclass(slots=True, eq=False)
class Waiter:
    """One request. `wake` is called when its fate is no longer to wait."""

    since: float
    wake: Callable[[], None]
    request: Request | None = None
    excluded: tuple[str, ...] = ()
    """Servers that were tried for it already."""
    wanted: str | None = None
    """The server that it belongs to, for as long as it waits for that one alone."""
    fate: Fate = Fate.WAITS
    server: str | None = None


class Places(Protocol):
    """What a queue asks about servers. What is taken is counted at once."""

    def take(self, server: str) -> bool:
        """A place at this server, if it has one."""

    def take_any(self, waiter: Waiter, besides: Container[str]) -> str | None:
        """A place at whichever server the policy says, but not at one that was tried or is in `besides`."""

    def is_lost(self, server: str) -> bool:
        """Not even who belongs to it may go there now."""

    def is_hopeless(self, excluded: Collection[str]) -> bool:
        """Besides these there is no server that one could go to, were none of them full."""

    def since_elsewhere(self, server: str) -> float | None:
        """Since when the first of this line waits in other workers; None: nobody does."""


_Line = OrderedDict[Waiter, None]


class Queue:
    """Who waits. `now` is in seconds on any one clock, the same in all workers."""

    def __init__(self, *, timeout_s: float, own_s: float) -> None:
        """`own_s`: how long a request waits for the server that it belongs to before any other will do."""
        self._timeout_s = timeout_s
        self._own_s = own_s
        self._lines: dict[str, _Line] = {COMMON: OrderedDict()}
        """By server; one of a server only while it is not empty."""
        self._in_a_row: dict[str, int] = {}
        self._yielding: dict[tuple[str, str], float] = {}
        """Since when a line leaves places to a line of other workers."""
        self._picky: dict[Waiter, None] = {}
        """In the common line: those with whom some server was tried."""

    def reconfigure(self, *, timeout_s: float, own_s: float) -> None:
        """Those who wait already are late by these from now on."""
        self._timeout_s, self._own_s = timeout_s, own_s

    def __len__(self) -> int:
        return sum(len(line) for line in self._lines.values())

    def length(self, server: str = COMMON) -> int:
        """How many wait in one line."""
        return len(self._lines.get(server, ()))

    def oldest(self, server: str = COMMON) -> float | None:
        """Since when the first one of a line waits."""
        first = next(iter(self._lines.get(server, ())), None)
        return None if first is None else first.since

    def lines(self) -> tuple[str, ...]:
        """Of the servers that are waited for by requests of theirs."""
        return tuple(server for server in self._lines if server != COMMON)

    def enter(self, waiter: Waiter) -> int:
        """Take the last place of the line. How many are ahead."""
        line = self._lines.setdefault(waiter.wanted or COMMON, OrderedDict())
        line[waiter] = None
        if waiter.excluded and not waiter.wanted:
            self._picky[waiter] = None
        return len(line) - 1

    def leave(self, waiter: Waiter) -> None:
        """It goes away, of its own accord. Does nothing for one that waits no more."""
        if waiter.fate is Fate.WAITS:
            self._take_out(waiter)
            waiter.fate = Fate.LEFT

    def serve(self, places: Places, now: float) -> None:
        """Give places to those who wait, for as long as there are any."""
        self._give_up(server for server in self.lines() if places.is_lost(server))
        for server in self.lines():
            self._serve_own(server, places, now)
        self._serve_common(places, now)
        for server in self.lines():
            if self._in_a_row.get(server, 0) >= IN_A_ROW:
                self._serve_in_vain(server, places, now)

    def expire(self, places: Places, now: float) -> None:
        """End the waiting of those who have waited enough, or wait in vain. To be called often, after `serve`."""
        for server in (COMMON, *self.lines()):
            for waiter in self._who_came_before(server, now - self._timeout_s):
                self._end(waiter, Fate.LATE)
        for server in self.lines():
            self._go_over(self._who_came_before(server, now - self._own_s))
        self.dismiss(places)

    def dismiss(self, places: Places) -> None:
        """End the waiting of those for whom there is no server."""
        in_vain: Iterable[Waiter] = self._lines[COMMON]
        if not places.is_hopeless(()):
            in_vain = (one for one in self._picky if places.is_hopeless(one.excluded))
        for waiter in tuple(in_vain):
            self._end(waiter, Fate.NO_SERVER)

    def keeps_from(self, server: str, places: Places, now: float) -> bool:
        """Whether one who comes now has to leave this server's places (COMMON: all servers') to those who wait."""
        if self.length(server):
            return True
        since = places.since_elsewhere(server)
        return since is not None and now - since > FAIR_S

    def _serve_own(self, server: str, places: Places, now: float) -> None:
        """The line of one server, until it is the turn of the common one."""
        while (waiter := self._first(server)) is not None:
            others_wait = bool(self._lines[COMMON]) or places.since_elsewhere(COMMON) is not None
            given = self._in_a_row.get(server, 0)
            if others_wait and given >= IN_A_ROW:
                return
            if self._leaves(server, server, waiter.since, places, now) or not places.take(server):
                return
            self._in_a_row[server] = given + 1 if others_wait else 0
            self._give(waiter, server)

    def _serve_in_vain(self, server: str, places: Places, now: float) -> None:
        """It is the turn of the common line, and nobody there takes it: those elsewhere may yet, but not for ever."""
        waiter = self._first(server)
        if waiter is None or self._leaves(server, COMMON, inf, places, now) or not places.take(server):
            return
        self._in_a_row[server] = 0
        self._give(waiter, server)
        self._serve_own(server, places, now)

    def _serve_common(self, places: Places, now: float) -> None:
        passed: set[Waiter] = set()
        while (waiter := self._first(COMMON, passed)) is not None:
            if self._leaves(COMMON, COMMON, waiter.since, places, now):
                return
            server = places.take_any(waiter, _LeftToOthers(self, places, waiter.since, now))
            if server is not None:
                self._in_a_row.pop(server, None)
                self._give(waiter, server)
            elif waiter.excluded:
                passed.add(waiter)
            else:
                return  # who came later can have no other server than this one

    def _first(self, server: str, passed: Container[Waiter] = ()) -> Waiter | None:
        return next((waiter for waiter in self._lines.get(server, ()) if waiter not in passed), None)

    def _who_came_before(self, server: str, instant: float) -> list[Waiter]:
        """Or at it; a line is in the order of coming."""
        return list(takewhile(lambda waiter: waiter.since <= instant, self._lines[server]))

    def _leaves(self, line: str, to: str, since: float, places: Places, now: float) -> bool:
        """Whether a line of other workers has the better right, and has not been waited for in vain."""
        elsewhere = places.since_elsewhere(to)
        if elsewhere is None or elsewhere > since - FAIR_S:
            self._yielding.pop((line, to), None)
            return False
        return now - self._yielding.setdefault((line, to), now) < YIELD_S

    def _give_up(self, servers: Iterable[str]) -> None:
        for server in servers:
            self._go_over(list(self._lines[server]))

    def _go_over(self, waiters: list[Waiter]) -> None:
        """To the common line, from those of their servers."""
        if not waiters:
            return
        for waiter in waiters:
            self._take_out(waiter)
            waiter.wanted = None
            if waiter.excluded:
                self._picky[waiter] = None
        together = sorted((*self._lines[COMMON], *waiters), key=lambda waiter: waiter.since)
        self._lines[COMMON] = OrderedDict.fromkeys(together)

    def _give(self, waiter: Waiter, server: str) -> None:
        line = waiter.wanted or COMMON
        for key in ((line, server), (line, COMMON)):
            self._yielding.pop(key, None)
        waiter.server = server
        self._end(waiter, Fate.CHOSEN)

    def _end(self, waiter: Waiter, fate: Fate) -> None:
        self._take_out(waiter)
        waiter.fate = fate
        waiter.wake()

    def _take_out(self, waiter: Waiter) -> None:
        server = waiter.wanted or COMMON
        del self._lines[server][waiter]
        self._picky.pop(waiter, None)
        if server != COMMON and not self._lines[server]:
            del self._lines[server]


class _LeftToOthers:
    """Servers whose next place is for those who belong there and wait in other workers."""

    __slots__ = ("_now", "_places", "_queue", "_since")

    def __init__(self, queue: Queue, places: Places, since: float, now: float) -> None:
        self._queue = queue
        self._places = places
        self._since = since
        self._now = now

    def __contains__(self, server: object) -> bool:
        assert isinstance(server, str)
        return self._queue._leaves(COMMON, server, self._since, self._places, self._now)
