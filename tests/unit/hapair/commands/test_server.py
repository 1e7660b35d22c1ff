"""`hapair server`: what is asked, what is shown, and how it ends."""

import json
from collections.abc import AsyncGenerator, Mapping
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from hapair.admin.runtime import NotRunningError
from hapair.commands import conversation, server

DONE = {"ok": True, "words": "web/web1 is DRAIN, UP, of weight 5", "admin": "drain", "up": True, "weight": 5}


class Node:
    def __init__(self, answer: Any) -> None:
        self.answer = answer
        self.asked: list[Mapping[str, Any]] = []

    async def follow(self, _: Path, request: Mapping[str, Any]) -> AsyncGenerator[Any, None]:
        self.asked.append(request)
        if isinstance(self.answer, Exception):
            raise self.answer
        if self.answer is not None:
            yield self.answer


def run(monkeypatch: pytest.MonkeyPatch, answer: Any, *arguments: str) -> tuple[Node, int, str]:
    node = Node(answer)
    monkeypatch.setattr(conversation, "follow", node.follow)
    result = CliRunner().invoke(server.command, arguments)
    return node, result.exit_code, result.output.strip()


def test_in_words_and_for_machines(monkeypatch: pytest.MonkeyPatch) -> None:
    node, status, output = run(monkeypatch, DONE, "web/web1", "drain")
    assert (status, output) == (0, "web/web1 is DRAIN, UP, of weight 5")
    assert node.asked == [{"command": "server", "server": "web/web1", "admin": "drain", "weight": None, "local": False}]
    assert json.loads(run(monkeypatch, DONE, "web/web1", "drain", "--json")[2]) == DONE


def test_on_this_node_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    assert run(monkeypatch, DONE, "web/web1", "drain", "--local")[0].asked[0]["local"] is True


@pytest.mark.parametrize(("written", "weight"), [("0", 0), ("256", 256), ("file", "file")])
def test_a_weight(monkeypatch: pytest.MonkeyPatch, written: str, weight: Any) -> None:
    node, status, _ = run(monkeypatch, DONE, "web/web1", "--weight", written)
    assert (status, node.asked[0]["weight"], node.asked[0]["admin"]) == (0, weight, None)


def test_a_server_is_added(monkeypatch: pytest.MonkeyPatch) -> None:
    node, status, _ = run(monkeypatch, DONE, "web/web9", "add", "192.0.2.9:80")
    assert status == 0
    assert node.asked == [
        {
            "command": "server", "server": "web/web9", "action": "add", "address": "192.0.2.9:80", "weight": None,
            "local": False, "max_connections": None, "backup": None, "check": None,
        }
    ]  # fmt: skip
    options = ("--weight", "3", "--max-connections", "9", "--backup", "--unchecked", "--maint", "--local")
    asked = run(monkeypatch, DONE, "web/web9", "add", "192.0.2.9:80", *options)[0].asked[0]
    assert (asked["weight"], asked["max_connections"], asked["backup"], asked["check"]) == (3, 9, True, False)
    assert (asked["admin"], asked["local"]) == ("maint", True)


def test_and_removed(monkeypatch: pytest.MonkeyPatch) -> None:
    node = run(monkeypatch, DONE, "web/web9", "remove")[0]
    assert node.asked == [
        {"command": "server", "server": "web/web9", "action": "remove", "weight": None, "local": False}
    ]


@pytest.mark.parametrize(
    "arguments",
    [
        *[("web/web1",), ("web/web1", "gone"), ("web/web1", "--weight", "257"), ()],
        *[("web/web1", "add"), ("web/web1", "drain", "192.0.2.9:80"), ("web/web1", "remove", "--backup")],
    ],
)
def test_wrong_usage(monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]) -> None:
    node, status, _ = run(monkeypatch, DONE, *arguments)
    assert (status, node.asked) == (2, [])


@pytest.mark.parametrize(
    ("answer", "status", "words"),
    [
        ({"ok": False, "words": "there is no server x"}, 1, "hapair: there is no server x"),
        (None, 1, "hapair: the node went away in the midst of it"),
        (NotRunningError("no hapair answers"), 3, "hapair: no hapair answers"),
    ],
)
def test_what_cannot_be_done(monkeypatch: pytest.MonkeyPatch, answer: Any, status: int, words: str) -> None:
    assert run(monkeypatch, answer, "web/web1", "drain")[1:] == (status, words)
