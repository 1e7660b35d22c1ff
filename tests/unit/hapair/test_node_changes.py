"""What is said on one node holds on both and over a restart: real checks and file, the real link, a fake cable."""

import errno
import logging
from collections.abc import AsyncIterator, Collection
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from balancer.checks.runner import CheckRunner
from balancer.config import Check, Pool, Server
from balancer.fieldtypes import Endpoint
from balancer.standing import Place
from hapair.changes import store
from hapair.changes.change import Change, Said, written
from hapair.changes.messages import PeerChanges
from hapair.changes.register import Register
from hapair.config import load_text
from hapair.events.event import Happening
from hapair.node_changes import NodeChanges
from hapair.node_peer import NodePeer
from tests.unit.hapair.test_node_peer import TEXT, A, B
from vrrp.liveness.config import LinkConfig
from vrrp.liveness.testing import FakeCable


def pools(weight: int = 5) -> dict[str, Pool]:
    servers = {"web1": Server(address=Endpoint("192.0.2.1", 80), weight=weight)}
    return {"web": Pool(servers=servers, check=Check())}


@dataclass
class Side:
    checks: CheckRunner
    changes: NodeChanges
    peer: NodePeer

    @property
    def stands(self) -> tuple[str, str, int | None]:
        one = self.checks.snapshot()["web"]["web1"]
        return one.admin, one.admin_by, one.weight


class Pair:
    def __init__(self, nursery: trio.Nursery, folder: Path) -> None:
        self.nursery = nursery
        self.folder = folder
        self.cable = FakeCable()
        self.scopes: dict[str, trio.CancelScope] = {}

    def start(self, config: LinkConfig, weight: int = 5) -> Side:
        file = load_text(TEXT).file
        peer = NodePeer(config, file, lambda _: None, transport=self.cable.plug(config.node))
        folder = self.folder / config.node
        register = Register(config.node, Said(pools=pools(weight)), store.load(folder))
        checks = CheckRunner(register.pools, lambda *_: None)

        def reshape(fresh: Collection[tuple[str, str]]) -> None:
            for one in fresh:
                checks.forget(*one)
            checks.reload(register.pools)

        changes = NodeChanges(register, checks, folder, peer.link, reshape=reshape)
        peer.greetings.append(changes.greet)
        changes.begin()
        self.scopes[config.node] = scope = trio.CancelScope()

        async def run() -> None:
            with scope:
                await peer.run()

        self.nursery.start_soon(run)
        return Side(checks, changes, peer)

    async def end(self, config: LinkConfig, side: Side) -> None:
        self.scopes[config.node].cancel()
        self.cable.die(config.node)
        await side.changes.save()


@pytest.fixture
async def pair(autojump_clock: MockClock, tmp_path: Path) -> AsyncIterator[Pair]:
    async with trio.open_nursery() as nursery:
        yield Pair(nursery, tmp_path)
        nursery.cancel_scope.cancel()


async def test_what_is_said_on_one_node_holds_on_both(pair: Pair) -> None:
    a, b = pair.start(A), pair.start(B)
    await trio.sleep(3)
    a.changes.everywhere.administer("web", "web1", "drain", by="me")
    b.changes.everywhere.weigh("web", "web1", 7)
    await trio.sleep(1)
    assert a.stands == ("drain", "me", 7)
    assert b.stands == ("drain", "me, on pi-a", 7)
    assert a.changes.reach_of(local=False) == "on both nodes"
    b.changes.everywhere.administer("web", "web1", "ready", by="you")
    await trio.sleep(1)
    assert (a.stands[0], b.stands[0]) == ("ready", "ready")


async def test_or_on_one_alone(pair: Pair) -> None:
    a, b = pair.start(A), pair.start(B)
    await trio.sleep(3)
    a.changes.here.administer("web", "web1", "maint", by="me")
    await trio.sleep(1)
    assert (a.stands[0], b.stands[0]) == ("maint", "ready")
    assert a.changes.reach_of(local=True) == "on this node alone"


async def test_a_peer_that_was_away_learns_of_it(pair: Pair) -> None:
    a, b = pair.start(A), pair.start(B)
    await trio.sleep(3)
    await pair.end(B, b)
    await trio.sleep(3)
    a.changes.everywhere.administer("web", "web1", "maint", by="me")
    a.changes.everywhere.limit("web", "web1", 3)
    a.changes.everywhere.watch("web", "web1", checks=False)
    assert a.changes.reach_of(local=False) == "here, and on the peer when it is heard again"
    b = pair.start(B)
    assert b.stands[0] == "ready"
    await trio.sleep(5)
    known = b.checks.snapshot()["web"]["web1"]
    assert (known.admin, known.max_connections, known.checks_on) == ("maint", 3, False)


async def test_it_holds_over_a_restart_as_long_as_the_file_says_the_same(pair: Pair) -> None:
    a = pair.start(A)
    a.changes.everywhere.administer("web", "web1", "drain", by="me")
    a.changes.everywhere.weigh("web", "web1", 7)
    await pair.end(A, a)
    a = pair.start(A)
    assert a.stands == ("drain", "me, on pi-a", 7)
    await pair.end(A, a)
    a = pair.start(A, weight=6)
    assert a.stands == ("drain", "me, on pi-a", None)


async def test_where_a_server_is_holds_on_both_nodes_and_over_a_restart_until_the_file_moves_it(pair: Pair) -> None:
    a, b = pair.start(A), pair.start(B)
    await trio.sleep(3)
    a.changes.everywhere.move("web", "web1", Endpoint("192.0.2.9", 81))
    await trio.sleep(1)
    for side in (a, b):
        place = side.checks.snapshot()["web"]["web1"].place
        assert place is not None
        assert str(place.endpoint) == "192.0.2.9:81"
    await pair.end(A, a)
    a = pair.start(A)
    assert a.checks.snapshot()["web"]["web1"].place == Place(Endpoint("192.0.2.9", 81))
    moved = {"web": replace(pools()["web"], servers={"web1": Server(address=Endpoint("192.0.2.7", 80), weight=5)})}
    a.checks.reload(moved)
    a.changes.reloaded(a.changes.reload(Said(pools=moved)))
    assert a.checks.snapshot()["web"]["web1"].place is None
    assert [entry.standing for entry in a.changes.entries] == ["spent"]


async def test_servers_of_the_kernel_plane_stay_where_the_file_has_them(pair: Pair) -> None:
    a = pair.start(A)
    a.changes.immovable = {"web"}
    with pytest.raises(ValueError, match="kernel plane takes addresses from the file alone"):
        a.changes.everywhere.move("web", "web1", Endpoint("192.0.2.9", 81))
    assert a.changes.entries == ()


NEW = Server(address=Endpoint("192.0.2.9", 80), weight=3, disabled=True)


async def test_a_server_that_is_added_or_removed_is_so_on_both_nodes(pair: Pair) -> None:
    a, b = pair.start(A), pair.start(B)
    await trio.sleep(3)
    a.changes.set_server("web", "web9", NEW, by="me", local=False)
    a.changes.everywhere.weigh("web", "web9", 7)
    await trio.sleep(1)
    for side in (a, b):
        known = side.checks.snapshot()["web"]["web9"]
        assert (known.admin, known.weight) == ("maint", 7)
    b.changes.set_server("web", "web9", None, by="me", local=False)
    b.changes.set_server("web", "web1", None, by="me", local=False)
    await trio.sleep(1)
    assert a.checks.snapshot() == b.checks.snapshot() == {"web": {}}


async def test_or_on_one_when_the_other_comes_back_or_not_at_all(pair: Pair) -> None:
    a, b = pair.start(A), pair.start(B)
    await trio.sleep(3)
    a.changes.set_server("web", "web8", NEW, by="me", local=True)
    await pair.end(B, b)
    a.changes.set_server("web", "web9", NEW, by="me", local=False)
    a.changes.everywhere.administer("web", "web9", "ready", by="me")
    b = pair.start(B)
    await trio.sleep(5)
    assert list(b.checks.snapshot()["web"]) == ["web1", "web9"]
    assert b.checks.snapshot()["web"]["web9"].admin == "ready"
    await pair.end(B, b)
    again = pair.start(B)
    assert again.checks.snapshot()["web"]["web9"].admin == "ready"


async def test_whoever_has_heard_of_servers_waits_until_they_are_known_everywhere(tmp_path: Path) -> None:
    settled, told = trio.Event(), list[Happening]()

    async def settle() -> None:
        settled.set()

    register = Register("pi-a", Said(pools=pools()))
    checks = CheckRunner(pools(), lambda *_: None)
    changes = NodeChanges(register, checks, tmp_path, settled=settle, record=told.append)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(changes.run)
        value = written(NEW)
        heard = Change(what="server", pool="web", server="web9", value=value, at=1, node="pi-b", by="")
        changes.hear(PeerChanges((heard,)))
        with trio.fail_after(5):
            await settled.wait()
        nursery.cancel_scope.cancel()
    changes.said_of_frontend("node_limit", "", 7, local=True)
    assert [(one.subject, one.words, one.by) for one in told] == [
        ("web/web9", "web/web9 is added", "on pi-b"),
        ("pi-a", "this node has 7 connections at most", ""),
    ]


async def test_and_over_a_reload(pair: Pair) -> None:
    a = pair.start(A)
    a.changes.everywhere.weigh("web", "web1", 7)
    newer = pair.start(B, weight=6)
    newer.changes.everywhere.weigh("web", "web1", 9)
    await trio.sleep(3)
    assert a.stands[2] == 7  # what is said of another file waits for that file
    a.changes.reloaded(a.changes.reload(Said(pools=pools(6))))
    assert a.stands[2] == 9


async def test_what_checks_are_to_have_said_is_not_kept(pair: Pair) -> None:
    a = pair.start(A)
    a.changes.everywhere.force_health("web", "web1", "down", by="me")
    assert not a.checks.snapshot()["web"]["web1"].up
    await a.changes.save()
    assert store.load(pair.folder / "pi-a") == ()
    with pytest.raises(ValueError, match="agent checks are not enabled"):
        a.changes.everywhere.force_agent("web", "web1", True)


async def test_what_cannot_be_done_is_neither_kept_nor_told(pair: Pair) -> None:
    a = pair.start(A)
    with pytest.raises(ValueError, match="weight must be"):
        a.changes.everywhere.weigh("web", "web1", 257)
    with pytest.raises(KeyError):
        a.changes.everywhere.administer("web", "web9", "maint", by="me")
    with pytest.raises(ValueError, match="Agent was not configured"):
        a.changes.everywhere.watch("web", "web1", agent=True)
    await a.changes.save()
    assert store.load(pair.folder / "pi-a") == ()


async def test_a_change_that_does_not_fit_is_logged(pair: Pair, caplog: pytest.LogCaptureFixture) -> None:
    a, b = pair.start(A), pair.start(B)
    heard = a.changes.everywhere
    heard.watch("web", "web1", agent=False)
    (entry,) = a.changes.entries
    b.changes.hear(PeerChanges((replace(entry.change, value=True),)))
    assert [record.message for record in caplog.records] == ["a change does not fit this node"]


async def test_a_disk_that_is_full_is_logged_and_tried_again(
    pair: Pair, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    a = pair.start(A)
    a.changes.everywhere.weigh("web", "web1", 7)
    with monkeypatch.context() as patched, caplog.at_level(logging.ERROR):
        patched.setattr(store, "save", full)
        await a.changes.save()
    assert caplog.records[0].message == "changes of servers are not kept over a restart"
    a.changes.everywhere.weigh("web", "web1", 8)
    await a.changes.save()
    assert [one.change.value for one in store.load(pair.folder / "pi-a")] == [8]


async def test_what_is_new_is_kept_without_being_asked(tmp_path: Path) -> None:
    changes = NodeChanges(Register("pi-a", Said(pools=pools())), CheckRunner(pools(), lambda *_: None), tmp_path)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(changes.run)
        changes.everywhere.weigh("web", "web1", 7)
        with trio.fail_after(60):
            while not (tmp_path / "changes").exists():
                await trio.lowlevel.checkpoint()
        nursery.cancel_scope.cancel()
    assert changes.reach_of(local=False) == ""


@pytest.mark.parametrize("weight", [5, 6])
async def test_what_checks_make_of_a_reload_is_what_is_kept(pair: Pair, weight: int) -> None:
    a = pair.start(A)
    a.changes.everywhere.weigh("web", "web1", 7)
    a.changes.everywhere.administer("web", "web1", "drain", by="me")
    a.checks.reload(pools(weight))
    a.changes.reloaded(a.changes.reload(Said(pools=pools(weight))))
    held = {one.change.what: one.standing for one in a.changes.entries}
    assert held == {"weight": "held" if weight == 5 else "spent", "admin": "held"}
    assert a.stands == ("drain", "me", 7 if weight == 5 else None)
