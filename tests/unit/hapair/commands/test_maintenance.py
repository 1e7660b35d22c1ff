"""`hapair maintenance`: what is asked, what is shown, and how it ends."""

import json
from collections.abc import AsyncGenerator, Mapping
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from hapair.admin.runtime import NotRunningError
from hapair.commands import conversation, maintenance

NEWS, DONE = {"news": "asking pi-b"}, {"ok": True, "words": "pi-a is in maintenance"}
REFUSED = {"ok": False, "words": "pi-a goes on"}


def run(
    monkeypatch: pytest.MonkeyPatch, answers: list[Any], *arguments: str
) -> tuple[list[Mapping[str, Any]], int, list[str]]:
    asked: list[Mapping[str, Any]] = []

    async def follow(_: Path, request: Mapping[str, Any]) -> AsyncGenerator[Any, None]:
        asked.append(request)
        for answer in answers:
            if isinstance(answer, Exception):
                raise answer
            yield answer

    monkeypatch.setattr(conversation, "follow", follow)
    result = CliRunner().invoke(maintenance.command, arguments)
    return asked, result.exit_code, result.output.splitlines()


def test_on_and_off(monkeypatch: pytest.MonkeyPatch) -> None:
    asked, status, lines = run(monkeypatch, [NEWS, DONE], "on")
    assert asked == [{"command": "maintenance", "on": True, "force": False}]
    assert (status, lines) == (0, ["asking pi-b", "pi-a is in maintenance"])
    assert run(monkeypatch, [DONE], "off")[0] == [{"command": "maintenance", "on": False, "force": False}]
    assert run(monkeypatch, [DONE], "on", "--force")[0][0]["force"] is True


def test_for_machines(monkeypatch: pytest.MonkeyPatch) -> None:
    _, _, lines = run(monkeypatch, [NEWS, DONE], "on", "--json")
    assert [json.loads(line) for line in lines] == [NEWS, DONE]


@pytest.mark.parametrize(
    ("answers", "arguments", "status", "said"),
    [
        ([NEWS, REFUSED], ("on",), 1, "hapair: pi-a goes on"),
        ([{"error": "there is no command maintenance"}], ("on",), 1, "hapair: there is no command maintenance"),
        ([], ("on",), 1, "hapair: the node went away in the midst of it"),
        ([NotRunningError("no hapair answers")], ("on",), 3, "hapair: no hapair answers"),
        ([], ("sideways",), 2, "'sideways' is not one of 'on', 'off'."),
        ([], (), 2, "Missing argument"),
    ],
)
def test_what_goes_wrong(
    monkeypatch: pytest.MonkeyPatch, answers: list[Any], arguments: tuple[str, ...], status: int, said: str
) -> None:
    _, code, lines = run(monkeypatch, answers, *arguments)
    assert code == status
    assert said in lines[-1] or said in " ".join(lines)
