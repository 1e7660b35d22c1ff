"""What is counted of a queue, in a record of its own for each worker: that of a pool, or that of a server. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

COMMON_QUEUE: Final = ""
"""Stands for the queue of a pool where queues are known by their server."""

QUEUE_WAITING: Final = 0
"""How many wait now. The place of OPEN in other records: a worker that starts has 0."""
QUEUE_SINCE_NS: Final = 1
"""Since when the first one does, on the monotonic clock."""
QUEUE_MOST: Final = 2
"""The most that ever waited, over all workers as far as this one saw it."""
QUEUED: Final = 3
"""How many had to wait."""
QUEUE_LATE: Final = 4
"""Those who waited for too long."""
QUEUE_REFUSED: Final = 5
"""Those who came when as many waited as may."""
QUEUE_LEFT: Final = 6
"""Clients that went away."""
QUEUE_SERVED: Final = 7
"""How many were given a server, with or without waiting."""
QUEUE_AVERAGE: Final = 8
"""How long the last ones of these waited: the average in microseconds, times QUEUE_SAMPLES."""
QUEUE_ALL: Final = 9
"""In the record of a pool: how many wait in all of its queues now."""
QUEUE_LONGEST_US: Final = 10
"""That one waited who was given a server in the end."""
QUEUE_SAMPLES: Final = 1024


class Record(Protocol):
    """Of one worker."""

    def get(self, slot: int) -> int: ...


class OwnRecord(Record, Protocol):
    """Of the worker that writes it."""

    def set(self, slot: int, value: int) -> None: ...


def forget_queue(record: OwnRecord, *, totals: bool) -> None:
    """What is the most begins anew; with `totals` all but who waits now. By the worker whose record it is."""
    record.set(QUEUE_MOST, record.get(QUEUE_WAITING))
    for slot in (QUEUE_LONGEST_US, *(_TOTALS if totals else ())):
        record.set(slot, 0)


_TOTALS: Final = (QUEUED, QUEUE_LATE, QUEUE_REFUSED, QUEUE_LEFT, QUEUE_SERVED, QUEUE_AVERAGE)


@dataclass(frozen=True, slots=True)
class QueueCounts:
    """What is known of one queue, over all workers."""

    waiting: int = 0
    waiting_max: int = 0
    waited: int = 0
    """Had to wait, since the start."""
    late: int = 0
    """Waited for as long as they may."""
    refused: int = 0
    """Came when as many waited as may."""
    left: int = 0
    """Went away."""
    average_ms: float = 0.0
    """Of the last thousand or so that were given a server; most of them may not have had to wait."""
    longest_ms: float = 0.0
    """That one waited who was given a server in the end."""


def queue_counts_of(records: Sequence[Record]) -> QueueCounts:
    """The records of all workers together; averages by how many were served."""

    def total(slot: int) -> int:
        return sum(one.get(slot) for one in records)

    served = total(QUEUE_SERVED)
    waited_us = sum(one.get(QUEUE_AVERAGE) / QUEUE_SAMPLES * one.get(QUEUE_SERVED) for one in records)
    return QueueCounts(
        waiting=total(QUEUE_WAITING),
        waiting_max=max((one.get(QUEUE_MOST) for one in records), default=0),
        waited=total(QUEUED),
        late=total(QUEUE_LATE),
        refused=total(QUEUE_REFUSED),
        left=total(QUEUE_LEFT),
        average_ms=round(waited_us / served / 1000, 3) if served else 0.0,
        longest_ms=max((one.get(QUEUE_LONGEST_US) for one in records), default=0) / 1000,
    )
