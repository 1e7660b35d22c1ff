"""What the peer is yet to be told of clients: each once, as it is by then, so many at a time. Pure.

A batch is confirmed by its number. What is not confirmed in time is told again, with all the rest: copies agree however
often they are told something (balancer.persistence.table).
"""

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import islice

from balancer.persistence.table import Entry, SourceTable

BATCH = 500
WINDOW = 8
"""Batches that may be on their way at once."""
LATE_S = 5.0


@dataclass(frozen=True, slots=True)
class Batch:
    """Of one pool. `number` counts from 1."""

    number: int
    pool: str
    entries: tuple[Entry, ...]


class Outbox:
    """`tables` are the node's, by pool. `now` is in seconds on the clock of the tables."""

    def __init__(self, tables: Mapping[str, SourceTable]) -> None:
        self.lag_s = 0.0
        """From when something was learned to when the peer had it, the last time."""
        self.resyncs = 0
        self._tables = tables
        self._waiting: dict[str, dict[str, float]] = {}
        """By pool and client: since when."""
        self._on_way: deque[tuple[int, float, float]] = deque()
        """The number of a batch, when it was sent, since when the oldest in it had waited."""
        self._number = 0

    @property
    def waiting(self) -> int:
        """Clients that the peer does not know yet, for all that is known."""
        return sum(map(len, self._waiting.values())) + BATCH * len(self._on_way)

    def add(self, pool: str, clients: Iterable[str], now: float) -> None:
        """These have changed."""
        waiting = self._waiting.setdefault(pool, {})
        for client in clients:
            waiting.setdefault(client, now)
        table = self._tables.get(pool)
        if table is not None and len(waiting) > 2 * table.config.size:
            self._waiting[pool] = {client: since for client, since in waiting.items() if table.entry(client)}

    def clear(self) -> None:
        """Nobody listens: when somebody does, there is a resync."""
        self._on_way.clear()
        self._waiting.clear()

    def resync(self, now: float) -> None:
        """Tell everything: the peer is back, or may have lost something."""
        self.resyncs += 1
        self._on_way.clear()
        for pool, table in self._tables.items():
            self.add(pool, [entry.client for entry in table.entries()], now)

    def next(self, now: float) -> Batch | None:
        """The next batch to send; None: there is none now. Its entries have `used_at` from now on: how long ago it was,
        below zero."""
        while len(self._on_way) < WINDOW and self._waiting:
            pool, waiting = next(iter(self._waiting.items()))
            some = list(islice(waiting.items(), BATCH))
            for client, _ in some:
                del waiting[client]
            if not waiting:
                del self._waiting[pool]
            entries = tuple(self._relative(pool, [client for client, _ in some], now))
            if entries:
                self._number += 1
                self._on_way.append((self._number, now, min(since for _, since in some)))
                return Batch(self._number, pool, entries)
        return None

    def _relative(self, pool: str, clients: Iterable[str], now: float) -> Iterable[Entry]:
        table = self._tables.get(pool)
        for client in clients if table is not None else ():
            entry = None if table is None else table.entry(client)
            if entry is not None:
                yield Entry(client, entry.server, entry.version, entry.used_at - now)

    def confirmed(self, number: int, now: float) -> None:
        """The peer has this batch, and all before it."""
        while self._on_way and self._on_way[0][0] <= number:
            self.lag_s = now - self._on_way.popleft()[2]

    def is_late(self, now: float) -> bool:
        """Whether something should have been confirmed by now."""
        return bool(self._on_way) and now - self._on_way[0][1] > LATE_S
