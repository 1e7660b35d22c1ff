"""What the peer is told: once, in time, and again where it may have been lost."""

import pytest

from balancer.config_persistence import SourceSettings
from balancer.persistence.table import Entry, SourceTable
from hapair.persistence.outbox import Batch, Outbox


@pytest.fixture
def table() -> SourceTable:
    return SourceTable(SourceSettings())


@pytest.fixture
def outbox(table: SourceTable) -> Outbox:
    return Outbox({"web": table})


def test_each_once_as_it_is_by_then(table: SourceTable, outbox: Outbox) -> None:
    table.assign("a", "web1", 1.0, 5)
    outbox.add("web", ["a", "nobody"], 1.0)
    table.assign("a", "web2", 2.0, 6)
    outbox.add("web", ["a"], 2.0)
    outbox.add("gone", ["a"], 2.0)
    assert outbox.waiting == 3
    assert outbox.next(3.0) == Batch(1, "web", (Entry("a", "web2", 6, -1.0),))
    assert outbox.next(3.0) is None
    outbox.confirmed(1, 3.5)
    assert outbox.lag_s == 2.5
    assert outbox.waiting == 0


def test_so_many_at_a_time_and_so_many_on_their_way(table: SourceTable, outbox: Outbox) -> None:
    for number in range(5000):
        table.assign(str(number), "web1", 1.0, 5)
    outbox.resync(1.0)
    sent = [batch for _ in range(20) if (batch := outbox.next(1.0))]
    assert [len(batch.entries) for batch in sent] == [500] * 8
    outbox.confirmed(2, 1.5)
    assert [(outbox.next(2.0) or sent[0]).number for _ in range(3)] == [9, 10, 1]
    outbox.confirmed(10, 2.0)
    assert outbox.waiting == 0


def test_what_is_not_confirmed_is_late_and_a_resync_tells_all(table: SourceTable, outbox: Outbox) -> None:
    table.assign("a", "web1", 1.0, 5)
    table.assign("b", "web1", 1.0, 5)
    outbox.add("web", ["a"], 1.0)
    assert not outbox.is_late(100.0)
    assert outbox.next(1.0) is not None
    assert not outbox.is_late(6.0)
    assert outbox.is_late(6.1)
    outbox.resync(6.1)
    assert not outbox.is_late(100.0)
    batch = outbox.next(6.1)
    assert batch is not None
    assert [entry.client for entry in batch.entries] == ["a", "b"]
    assert outbox.resyncs == 1


def test_what_waits_is_bounded_and_forgotten_where_nobody_listens() -> None:
    table = SourceTable(SourceSettings(size=10))
    outbox = Outbox({"web": table})
    for number in range(1000):
        table.assign(str(number), "web1", 1.0, 5)
        outbox.add("web", [str(number)], 1.0)
    assert outbox.waiting <= 20
    outbox.clear()
    assert outbox.waiting == 0
