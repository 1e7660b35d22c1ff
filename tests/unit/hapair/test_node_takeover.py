"""A node asks its peer to hand over, over the real link and a fake cable."""

from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from dataclasses import replace
from ipaddress import ip_address
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from hapair.events.feed import acting
from hapair.handover.asked import PeerOnItsWay
from hapair.node_takeover import ANSWER_S, NodeTakeOver
from hapair.peer.link import PeerLink
from vrrp.liveness.config import LinkConfig
from vrrp.liveness.testing import FakeCable

A = LinkConfig(
    node="pi-a", peer="pi-b", address=ip_address("192.0.2.11"), peer_address=ip_address("192.0.2.12"), port=1341,
    secret=b"s" * 32, interval_s=0.1, purpose="node",
)  # fmt: skip
B = replace(A, node="pi-b", peer="pi-a", address=A.peer_address, peer_address=A.address)
DONE = {"ok": True, "words": "pi-b has the VIPs", "flows": 3, "took_s": 0.02}


class Side:
    """A node, and what is asked of its handover."""

    def __init__(self, config: LinkConfig, cable: FakeCable) -> None:
        self.link = PeerLink(config, transport=cable.plug(config.node))
        self.lines: list[Mapping[str, Any]] = [{"news": "asking"}, DONE]
        self.ends = True
        self.asked: list[tuple[object, str]] = []
        self.take_over = NodeTakeOver(config.node, config.peer, self.hand_over, self.link)

    async def hand_over(self, request: Mapping[str, Any]) -> AsyncGenerator[Any, None]:
        self.asked.append((request.get("to"), acting.get()))
        for line in self.lines:
            yield line
        if not self.ends:
            await trio.sleep_forever()

    async def story(self) -> list[Any]:
        return [line async for line in self.take_over.story({})]


class Two:
    def __init__(self, nursery: trio.Nursery) -> None:
        self.cable = FakeCable()
        self.a, self.b = Side(A, self.cable), Side(B, self.cable)
        self.scope = trio.CancelScope()
        for side in (self.a, self.b):
            nursery.start_soon(side.take_over.run)
        nursery.start_soon(self.a.link.run)
        nursery.start_soon(self._run_b)

    async def _run_b(self) -> None:
        with self.scope:
            await self.b.link.run()


@pytest.fixture
async def two(autojump_clock: MockClock) -> AsyncIterator[Two]:
    """Both are up since a moment; pi-a has the VIPs."""
    async with trio.open_nursery() as nursery:
        two = Two(nursery)
        await trio.sleep(3)
        yield two
        nursery.cancel_scope.cancel()


async def test_the_peer_hands_over_and_says_how_it_goes(two: Two, autojump_clock: MockClock) -> None:
    acting.set("anna from 192.0.2.7")
    assert await two.b.story() == [
        {"news": "asking pi-a to hand over"},
        {"news": "asking"},
        {"ok": True, "words": "pi-b has the VIPs"},
    ]
    assert two.a.asked == [("pi-b", "anna from 192.0.2.7 on pi-b")]


async def test_hapair_handover_with_the_name_of_the_node_itself(two: Two, autojump_clock: MockClock) -> None:
    lines = [line async for line in two.b.take_over.handover({"to": "pi-b"})]
    assert lines[-1] == {"ok": True, "words": "pi-b has the VIPs"}
    assert two.a.asked == [("pi-b", "hapair handover on pi-b")]
    assert [line async for line in two.b.take_over.handover({"to": None})] == two.b.lines
    assert two.b.asked == [(None, "")]


async def test_what_the_peer_refuses_is_said_in_its_words(two: Two, autojump_clock: MockClock) -> None:
    two.a.lines = [{"ok": False, "words": "this node holds no VIP: there is nothing to hand over"}]
    assert (await two.b.story())[-1] == {
        "ok": False, "words": "this node holds no VIP: there is nothing to hand over",
    }  # fmt: skip


async def test_a_peer_that_is_gone_is_not_asked(two: Two, autojump_clock: MockClock) -> None:
    two.scope.cancel()
    two.cable.die("pi-b")
    await trio.sleep(10)
    (line,) = await two.a.story()
    assert not line["ok"]
    assert line["words"].startswith("pi-b is not heard, and cannot be asked (the peer (192.0.2.12 port 1341: ")


async def test_a_link_that_breaks_in_the_midst_of_it(two: Two, autojump_clock: MockClock) -> None:
    two.a.ends = False
    two.a.lines = [{"news": "asking"}]
    lines: list[Any] = []

    async def ask() -> None:
        lines.extend(await two.b.story())

    async with trio.open_nursery() as nursery:
        nursery.start_soon(ask)
        await trio.sleep(2)
        two.cable.die("pi-a")
        await trio.sleep(5)
        nursery.cancel_scope.cancel()
    assert lines[-1] == {"ok": False, "words": "the link to pi-a broke; hapair status tells what came of it"}


async def test_a_peer_that_says_nothing_is_not_waited_for_for_ever(two: Two, autojump_clock: MockClock) -> None:
    two.a.ends = False
    two.a.lines = []
    began_at = trio.current_time()
    lines = await two.b.story()
    assert lines[-1] == {"ok": False, "words": "pi-a has not said what came of it; hapair status tells"}
    assert trio.current_time() - began_at == pytest.approx(ANSWER_S, abs=1.0)


async def test_no_more_than_a_few_wait(two: Two, autojump_clock: MockClock) -> None:
    two.a.ends = False
    two.a.lines = []
    found: list[Any] = []

    async def ask() -> None:
        found.append((await two.b.story())[-1]["words"])

    async with trio.open_nursery() as nursery:
        for _ in range(6):
            nursery.start_soon(ask)
        await trio.sleep(1)
        nursery.cancel_scope.cancel()
    assert found == ["pi-a is asked already"]


async def test_news_for_nobody_are_dropped(two: Two, autojump_clock: MockClock) -> None:
    two.a.link.post(PeerOnItsWay("unknown", "hello", ok=True))
    await trio.sleep(1)
    assert (await two.b.story())[-1]["ok"]


async def test_without_a_peer_there_is_nothing_to_do() -> None:
    async def hand_over(request: Mapping[str, Any]) -> AsyncGenerator[Any, None]:
        yield {"ok": False, "words": "a handover needs one peer"}

    alone = NodeTakeOver("pi-a", "", hand_over, None)
    assert alone.stories == {}
    assert [line async for line in alone.story({})] == [
        {"ok": False, "words": "this node has no peer that it could ask"}
    ]
    assert [line async for line in alone.handover({"to": "pi-a"})] == [
        {"ok": False, "words": "a handover needs one peer"}
    ]
