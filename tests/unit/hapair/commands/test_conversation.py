"""What a verb asks of the node that runs here: which line counts, and how it ends where none comes."""

from collections.abc import AsyncGenerator, Mapping
from pathlib import Path
from typing import Any

import pytest

from hapair.admin.runtime import NotRunningError
from hapair.commands import conversation
from hapair.commands.conversation import aloud, done_or_end, last_answer

RUN = Path("/run/hapair")
NEWS, DONE = {"news": "asking pi-b"}, {"ok": True, "words": "done"}


def answers(monkeypatch: pytest.MonkeyPatch, *lines: Any) -> None:
    async def follow(_: Path, request: Mapping[str, Any]) -> AsyncGenerator[Any, None]:
        assert request == {"command": "wave"}
        for line in lines:
            if isinstance(line, Exception):
                raise line
            yield line

    monkeypatch.setattr(conversation, "follow", follow)


def test_the_last_line_counts_and_each_is_heard(monkeypatch: pytest.MonkeyPatch) -> None:
    answers(monkeypatch, NEWS, DONE)
    heard: list[Any] = []
    assert last_answer(RUN, {"command": "wave"}, heard.append) == DONE
    assert heard == [NEWS, DONE]


@pytest.mark.parametrize(
    ("trouble", "status", "said"),
    [
        (NotRunningError("no hapair answers"), 3, "hapair: no hapair answers\n"),
        (PermissionError(), 1, "hapair: no permission to ask on /run/hapair; try it as root (sudo hapair wave)\n"),
    ],
)
def test_where_nobody_answers(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], trouble: Exception, status: int, said: str
) -> None:
    answers(monkeypatch, trouble)
    with pytest.raises(SystemExit) as ended:
        last_answer(RUN, {"command": "wave"})
    assert (ended.value.code, capsys.readouterr().err) == (status, said)


@pytest.mark.parametrize(
    ("last", "said"),
    [
        ({"ok": False, "words": "pi-b refuses"}, "hapair: pi-b refuses\n"),
        ({"error": "there is no command wave"}, "hapair: there is no command wave\n"),
        ({}, "hapair: the node went away in the midst of it\n"),
    ],
)
def test_what_is_not_done_ends_it(capsys: pytest.CaptureFixture[str], last: Any, said: str) -> None:
    assert done_or_end(DONE) == DONE
    with pytest.raises(SystemExit) as ended:
        done_or_end(last)
    assert (ended.value.code, capsys.readouterr().err) == (1, said)


def test_aloud(capsys: pytest.CaptureFixture[str]) -> None:
    for heard in (aloud(as_json=False), aloud(as_json=False, err=True), aloud(as_json=True)):
        heard(NEWS)
        heard(DONE)
    out, err = capsys.readouterr()
    assert (err, out.splitlines()) == (
        "asking pi-b\n",
        ["asking pi-b", '{"news": "asking pi-b"}', '{"ok": true, "words": "done"}'],
    )
