"""Resolves the names of servers for as long as a node runs, once per node, and tells where each server is.

Nobody waits for it: a server whose name is not resolved yet is in MAINT. Each name has a task of its own, so that one
that takes its time delays no other.
"""

import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol

import trio

from balancer.config_pools import Pool
from balancer.resolution import Answer, Failure, Question, Resolution, resolutions
from balancer.resolver import look_up
from balancer.standing import Place

log = logging.getLogger(__name__)

LookUp = Callable[[Question], Awaitable[Answer | Failure]]


class Tell(Protocol):
    """Where a server is now; None: nowhere, and `trouble` says why."""

    def __call__(self, pool: str, server: str, place: Place | None, *, trouble: str) -> object: ...


class Discovery:
    """The names of the servers of `pools`. Asks nothing until `run` is started."""

    def __init__(self, pools: Mapping[str, Pool], tell: Tell, *, look_up: LookUp = look_up) -> None:
        self._pools = pools
        self._tell = tell
        self._look_up = look_up
        self._nursery: trio.Nursery | None = None
        self._asked: dict[tuple[str, Question, tuple[str, ...]], trio.CancelScope] = {}

    async def run(self) -> None:
        """Ask for ever; to end it, cancel it."""
        async with trio.open_nursery() as self._nursery:
            self._nursery.start_soon(trio.sleep_forever)
            self.reload(self._pools)

    def reload(self, pools: Mapping[str, Pool]) -> None:
        """Ask for the names of these from now on; who is asked for already is asked for on."""
        self._pools = pools
        wanted = {(pool, one.question, one.servers): one for pool, one in resolutions(pools)}
        for key in self._asked.keys() - wanted.keys():
            self._asked.pop(key).cancel()
        for key in wanted.keys() - self._asked.keys() if self._nursery is not None else ():
            assert self._nursery is not None
            scope = self._asked[key] = trio.CancelScope()
            self._nursery.start_soon(self._follow, scope, key[0], wanted[key], name=f"resolve {key[1].name}")

    async def _follow(self, scope: trio.CancelScope, pool: str, known: Resolution) -> None:
        with scope:
            await self._keep_asking(pool, known)

    async def _keep_asking(self, pool: str, known: Resolution) -> None:
        while True:
            before = known
            known = known.after(await self._look_up(known.question), trio.current_time())
            for server, place, trouble in known.told():
                self._tell(pool, server, place, trouble=trouble)
            if known.failed != before.failed:
                level, words = (logging.WARNING, known.failed) if known.failed else (logging.INFO, "resolved again")
                asked = {"pool": pool, "asked": str(known.question.name), "what": words}
                log.log(level, "name of servers", extra=asked)
            await trio.sleep_until(known.due_at)


async def resolve_once(pools: Mapping[str, Pool], look_up: LookUp = look_up) -> dict[tuple[str, str], Place | str]:
    """By pool and server: where it is, or why that is not known. Of servers that are known by their names."""
    found: dict[tuple[str, str], Place | str] = {}

    async def ask(pool: str, known: Resolution) -> None:
        known = known.after(await look_up(known.question), trio.current_time())
        found.update({(pool, server): place or trouble for server, place, trouble in known.told()})

    async with trio.open_nursery() as nursery:
        for pool, resolution in resolutions(pools):
            nursery.start_soon(ask, pool, resolution)
    return found
