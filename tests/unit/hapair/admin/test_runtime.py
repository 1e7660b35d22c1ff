"""The runtime socket: a line of JSON in, a line of JSON out; one node for each directory."""

import json
import os
import socket
import stat
import struct
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from hapair.admin.levels import Level
from hapair.admin.runtime import (
    AlreadyRunningError,
    NotRunningError,
    ask,
    follow,
    open_runtime_socket,
    remove_runtime_socket,
    serve_runtime,
)
from hapair.events.feed import acting

COMMANDS = {"status": lambda: {"role": "ACTIVE"}, "other": lambda: [1, 2]}


async def count(request: Mapping[str, Any]) -> AsyncGenerator[Any, None]:
    """A story with as many lines as it is asked for, one each second."""
    for number in range(request["lines"]):
        await trio.sleep(1)
        yield {"line": number}


@pytest.fixture
async def directory(tmp_path: Path) -> AsyncIterator[Path]:
    """Where a node answers."""
    listener = await open_runtime_socket(tmp_path)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(serve_runtime, listener, COMMANDS, {"count": count})
        yield tmp_path
        nursery.cancel_scope.cancel()


async def say(directory: Path, data: bytes, *, end: bool = False) -> Any:
    """Raw bytes in, what comes back."""
    async with await trio.open_unix_socket(directory / "hapair.sock") as stream:
        await stream.send_all(data)
        if end:
            await stream.send_eof()
        received = b""
        async for piece in stream:
            received += piece
    return json.loads(received)


async def test_a_command_is_answered(directory: Path) -> None:
    assert await ask(directory, "status") == {"role": "ACTIVE"}
    assert await ask(directory, "other") == [1, 2]


async def _run(command: str, level: Level, payload: str | None) -> str:
    return f"<{command}> by {level}\n"


async def test_what_begins_with_a_letter_is_for_haproxys_commands(tmp_path: Path) -> None:
    listener = await open_runtime_socket(tmp_path)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(serve_runtime, listener, COMMANDS, {}, _run)
        async with await trio.open_unix_socket(tmp_path / "hapair.sock") as stream:
            await stream.send_all(b"show info\n")
            assert b"".join([piece async for piece in stream]) == b"<show info> by admin\n\n"
        assert await ask(tmp_path, "other") == [1, 2]
        nursery.cancel_scope.cancel()


async def test_an_unknown_command_names_those_that_there_are(directory: Path) -> None:
    assert await ask(directory, "reboot") == {"error": "there is no command reboot; there is: status, other, count"}


@pytest.mark.parametrize(
    "line", [b"status\n", b"[]\n", b"5\n", b"{}\n", b"\n", b"\xff\n", b'{"command": ["status"]}\n']
)
async def test_another_line_is_told_what_to_write(directory: Path, line: bytes) -> None:
    assert await say(directory, line) == {"error": 'write a command, for example {"command": "status"}'}


async def test_a_story_is_told_line_by_line_however_long_it_takes(autojump_clock: MockClock, directory: Path) -> None:
    told = [(line, round(trio.current_time())) async for line in follow(directory, {"command": "count", "lines": 15})]
    assert [line for line, _ in told] == [{"line": number} for number in range(15)]
    assert [told[place][1] - told[0][1] for place in (1, 14)] == [1, 14]


async def test_a_story_whose_listener_left_is_not_told_to_its_end(autojump_clock: MockClock, directory: Path) -> None:
    async with await trio.open_unix_socket(directory / "hapair.sock") as stream:
        await stream.send_all(b'{"command": "count", "lines": 1000000}\n')
        await stream.receive_some(100)
    assert await ask(directory, "status") == {"role": "ACTIVE"}


async def test_a_line_that_is_nested_too_deep_is_no_command(directory: Path) -> None:
    assert "error" in await say(directory, b"[" * 60_000 + b"\n")


async def test_a_line_without_an_end_is_no_line(directory: Path) -> None:
    assert await say(directory, b'{"command": "status"}', end=True) == {"error": "one line of JSON is expected"}


async def test_a_line_without_end_is_cut_off(directory: Path) -> None:
    assert await say(directory, b"x" * 70_000) == {"error": "one line of JSON is expected"}


async def test_the_next_is_answered_after_a_guest_who_left(directory: Path) -> None:
    for data in (b"", b'{"comm', b'{"command": "status"}\n'):
        stream = await trio.open_unix_socket(directory / "hapair.sock")
        await stream.send_all(data)
        await stream.aclose()
    assert await ask(directory, "status") == {"role": "ACTIVE"}


async def test_a_guest_who_says_nothing_is_shown_out(autojump_clock: MockClock, directory: Path) -> None:
    async with await trio.open_unix_socket(directory / "hapair.sock") as stream:
        assert await stream.receive_some(10) == b""
    assert 9.9 < trio.current_time() < 10.1


async def test_the_socket_is_for_owner_and_group(directory: Path) -> None:
    mode = (directory / "hapair.sock").stat().st_mode
    assert stat.S_ISSOCK(mode)
    assert stat.S_IMODE(mode) == 0o660


async def test_a_second_node_in_the_same_directory_is_refused(directory: Path) -> None:
    with pytest.raises(AlreadyRunningError) as caught:
        await open_runtime_socket(directory)
    assert str(caught.value) == f"a hapair already runs here: it answers on {directory}/hapair.sock"
    assert await ask(directory, "status") == {"role": "ACTIVE"}


async def test_a_socket_that_a_killed_node_left_is_replaced(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(tmp_path / "hapair.sock"))
    listener = await open_runtime_socket(tmp_path)
    await listener.aclose()


async def test_the_directory_is_made(tmp_path: Path) -> None:
    listener = await open_runtime_socket(tmp_path / "run" / "hapair")
    await listener.aclose()
    assert (tmp_path / "run" / "hapair" / "hapair.sock").exists()


async def test_where_nobody_answers_the_words_say_so(tmp_path: Path) -> None:
    with pytest.raises(NotRunningError) as caught:
        await ask(tmp_path, "status")
    assert str(caught.value) == f"no hapair answers on {tmp_path}/hapair.sock; `hapair up` starts one"


async def test_a_node_that_goes_away_meanwhile(tmp_path: Path) -> None:
    listener = await open_runtime_socket(tmp_path)

    async def hang_up() -> None:
        stream = await listener.accept()
        await stream.receive_some(100)
        await stream.aclose()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(hang_up)
        with pytest.raises(NotRunningError) as caught:
            await ask(tmp_path, "status")
    assert str(caught.value) == f"the hapair on {tmp_path}/hapair.sock went away while it was asked"
    await listener.aclose()


async def test_a_clean_stop_leaves_nothing_and_nothing_else_is_removed(tmp_path: Path) -> None:
    listener = await open_runtime_socket(tmp_path)
    await listener.aclose()
    remove_runtime_socket(tmp_path)
    remove_runtime_socket(tmp_path)
    assert not (tmp_path / "hapair.sock").exists()
    (tmp_path / "hapair.sock").write_text("not a socket")
    remove_runtime_socket(tmp_path)
    assert (tmp_path / "hapair.sock").exists()


async def test_events_know_who_asked_by_the_kernels_word(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    listener = await open_runtime_socket(tmp_path)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(serve_runtime, listener, {"who": acting.get})
        monkeypatch.setattr("hapair.admin.runtime._CREDENTIALS", FakeCredentials(0))
        assert await ask(tmp_path, "who") == "root (runtime socket)"
        monkeypatch.setattr("hapair.admin.runtime._CREDENTIALS", FakeCredentials(1000))
        assert await ask(tmp_path, "who") == "uid 1000 (runtime socket)"
        nursery.cancel_scope.cancel()


class FakeCredentials:
    """Of a user that this test cannot be."""

    size = 12

    def __init__(self, uid: int) -> None:
        self.uid = uid

    def unpack(self, data: bytes) -> tuple[int, int, int]:
        assert struct.unpack("3i", data)[0] == os.getpid()
        return 1, self.uid, 1
