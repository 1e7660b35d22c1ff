"""A reload from the file to the parts of a node, which is a fake here: what is tried, in what order, what is said."""

from collections.abc import Collection
from pathlib import Path
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from balancer.fieldtypes import Endpoint
from balancer.listener import ListenFailed
from balancer.tls.material import Material
from hapair.certificates.store import Reading, Trouble
from hapair.config import NodeConfig, load, node_view
from hapair.events.event import Happening
from hapair.logfiles import LogFiles
from hapair.messages import StartRouters
from hapair.node_reload import NodeReload
from hapair.node_sockets import NodeSockets
from hapair.reload.plan import Plan, Served

TEXT = """\
pair: {nodes: {pi-a: 192.0.2.11, pi-b: 192.0.2.12}}
frontends: {web: {listen: ["192.0.2.100:80"], pool: web}}
pools: {web: {servers: {one: "192.0.2.21:80", two: "192.0.2.22:80"}}}
"""
OTHER = TEXT.replace(', two: "192.0.2.22:80"', "")


class FakeNode:
    def __init__(self) -> None:
        self.said: list[str] = []
        self.events: list[Happening] = []
        self.vips = False
        self.why_not: str | None = None
        self.fatal: list[Trouble] = []
        self.taken = False
        self.troubles: list[str] = []
        self.lost: list[str] = []

    def active_routers(self) -> set[str]:
        return {"lan"} if self.vips else set()

    def active_frontends(self) -> set[str]:
        return {"web"} if self.vips else set()

    def sockets_for(self, config: NodeConfig) -> NodeSockets:
        if self.taken:
            raise ListenFailed(Endpoint("192.0.2.100", 80), "the port is taken by nginx")
        self.said.append("sockets")
        return NodeSockets({}, {}, {}, LogFiles(()))

    def close_beside(self, sockets: NodeSockets) -> None:
        self.said.append("closed")

    def try_certificates(self, config: NodeConfig) -> Reading:
        return Reading(Material(), troubles=self.fatal)

    async def move_away(self, reason: str, *, only: Collection[str] | None = None) -> str | None:
        self.said.append("moved" if only is None else f"moved {', '.join(sorted(only))}: {reason}")
        return self.why_not

    def superseded(self, config: NodeConfig) -> list[str]:
        return self.lost

    def apply(self, served: Served, plan: Plan, sockets: NodeSockets, reading: Reading) -> None:
        self.said.append("applied")

    async def settled(self, limit_s: float) -> list[str]:
        self.said.append("settled")
        return self.troubles

    def record(self, happening: Happening) -> object:
        self.events.append(happening)
        return None


class Stage:
    def __init__(self, folder: Path, text: str = TEXT) -> None:
        self.path = folder / "hapair.yaml"
        self.path.write_text(text)
        loaded = load(self.path)
        config = node_view(loaded, "pi-a")
        self.node = FakeNode()
        opening = StartRouters(routers=config.routers)
        self.reload = NodeReload(
            self.node, Served(file=loaded.file, config=config, opening=opening), path=str(self.path)
        )

    async def ask(self, **request: Any) -> list[Any]:
        return [line async for line in self.reload.story({"command": "reload", **request})]


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path)


async def test_a_change_is_tried_then_applied_then_waited_for(stage: Stage) -> None:
    stage.path.write_text(OTHER)
    (last,) = await stage.ask()
    assert (last["ok"], last["words"], last["changes"]) == (True, "reloaded: 1 change", ("- pools.web.servers.two",))
    assert stage.node.said == ["sockets", "applied", "settled"]
    assert [(one.kind, one.words, one.reason) for one in stage.node.events] == [
        ("reload", "reloaded: 1 change", "hapair reload")
    ]
    (again,) = await stage.ask()
    assert again["words"] == "reloaded: nothing is different"


async def test_a_file_that_is_wrong_changes_nothing_and_says_why(stage: Stage) -> None:
    stage.path.write_text(OTHER + "nonsense: 1\n")
    (last,) = await stage.ask()
    assert not last["ok"]
    assert last["words"].startswith(f"not reloaded, nothing is changed: {stage.path}:4:1: nonsense: unknown key")
    assert stage.node.said == []
    assert stage.node.events[0].severity == "warning"


async def test_what_cannot_be_opened_or_served_changes_nothing(stage: Stage) -> None:
    stage.path.write_text(OTHER)
    stage.node.taken = True
    (last,) = await stage.ask()
    assert last["words"].endswith("cannot listen on 192.0.2.100:80: the port is taken by nginx")
    stage.node.taken, stage.node.fatal = False, [Trouble("frontend web", "a.pem", "cannot be read", fatal=True)]
    (last,) = await stage.ask()
    assert last["words"].endswith("frontend web: a.pem: cannot be read")
    assert stage.node.said == []


async def test_this_node_must_still_be_in_it(stage: Stage) -> None:
    stage.path.write_text(OTHER.replace("pi-a", "pi-c"))
    (last,) = await stage.ask()
    assert "this machine calls itself 'pi-a'" in last["words"]


async def test_what_needs_the_vips_elsewhere_moves_them_first_or_changes_nothing(stage: Stage) -> None:
    stage.path.write_text(TEXT.replace("pool: web}}", "pool: web, mode: tcp, plane: kernel}}"))
    stage.node.vips, stage.node.why_not = True, "pi-b refuses: no worker serves"
    news, last = await stage.ask()
    assert news == {"news": "the VIPs are handed over first: frontend web goes from plane proxy to kernel"}
    assert last["words"] == (
        "not reloaded, nothing is changed: frontend web goes from plane proxy to kernel: "
        "that needs a handover first, and pi-b refuses: no worker serves"
    )
    assert stage.node.said == ["sockets", "moved", "closed"]
    stage.node.why_not = None
    _, last = await stage.ask()
    assert last["ok"]
    assert stage.node.said[3:] == ["sockets", "moved", "applied", "settled"]


ROUTER = "virtual_routers: {lan: {vrid: 51, interface: eth0, addresses: [192.0.2.100/24]}}\n"


async def test_a_virtual_router_begins_anew_with_its_vips_elsewhere_if_the_peer_takes_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hapair.node_reload.missing_privileges", lambda config: None)
    stage = Stage(tmp_path, TEXT + ROUTER)
    stage.node.vips = True
    for vrid in (52, 53):
        stage.path.write_text(TEXT + ROUTER.replace("51", str(vrid)))
        lines = await stage.ask()
        news, *more, last = [line for line in lines if not line.get("news", "").startswith("warning: ")]
        assert news["news"] == (
            "the VIPs of lan are handed over first, if the peer takes them; "
            f"virtual router lan begins anew: vrid is {vrid} instead of {vrid - 1}"
        )
        assert last["ok"]
        stage.node.why_not = "the link to the peer is down: nobody can take over"
    assert more == [{"news": "lan: begins anew without a handover: the link to the peer is down: nobody can take over"}]
    assert stage.node.said == ["sockets", "moved lan: a reload makes lan anew", "applied", "settled"] * 2


async def test_a_virtual_router_changes_in_place_and_nothing_moves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hapair.node_reload.missing_privileges", lambda config: None)
    stage = Stage(tmp_path, TEXT + ROUTER)
    stage.node.vips = True
    stage.path.write_text(TEXT + ROUTER.replace("eth0", "eth0, priority: 50"))
    *_, last = await stage.ask()
    assert (last["ok"], stage.node.said) == (True, ["sockets", "applied", "settled"])


async def test_what_did_not_go_well_is_said(stage: Stage) -> None:
    stage.path.write_text(OTHER)
    stage.node.troubles = ["worker 1: no"]
    (last,) = await stage.ask()
    assert (last["ok"], last["words"]) == (False, "reloaded: 1 change; worker 1: no")


async def test_what_would_be_done_is_told_and_not_done(stage: Stage, tmp_path: Path) -> None:
    other = tmp_path / "other.yaml"
    other.write_text(OTHER)
    (told,) = await stage.ask(dry_run=True, path=str(other))
    assert (told["words"], told["changes"]) == ("this is applied in place", ("- pools.web.servers.two",))
    (told,) = await stage.ask(dry_run=True)
    assert told["words"] == "nothing is different"
    (told,) = await stage.ask(dry_run=True, path="hapair.yaml")
    assert not told["ok"]
    assert stage.node.said == []


async def test_a_signal_is_carried_out_and_logged(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    stage.path.write_text(OTHER)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(stage.reload.run)
        stage.reload.ask("SIGHUP")
        await trio.testing.wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    assert stage.node.said == ["sockets", "applied", "settled"]


@pytest.mark.parametrize(
    ("watch", "said"), [("", []), ("runtime: {watch_file: true}\n", ["sockets", "applied", "settled"])]
)
async def test_the_file_is_watched_if_asked_for(
    autojump_clock: MockClock, tmp_path: Path, watch: str, said: list[str]
) -> None:
    stage = Stage(tmp_path, TEXT + watch)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(stage.reload.run)
        await trio.sleep(5)
        stage.path.write_text(OTHER + watch)
        await trio.sleep(10)
        nursery.cancel_scope.cancel()
    assert stage.node.said == said
