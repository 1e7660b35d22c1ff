"""Two nodes tell each other how they are and what their files say, over the real link and a fake cable."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from ipaddress import ip_address
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from hapair.config import load_text
from hapair.events.event import Happening
from hapair.node_peer import NodePeer
from hapair.snapshot import DriftView, NodeSnapshot, PeerView
from tests.unit.hapair.admin.sample import NODE
from vrrp.liveness.config import LinkConfig
from vrrp.liveness.testing import FakeCable

TEXT = """\
pair: {nodes: {pi-a: 192.0.2.11, pi-b: 192.0.2.12}}
frontends: {web: {listen: ["192.0.2.100:80"], pool: web}}
pools: {web: {servers: {web1: "192.0.2.21:80", web2: {address: "192.0.2.22:80", weight: 3}}}}
"""
A = LinkConfig(
    node="pi-a", peer="pi-b", address=ip_address("192.0.2.11"), peer_address=ip_address("192.0.2.12"), port=1339,
    secret=b"s" * 32, interval_s=0.1,
)  # fmt: skip
B = replace(A, node="pi-b", peer="pi-a", address=A.peer_address, peer_address=A.address)
FILE = load_text(TEXT).file
OTHER = load_text(TEXT.replace("weight: 3", "weight: 4")).file


@dataclass
class Side:
    """A node, looked at each second."""

    peer: NodePeer
    own: NodeSnapshot
    told: list[Happening] = field(default_factory=list)

    @property
    def seen(self) -> PeerView:
        view = self.peer.with_peer(self.own).peer
        assert view is not None
        return view

    async def run(self) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.peer.run)
            while True:
                self.peer.looked(self.peer.with_peer(self.own))
                await trio.sleep(1)


class Two:
    """Both sides and the cable between them."""

    def __init__(self, nursery: trio.Nursery) -> None:
        self.cable = FakeCable()
        self.nursery = nursery
        self.scopes: dict[str, trio.CancelScope] = {}

    def start(self, config: LinkConfig, file: Any, own: NodeSnapshot) -> Side:
        told: list[Happening] = []
        side = Side(NodePeer(config, file, told.append, transport=self.cable.plug(config.node)), own, told)
        self.scopes[config.node] = trio.CancelScope()

        async def run() -> None:
            with self.scopes[config.node]:
                await side.run()

        self.nursery.start_soon(run)
        return side


@pytest.fixture
async def two(autojump_clock: MockClock) -> AsyncIterator[Two]:
    """Nobody is started yet."""
    async with trio.open_nursery() as nursery:
        yield Two(nursery)
        nursery.cancel_scope.cancel()


STANDBY = replace(NODE, node="pi-b", role="STANDBY", warnings=(), routers=())


async def test_each_knows_how_the_other_is(two: Two, autojump_clock: MockClock) -> None:
    a, b = two.start(A, FILE, NODE), two.start(B, FILE, STANDBY)
    await trio.sleep(5)
    assert a.seen.snapshot == STANDBY
    assert (a.seen.name, a.seen.address, a.seen.up, a.seen.waits_for) == ("pi-b", "192.0.2.12", True, None)
    assert a.seen.age_s is not None
    assert a.seen.age_s <= 1.1
    assert b.seen.snapshot == NODE
    assert (a.seen.warnings, b.seen.warnings) == ((), ("pi-a: look",))
    assert a.seen.drift == DriftView(places=(), count=0, since_s=None)
    assert (a.told, b.told) == ([], [])


async def test_files_that_differ_are_told_when_it_lasts(two: Two, autojump_clock: MockClock) -> None:
    a, b = two.start(A, FILE, NODE), two.start(B, OTHER, STANDBY)
    await trio.sleep(8)
    assert a.seen.drift is not None
    assert (a.seen.drift.places, a.seen.drift.count) == (("pools.web.servers.web2.weight",), 1)
    assert "pi-a and pi-b run with files that differ: pools.web.servers.web2.weight" in a.seen.warnings
    assert a.told == []
    await trio.sleep(8)
    assert [(one.kind, one.words, one.reason) for one in a.told + b.told] == [
        ("drift", "pi-a and pi-b run with files that differ", "pools.web.servers.web2.weight"),
        ("drift", "pi-b and pi-a run with files that differ", "pools.web.servers.web2.weight"),
    ]
    b.peer.reloaded(FILE)
    await trio.sleep(2)
    assert a.seen.drift == DriftView(places=(), count=0, since_s=None)
    assert a.told[-1].words == "pi-a and pi-b run with the same file again"
    assert b.told[-1].words == "pi-b and pi-a run with the same file again"


async def test_that_both_are_active_is_told_once(two: Two, autojump_clock: MockClock) -> None:
    a = two.start(A, FILE, NODE)
    b = two.start(B, FILE, replace(NODE, node="pi-b"))
    await trio.sleep(5)
    told = [(one.kind, one.words) for one in a.told]
    assert told == [("peer", "split brain: lan Active here and on pi-b at once")]
    b.own = replace(b.own, routers=(replace(NODE.routers[0], state="Backup"),))
    await trio.sleep(5)
    assert [one.details["split"] for one in a.told] == [True, False]


async def test_a_peer_that_is_gone_is_said_with_since_when(two: Two, autojump_clock: MockClock) -> None:
    a, _ = two.start(A, FILE, NODE), two.start(B, FILE, STANDBY)
    await trio.sleep(5)
    two.scopes["pi-b"].cancel()
    two.cable.die("pi-b")
    await trio.sleep(10)
    assert not a.seen.up
    assert 9 < a.seen.since_s < 10.1
    assert a.seen.snapshot == STANDBY
    (warning,) = a.seen.warnings
    assert warning.startswith("nothing is known of how pi-b is (the peer (192.0.2.12 port 1341: ")
    assert warning.endswith("; last heard 11 s ago")
    two.start(B, FILE, replace(STANDBY, uptime_s=1.0))
    await trio.sleep(5)
    assert a.seen.up
    assert a.seen.snapshot == replace(STANDBY, uptime_s=1.0)


async def test_a_peer_of_another_version_is_named(
    two: Two, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hapair.node_peer.to_plain", lambda _: {"what": "nobody knows"})
    a, _ = two.start(A, FILE, NODE), two.start(B, FILE, STANDBY)
    await trio.sleep(5)
    assert a.seen.snapshot is None
    assert a.seen.trouble == "what pi-b says cannot be read here: it runs hapair 0.1.0"
    assert a.seen.warnings == ("what pi-b says cannot be read here: it runs hapair 0.1.0",)


async def test_with_another_secret_nothing_is_heard(two: Two, autojump_clock: MockClock) -> None:
    a, b = two.start(A, FILE, NODE), two.start(replace(B, secret=b"x" * 32), FILE, STANDBY)
    await trio.sleep(10)
    assert (a.seen.up, b.seen.up, a.seen.snapshot, b.seen.snapshot) == (False, False, None, None)


async def test_a_node_without_a_peer() -> None:
    peer = NodePeer(None, FILE, lambda _: None)
    assert not peer.is_needed
    await peer.run()
    peer.looked(NODE)
    peer.reloaded(FILE)
    assert peer.with_peer(NODE) is NODE
