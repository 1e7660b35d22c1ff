"""A worker's news goes to the node, and the node's into its tables."""

from typing import Any

import trio
from trio.testing import MockClock

from balancer.config_persistence import CookieSettings, PersistenceSettings, SourceSettings
from balancer.persistence.memory import Memory
from balancer.persistence.table import Entry
from hapair.messages import CookieCounts, ForgetSources, Sources
from hapair.persistence.teller import Teller

STICKY = PersistenceSettings(source=SourceSettings(), cookie=CookieSettings(name="H"))


class Worker:
    def __init__(self) -> None:
        self.said: list[tuple[Any, Any]] = []
        self.memory = Memory(b"", lambda: 10.0, lambda: 1e9)
        self.memory.keep({"web": STICKY})
        self.teller = Teller(self.memory, self._post, clock=lambda: 10.0)
        self.table = self.memory.tables["web"]

    def _post(self, message: Any, key: Any = None) -> None:
        self.said.append((message, key))


async def test_news_is_gathered(autojump_clock: MockClock) -> None:
    worker = Worker()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(worker.teller.run)
        worker.table.assign("192.0.2.1", "web1", 9.0, 5)
        await trio.sleep(0.004)
        worker.table.assign("192.0.2.2", "web2", 10.0, 6)
        await trio.sleep(1)
        worker.table.assign("192.0.2.2", "web1", 10.0, 7)
        await trio.sleep(1)
        nursery.cancel_scope.cancel()
    first, second = Entry("192.0.2.1", "web1", 5, 9.0), Entry("192.0.2.2", "web2", 6, 10.0)
    last = Sources("web", (Entry("192.0.2.2", "web1", 7, 10.0),))
    assert worker.said == [(Sources("web", (first, second)), None), (last, None)]


def test_what_the_node_says_is_known_and_not_said_again() -> None:
    worker = Worker()
    worker.teller.hear(Sources("web", (Entry("a", "web1", 5, 9.0), Entry("b", "web1", 5, 9.0))))
    worker.teller.hear(ForgetSources("web", "b"))
    worker.teller.hear(Sources("gone", (Entry("a", "web2", 5, 9.0),)))
    assert list(worker.table.entries()) == [Entry("a", "web1", 5, 9.0)]
    worker.teller.hear(ForgetSources("web", None))
    assert len(worker.table) == 0
    assert worker.said == []


def test_counts_are_told_where_they_have_changed() -> None:
    worker = Worker()
    worker.memory.belonging("web", STICKY, ("web1",))
    worker.teller.count()
    worker.memory.counts["web"]["set"] += 1
    worker.teller.count()
    worker.teller.count()
    worker.memory.counts["web"]["set"] += 1
    worker.teller.count()
    assert worker.said == [
        (CookieCounts("web", {"set": 1}), ("cookies", "web")),
        (CookieCounts("web", {"set": 2}), ("cookies", "web")),
    ]
