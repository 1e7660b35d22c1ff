"""Events of both nodes as one."""

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from hapair.events.event import Event, Happening
from hapair.events.feed import Bell, EventFeed
from hapair.events.pair import PairEvents
from tests.unit.hapair.events.samples import event


class Both:
    """pi-a's own events, and what pi-b tells."""

    def __init__(self) -> None:
        self.now = 1000.0
        bell = Bell()
        own = EventFeed("pi-a", wall=lambda: self.now, clock=lambda: 0.0, bell=bell)
        self.events = PairEvents(own, EventFeed("pi-b", wall=lambda: self.now, clock=lambda: 0.0, bell=bell))

    def here(self, at: float, words: str) -> None:
        self.now = at
        self.events.own.record(Happening(kind="server", subject="web/web1", words=words))

    def there(self, id: int, at: float) -> None:
        self.events.theirs.hear(event(id, "server", node="pi-b", at=at, words=f"there {id}"))


@pytest.fixture
async def both() -> Both:
    """Nothing has happened."""
    return Both()


def words(events: list[Event]) -> list[str]:
    return [one.words for one in events]


async def test_what_happened_first_comes_first_whoever_tells_it(both: Both) -> None:
    both.here(1005.0, "here 1")
    both.there(7, 1003.0)
    both.there(8, 1009.0)
    assert words(both.events.all()) == ["there 7", "here 1", "there 8"]
    assert [(one.node, one.id) for one in both.events.all()] == [("pi-b", 7), ("pi-a", 1), ("pi-b", 8)]


async def test_a_reader_hears_both_as_it_happens(both: Both) -> None:
    both.here(1000.0, "before")
    reader, got = both.events.read(), list[str]()

    async def read() -> None:
        while True:
            got.extend(words(await reader.next()))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(read)
        await wait_all_tasks_blocked()
        both.there(1, 1001.0)
        await wait_all_tasks_blocked()
        both.here(1002.0, "here")
        await wait_all_tasks_blocked()
        assert got == ["there 1", "here"]
        nursery.cancel_scope.cancel()


async def test_what_is_known_is_what_was_read(both: Both) -> None:
    both.there(1, 1000.0)
    reader = both.events.read()
    both.here(1001.0, "here")
    both.there(2, 1000.5)
    assert words(reader.known()) == ["there 1"]
    assert words(reader.rest()) == ["there 2", "here"]
    assert words(reader.known()) == ["there 1", "there 2", "here"]
    assert reader.rest() == []


async def test_a_peer_that_has_started_anew_counts_anew(both: Both) -> None:
    both.there(900, 1000.0)
    reader = both.events.read()
    both.there(1, 1001.0)
    assert words(reader.rest()) == ["there 1"]
    assert words(both.events.all()) == ["there 900", "there 1"]
