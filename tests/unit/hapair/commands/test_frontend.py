"""`hapair frontend`: what is asked, what is shown, and how it ends."""

import json
from typing import Any

import pytest
from click.testing import CliRunner

from hapair.admin.runtime import NotRunningError
from hapair.commands import conversation, frontend
from tests.unit.hapair.commands.test_server import Node

DONE = {"ok": True, "words": "web listens no more, on both nodes"}


def run(monkeypatch: pytest.MonkeyPatch, answer: Any, *arguments: str) -> tuple[Node, int, str]:
    node = Node(answer)
    monkeypatch.setattr(conversation, "follow", node.follow)
    result = CliRunner().invoke(frontend.command, arguments)
    return node, result.exit_code, result.output.strip()


def test_in_words_and_for_machines(monkeypatch: pytest.MonkeyPatch) -> None:
    node, status, output = run(monkeypatch, DONE, "web", "disable")
    assert (status, output) == (0, "web listens no more, on both nodes")
    wanted = {"frontend": "web", "enabled": False, "max_connections": None, "local": False}
    assert node.asked == [{"command": "frontend", **wanted}]
    assert json.loads(run(monkeypatch, DONE, "web", "enable", "--json")[2]) == DONE


def test_a_limit_on_this_node_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = run(monkeypatch, DONE, "web", "--max-connections", "7", "--local")[0].asked[0]
    assert (asked["enabled"], asked["max_connections"], asked["local"]) == (None, 7, True)
    assert run(monkeypatch, DONE, "web", "--max-connections", "file")[0].asked[0]["max_connections"] == "file"


@pytest.mark.parametrize("arguments", [("web",), ("web", "gone"), ("web", "--max-connections", "0"), ()])
def test_wrong_usage(monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]) -> None:
    node, status, _ = run(monkeypatch, DONE, *arguments)
    assert (status, node.asked) == (2, [])


@pytest.mark.parametrize(
    ("answer", "status", "words"),
    [
        ({"ok": False, "words": "there is no frontend web"}, 1, "there is no frontend web"),
        ({"error": "there is no command frontend"}, 1, "there is no command frontend"),
        (None, 1, "the node went away in the midst of it"),
        (NotRunningError("no hapair answers"), 3, "no hapair answers"),
        (PermissionError(), 1, "try it as root"),
    ],
)
def test_what_goes_wrong(monkeypatch: pytest.MonkeyPatch, answer: Any, status: int, words: str) -> None:
    _, ended, output = run(monkeypatch, answer, "web", "enable")
    assert ended == status
    assert words in output
