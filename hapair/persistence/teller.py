"""A worker's side: what it learns of clients is told to the node, and what the node says is taken in."""

from collections.abc import Callable
from time import monotonic

import trio

from balancer.persistence.memory import Memory
from hapair.messages import CookieCounts, ForgetSources, Sources

GATHER_S = 0.005
"""What is learned within this is told at once."""
BATCH = 500


class Teller:
    """`post` sends a message to the node, instead of one that waits under the same key."""

    def __init__(self, memory: Memory, post: Callable[..., None], *, clock: Callable[[], float] = monotonic) -> None:
        self._memory = memory
        self._post = post
        self._clock = clock
        self._wake = trio.Event()
        self._told: dict[str, dict[str, int]] = {}
        memory.on_change = self._changed

    def _changed(self) -> None:
        self._wake.set()

    async def run(self) -> None:
        """For ever."""
        while True:
            await self._wake.wait()
            self._wake = trio.Event()
            await trio.sleep(GATHER_S)
            for pool, table in tuple(self._memory.tables.items()):
                while entries := table.take_changes(BATCH):
                    self._post(Sources(pool, tuple(entries)))
                    await trio.lowlevel.checkpoint()

    def hear(self, message: Sources | ForgetSources) -> None:
        """What the node says."""
        table = self._memory.tables.get(message.pool)
        if table is None:
            return  # it was configured when this was said
        if isinstance(message, ForgetSources):
            table.forget(message.client)
            return
        now = self._clock()
        for entry in message.entries:
            table.merge(entry, now)

    def count(self) -> None:
        """Tell what was met in cookies, where that is news. Call it every now and then."""
        for pool, counts in self._memory.counts.items():
            if counts and self._told.get(pool) != counts:
                self._told[pool] = dict(counts)
                self._post(CookieCounts(pool, dict(counts)), key=("cookies", pool))
