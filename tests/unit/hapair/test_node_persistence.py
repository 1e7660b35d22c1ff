"""Two nodes know of each other's clients, over the real link and a fake cable; and of their own after a restart."""

from collections.abc import AsyncIterator
from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from balancer.persistence.table import Entry
from hapair.config import load_text
from hapair.messages import Sources
from hapair.node_peer import NodePeer
from hapair.node_persistence import NodePersistence
from hapair.persistence.views import PersistencePeerView
from tests.unit.hapair.admin.sample import NODE
from vrrp.liveness.config import LinkConfig
from vrrp.liveness.testing import FakeCable

TEXT = """\
pair: {nodes: {pi-a: 192.0.2.11, pi-b: 192.0.2.12}}
frontends: {web: {listen: ["192.0.2.100:80"], pool: web}}
pools: {web: {persistence: {source: {}}, servers: {web1: "192.0.2.21:80"}}}
"""
A = LinkConfig(
    node="pi-a", peer="pi-b", address=ip_address("192.0.2.11"), peer_address=ip_address("192.0.2.12"), port=1339,
    secret=b"s" * 32, interval_s=0.1,
)  # fmt: skip
B = replace(A, node="pi-b", peer="pi-a", address=A.peer_address, peer_address=A.address)
FILE = load_text(TEXT).file


class Two:
    def __init__(self, nursery: trio.Nursery, folder: Path) -> None:
        self.cable = FakeCable()
        self.nursery = nursery
        self.folder = folder
        self.scopes: dict[str, trio.CancelScope] = {}

    def start(self, config: LinkConfig) -> NodePersistence:
        folder = self.folder / config.node
        folder.mkdir(exist_ok=True)
        peer = NodePeer(config, FILE, lambda _: None, transport=self.cable.plug(config.node))
        node = NodePersistence(FILE.pools, config.secret, folder, peer.link)
        scope = self.scopes[config.node] = trio.CancelScope()

        async def run() -> None:
            with scope:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(peer.run)
                    nursery.start_soon(node.run)

        self.nursery.start_soon(run)
        return node

    def kill(self, name: str) -> None:
        self.scopes[name].cancel()


@pytest.fixture
async def two(autojump_clock: MockClock, tmp_path: Path) -> AsyncIterator[Two]:
    async with trio.open_nursery() as nursery:
        yield Two(nursery, tmp_path)
        nursery.cancel_scope.cancel()


def learn(node: NodePersistence, client: str, server: str = "web1", version: int = 5) -> None:
    used_at = node.hub._clock()
    node.hub.hear(0, Sources("web", (Entry(client, server, version, used_at),)))


def known(node: NodePersistence) -> dict[str, str]:
    return {entry.client: entry.server for entry, _ in node.hub.entries("web")}


async def test_what_one_learns_the_other_knows_whichever_was_there_first(autojump_clock: MockClock, two: Two) -> None:
    one = two.start(A)
    learn(one, "192.0.2.1")
    await trio.sleep(2)
    other = two.start(B)
    await trio.sleep(3)
    assert known(other) == {"192.0.2.1": "web1"}
    learn(other, "192.0.2.2")
    learn(one, "192.0.2.3")
    await trio.sleep(0.1)
    assert known(one) == known(other) == dict.fromkeys(("192.0.2.1", "192.0.2.2", "192.0.2.3"), "web1")
    view = one.seen(NODE).persistence_peer
    assert view is not None
    assert replace(view, lag_s=0.0) == PersistencePeerView(up=True, waiting=0, lag_s=0.0, resyncs=1)
    assert view.lag_s < 1.0
    other.hub.forget("web", "192.0.2.1")
    await trio.sleep(0.1)
    assert "192.0.2.1" not in known(one)


async def test_a_node_that_was_killed_hears_all_again_and_the_newer_word_counts(
    autojump_clock: MockClock, two: Two
) -> None:
    one, other = two.start(A), two.start(B)
    await trio.sleep(2)
    learn(one, "192.0.2.1")
    await trio.sleep(0.1)
    two.kill("pi-a")
    learn(other, "192.0.2.1", "web2", version=6)
    await trio.sleep(1)
    again = two.start(A)
    assert known(again) == {}
    await trio.sleep(6)
    assert known(again) == {"192.0.2.1": "web2"}
    assert again.cookie_key == other.cookie_key


async def test_a_node_without_a_peer_keeps_its_tables_once_a_minute(autojump_clock: MockClock, tmp_path: Path) -> None:
    node = NodePersistence(FILE.pools, None, tmp_path, None)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(node.run)
        learn(node, "192.0.2.1")
        await trio.sleep(59)
        assert not (tmp_path / "sources.json").exists()
        await trio.sleep(3)
        nursery.cancel_scope.cancel()
    (tmp_path / "sources.json").touch()
    again = NodePersistence(FILE.pools, None, tmp_path, None)
    assert known(again) == {"192.0.2.1": "web1"}
    assert again.cookie_key == node.cookie_key
    assert again.seen(NODE).persistence_peer is None
    fewer = load_text(TEXT.replace("source: {}", "source: {size: 9}")).file
    again.reloaded(fewer.pools)
    assert [(one.used, one.size) for one in again.seen(NODE).persistence] == [(1, 9)]
    again.reloaded({})
    assert again.seen(NODE).persistence == ()
    written = (tmp_path / "sources.json").stat().st_mtime_ns
    await node.save()
    assert (tmp_path / "sources.json").stat().st_mtime_ns == written
