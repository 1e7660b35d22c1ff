from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from balancer.checks.runner import CheckRunner
from hapair.changes.change import Said
from hapair.changes.register import Register
from hapair.node_changes import NodeChanges
from hapair.node_frontends import frontend_story
from tests.unit.hapair.test_node_traffic import Stage


class Node:
    """A frontend's traffic, and what is said of it kept."""

    def __init__(self, folder: Path) -> None:
        self.stage = Stage()
        said = Said(pools=self.stage.config.pools, frontends=self.stage.config.frontends)
        self.changes = NodeChanges(Register("pi-a", said), CheckRunner({}, lambda *_: None), folder)
        self.traffic = self.stage.keeping(self.changes.said_of_frontend)

    async def answer(self, **request: Any) -> Any:
        story = frontend_story(self.traffic, self.changes, {"command": "frontend", **request})
        (line,) = [line async for line in story]
        return line

    @property
    def kept(self) -> list[tuple[str, str, object, bool]]:
        known = (entry.change for entry in self.changes.entries)
        return [(one.what, one.pool, one.value, one.local) for one in known]


@pytest.fixture
async def node(tmp_path: Path) -> AsyncIterator[Node]:
    node = Node(tmp_path)
    yield node
    node.stage.socket.close()


async def test_what_is_said_is_done_and_kept(node: Node) -> None:
    assert await node.answer(frontend="web", enabled=False) == {"ok": True, "words": "web listens no more"}
    assert node.stage.connect() == "refused"
    assert await node.answer(frontend="web", enabled=True, max_connections=7, local=True) == {
        "ok": True,
        "words": "web takes 7 connections at most and listens",
    }
    assert node.stage.connect() == "connected"
    assert node.kept == [("frontend_limit", "web", 7, True), ("disabled", "web", False, True)]
    assert (await node.answer(frontend="web", max_connections="file"))["words"] == "web has the limit of the file"
    assert node.stage.heard[-1] == ("limit", "web", 9000)


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        ({"frontend": "wob", "enabled": True}, "there is no frontend wob; did you mean web?"),
        ({"frontend": None, "enabled": True}, "there is no frontend None; valid here: dns, web"),
        ({"frontend": "web"}, "say what is to become of it: enabled, or max_connections"),
        ({"frontend": "web", "enabled": 1}, "enabled must be true or false"),
        ({"frontend": "web", "enabled": True, "local": 1}, "local must be true or false"),
        ({"frontend": "web", "max_connections": 0},
         "max_connections must be from 1 to 1000000, or file for those in the file"),
        ({"frontend": "dns", "enabled": False},
         "a frontend of mode udp cannot be disabled: take its servers out of service"),
    ],
)  # fmt: skip
async def test_what_cannot_be_done(node: Node, request_: dict[str, Any], words: str) -> None:
    assert await node.answer(**request_) == {"ok": False, "words": words}
    assert node.kept == []
