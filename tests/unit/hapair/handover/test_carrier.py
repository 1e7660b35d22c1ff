"""What the rest of the node sees of a handover: two carriers, a wire between them, kernels that do as they are told."""

import logging
from collections.abc import AsyncIterator
from typing import Any

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from hapair.handover.carrier import Carrier
from hapair.handover.events import (
    CutShort,
    FitnessReported,
    FlowsListed,
    Forward,
    Forwarding,
    Held,
    HoldVips,
    LetGo,
    LinkUp,
    ListFlows,
    Moved,
    Progress,
    RoutersReported,
    Standing,
    TellAnnouncer,
)
from vrrp.events import HandedOver, TakeOver


class FakeKernel:
    """Writes down what it is asked; `flows` are what goes on."""

    def __init__(self, side: Any) -> None:
        self.side = side
        self.asked: list[object] = []
        self.flows = (side.flow(40000),)

    async def list_flows(self, what: ListFlows) -> FlowsListed:
        self.asked.append(what)
        return FlowsListed(self.flows, self.side.stations)

    async def forward(self, what: Forward) -> Forwarding:
        self.asked.append(what)
        return Forwarding(self.side.stations)

    async def hold(self, what: HoldVips) -> Held:
        self.asked.append(what)
        return Held()

    async def let_go(self) -> None:
        self.asked.append(LetGo())


class Node:
    """A carrier among fakes."""

    def __init__(self, side: Any, state: str, peer: str) -> None:
        self.kernel = FakeKernel(side)
        self.other: Node | None = None
        self.lives_on: list[frozenset[str]] = []
        self.carrier = Carrier(
            tuple(side.conversation.routers.values()),
            drain_s=30.0,
            send=self.send,
            tell_announcer=self.announcer,
            live_on=self.lives_on.append,
            kernel=self.kernel,
            clock=trio.current_time,
        )
        self.carrier.tell(LinkUp(peer))
        self.carrier.tell(FitnessReported(None, 1))
        self.report(state)

    def send(self, data: bytes) -> None:
        if self.other is not None:
            self.other.carrier.received(data)

    def announcer(self, told: TellAnnouncer) -> None:
        if isinstance(told.event, TakeOver):
            self.report("Active")
        if isinstance(told.event, HandedOver):
            self.report("Backup")

    def report(self, state: Any) -> None:
        standing = Standing(state, settled=state == "Active")
        self.carrier.tell(RoutersReported({"lan": standing, "wan": standing}))


@pytest.fixture
async def nodes(make_side: Any) -> AsyncIterator[tuple[Node, Node]]:
    """pi-a, Active, and pi-b."""
    one, other = (
        Node(make_side("Active", "pi-b"), "Active", "pi-b"),
        Node(make_side("Backup", "pi-a"), "Backup", "pi-a"),
    )
    one.other, other.other = other, one
    async with trio.open_nursery() as nursery:
        nursery.start_soon(one.carrier.run)
        nursery.start_soon(other.carrier.run)
        yield one, other
        nursery.cancel_scope.cancel()


async def test_a_handover_from_question_to_end(autojump_clock: MockClock, nodes: tuple[Node, Node]) -> None:
    one, other = nodes
    news = [(type(one), one.words) async for one in one.carrier.hand_over("maintenance")]
    assert [kind for kind, _ in news] == [Progress, Progress, Moved]
    assert news[0][1] == "asking pi-b to take over: maintenance"
    assert one.lives_on == [{"lan", "wan"}]
    one.kernel.flows = ()
    await one.carrier.until_given()
    await wait_all_tasks_blocked()
    assert one.lives_on == [{"lan", "wan"}, set()]
    assert [type(asked) for asked in one.kernel.asked] == [LetGo, ListFlows, HoldVips, ListFlows, ListFlows, LetGo]
    assert [type(asked) for asked in other.kernel.asked] == [LetGo, Forward, Forward, LetGo]


async def test_what_a_crash_left_is_removed_first(autojump_clock: MockClock, nodes: tuple[Node, Node]) -> None:
    await wait_all_tasks_blocked()
    assert [node.kernel.asked for node in nodes] == [[LetGo()], [LetGo()]]


async def test_deadlines_pass_by_themselves(autojump_clock: MockClock, nodes: tuple[Node, Node]) -> None:
    one, _ = nodes
    async for _ in one.carrier.hand_over("maintenance"):
        pass
    began = trio.current_time()
    await one.carrier.until_given()
    assert trio.current_time() - began == pytest.approx(30.5, abs=0.1)


async def test_a_peer_that_is_silent(autojump_clock: MockClock, nodes: tuple[Node, Node]) -> None:
    one, _ = nodes
    one.other = None
    began = trio.current_time()
    news = [one async for one in one.carrier.hand_over("maintenance")]
    assert news[-1] == Moved(False, "the VIPs stay here: pi-b did not take over within 5 s")
    assert trio.current_time() - began == pytest.approx(5.0, abs=0.1)


async def test_a_second_asker_gets_an_answer_of_its_own(autojump_clock: MockClock, nodes: tuple[Node, Node]) -> None:
    one, _ = nodes
    one.other = None
    heard: dict[str, list[Any]] = {"first": [], "second": []}

    async def ask(name: str) -> None:
        async for news in one.carrier.hand_over(name):
            heard[name].append(news)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(ask, "first")
        await wait_all_tasks_blocked()
        nursery.start_soon(ask, "second")
    assert heard["second"] == [Moved(False, "this node is handing over itself")]
    assert [type(news) for news in heard["first"]] == [Progress, Moved]


async def test_an_asker_who_leaves_does_not_end_the_handover(
    autojump_clock: MockClock, nodes: tuple[Node, Node]
) -> None:
    one, other = nodes
    with trio.CancelScope() as scope:
        async for _ in one.carrier.hand_over("maintenance"):
            scope.cancel()
    one.kernel.flows = ()
    await one.carrier.until_given()
    assert other.carrier.conversation.reported.state_of("lan") == "Active"


async def test_until_given_waits_for_one_that_was_only_just_asked_for(
    autojump_clock: MockClock, nodes: tuple[Node, Node]
) -> None:
    one, _ = nodes
    async with trio.open_nursery() as nursery:

        async def ask() -> None:
            async for _ in one.carrier.hand_over("this node stops"):
                pass

        nursery.start_soon(ask)
        await wait_all_tasks_blocked()
        one.carrier.tell(CutShort("a second signal"))
        await one.carrier.until_given()
    assert one.carrier.conversation.giving is None


async def test_bytes_that_are_no_message_are_counted_and_logged_at_a_limited_rate(
    autojump_clock: MockClock, nodes: tuple[Node, Node], caplog: pytest.LogCaptureFixture
) -> None:
    one, _ = nodes
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            one.carrier.received(b"\xff")
    assert one.carrier.rejected == 3
    assert [record.message for record in caplog.records] == ["unreadable handover message"]
