"""Where requests wait for a server of a pool whose servers are all full: one pool in one worker.

A place that becomes free in this worker is given away at once: the counters of its servers tell of it. One that another
worker frees is found by a look at the shared slots with every tick of the reactor's wheel (50 ms), for as long as
anybody waits here. In the slots workers tell each other how many wait with them, and since when the first does.

A place is counted when it is given, not when the waiter wakes up, and looked at again once it is counted: of two
workers that take the last place at the same time neither keeps it. So a limit holds exactly, over all workers.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Container, Sequence
from math import inf
from typing import TYPE_CHECKING, Protocol

from balancer.causes import Cause
from balancer.config_pools import Pool
from balancer.observe import ObservedCounters
from balancer.policies import Request
from balancer.pool import PoolState
from balancer.queue import COMMON, Fate, Queue, Waiter
from balancer.queue_counts import (
    QUEUE_ALL,
    QUEUE_AVERAGE,
    QUEUE_LATE,
    QUEUE_LEFT,
    QUEUE_LONGEST_US,
    QUEUE_MOST,
    QUEUE_REFUSED,
    QUEUE_SAMPLES,
    QUEUE_SERVED,
    QUEUE_SINCE_NS,
    QUEUE_WAITING,
    QUEUED,
)
from balancer.reactor import Reactor
from balancer.slots import OPEN, Counters, Slots
from balancer.task import PARK
from balancer.upstream import Upstream

if TYPE_CHECKING:
    from balancer.service import PoolService

_NS = 1_000_000_000


class Unserved(Exception):  # noqa: N818 - named for what happened
    """A request got no place: it waited for too long, or too many do."""

    def __init__(self, cause: Cause, pool: str) -> None:
        super().__init__(cause.value)
        self.cause = cause
        self.pool = pool


class Notes(Protocol):
    """Is told of the waiting of one request."""

    def note_queued(self, pool: str, server: str | None, ahead: int) -> None: ...

    def note_unqueued(self, *, served: bool) -> None: ...


class _TellingCounters(Counters):
    """Counters of a server; `freed` is called when a connection ends."""

    __slots__ = ("freed",)

    freed: Callable[[], None]

    def add(self, slot: int, amount: int = 1) -> None:
        super().add(slot, amount)
        if slot == OPEN and amount < 0:
            self.freed()


class _TellingObservedCounters(ObservedCounters):
    """The same of a server that is observed."""

    __slots__ = ("freed",)

    freed: Callable[[], None]

    def add(self, slot: int, amount: int = 1) -> None:
        super().add(slot, amount)
        if slot == OPEN and amount < 0:
            self.freed()


def _telling(counters: Counters, freed: Callable[[], None]) -> Counters:
    telling: _TellingCounters | _TellingObservedCounters
    if isinstance(counters, ObservedCounters):
        telling = counters.moved_to(_TellingObservedCounters)
        telling.observe_as(counters)
    else:
        telling = counters.moved_to(_TellingCounters)
    telling.freed = freed
    return telling


class _Line:
    """What this worker tells of one line, and what the others tell of theirs."""

    __slots__ = ("_elsewhere", "here")

    def __init__(self, slots: Slots, worker: int, pool: str, server: str) -> None:
        self.here = slots.queue(worker, pool, server)
        others = (other for other in range(slots.layout.workers) if other != worker)
        self._elsewhere = tuple(slots.queue(other, pool, server) for other in others)

    def move(self, to: _Line) -> None:
        """Go on telling, and looking, elsewhere."""
        self.here.move(to.here)
        self._elsewhere = to._elsewhere

    def waiting(self, slot: int = QUEUE_WAITING) -> int:
        """Over all workers."""
        return self.here.get(slot) + sum(one.get(slot) for one in self._elsewhere)

    def since_elsewhere(self) -> float | None:
        """Since when the first one waits in other workers; None: nobody does."""
        since_ns = min((one.get(QUEUE_SINCE_NS) for one in self._elsewhere if one.get(QUEUE_WAITING)), default=None)
        return None if since_ns is None else since_ns / _NS

    def tell(self, waiting: int, since: float | None) -> None:
        self.here.set(QUEUE_SINCE_NS, 0 if since is None else int(since * _NS))
        self.here.set(QUEUE_WAITING, waiting)

    def entered(self) -> None:
        """One more waits."""
        self.here.add(QUEUED)
        if (waiting := self.waiting()) > self.here.get(QUEUE_MOST):
            self.here.set(QUEUE_MOST, waiting)

    def served(self, waited_s: float) -> None:
        """One more was given a server. The average is one of the last thousand, like HAProxy's."""
        here = self.here
        here.add(QUEUE_SERVED)
        average = here.get(QUEUE_AVERAGE)
        if waited_s or average:
            if (waited_us := round(waited_s * 1_000_000)) > here.get(QUEUE_LONGEST_US):
                here.set(QUEUE_LONGEST_US, waited_us)
            samples = min(here.get(QUEUE_SERVED), QUEUE_SAMPLES)
            step = (waited_us * QUEUE_SAMPLES - average) / samples
            here.set(QUEUE_AVERAGE, max(0, round(average + step)))


class WaitingRoom:
    """All that a pool whose servers may be full needs in one worker. In the timer wheel while anybody waits.

    Whoever is given a server has its place: OPEN has been counted, and is to be counted down by whoever uses it.
    """

    def __init__(
        self, name: str, pool: Pool, state: PoolState, counters: dict[str, Counters], reactor: Reactor, lines: _Lines
    ) -> None:
        """`counters` will tell this room of connections that end."""
        self.deadline = self.filed_at = inf
        self._name = name
        self._pool = pool
        self._state = state
        self._counters = counters
        self._reactor = reactor
        self._lines = lines
        self._queue = Queue(timeout_s=pool.queue.timeout_s, own_s=pool.queue.own_s)
        self._told: set[str] = set()
        """Lines that others take to be waiting here."""
        for server, one in counters.items():
            counters[server] = _telling(one, self.look)

    def told_by(self, counters: Counters) -> Counters:
        """The counters of one more server, which will tell this room of connections that end."""
        return _telling(counters, self.look)

    def reconfigure(self, pool: Pool, lines: _Lines) -> None:
        """Go on as the pool is configured now; `lines` are of all servers that it has. Who waits goes on waiting."""
        self._pool = pool
        self._queue.reconfigure(timeout_s=pool.queue.timeout_s, own_s=pool.queue.own_s)
        for server, line in lines.items():
            if (known := self._lines.get(server)) is not None:
                known.move(line)
            else:
                self._lines[server] = line
        self.look_again()

    def __len__(self) -> int:
        return len(self._queue)

    def admit(self, request: Request | None, tried: Collection[str] = (), wanted: str | None = None) -> str | None:
        """A server that has a place now, where nobody has waited for it. With `wanted` that one or none."""
        queue, now = self._queue, self._reactor.now
        if wanted is not None:
            passed_over = queue.length() or queue.keeps_from(wanted, self, now) or not self.take(wanted)
            server = None if passed_over else wanted
        elif queue.keeps_from(COMMON, self, now):
            server = None
        else:
            server = self._take_any(request, _Kept(queue, self, now, tried))
        if server is not None:
            self._served(request, server, 0.0)
        return server

    async def wait(
        self,
        request: Request | None,
        tried: Sequence[str] = (),
        *,
        wanted: str | None = None,
        notes: Notes | None = None,
    ) -> str | None:
        """A server, as soon as there is a place for which it is this request's turn; None: there is none to wait for.

        `wanted`: the server that it belongs to; others will do when it has waited for that one for long enough, or
        that one is lost. Raises Unserved.
        """
        waiter = self._enter(request, tried, wanted, notes)
        if waiter is None:
            return None
        try:
            self.look()
            while waiter.fate is Fate.WAITS:
                await PARK
        except BaseException:
            self._let_go(waiter)
            raise
        finally:
            if notes is not None:
                notes.note_unqueued(served=waiter.server is not None)
        if waiter.fate is Fate.LATE:
            self._lines[COMMON].here.add(QUEUE_LATE)
            raise Unserved(Cause.QUEUE_TIMEOUT, self._name)
        if waiter.server is not None:
            self._served(request, waiter.server, self._reactor.now - waiter.since)
        return waiter.server

    def _enter(
        self, request: Request | None, tried: Sequence[str], wanted: str | None, notes: Notes | None
    ) -> Waiter | None:
        if self.is_lost(wanted) if wanted is not None else self._state.is_hopeless(tried):
            return None
        if self._is_long():
            self._lines[COMMON].here.add(QUEUE_REFUSED)
            raise Unserved(Cause.QUEUE_TOO_LONG, self._name)
        waiter = Waiter(self._reactor.now, self._reactor.current.wake, request, tuple(tried), wanted)
        ahead = self._queue.enter(waiter)
        self._tell()
        self._lines[wanted or COMMON].entered()
        if notes is not None:
            notes.note_queued(self._name, wanted, ahead)
        return waiter

    def may_wait_for(self, server: str) -> bool:
        """Whether there is room for one more in the line of this server."""
        limit = self._pool.servers[server].max_queue
        return not self._is_long() and (limit is None or self._lines[server].waiting() < limit)

    def _is_long(self) -> bool:
        """As many wait as may, in all lines together."""
        return self._lines[COMMON].waiting(QUEUE_ALL) >= self._pool.queue.length

    def _let_go(self, waiter: Waiter) -> None:
        """It goes away, perhaps with a place that it was given a moment ago."""
        self._lines[COMMON].here.add(QUEUE_LEFT)
        if waiter.server is not None:
            self._counters[waiter.server].add(OPEN, -1)
        else:
            self._queue.leave(waiter)
            self._tell()

    def share(self, server: str) -> None:
        """A place that was given is held by a connection that is counted itself."""
        Counters.add(self._counters[server], OPEN, -1)

    def held_by(self, upstream: Upstream) -> None:
        """The place of a request that waited, perhaps, and is now served by this connection."""
        self.share(upstream.server)
        upstream.ready_at = self._reactor.now

    def look(self) -> None:
        """See who can be served: a place has become free."""
        if self._queue:
            self._queue.serve(self, self._reactor.now)
            self._tell()

    def look_again(self) -> None:
        """Servers stand otherwise than before, or time has passed: some may wait in vain, or have waited enough."""
        if self._queue:
            self._queue.serve(self, self._reactor.now)
            self._queue.expire(self, self._reactor.now)
            self._queue.serve(self, self._reactor.now)  # those who need no longer wait for their own server
            self._tell()

    def expire(self) -> None:
        """Called by the timer wheel."""
        self.deadline = inf
        self.look_again()

    # What the queue asks.

    def take(self, server: str) -> bool:
        self._counters[server].add(OPEN)
        if self._state.exceeds(server):
            self.share(server)
            return False
        return True

    def take_any(self, waiter: Waiter, besides: Container[str]) -> str | None:
        return self._take_any(waiter.request, _Either(waiter.excluded, besides))

    def _take_any(self, request: Request | None, besides: Container[str]) -> str | None:
        lost: list[str] = []
        refused = besides
        while (server := self._state.choose_any(refused, request)) is not None and not self.take(server):
            lost.append(server)  # to another worker, just now
            refused = _Either(lost, besides)
        return server

    def is_lost(self, server: str) -> bool:
        return not self._state.takes_persistent(server)

    def is_hopeless(self, excluded: Collection[str]) -> bool:
        return self._state.is_hopeless(excluded)

    def since_elsewhere(self, server: str) -> float | None:
        return self._lines[server].since_elsewhere()

    def _served(self, request: Request | None, server: str, waited_s: float) -> None:
        self._state.went_to(request, server)
        self._lines[COMMON].served(waited_s)
        self._lines[server].served(waited_s)

    def _tell(self) -> None:
        """The other workers, and the wheel."""
        queue, lines = self._queue, self._lines
        waiting = {COMMON, *queue.lines()}
        for server in waiting | self._told:
            lines[server].tell(queue.length(server), queue.oldest(server))
        self._told = waiting
        lines[COMMON].here.set(QUEUE_ALL, len(queue))
        if queue and self.deadline == inf:
            self.deadline = self._reactor.now
            self._reactor.wheel.file(self, self._reactor.now)


_Lines = dict[str, _Line]


class _Either:
    """What is in one of two."""

    __slots__ = ("_one", "_other")

    def __init__(self, one: Container[str], other: Container[str]) -> None:
        self._one = one
        self._other = other

    def __contains__(self, server: object) -> bool:
        return server in self._one or server in self._other


class _Kept:
    """Servers that one who comes now cannot have: those that were tried, and those that others wait for."""

    __slots__ = ("_now", "_queue", "_room", "_tried")

    def __init__(self, queue: Queue, room: WaitingRoom, now: float, tried: Container[str]) -> None:
        self._queue = queue
        self._room = room
        self._now = now
        self._tried = tried

    def __contains__(self, server: object) -> bool:
        assert isinstance(server, str)
        return server in self._tried or self._queue.keeps_from(server, self._room, self._now)


def open_room(pool: PoolService, slots: Slots, worker: int, reactor: Reactor) -> None:
    """From now on requests wait for servers of `pool` that are full."""
    lines = _lines_of(pool, slots, worker)
    pool.room = WaitingRoom(pool.name, pool.config, pool.state, pool.all_counters, reactor, lines)


def renew_room(pool: PoolService, slots: Slots, worker: int) -> None:
    """The pool is configured otherwise, or the slots are others."""
    if pool.room is not None:
        pool.room.reconfigure(pool.config, _lines_of(pool, slots, worker))


def _lines_of(pool: PoolService, slots: Slots, worker: int) -> _Lines:
    return {server: _Line(slots, worker, pool.name, server) for server in (COMMON, *pool.config.servers)}
