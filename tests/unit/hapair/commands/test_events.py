"""`hapair events`: what is asked, and a line for each."""

import json
from collections.abc import AsyncGenerator, Mapping
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from hapair.admin.runtime import NotRunningError
from hapair.commands import events

DOWN = {
    "id": 7, "at": 1_700_000_000.25, "node": "pi-a", "kind": "server", "severity": "warning", "subject": "web/web1",
    "words": "web/web1 is DOWN", "reason": "[Errno 111] refused", "by": "", "details": {"up": False},
}  # fmt: skip
DRAIN = {**DOWN, "kind": "admin", "severity": "info", "words": "web/web1 is DRAIN", "reason": "", "by": "anna"}
ZONE = timezone(timedelta(hours=2))
NOW = datetime(2026, 1, 31, 12, 0, 0, tzinfo=ZONE)


class Node:
    def __init__(self, *answers: Any) -> None:
        self.answers = answers
        self.asked: list[Mapping[str, Any]] = []

    async def follow(self, _: Path, request: Mapping[str, Any]) -> AsyncGenerator[Any, None]:
        self.asked.append(request)
        for answer in self.answers:
            if isinstance(answer, BaseException):
                raise answer
            yield answer


def run(monkeypatch: pytest.MonkeyPatch, answers: list[Any], *arguments: str) -> tuple[Node, int, list[str]]:
    node = Node(*answers)
    monkeypatch.setenv("TZ", "UTC")
    monkeypatch.setattr(events, "follow", node.follow)
    result = CliRunner().invoke(events.command, arguments)
    return node, result.exit_code, result.output.splitlines()


def test_a_line_each(monkeypatch: pytest.MonkeyPatch) -> None:
    node, status, lines = run(monkeypatch, [DOWN, {"alive": True}, DRAIN])
    assert (status, [line[10:] for line in lines]) == (
        0,
        [
            lines[0][10:19] + ".250 pi-a server       web/web1 is DOWN ([Errno 111] refused)",
            lines[1][10:19] + ".250 pi-a admin        web/web1 is DRAIN by anna",
        ],
    )
    assert node.asked == [{"command": "events", "since": None, "last": None, "follow": False, "local": False}]


def test_for_machines(monkeypatch: pytest.MonkeyPatch) -> None:
    _, _, lines = run(monkeypatch, [DOWN, {"alive": True}, DRAIN], "--json")
    assert [json.loads(line) for line in lines] == [DOWN, DRAIN]


def test_following_begins_with_the_last_ten_and_ends_with_the_node(monkeypatch: pytest.MonkeyPatch) -> None:
    node, status, lines = run(monkeypatch, [DOWN], "--follow")
    assert node.asked == [{"command": "events", "since": None, "last": 10, "follow": True, "local": False}]
    assert (status, lines[-1]) == (1, "hapair: the node is gone")
    node, _, _ = run(monkeypatch, [DOWN], "-f", "-n", "0")
    assert node.asked[0]["last"] == 0
    node, _, _ = run(monkeypatch, [DOWN], "-f", "--since", "1970-01-01T00:00:10+00:00")
    assert (node.asked[0]["last"], node.asked[0]["since"]) == (None, 10.0)


def test_those_of_this_node_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    node, _, _ = run(monkeypatch, [DOWN], "--local")
    assert node.asked[0]["local"] is True


def test_ctrl_c_is_a_good_end(monkeypatch: pytest.MonkeyPatch) -> None:
    assert run(monkeypatch, [DOWN, KeyboardInterrupt()], "-f")[1] == 0


@pytest.mark.parametrize(
    ("answer", "status", "words"),
    [
        (NotRunningError("no hapair answers"), 3, "hapair: no hapair answers"),
        (PermissionError(), 1, "hapair: no permission to ask on /run/hapair; try it as root (sudo hapair events)"),
        ({"error": "no such thing"}, 1, "hapair: no such thing"),
    ],
)
def test_what_goes_wrong(monkeypatch: pytest.MonkeyPatch, answer: Any, status: int, words: str) -> None:
    assert run(monkeypatch, [answer], "--runtime-dir", "/run/hapair")[1:] == (status, [words])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("10m", datetime(2026, 1, 31, 11, 50, tzinfo=ZONE)),
        ("90s", datetime(2026, 1, 31, 11, 58, 30, tzinfo=ZONE)),
        ("2h", datetime(2026, 1, 31, 10, 0, tzinfo=ZONE)),
        ("1d", datetime(2026, 1, 30, 12, 0, tzinfo=ZONE)),
        ("3:15", datetime(2026, 1, 31, 3, 15, tzinfo=ZONE)),
        ("03:15:20", datetime(2026, 1, 31, 3, 15, 20, tzinfo=ZONE)),
        ("2026-01-30T03:15", datetime(2026, 1, 30, 3, 15, tzinfo=ZONE)),
        ("2026-01-30T03:15:00+00:00", datetime(2026, 1, 30, 5, 15, tzinfo=ZONE)),
    ],
)
def test_since_when(text: str, expected: datetime) -> None:
    assert events.instant(text, NOW) == expected.timestamp()


@pytest.mark.parametrize("text", ["", "10", "yesterday", "25:00", "-5m", "999999999d", "9999999999s"])
def test_a_time_that_is_none(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    _, status, lines = run(monkeypatch, [], "--since", text)
    assert status == 2
    assert "say 10m, 2h, 1d, 03:15 (today) or 2026-01-31T03:15" in " ".join(lines)
