"""`hapair handover`: what is shown, and how it ends."""

import json
from collections.abc import AsyncGenerator, Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from hapair.admin.runtime import NotRunningError
from hapair.commands import conversation, handover

NEWS = [{"news": "asking pi-b to take over"}, {"news": "pi-b holds the VIPs"}]
DONE = {"ok": True, "words": "pi-b took over in 0.043 s", "connections": 200, "took_s": 0.043}
REFUSED = {"ok": False, "words": "the VIPs stay here: pi-b refuses: no worker serves", "connections": 0, "took_s": 0.0}

Answer = Callable[..., None]


@pytest.fixture
def answer(monkeypatch: pytest.MonkeyPatch) -> Answer:
    """What the node answers, or how it does not; and that it is asked what it should be."""

    def set_answer(lines: list[Any], *, to: str | None = None, error: Exception | None = None) -> None:
        async def follow(_: Path, request: Mapping[str, Any]) -> AsyncGenerator[Any, None]:
            assert request == {"command": "handover", "to": to}
            if error is not None:
                raise error
            for line in lines:
                yield line

        monkeypatch.setattr(conversation, "follow", follow)

    return set_answer


def test_progress_and_result_in_words(answer: Answer) -> None:
    answer([*NEWS, DONE])
    result = CliRunner().invoke(handover.command)
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.splitlines() == [
        "asking pi-b to take over",
        "pi-b holds the VIPs",
        "pi-b took over in 0.043 s",
    ]


def test_a_refusal_is_a_failure_with_its_reason(answer: Answer) -> None:
    answer([NEWS[0], REFUSED], to="pi-b")
    result = CliRunner().invoke(handover.command, ["--to", "pi-b"])
    assert result.exit_code == 1
    assert result.stderr == "hapair: the VIPs stay here: pi-b refuses: no worker serves\n"


def test_for_machines_each_line_is_json(answer: Answer) -> None:
    answer([*NEWS, DONE])
    result = CliRunner().invoke(handover.command, ["--json"])
    assert [json.loads(line) for line in result.stdout.splitlines()] == [*NEWS, DONE]
    answer([REFUSED])
    result = CliRunner().invoke(handover.command, ["--json"])
    assert (result.exit_code, json.loads(result.stdout)) == (1, REFUSED)


@pytest.mark.parametrize("lines", [[], NEWS])
def test_a_node_that_goes_away_in_the_midst_of_it(answer: Answer, lines: list[Any]) -> None:
    answer(lines)
    result = CliRunner().invoke(handover.command)
    assert (result.exit_code, result.stderr) == (1, "hapair: the node went away in the midst of it\n")


def test_a_node_that_knows_no_handover(answer: Answer) -> None:
    answer([{"error": "there is no command handover; there is: status"}])
    result = CliRunner().invoke(handover.command)
    assert (result.exit_code, result.stderr) == (1, "hapair: there is no command handover; there is: status\n")


def test_where_no_node_runs(answer: Answer) -> None:
    answer([], error=NotRunningError("no hapair answers"))
    result = CliRunner().invoke(handover.command)
    assert (result.exit_code, result.stderr) == (3, "hapair: no hapair answers\n")


def test_without_permission(answer: Answer) -> None:
    answer([], error=PermissionError())
    result = CliRunner().invoke(handover.command, ["--runtime-dir", "/run/hapair"])
    assert result.exit_code == 1
    assert result.stderr == "hapair: no permission to ask on /run/hapair; try it as root (sudo hapair handover)\n"
