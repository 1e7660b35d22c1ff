"""`hapair reload`: what is shown, and how it ends."""

import json
from collections.abc import AsyncGenerator, Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from hapair.admin.runtime import NotRunningError
from hapair.commands import conversation, reload

DONE = {"ok": True, "words": "reloaded: 1 change", "changes": ["- pools.web"], "took_s": 0.01}
REFUSED = {"ok": False, "words": "not reloaded, nothing is changed: f.yaml:1:1: no", "changes": []}
Answer = Callable[..., None]


@pytest.fixture
def answer(monkeypatch: pytest.MonkeyPatch) -> Answer:
    def set_answer(lines: list[Any], error: Exception | None = None) -> None:
        async def follow(_: Path, request: Mapping[str, Any]) -> AsyncGenerator[Any, None]:
            assert request == {"command": "reload"}
            if error is not None:
                raise error
            for line in lines:
                yield line

        monkeypatch.setattr(conversation, "follow", follow)

    return set_answer


def test_the_changes_and_what_became_of_them(answer: Answer) -> None:
    answer([{"news": "warning: odd"}, DONE])
    result = CliRunner().invoke(reload.command)
    assert (result.exit_code, result.stderr) == (0, "warning: odd\n")
    assert result.stdout.splitlines() == ["- pools.web", "reloaded: 1 change"]


def test_a_refusal_is_a_failure_with_its_reason(answer: Answer) -> None:
    answer([REFUSED])
    result = CliRunner().invoke(reload.command)
    assert result.exit_code == 1
    assert result.stderr == "hapair: not reloaded, nothing is changed: f.yaml:1:1: no\n"


def test_for_machines(answer: Answer) -> None:
    answer([DONE])
    result = CliRunner().invoke(reload.command, ["--json"])
    assert json.loads(result.stdout) == DONE


def test_where_nobody_runs(answer: Answer) -> None:
    answer([], NotRunningError("nobody"))
    assert CliRunner().invoke(reload.command).exit_code == 3
    answer([], PermissionError())
    assert CliRunner().invoke(reload.command).exit_code == 1
