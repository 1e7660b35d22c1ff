"""Events in, events out: what is kept, what is new, and what a slow reader is told."""

from collections.abc import Callable

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from hapair.events.event import Event, Happening
from hapair.events.feed import EventFeed, Reader, acting
from hapair.events.store import EventStore

Told = Callable[..., Event]


@pytest.fixture
def feed() -> EventFeed:
    """Its store keeps three of each kind."""
    times = iter(range(1_700_000_000, 1_800_000_000))
    return EventFeed("pi-a", wall=lambda: float(next(times)), clock=lambda: 0.0, store=EventStore(per_kind=3))


def record(feed: EventFeed, *numbers: int) -> None:
    for number in numbers:
        feed.record(Happening(kind="server", subject="web/web1", words=f"flip {number}"))


def words(events: list[Event]) -> list[str]:
    return [event.words for event in events]


def test_each_gets_the_next_number_and_the_time(feed: EventFeed) -> None:
    record(feed, 1, 2)
    assert [(one.id, one.at, one.node) for one in feed.after()] == [
        (1, 1_700_000_000.0, "pi-a"),
        (2, 1_700_000_001.0, "pi-a"),
    ]
    assert words(feed.after(1)) == ["flip 2"]


async def test_who_acts_is_known_in_the_task_that_serves_them_alone(feed: EventFeed) -> None:
    async def serve() -> None:
        acting.set("anna from 192.0.2.7")
        record(feed, 1)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(serve)
    record(feed, 2)
    assert [one.by for one in feed.after()] == ["anna from 192.0.2.7", ""]


async def test_a_reader_gets_what_is_kept_and_then_each_as_it_happens(feed: EventFeed) -> None:
    record(feed, 1, 2)
    got: list[str] = []

    async def read(reader: Reader) -> None:
        async for event in reader:
            got.append(event.words)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(read, feed.read(after=1))
        await wait_all_tasks_blocked()
        assert got == ["flip 2"]
        record(feed, 3)
        await wait_all_tasks_blocked()
        record(feed, 4, 5)
        await wait_all_tasks_blocked()
        assert got == ["flip 2", "flip 3", "flip 4", "flip 5"]
        nursery.cancel_scope.cancel()


async def test_a_slow_reader_is_told_how_many_it_missed_and_costs_nothing(feed: EventFeed) -> None:
    record(feed, 1)
    reader = feed.read()
    assert words(await reader.next()) == ["flip 1"]
    record(feed, *range(2, 10))
    events = await reader.next()
    assert [(one.kind, one.words) for one in events] == [
        ("missed", "5 events were missed: more happened than is kept"),
        ("server", "flip 7"),
        ("server", "flip 8"),
        ("server", "flip 9"),
    ]
    record(feed, 10)
    assert words(await reader.next()) == ["flip 10"]


async def test_what_was_gone_before_it_came_is_nothing_that_a_reader_missed(feed: EventFeed) -> None:
    record(feed, *range(1, 10))
    reader = feed.read()
    assert words(await reader.next()) == ["flip 7", "flip 8", "flip 9"]


async def test_a_wait_that_is_given_up_loses_nothing(feed: EventFeed) -> None:
    reader = feed.read()
    with trio.move_on_after(0):
        await reader.next()
    record(feed, 1)
    assert words(await reader.next()) == ["flip 1"]
    assert reader.rest() == []


@pytest.mark.parametrize("after", [3, 1000, -1])
async def test_an_id_of_another_life_of_the_node_reads_from_the_beginning(feed: EventFeed, after: int) -> None:
    record(feed, 1, 2)
    assert words(await feed.read(after).next()) == ["flip 1", "flip 2"]
