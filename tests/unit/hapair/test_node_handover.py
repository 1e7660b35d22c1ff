"""What a node lets a handover know, and does for it. The carrier takes notes, the announcer only stands there."""

from collections.abc import AsyncGenerator, Collection
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Interface
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from balancer.config import BalancerConfig
from hapair.config.view import LinkSettings, NodeConfig
from hapair.handover.events import (
    CutShort,
    FitnessReported,
    LinkDown,
    LinkUp,
    Moved,
    Progress,
    RoutersReported,
    Standing,
    TellAnnouncer,
)
from hapair.messages import Tell, ToPeer
from hapair.node_handover import NodeHandover, preempted, standings
from vrrp.config import VirtualRouterConfig
from vrrp.events import TakeOver
from vrrp.liveness.config import LinkSnapshot
from vrrp.snapshot import RouterSnapshot

LAN = VirtualRouterConfig(name="lan", vrid=51, interface="eth0", addresses=(IPv4Interface("192.0.2.100/24"),))
CONFIG = NodeConfig(
    node="pi-a",
    nodes={"pi-a": "192.0.2.1", "pi-b": "192.0.2.2"},
    routers=(LAN,),
    balancer=BalancerConfig(frontends={}, pools={}, drain_s=12.0),
    workers=1,
    vip_of_frontend={},
    link=LinkSettings(
        node="pi-a",
        peer="pi-b",
        address=IPv4Address("192.0.2.1"),
        peer_address=IPv4Address("192.0.2.2"),
        port=1339,
        secret_file="pair.key",
    ),
)
MOVED = Moved(True, "pi-b has the VIPs", flows=3, took_s=0.01239)


def link(*, up: bool) -> LinkSnapshot:
    return LinkSnapshot(
        up=up, since_monotonic=1.0, peer="pi-b", peer_address="192.0.2.2", lost=0, last_cause=None, last_detail=None,
        waiting_for=None, rejected={}, round_trip_s=None,
    )  # fmt: skip


def snapshot(state: Any = "Active", *, held: tuple[str, ...] = ("192.0.2.100/24",)) -> RouterSnapshot:
    return RouterSnapshot(
        name="lan", vrid=51, interface="eth0", version=3, group=None, state=state, priority=100,
        configured_priority=100, stays_backup=False, since_monotonic=1.0, adverts_unsigned=0, waiting_for=None,
        vips=("192.0.2.100/24",), vips_held=held, lease_s=1, lease_renewed_at=None, active_router=None, transitions=1,
        adverts_sent=0, adverts_received=0, adverts_rejected={}, unusual_checksums=0, send_errors=0, vips_restored=0,
        lateness_max_ms=0.0, last_reason="",
    )  # fmt: skip


class FakeAnnouncer:
    """What is used of an AnnouncerWatch."""

    def __init__(self) -> None:
        self.link: LinkSnapshot | None = link(up=True)
        self.snapshots = {"lan": snapshot()}
        self.posted: list[object] = []

    def post(self, message: object) -> None:
        self.posted.append(message)


class FakeCarrier:
    """Takes notes; a handover goes as `news` says, and for ever where that does not end with Moved."""

    def __init__(self, routers: tuple[VirtualRouterConfig, ...], **of_node: Any) -> None:
        self.routers, self.of_node = routers, of_node
        self.told: list[object] = []
        self.reasons: list[str] = []
        self.news: list[Progress | Moved] = []
        self.given = trio.Event()
        self.ran = 0

    async def run(self) -> None:
        self.ran += 1

    def tell(self, event: object) -> None:
        self.told.append(event)

    def received(self, data: bytes) -> None:
        self.told.append(data)

    async def hand_over(
        self, reason: str, *, only: Collection[str] | None = None
    ) -> AsyncGenerator[Progress | Moved, None]:
        self.reasons.append(reason if only is None else f"{reason}: {', '.join(sorted(only))}")
        for one in self.news:
            yield one
            if isinstance(one, Moved):
                return
        await trio.sleep_forever()

    async def until_given(self) -> None:
        await self.given.wait()


class Bench:
    """A node's part among fakes."""

    def __init__(self, config: NodeConfig = CONFIG) -> None:
        self.announcer = FakeAnnouncer()
        self.changes: list[frozenset[str]] = []
        self.handover = NodeHandover(
            config,
            announcer=lambda: self.announcer,  # type: ignore[arg-type, return-value]
            changed=lambda: self.changes.append(self.handover.lives_on),
            carrier=self._carrier,
        )

    def _carrier(self, routers: tuple[VirtualRouterConfig, ...], **of_node: Any) -> Any:
        self.carrier = FakeCarrier(routers, **of_node)
        return self.carrier

    async def story(self, **request: object) -> list[Any]:
        return [line async for line in self.handover.story(request)]


@pytest.fixture
def bench() -> Bench:
    return Bench()


async def test_the_carrier_gets_the_routers_and_how_long_connections_may_go_on(bench: Bench) -> None:
    assert bench.carrier.routers == (LAN,)
    assert bench.carrier.of_node["drain_s"] == 12.0
    await bench.handover.run()
    assert bench.carrier.ran == 1


def test_to_the_peer_and_to_the_announcer(bench: Bench) -> None:
    bench.carrier.of_node["send"](b"a message")
    bench.carrier.of_node["tell_announcer"](TellAnnouncer(("lan",), TakeOver(5.0, "asked to")))
    bench.handover.received(b"an answer")
    assert bench.announcer.posted == [ToPeer(b"a message"), Tell(("lan",), TakeOver(5.0, "asked to"))]
    assert bench.carrier.told == [b"an answer"]


def test_what_lives_on(bench: Bench) -> None:
    bench.carrier.of_node["live_on"](frozenset({"lan"}))
    bench.carrier.of_node["live_on"](frozenset())
    assert bench.changes == [{"lan"}, set()]


def test_the_link_is_told_when_it_comes_and_when_it_goes(bench: Bench) -> None:
    routers = RoutersReported({"lan": Standing("Active", settled=True)})
    bench.handover.reported()
    bench.handover.reported()
    bench.announcer.link = link(up=False)
    bench.handover.reported()
    bench.announcer.link, bench.announcer.snapshots = None, {}
    bench.handover.reported()
    assert bench.carrier.told == [
        LinkUp("pi-b"), routers, routers, LinkDown("the liveness link is down"), routers, RoutersReported({}),
    ]  # fmt: skip


def test_fitness(bench: Bench) -> None:
    bench.handover.fit("no worker serves", 0)
    bench.handover.fit(None, 4)
    assert bench.carrier.told == [FitnessReported("no worker serves", 0), FitnessReported(None, 4)]


async def test_the_story_of_a_handover(bench: Bench) -> None:
    bench.carrier.news = [Progress("asking pi-b to take over"), MOVED]
    assert await bench.story(to="pi-b") == [
        {"news": "asking pi-b to take over"},
        {"ok": True, "words": "pi-b has the VIPs", "flows": 3, "took_s": 0.012},
    ]
    assert bench.carrier.reasons == ["hapair handover"]


@pytest.mark.parametrize(
    ("to", "words"),
    [
        ("pi-a", "this is pi-a itself, and pi-b is not heard, which would have to hand over"),
        ("pi-c", "there is no peer 'pi-c'; this node's peer is pi-b"),
    ],
)
async def test_nobody_else_can_be_handed_to(bench: Bench, to: str, words: str) -> None:
    assert await bench.story(to=to) == [{"ok": False, "words": words}]
    assert bench.carrier.reasons == []


async def test_a_node_without_a_link_cannot_hand_over() -> None:
    bench = Bench(replace(CONFIG, link=None))
    (answer,) = await bench.story()
    assert answer == {
        "ok": False,
        "words": "a handover needs one peer and the pair's secret (pair.secret_file), so that the nodes can talk",
    }
    bench.handover.reported()
    assert [type(event) for event in bench.carrier.told] == [RoutersReported]


@pytest.mark.parametrize("ok", [True, False])
async def test_a_stop_hands_over_first(bench: Bench, ok: bool) -> None:
    bench.handover.reported()
    bench.carrier.news = [Progress("asking pi-b to take over"), replace(MOVED, ok=ok)]
    assert await bench.handover.before_stop("this node stops") is ok
    assert bench.carrier.reasons == ["this node stops"]


async def test_a_stop_does_not_wait_for_ever(bench: Bench, autojump_clock: MockClock) -> None:
    bench.handover.reported()
    began = trio.current_time()
    assert await bench.handover.before_stop("this node stops") is False
    assert trio.current_time() - began == 5.0


async def test_a_stop_with_nothing_to_hand_over_or_nobody_to_take_it(bench: Bench) -> None:
    assert await bench.handover.before_stop("the peer was never met") is False
    bench.announcer.snapshots = {"lan": snapshot("Backup", held=())}
    bench.handover.reported()
    assert await bench.handover.before_stop("nothing is Active here") is False
    assert bench.carrier.reasons == []


async def test_a_stop_while_connections_of_an_earlier_handover_live_on(bench: Bench) -> None:
    bench.handover.reported()
    bench.announcer.snapshots = {"lan": snapshot("Backup", held=())}
    bench.carrier.of_node["live_on"](frozenset({"lan"}))
    assert await bench.handover.before_stop("this node stops") is True
    bench.carrier.of_node["live_on"](frozenset())
    assert await bench.handover.before_stop("this node stops") is False
    assert bench.carrier.reasons == []


async def test_letting_go_waits_until_the_last_rule_is_gone(bench: Bench, autojump_clock: MockClock) -> None:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(bench.handover.let_go, "a second signal")
        await trio.sleep(1)
        assert bench.carrier.told == [CutShort("a second signal")]
        bench.carrier.given.set()
    assert trio.current_time() == 1.0


async def test_letting_go_is_bounded(bench: Bench, autojump_clock: MockClock) -> None:
    with trio.CancelScope() as scope:
        scope.cancel()
        await bench.handover.let_go("a second signal")
    assert trio.current_time() == 2.0


def test_a_router_has_settled_once_it_is_active_with_all_of_its_vips() -> None:
    one = snapshot()
    assert standings([one]) == {"lan": Standing("Active", settled=True)}
    assert standings([snapshot(held=())]) == {"lan": Standing("Active", settled=False)}
    assert standings([snapshot("Backup")]) == {"lan": Standing("Backup", settled=False)}


@pytest.mark.parametrize(
    ("names", "answer"),
    [
        (None, {"ok": False, "words": "no announcer runs on this node now; it preempts as configured when one does"}),
        ((), {"ok": True, "words": "nothing to end: no virtual router here stays Backup for having handed over"}),
        (("lan",), {"ok": True, "words": "lan: no longer kept from preempting"}),
        (
            ("lan", "never"),
            {
                "ok": True,
                "words": "lan, never: no longer kept from preempting; but `preempt` is false for never: "
                "run `hapair handover` on the peer to bring it here",
            },
        ),
    ],
)
def test_preempting_again_in_words(names: tuple[str, ...] | None, answer: object) -> None:
    assert preempted(names, [LAN, replace(LAN, name="never", preempt=False)]) == answer


async def test_before_a_reload_some_may_be_handed_over(bench: Bench) -> None:
    bench.carrier.news = [MOVED]
    assert await bench.handover.before_reload("a reload", only={"lan", "wan"}) is None
    assert bench.carrier.reasons == ["a reload: lan, wan"]
