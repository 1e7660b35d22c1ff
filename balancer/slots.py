"""Counters that all workers of a node share: one memfd of 64-bit slots, each written by one worker and read by all.

The layout follows from the configuration and the number of workers alone, so node and workers need to agree on nothing
else. Aligned 64-bit stores are atomic on every machine that we run on, and a slot has one writer, so there is no lock
and no sequence counter: a reader sees every slot either before or after an addition. What it does not get is several
slots of the same instant, and nothing here needs that.

    worker 0: | heartbeat, bugs, ... | frontend a | frontend b | pool x server 1 | pool x server 2 | ... |
    worker 1: | the same again ...

Every record is RECORD slots long: five cache lines, so that two workers never write to the same line. After them come
the records of causes, one for each frontend and CAUSES_RECORDS long: what ended otherwise than well, and why; and how
long clients waited for responses (balancer/latencies.py).
"""

from __future__ import annotations

import mmap
import os
from collections.abc import Collection, Mapping
from typing import Final, Protocol, Self, TypeVar

from balancer.causes import Cause
from balancer.config import BalancerConfig, ClientLimits
from balancer.counts import COUNTED, KEPT, KEPT_PROVEN, MAXIMA, OF_NOW, RESPONSE_US_MAX, TOTAL_US_MAX
from balancer.counts import Counts as Counts
from balancer.latencies import BUCKETS, bucket_of
from balancer.limits import SECRET_CELLS, Limiter
from balancer.queue_counts import COMMON_QUEUE, QUEUE_ALL, QueueCounts, queue_counts_of
from balancer.slot_layout import CAUSES_RECORDS as CAUSES_RECORDS
from balancer.slot_layout import RECORD as RECORD
from balancer.slot_layout import SLOT_BYTES
from balancer.slot_layout import Layout as Layout

LATENCIES: Final = 2 * RECORD
"""In a record of causes: the first of the slots that count latencies, one for each bucket."""

# A record of a worker.
HEARTBEAT_NS: Final = 0
BUGS: Final = 1
SHED: Final = 2
"""Times that accepting paused because descriptors or memory had run out."""
LOG_LINES_DROPPED: Final = 3
"""Lines of access logs that were not written, since the worker started."""

# A record of a frontend or of a server; `in` is towards the server, `out` towards the client.
OPEN: Final = 0
"""Connections now."""
CONNECTIONS: Final = 1
BYTES_IN: Final = 2
BYTES_OUT: Final = 3
REQUESTS: Final = 4
STATUS_1XX: Final = 5
"""Five slots: responses by the first digit of the status."""
STATUS_5XX: Final = 9
FAILED: Final = 10
"""Frontend: connections for which no server was found. Server: connects that failed."""
RETRIES: Final = 11
BAD_REQUESTS: Final = 12
BAD_RESPONSES: Final = 13
TIMEOUTS: Final = 14
RESETS: Final = 15
DATAGRAMS_IN: Final = 16
"""Mode udp; what it calls a flow is counted as a connection."""
DATAGRAMS_OUT: Final = 17
DROPPED: Final = 18
"""Datagrams that were not passed on."""
LATENCY_US: Final = 19
"""Server, mode http: from a request's head to that of its response, added up."""
CONNECT_US: Final = 20
"""Server: of that, and in mode tcp, how long connections took to be made."""
TOTAL_US: Final = 21
"""Server: from a request's head, or the connection of mode tcp, to the end."""

AnyCounters = TypeVar("AnyCounters", bound="Counters")


class Unsettled(Protocol):
    """A list of counters to settle soon."""

    def append(self, counters: Counters, /) -> object: ...


class Counters:
    """One record, for its only writer. `counters.add(BYTES_IN, 512)`."""

    __slots__ = ("_base", "_bytes_in", "_bytes_out", "_cells", "_latency_s", "_statuses", "_unsettled", "longest_s")

    def __init__(self, cells: memoryview, base: int) -> None:
        self._cells = cells
        self._base = base
        self._unsettled = False
        self._statuses = [0] * 6
        """By the first digit."""
        self._bytes_in = 0
        self._bytes_out = 0
        self._latency_s = 0.0
        self.longest_s = 0.0
        """What `note_longest` was told: whatever took no longer need not be told."""

    def add(self, slot: int, amount: int = 1) -> None:
        """Add to one slot; a negative amount only to OPEN."""
        self._cells[self._base + slot] += amount

    def opened(self) -> None:
        """Count a connection that opens."""
        cells, base = self._cells, self._base
        cells[base + OPEN] += 1
        cells[base + CONNECTIONS] += 1

    def add_status(self, status: int) -> None:
        """Count a response, by the first digit of its status (100 to 599)."""
        self._cells[self._base + STATUS_1XX - 1 + status // 100] += 1

    def add_exchange(
        self, status: int, bytes_in: int, bytes_out: int, unsettled: Unsettled, latency_s: float = 0.0
    ) -> None:
        """Count a request, its response and their first bytes: in numbers of our own, until `settle`.

        Done for every request, and an addition in shared memory costs as much as two here. The first one enters the
        record into `unsettled`.
        """
        if not self._unsettled:
            self._unsettled = True
            unsettled.append(self)
        self._statuses[status // 100] += 1
        self._bytes_in += bytes_in
        self._bytes_out += bytes_out
        self._latency_s += latency_s

    def settle(self) -> None:
        """Write down the exchanges that were added."""
        cells, base, statuses = self._cells, self._base, self._statuses
        cells[base + REQUESTS] += sum(statuses)
        for digit, number in enumerate(statuses):
            if number:
                cells[base + STATUS_1XX - 1 + digit] += number
                statuses[digit] = 0
        cells[base + BYTES_IN] += self._bytes_in
        cells[base + BYTES_OUT] += self._bytes_out
        self._bytes_in = self._bytes_out = 0
        if self._latency_s:
            latency_us = int(self._latency_s * 1e6)
            cells[base + LATENCY_US] += latency_us
            cells[base + TOTAL_US] += latency_us
            self._latency_s = 0.0
        self._unsettled = False

    def note_longest(self, response_s: float, total_s: float) -> None:
        """A response that took this long from when there was a connection, and from its request's head."""
        self.longest_s = max(self.longest_s, response_s)
        self.raise_to(RESPONSE_US_MAX, int(response_s * 1e6))
        self.raise_to(TOTAL_US_MAX, int(total_s * 1e6))

    def raise_to(self, slot: int, value: int) -> None:
        """Of a slot that says the most that was met."""
        if value > self._cells[self._base + slot]:
            self._cells[self._base + slot] = value

    def forget_maxima(self) -> None:
        """They begin anew."""
        self.longest_s = 0.0
        for slot in MAXIMA:
            self._cells[self._base + slot] = 0

    def add_latency(self, latency_s: float) -> None:
        """Count in a record of causes how long a client waited for a response."""
        self._cells[self._base + LATENCIES + bucket_of(latency_s)] += 1

    def moved_to(self, kind: type[AnyCounters]) -> AnyCounters:
        """The same record in the hands of counters that do more."""
        return kind(self._cells, self._base)

    def add_cause(self, cause: Cause, amount: int = 1) -> None:
        """Count in a record of causes."""
        self._cells[self._base + cause.slot] += amount

    def set(self, slot: int, value: int) -> None:
        self._cells[self._base + slot] = value

    def get(self, slot: int) -> int:
        """What this writer has counted, not the other workers."""
        return int(self._cells[self._base + slot])

    def move(self, to: Counters, records: int = 1) -> None:
        """Go on counting there, from the same numbers: whoever holds these counters notices nothing."""
        size = RECORD * records
        to._cells[to._base : to._base + size] = self._cells[self._base : self._base + size]
        self._cells, self._base = to._cells, to._base


class Slots:
    """The shared slots, mapped into this process."""

    __slots__ = ("_cells", "_ended", "_map", "fd", "layout")

    def __init__(self, layout: Layout, fd: int) -> None:
        self.layout = layout
        self.fd = fd
        self._map = mmap.mmap(fd, layout.size_bytes)
        self._cells = memoryview(self._map).cast("Q")
        self._ended: dict[int, int] = {}
        """By slot of a worker's block: what workers have counted that there are no more. Known to one process alone."""

    @classmethod
    def create(cls, config: BalancerConfig, workers: int) -> Self:
        """New slots, all 0. The descriptor is for the workers to inherit."""
        layout = Layout.of(config, workers)
        fd = os.memfd_create("hapair-slots", os.MFD_CLOEXEC)
        os.ftruncate(fd, layout.size_bytes)
        slots = cls(layout, fd)
        for start, _ in layout.limits.values():
            for cell in range(start, start + SECRET_CELLS):
                slots._cells[cell] = int.from_bytes(os.urandom(SLOT_BYTES), "little")
        return slots

    @classmethod
    def attach(cls, config: BalancerConfig, workers: int, fd: int) -> Self:
        """The slots that `create` made for the same configuration. Raises ValueError where the size says otherwise."""
        layout = Layout.of(config, workers)
        if os.fstat(fd).st_size != layout.size_bytes:
            raise ValueError("the shared slots were made for another configuration")
        return cls(layout, fd)

    def worker(self, index: int) -> Counters:
        """A worker's own record: HEARTBEAT_NS, BUGS, SHED."""
        return Counters(self._cells, index * self.layout.block)

    def log_lines_dropped(self) -> int:
        """Over all workers."""
        return sum(self.worker(index).get(LOG_LINES_DROPPED) for index in range(self.layout.workers))

    def frontend(self, worker: int, name: str) -> Counters:
        return Counters(self._cells, worker * self.layout.block + RECORD * self.layout.frontends[name])

    def causes(self, worker: int, frontend: str) -> Counters:
        """What ended otherwise than well: `add_cause`."""
        return Counters(self._cells, worker * self.layout.block + RECORD * self.layout.causes[frontend])

    def limiter(self, worker: int, frontend: str, limits: ClientLimits) -> Limiter | None:
        """The limits of a frontend for one worker; None where it has none."""
        place = self.layout.limits.get(frontend)
        if place is None:
            return None
        return Limiter(limits, self._cells, place[0], workers=self.layout.workers, worker=worker)

    def server(self, worker: int, pool: str, server: str, kind: type[AnyCounters] = Counters) -> AnyCounters:  # type: ignore[assignment]
        """`kind`: a class of counters that does more than count."""
        return kind(self._cells, worker * self.layout.block + RECORD * self.layout.servers[pool, server])

    def queue(self, worker: int, pool: str, server: str = COMMON_QUEUE) -> Counters:
        """What a worker tells of one of its queues."""
        return Counters(self._cells, worker * self.layout.block + RECORD * self.layout.queues[pool, server])

    def queue_counts(self, pool: str, server: str = COMMON_QUEUE) -> QueueCounts:
        """Over all workers."""
        return queue_counts_of([self.queue(worker, pool, server) for worker in range(self.layout.workers)])

    def frontend_counts(self, name: str) -> Counts:
        """Over all workers."""
        return self._sum(self.layout.frontends[name])

    def cause_counts(self, frontend: str) -> dict[Cause, int]:
        """How often each cause was met, over all workers; causes that were not are left out."""
        first = RECORD * self.layout.causes[frontend]
        starts, ended = range(first, self.layout.block * self.layout.workers, self.layout.block), self._ended
        counts = {
            cause: sum([self._cells[start + cause.slot] for start in starts], ended.get(first + cause.slot, 0))
            for cause in Cause
        }
        return {cause: count for cause, count in counts.items() if count}

    def latency_counts(self, frontend: str) -> tuple[int, ...]:
        """How many responses fell into each bucket of balancer/latencies.py, over all workers."""
        first = RECORD * self.layout.causes[frontend] + LATENCIES
        starts = range(first, self.layout.block * self.layout.workers, self.layout.block)
        counted = [self._cells[start : start + BUCKETS].tolist() for start in starts]
        ended = [self._ended.get(first + bucket, 0) for bucket in range(BUCKETS)]
        return tuple(map(sum, zip(ended, *counted, strict=True)))

    def server_counts(self, pool: str, server: str) -> Counts:
        """Over all workers."""
        return self._sum(self.layout.servers[pool, server])

    def open_indexes(self, pool: str, server: str) -> tuple[int, ...]:
        """Where each worker keeps its number of open connections to a server, for `open_at`."""
        first = RECORD * self.layout.servers[pool, server] + OPEN
        return tuple(worker * self.layout.block + first for worker in range(self.layout.workers))

    def frontend_open_indexes(self, frontend: str, *, besides: int | None) -> tuple[int, ...]:
        """Where the workers but one keep their number of open connections of a frontend, for `open_at`."""
        first = RECORD * self.layout.frontends[frontend] + OPEN
        return tuple(worker * self.layout.block + first for worker in range(self.layout.workers) if worker != besides)

    def open_at(self, indexes: tuple[int, ...]) -> int:
        """Open connections over all workers."""
        cells = self._cells
        return sum([cells[index] for index in indexes])

    def open_at_each(
        self, one: tuple[int, ...], two: tuple[int, ...], three: tuple[int, ...], four: tuple[int, ...]
    ) -> tuple[int, int, int, int]:
        """As `open_at`, of four at once: a log asks for as many with each line."""
        cell = self._cells.__getitem__
        return sum(map(cell, one)), sum(map(cell, two)), sum(map(cell, three)), sum(map(cell, four))

    def forget_open(self, worker: int) -> None:
        """A worker starts: what its predecessor had open is closed. Totals go on."""
        for record in range(1, self.layout.counted):
            self._cells[worker * self.layout.block + record * RECORD + OPEN] = 0
        for record in self.layout.servers.values():
            for slot in (KEPT, KEPT_PROVEN):
                self._cells[worker * self.layout.block + record * RECORD + slot] = 0
        for record in self.layout.queues.values():
            self._cells[worker * self.layout.block + record * RECORD + QUEUE_ALL] = 0
        for start, layout in self.layout.limits.values():
            for cell in layout.rows_of(worker):
                if self._cells[start + cell]:
                    self._cells[start + cell] = 0

    def let_go(self) -> None:
        """Close the descriptor; the memory goes when the last of its counters does."""
        os.close(self.fd)

    def close(self) -> None:
        """Unmap and close."""
        self._cells.release()
        self._map.close()
        os.close(self.fd)

    def take_over(self, before: Slots, *, workers: int, same_limits: Collection[str] = ()) -> None:
        """Go on from what was counted in other slots, whose workers and names may be others.

        For who made these, before anybody else uses them. The first `workers` stay, and then move their own counters.
        `same_limits`: the frontends whose clients are limited as they were, so that what is known of them holds.
        """
        records = [*self._common_records(before), *self._common_queues(before)]
        for worker in range(workers):
            old, new = worker * before.layout.block, worker * self.layout.block
            for was, now, size in records:
                self._cells[new + now : new + now + size] = before._cells[old + was : old + was + size]
        self._ended = {
            now + slot: count
            for was, now, size in records
            for slot in range(size)
            if (count := before._ended.get(was + slot, 0))
        }
        for name, (start, layout) in self.layout.limits.items():
            if name in before.layout.limits:
                was = before.layout.limits[name][0]
                size = layout.open if name in same_limits else SECRET_CELLS
                self._cells[start : start + size] = before._cells[was : was + size]

    def add_ended(self, before: Slots, worker: int, known: Mapping[int, int] | None = None) -> dict[int, int]:
        """Keep what a worker of other slots has counted, which is no more or soon will be.

        `known`, as this returns it: what of it was kept before. Both are by the slot of its block there.
        """
        start = worker * before.layout.block
        counted = {}
        for was, now, size in self._common_records(before):
            for slot in range(size) if was else ():
                in_record = was < before.layout.counted * RECORD
                if in_record and (slot in OF_NOW or slot >= COUNTED):
                    continue
                count = counted[was + slot] = before._cells[start + was + slot]
                if in_record and slot in MAXIMA:
                    self._ended[now + slot] = max(self._ended.get(now + slot, 0), count)
                elif added := count - (known or {}).get(was + slot, 0):
                    self._ended[now + slot] = self._ended.get(now + slot, 0) + added
        return counted

    def forget_ended_maxima(self) -> None:
        """Of workers that are no more. Those of the others are for them to forget."""
        for record in (*self.layout.frontends.values(), *self.layout.servers.values()):
            for slot in MAXIMA:
                self._ended.pop(record * RECORD + slot, None)

    def _common_queues(self, before: Slots) -> list[tuple[int, int, int]]:
        """As `_common_records`. What workers that are no more counted of queues is not kept."""
        old, new = before.layout.queues, self.layout.queues
        return [(old[pair] * RECORD, at * RECORD, RECORD) for pair, at in new.items() if pair in old]

    def _common_records(self, before: Slots) -> list[tuple[int, int, int]]:
        """Where a block of `before` has what, where ours has the same, and how many slots."""
        old, new = before.layout, self.layout
        found = [(0, 0, 1)]
        found += [(old.frontends[name], at, 1) for name, at in new.frontends.items() if name in old.frontends]
        found += [(old.servers[pair], at, 1) for pair, at in new.servers.items() if pair in old.servers]
        found += [(old.causes[name], at, CAUSES_RECORDS) for name, at in new.causes.items() if name in old.causes]
        return [(was * RECORD, now * RECORD, size * RECORD) for was, now, size in found]

    def _sum(self, record: int) -> Counts:
        starts = range(record * RECORD, self.layout.block * self.layout.workers, self.layout.block)
        counted = [self._cells[start : start + COUNTED].tolist() for start in starts]
        totals = list(map(sum, zip(*counted, strict=True)))
        for slot in MAXIMA:
            totals[slot] = max([one[slot] for one in counted])
        if self._ended:
            first, ended = record * RECORD, self._ended
            for slot in range(COUNTED):
                if (before := ended.get(first + slot)) is not None:
                    totals[slot] = max(totals[slot], before) if slot in MAXIMA else totals[slot] + before
        return Counts(*totals)
