"""Two nodes tell each other of events, over the real link and a fake cable."""

from collections.abc import AsyncIterator
from dataclasses import replace
from ipaddress import ip_address
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from hapair.events.event import Happening
from hapair.events.messages import PeerEvents
from hapair.node_events import NodeEvents
from hapair.node_peer_events import NodePeerEvents
from hapair.peer.link import PeerLink
from hapair.wire import to_plain
from tests.unit.hapair.events.samples import event
from vrrp.liveness.config import LinkConfig
from vrrp.liveness.testing import FakeCable

A = LinkConfig(
    node="pi-a", peer="pi-b", address=ip_address("192.0.2.11"), peer_address=ip_address("192.0.2.12"), port=1341,
    secret=b"s" * 32, interval_s=0.1, purpose="node",
)  # fmt: skip
B = replace(A, node="pi-b", peer="pi-a", address=A.peer_address, peer_address=A.address)


class Side:
    def __init__(self, config: LinkConfig, cable: FakeCable) -> None:
        self.events = NodeEvents(config.node, config.peer)
        self.link = PeerLink(config, on_change=self._changed, transport=cable.plug(config.node))
        self.exchange = NodePeerEvents(self.events.feed, self.events.pair.theirs, self.link)

    def _changed(self) -> None:
        if self.link.up:
            self.exchange.greet()

    def happen(self, words: str) -> None:
        self.events.record(Happening(kind="server", subject="web/web1", words=words))

    @property
    def heard(self) -> list[str]:
        return [one.words for one in self.events.pair.theirs.after()]

    async def run(self) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.link.run)
            nursery.start_soon(self.exchange.run)


class Two:
    """Both sides, each of which may die."""

    def __init__(self, nursery: trio.Nursery) -> None:
        self.cable = FakeCable()
        self._nursery = nursery
        self.scope = trio.CancelScope()
        self.a = Side(A, self.cable)
        nursery.start_soon(self.a.run)

    def start_b(self, *words: str) -> Side:
        self.b = Side(B, self.cable)
        for one in words:
            self.b.happen(one)
        self.scope = trio.CancelScope()
        self._nursery.start_soon(self._run_b, self.scope)
        return self.b

    async def _run_b(self, scope: trio.CancelScope) -> None:
        with scope:
            await self.b.run()

    def kill_b(self) -> None:
        self.scope.cancel()
        self.cable.die("pi-b")


@pytest.fixture
async def two(autojump_clock: MockClock) -> AsyncIterator[Two]:
    """pi-b is not there yet."""
    async with trio.open_nursery() as nursery:
        yield Two(nursery)
        nursery.cancel_scope.cancel()


async def test_what_happened_before_they_met_and_what_happens_then(two: Two, autojump_clock: MockClock) -> None:
    two.a.happen("a 1")
    b = two.start_b("b 1", "b 2")
    await trio.sleep(3)
    assert (two.a.heard, b.heard) == (["b 1", "b 2"], ["a 1"])
    two.a.happen("a 2")
    b.happen("b 3")
    await trio.sleep(1)
    assert (two.a.heard, b.heard) == (["b 1", "b 2", "b 3"], ["a 1", "a 2"])
    assert [one.node for one in two.a.events.pair.theirs.after()] == ["pi-b"] * 3
    told: list[Any] = [line async for line in two.a.events.story({"command": "events"})]
    assert sorted(line["words"] for line in told) == ["a 1", "a 2", "b 1", "b 2", "b 3"]
    alone = [line["words"] async for line in two.a.events.story({"command": "events", "local": True})]
    assert alone == ["a 1", "a 2"]


async def test_a_peer_that_dies_leaves_what_it_told_and_comes_back_with_more(
    two: Two, autojump_clock: MockClock
) -> None:
    two.start_b("b 1")
    await trio.sleep(3)
    two.kill_b()
    await trio.sleep(5)
    two.a.happen("pi-b died")
    await trio.sleep(1)
    assert two.a.heard == ["b 1"]
    b = two.start_b("b 1 of another life")
    await trio.sleep(5)
    assert two.a.heard == ["b 1", "b 1 of another life"]
    assert b.heard == ["pi-b died"]


async def test_a_link_that_breaks_makes_nobody_hear_anything_twice(two: Two, autojump_clock: MockClock) -> None:
    b = two.start_b("b 1")
    await trio.sleep(3)
    two.cable.cut()
    await trio.sleep(10)
    b.happen("b 2")
    two.cable.heal()
    await trio.sleep(10)
    assert two.a.heard == ["b 1", "b 2"]


async def test_a_storm_is_told_in_few_messages_and_only_its_end(two: Two, autojump_clock: MockClock) -> None:
    b = two.start_b()
    await trio.sleep(3)
    for number in range(1000):
        b.happen(f"b {number}")
    await trio.sleep(2)
    assert two.a.heard[-1] == "b 999"
    assert len(two.a.heard) == 100


async def test_what_makes_no_sense_is_counted_and_nothing_else(two: Two, autojump_clock: MockClock) -> None:
    b = two.start_b()
    await trio.sleep(3)
    good = to_plain(event(5, "role", node="pi-b", words="pi-b is ACTIVE"))
    b.link.post(PeerEvents("x", ({"id": 1}, good, good, good | {"id": 4})))
    await trio.sleep(1)
    assert two.a.heard == ["pi-b is ACTIVE"]
    assert two.a.exchange.unreadable == 1


async def test_without_a_link_nothing_is_told() -> None:
    events = NodeEvents("pi-a")
    exchange = NodePeerEvents(events.feed, events.pair.theirs, None)
    exchange.greet()
    await exchange.run()
    assert events.pair.all() == []
