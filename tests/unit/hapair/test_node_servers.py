from pathlib import Path
from typing import Any

import pytest

from balancer.config import Check, Pool, Server
from balancer.fieldtypes import Endpoint
from hapair.node_servers import server_story
from tests.unit.hapair.membership_stage import MembershipStage

POOLS = {"web": Pool(servers={"web1": Server(address=Endpoint("192.0.2.1", 80), weight=5)}, check=Check())}


@pytest.fixture
async def stage(tmp_path: Path) -> MembershipStage:
    return MembershipStage(POOLS, tmp_path)


async def answer(stage: MembershipStage, **request: Any) -> Any:
    story = server_story(stage.checks, stage.changes, stage.members, {"command": "server", **request})
    return [line async for line in story]


async def test_what_is_said_is_done(stage: MembershipStage) -> None:
    assert await answer(stage, server="web/web1", admin="drain") == [
        {"ok": True, "words": "web/web1 is DRAIN, UP 1/3, of weight 5", "admin": "drain", "up": True, "weight": 5}
    ]
    assert stage.checks.snapshot()["web"]["web1"].admin == "drain"
    assert (await answer(stage, server="web/web1", weight=7))[0]["weight"] == 7
    assert (await answer(stage, server="web/web1", weight="file", admin="ready"))[0]["words"] == (
        "web/web1 is READY, UP 1/3, of weight 5"
    )


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        ({"server": "web/web2", "admin": "drain"}, "there is no server web/web2; did you mean web/web1?"),
        ({"server": None, "admin": "drain"}, "there is no server None; valid here: web/web1"),
        ({"server": "web/web1", "admin": "gone"}, "gone is not one of ready, drain, maint"),
        ({"server": "web/web1", "weight": 257}, "weight must be from 0 to 256, or file for the one in the file"),
        ({"server": "web/web1", "weight": True}, "weight must be from 0 to 256, or file for the one in the file"),
        ({"server": "web/web1", "admin": "drain", "local": 1}, "local must be true or false"),
        ({"server": "web/web1"}, "say what is to become of it: ready, drain, maint or a weight"),
    ],
)
async def test_what_cannot_be_done(stage: MembershipStage, request_: dict[str, Any], words: str) -> None:
    assert await answer(stage, **request_) == [{"ok": False, "words": words}]


async def test_it_is_kept_for_both_nodes_or_for_this_one(stage: MembershipStage) -> None:
    await answer(stage, server="web/web1", admin="drain")
    await answer(stage, server="web/web1", weight=7, local=True)
    assert [(one.change.what, one.change.local) for one in stage.changes.entries] == [
        ("admin", False),
        ("weight", True),
    ]


async def test_a_server_is_added_and_removed(stage: MembershipStage) -> None:
    added = {"ok": True, "words": "web/web9 is added"}
    whole = {"weight": 3, "max_connections": 9, "backup": True, "check": False, "admin": "maint", "local": True}
    assert await answer(stage, server="web/web9", action="add", address="192.0.2.9:81", **whole) == [added]
    assert stage.changes.pools["web"].servers["web9"] == Server(
        address=Endpoint("192.0.2.9", 81), weight=3, max_connections=9, backup=True, check=False, disabled=True
    )
    assert [one.change.local for one in stage.changes.entries] == [True]
    removed = {"ok": True, "words": "web/web9 is removed"}
    assert await answer(stage, server="web/web9", action="remove") == [removed]
    assert (await answer(stage, server="web/web8", action="add", address="app.internal:81", weight=None))[0]["ok"]
    assert stage.checks.snapshot()["web"]["web8"].admin == "ready"


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        ({"server": "web", "action": "add"}, "server must be POOL/SERVER"),
        ({"server": "web/web9", "action": "add"}, "address is missing: where to connect to"),
        ({"server": "web/web9", "action": "add", "address": "192.0.2.9"},
         "'192.0.2.9' is not ADDRESS:PORT, for example 192.0.2.1:80 or [2001:db8::1]:80"),
        ({"server": "web/web9", "action": "add", "address": "192.0.2.9:1", "weight": "file"},
         "weight must be a number"),
        ({"server": "web/web9", "action": "add", "address": "192.0.2.9:1", "weight": 257},
         "weight must be from 0 to 256"),
        ({"server": "web/web9", "action": "add", "address": "192.0.2.9:1", "backup": 1},
         "backup must be true or false"),
        ({"server": "web/web9", "action": "add", "address": "192.0.2.9:1", "admin": "drain"},
         "a new server is ready or in maint"),
        ({"server": "api/web9", "action": "add", "address": "192.0.2.9:1"}, "there is no pool api"),
        ({"server": "web/web9", "action": "remove"}, "there is no server web/web9"),
        ({"server": "web/web1", "action": "remove"}, "web/web1 must be in MAINT before it is removed"),
        ({"server": "web/web1", "action": "remove", "local": 1}, "local must be true or false"),
        ({"server": "web/web1", "action": "grow"}, "action must be add or remove"),
    ],
)  # fmt: skip
async def test_what_cannot_be_added_or_removed(stage: MembershipStage, request_: dict[str, Any], words: str) -> None:
    assert await answer(stage, **request_) == [{"ok": False, "words": words}]
    assert stage.changes.entries == ()
