from pathlib import Path
from typing import Any

import pytest

from balancer.checks.runner import CheckRunner
from balancer.config import Check, Pool, Server
from balancer.fieldtypes import Endpoint
from hapair.node_changes import NodeChanges
from hapair.node_servers import server_story

POOLS = {"web": Pool(servers={"web1": Server(address=Endpoint("192.0.2.1", 80), weight=5)}, check=Check())}


@pytest.fixture
def checks() -> CheckRunner:
    return CheckRunner(POOLS, lambda *_: None)


@pytest.fixture
async def changes(checks: CheckRunner, tmp_path: Path) -> NodeChanges:
    return NodeChanges("pi-a", POOLS, checks, tmp_path)


async def answer(checks: CheckRunner, changes: NodeChanges, **request: Any) -> Any:
    return [line async for line in server_story(checks, changes, {"command": "server", **request})]


async def test_what_is_said_is_done(checks: CheckRunner, changes: NodeChanges) -> None:
    assert await answer(checks, changes, server="web/web1", admin="drain") == [
        {"ok": True, "words": "web/web1 is DRAIN, UP 1/3, of weight 5", "admin": "drain", "up": True, "weight": 5}
    ]
    assert checks.snapshot()["web"]["web1"].admin == "drain"
    assert (await answer(checks, changes, server="web/web1", weight=7))[0]["weight"] == 7
    assert (await answer(checks, changes, server="web/web1", weight="file", admin="ready"))[0]["words"] == (
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
async def test_what_cannot_be_done(
    checks: CheckRunner, changes: NodeChanges, request_: dict[str, Any], words: str
) -> None:
    assert await answer(checks, changes, **request_) == [{"ok": False, "words": words}]


async def test_it_is_kept_for_both_nodes_or_for_this_one(checks: CheckRunner, changes: NodeChanges) -> None:
    await answer(checks, changes, server="web/web1", admin="drain")
    await answer(checks, changes, server="web/web1", weight=7, local=True)
    assert [(one.change.what, one.change.local) for one in changes.entries] == [("admin", False), ("weight", True)]
