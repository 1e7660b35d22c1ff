"""Sockets for HAProxy's commands beside the runtime socket: real ones, each of its level."""

import logging
import os
import stat
from pathlib import Path

import pytest
import trio
import trio.testing

from balancer.listener import ListenFailed
from hapair.admin.levels import Level
from hapair.command_sockets import CommandSockets
from hapair.config.runtime import CommandSocket

USER, ADMIN = CommandSocket(level="user", mode="0666"), CommandSocket(level="admin", mode="0600")


async def run_text(command: str, level: Level, payload: str | None) -> str:
    return f"{command} by {level}\n"


async def ask(path: Path, line: bytes = b"show stat\n") -> bytes:
    async with await trio.open_unix_socket(path) as stream:
        await stream.send_all(line)
        return b"".join([piece async for piece in stream])


async def test_each_has_its_level_and_its_mode(nursery: trio.Nursery, tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    sockets = CommandSockets({str(one): USER, str(two): ADMIN}, run_text)
    nursery.start_soon(sockets.run)
    assert await ask(one) == b"show stat by user\n\n"
    assert await ask(two) == b"show stat by admin\n\n"
    assert await ask(one, b"operator\n") == b"Permission denied\n\n"
    assert await ask(one, b'{"command": "status"}\n') == b'{"command": "status"} by user\n\n'
    assert stat.S_IMODE(one.stat().st_mode) == 0o666
    assert stat.S_IMODE(two.stat().st_mode) == 0o600
    sockets.close()
    assert os.listdir(tmp_path) == []


async def test_a_reload_opens_closes_and_changes_them(nursery: trio.Nursery, tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    sockets = CommandSockets({str(one): USER}, run_text)
    nursery.start_soon(sockets.run)
    await trio.testing.wait_all_tasks_blocked()
    sockets.reload({str(one): ADMIN, str(two): USER})
    assert await ask(one) == b"show stat by admin\n\n"
    assert await ask(two) == b"show stat by user\n\n"
    sockets.reload({str(two): USER})
    assert os.listdir(tmp_path) == ["two"]
    assert await ask(two) == b"show stat by user\n\n"
    sockets.close()


async def test_one_that_cannot_be_opened(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    missing = str(tmp_path / "nowhere" / "one")
    with pytest.raises(ListenFailed, match="no such folder"):
        CommandSockets({str(tmp_path / "two"): USER, missing: USER}, run_text)
    assert os.listdir(tmp_path) == []
    sockets = CommandSockets({}, run_text)
    with caplog.at_level(logging.ERROR):
        sockets.reload({missing: USER})
    assert [record.message for record in caplog.records] == ["a socket for commands is missing"]
