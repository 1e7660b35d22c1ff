"""`hapair preempt`: what is shown, and how it ends."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from hapair.admin.runtime import NotRunningError
from hapair.commands import preempt

DONE = {"ok": True, "words": "lan preempts again"}
REFUSED = {"ok": False, "words": "the announcer is not running"}


@pytest.fixture
def answer(monkeypatch: pytest.MonkeyPatch) -> Any:
    def set_answer(answer: Any) -> None:
        async def ask(_: Path, command: str) -> Any:
            assert command == "preempt"
            if isinstance(answer, Exception):
                raise answer
            return answer

        monkeypatch.setattr(preempt, "ask", ask)

    return set_answer


def test_in_words(answer: Any) -> None:
    answer(DONE)
    result = CliRunner().invoke(preempt.command)
    assert (result.exit_code, result.stdout, result.stderr) == (0, "lan preempts again\n", "")


def test_for_machines(answer: Any) -> None:
    answer(DONE)
    result = CliRunner().invoke(preempt.command, ["--json"])
    assert (result.exit_code, json.loads(result.stdout)) == (0, DONE)


@pytest.mark.parametrize(
    ("given", "status", "words"),
    [
        (REFUSED, 1, "the announcer is not running"),
        (NotRunningError("no hapair answers on /run/hapair"), 3, "no hapair answers on /run/hapair"),
        (PermissionError(), 1, "try it as root (sudo hapair preempt)"),
    ],
)
def test_what_can_be_in_the_way(answer: Any, given: Any, status: int, words: str) -> None:
    answer(given)
    result = CliRunner().invoke(preempt.command)
    assert (result.exit_code, result.stdout) == (status, "")
    assert words in result.stderr
