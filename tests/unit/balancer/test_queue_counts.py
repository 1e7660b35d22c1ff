"""The records of a queue, added up."""

from __future__ import annotations

from balancer.queue_counts import QueueCounts, forget_queue, queue_counts_of


class Written:
    """A record of one worker."""

    def __init__(self, slots: dict[int, int] | None = None) -> None:
        self._slots = slots or {}

    def get(self, slot: int) -> int:
        return self._slots.get(slot, 0)

    def set(self, slot: int, value: int) -> None:
        self._slots[slot] = value


def test_workers_are_added_up_and_the_most_is_the_most_of_them() -> None:
    one = Written({0: 2, 2: 7, 3: 10, 4: 1, 5: 2, 6: 3, 7: 300, 8: 1024 * 4_000})
    two = Written({0: 1, 2: 5, 3: 20, 4: 10, 5: 20, 6: 30, 7: 100, 10: 5_500})
    assert queue_counts_of([one, two]) == QueueCounts(
        waiting=3, waiting_max=7, waited=30, late=11, refused=22, left=33, average_ms=3.0, longest_ms=5.5
    )


def test_nobody_has_come_yet() -> None:
    assert queue_counts_of([Written()]) == QueueCounts()
    assert queue_counts_of([]) == QueueCounts()


def test_the_most_begins_anew_with_who_waits_now_and_totals_where_they_are_to() -> None:
    record = Written({0: 2, 2: 7, 3: 10, 4: 1, 5: 2, 6: 3, 7: 300, 8: 1024 * 4_000, 10: 5_500})
    forget_queue(record, totals=False)
    assert queue_counts_of([record]) == QueueCounts(
        waiting=2, waiting_max=2, waited=10, late=1, refused=2, left=3, average_ms=4.0
    )
    forget_queue(record, totals=True)
    assert queue_counts_of([record]) == QueueCounts(waiting=2, waiting_max=2)
