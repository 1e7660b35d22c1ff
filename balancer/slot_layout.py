"""Where what is in the shared slots: it follows from the configuration and the number of workers alone. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Self

from balancer.config import BalancerConfig
from balancer.limits import Layout as LimitsLayout
from balancer.queue_counts import COMMON_QUEUE

RECORD: Final = 40
CAUSES_RECORDS: Final = 4
SLOT_BYTES: Final = 8


@dataclass(frozen=True, slots=True)
class Layout:
    """Where each record lies."""

    workers: int
    frontends: dict[str, int]
    servers: dict[tuple[str, str], int]
    """Keyed by pool and server."""
    causes: dict[str, int]
    """By frontend."""
    limits: dict[str, tuple[int, LimitsLayout]]
    """Where the cells of a frontend that limits its clients begin: after the blocks, and for all workers."""
    queues: dict[tuple[str, str], int]
    """By pool and server, and by pool and COMMON_QUEUE."""

    @classmethod
    def of(cls, config: BalancerConfig, workers: int) -> Self:
        """Record numbers within a worker's block; record 0 is the worker's own."""
        frontends = {name: 1 + index for index, name in enumerate(sorted(config.frontends))}
        pairs = sorted((name, server) for name, pool in config.pools.items() for server in pool.servers)
        servers = {pair: 1 + len(frontends) + index for index, pair in enumerate(pairs)}
        queued = sorted([*pairs, *((name, COMMON_QUEUE) for name in config.pools)])
        queues = {pair: 1 + len(frontends) + len(servers) + index for index, pair in enumerate(queued)}
        first = 1 + len(frontends) + len(servers) + len(queues)
        causes = {name: first + CAUSES_RECORDS * index for index, name in enumerate(frontends)}
        limits = {}
        start = workers * RECORD * (first + CAUSES_RECORDS * len(causes))
        for name in frontends:
            layout = LimitsLayout.of(config.frontends[name].limits, workers)
            if layout.cells:
                limits[name] = (start, layout)
                start += layout.cells
        return cls(workers, frontends, servers, causes, limits, queues)

    @property
    def block(self) -> int:
        """Slots of one worker."""
        return RECORD * (self.counted + CAUSES_RECORDS * len(self.causes))

    @property
    def counted(self) -> int:
        """Records of one worker that are not of causes."""
        return 1 + len(self.frontends) + len(self.servers) + len(self.queues)

    @property
    def size_bytes(self) -> int:
        ends = [start + layout.cells for start, layout in self.limits.values()]
        return SLOT_BYTES * max((self.block * self.workers, *ends))
