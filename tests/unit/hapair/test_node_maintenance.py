"""A node goes out of the pair when its peer has taken over, and stays out."""

from collections.abc import AsyncGenerator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hapair.events.event import Happening
from hapair.events.feed import acting
from hapair.maintenance import Maintenance, remember, remembered
from hapair.node_maintenance import NodeMaintenance
from hapair.snapshot import MaintenanceView
from tests.unit.hapair.admin.sample import NODE


class Node:
    """What a maintenance does to it."""

    def __init__(self, folder: Path, *, active: bool = True, taken: bool = True) -> None:
        self.done: list[str] = []
        self.told: list[Happening] = []
        self.taken = taken
        self.maintenance = NodeMaintenance(
            "pi-a",
            folder,
            self.hand_over,
            lambda: {"lan": "Active" if active else "Backup"},
            lambda: self.done.append("judged anew"),
            record=self.told.append,
        )

    async def hand_over(self, reason: str) -> AsyncGenerator[Any, None]:
        self.done.append(f"hand over: {reason}")
        yield {"news": "asking pi-b"}
        yield {"ok": self.taken, "words": "pi-b has the VIPs" if self.taken else "pi-b refuses"}

    async def say(self, **request: Any) -> list[Any]:
        return [line async for line in self.maintenance.story({"command": "maintenance", **request})]


async def test_the_peer_takes_over_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hapair.node_maintenance.time.time", lambda: 1_700_000_000.0)
    node = Node(tmp_path)
    assert node.maintenance.reason is None
    acting.set("root (runtime socket)")
    assert await node.say(on=True) == [
        {"news": "asking pi-b"},
        {"news": "pi-b has the VIPs"},
        {"ok": True, "words": "pi-a is in maintenance: it takes no part until `hapair maintenance off`"},
    ]
    assert node.done == ["hand over: maintenance", "judged anew"]
    assert node.maintenance.reason == "in maintenance, by root (runtime socket)"
    assert remembered(tmp_path) == Maintenance("root (runtime socket)", 1_700_000_000.0)
    assert [(one.kind, one.details) for one in node.told] == [("maintenance", {"on": True})]
    assert await node.say(on=True) == [
        {"ok": True, "words": "pi-a is in maintenance already, by root (runtime socket)"}
    ]


async def test_where_nobody_takes_over_it_goes_on_unless_it_is_forced(tmp_path: Path) -> None:
    node = Node(tmp_path, taken=False)
    assert (await node.say(on=True))[1:] == [
        {"news": "pi-b refuses"},
        {"ok": False, "words": "pi-a goes on: nobody takes over; with --force it goes all the same"},
    ]
    assert (node.maintenance.reason, remembered(tmp_path), node.told) == (None, None, [])
    assert (await node.say(on=True, force=True))[-1]["ok"] is True
    assert node.maintenance.reason is not None


async def test_a_standby_has_nothing_to_hand_over(tmp_path: Path) -> None:
    node = Node(tmp_path, active=False)
    assert [line["ok"] for line in await node.say(on=True)] == [True]
    assert node.done == ["judged anew"]


async def test_it_stays_out_over_a_restart_until_off(tmp_path: Path) -> None:
    remember(tmp_path, Maintenance("anna", 1_700_000_000.0))
    node = Node(tmp_path, active=False)
    assert node.maintenance.reason == "in maintenance, by anna"
    assert await node.say(on=False) == [
        {
            "ok": True,
            "words": "pi-a takes part again; `hapair preempt` lets it take back what it handed over",
        }
    ]
    assert (node.maintenance.reason, remembered(tmp_path)) == (None, None)
    assert [one.details for one in node.told] == [{"on": False}]
    assert await node.say(on=False) == [{"ok": True, "words": "pi-a is not in maintenance"}]


async def test_what_cannot_be_remembered_is_not_begun(tmp_path: Path) -> None:
    node = Node(tmp_path / "state", active=False)
    (tmp_path / "state").write_text("a file where a folder should be")
    assert await node.say(on=True) == [
        {"ok": False, "words": f"it cannot be remembered in {tmp_path}/state: File exists"}
    ]
    assert node.maintenance.reason is None


@pytest.mark.parametrize("on", [None, "on", 1])
async def test_a_request_that_says_nothing(tmp_path: Path, on: Any) -> None:
    assert await Node(tmp_path).say(on=on) == [{"ok": False, "words": "say whether it is to be on: true or false"}]


def test_the_status_says_so(tmp_path: Path) -> None:
    assert Node(tmp_path).maintenance.with_maintenance(NODE) is NODE
    remember(tmp_path, Maintenance("anna", 1_700_000_000.0))
    assert Node(tmp_path).maintenance.with_maintenance(NODE) == replace(
        NODE,
        maintenance=MaintenanceView(by="anna", since=1_700_000_000.0),
        warnings=("in maintenance, by anna: it takes no part until `hapair maintenance off`", "look"),
    )
