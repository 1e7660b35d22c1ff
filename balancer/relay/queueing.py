"""Which server a connection of a client is given, where that may take a while: its turn, its time, or its leaving.

Whoever is given a server of a pool with a waiting room has a place there, which is counted already (`pool.room`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from errno import ECONNRESET
from select import EPOLLERR, EPOLLHUP, EPOLLRDHUP

from balancer.failures import Disconnected
from balancer.policies import Request
from balancer.service import PoolService
from balancer.streams import Stream
from balancer.waiting import Notes


async def find(
    stream: Stream, pool: PoolService, request: Request | None, notes: Notes | None = None
) -> tuple[PoolService, str | None]:
    """A server of `pool`, or of one that stands in for it, or else the one that was waited for.

    The first pool of the chain whose servers are full is waited for; but a server that the request belongs to even
    where others have room. None: there is no server to be had at all, and the pool is the last one. Raises Unserved,
    and Disconnected where the client leaves.
    """
    server = await _first(stream, pool, request, notes)
    awaited = last = pool
    while server is None and last.fallback is not None:
        last = last.fallback
        server = await _first(stream, last, request, notes)
        if awaited.room is None or awaited.state.is_hopeless():
            awaited = last
    if server is None and awaited.room is not None:
        server = await queue_up(stream, awaited, request, notes=notes)
        if server is None and awaited.fallback is not None:  # it has lost its servers meanwhile
            return await find(stream, awaited.fallback, request, notes)
        last = awaited if server is not None else last
    return last, server


async def _first(stream: Stream, pool: PoolService, request: Request | None, notes: Notes | None) -> str | None:
    """A server that has room now, or the one that the request belongs to once it has."""
    room = pool.room
    if room is None:
        return pool.choose((), request)
    wanted = pool.state.wanted(request)
    server = room.admit(request, (), wanted)
    if server is not None or wanted is None:
        return server
    if room.may_wait_for(wanted):
        return await queue_up(stream, pool, request, notes=notes, wanted=wanted)
    return room.admit(request)


async def find_again(
    stream: Stream, pool: PoolService, tried: Sequence[str], request: Request | None, notes: Notes | None = None
) -> str | None:
    """A server of `pool` for another attempt, after these have failed in turn; None: that was enough, or none is left.

    Where one that has failed is tried again, it is given a rest before. Raises Unserved, and Disconnected where the
    client leaves.
    """
    if not pool.may_try(tried):
        return None
    excluded, wanted = _left_out(pool, tried)
    if not excluded:
        with _while_it_stays(stream):
            await stream.reactor.sleep_until(stream.reactor.now + pool.rest_s)
    room = pool.room
    if room is None:
        return wanted or pool.choose(excluded, request)
    server = room.admit(request, excluded, wanted)
    if server is None and pool.fallback is None:
        server = await queue_up(stream, pool, request, excluded, notes=notes, wanted=wanted)
    return server


def _left_out(pool: PoolService, tried: Sequence[str]) -> tuple[Sequence[str], str | None]:
    """Which servers another attempt does not go to, and which one it has to go to, if there is one.

    With `redispatch` it goes to those that were not tried; where there are none, and no pool stands in, to any again.
    """
    if not pool.config.redispatch:
        return (), tried[-1]
    alone = pool.fallback is None and pool.state.is_hopeless(tried)
    return (() if alone else tried), None


async def queue_up(
    stream: Stream,
    pool: PoolService,
    request: Request | None,
    tried: Sequence[str] = (),
    *,
    notes: Notes | None = None,
    wanted: str | None = None,
) -> str | None:
    """A server for which the client had to wait, for as long as it stays; None: no server is worth waiting for."""
    if pool.room is None:
        return None
    with _while_it_stays(stream):
        return await pool.room.wait(request, tried, wanted=wanted, notes=notes)


@contextmanager
def _while_it_stays(stream: Stream) -> Iterator[None]:
    """Have a client that goes away end this at once, by Disconnected.

    Whoever ended its half before, or has sent what is still to be read, may only have said all that it has to say, and
    waits on.
    """
    before, task = stream.watcher, stream.reactor.current

    def watch(stream: Stream, mask: int) -> None:
        if mask & (EPOLLHUP | EPOLLERR) or (mask & EPOLLRDHUP and stream.has_left()):
            task.interrupt(Disconnected(stream, ECONNRESET))
        elif before is not None:
            before(stream, mask)

    stream.watcher = watch
    try:
        yield
    finally:
        stream.watcher = before
