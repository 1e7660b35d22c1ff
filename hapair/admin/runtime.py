"""The runtime socket: a line of JSON in, a line of JSON out, on a unix socket in the runtime directory."""

import json
import logging
import os
import socket
import stat
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import trio

log = logging.getLogger(__name__)

SOCKET_NAME = "hapair.sock"
_LINE_LIMIT = 65_536
_PATIENCE_S = 10.0

Commands = Mapping[str, Callable[[], Any]]


class AlreadyRunningError(Exception):
    """Another hapair answers in this runtime directory."""


class NotRunningError(Exception):
    """No hapair answers in this runtime directory."""


async def open_runtime_socket(directory: Path) -> trio.SocketListener:
    """Listen on the runtime socket, open to owner and group. Raises AlreadyRunningError, OSError."""
    path = _socket_path(directory)
    try:
        async with await trio.open_unix_socket(path):
            raise AlreadyRunningError(f"a hapair already runs here: it answers on {path}")
    except (ConnectionRefusedError, FileNotFoundError):
        remove_runtime_socket(directory)  # left by one that was killed
    return trio.SocketListener(trio.socket.from_stdlib_socket(_listen(path)))


def _socket_path(directory: Path) -> Path:
    directory.mkdir(parents=True, exist_ok=True)
    return directory / SOCKET_NAME


def _listen(path: Path) -> socket.socket:
    sock = socket.socket(socket.AF_UNIX)
    before = os.umask(0o117)
    try:
        sock.bind(os.fspath(path))
    finally:
        os.umask(before)
    sock.listen(16)
    return sock


async def serve_runtime(listener: trio.SocketListener, commands: Commands) -> None:
    """Answer for ever."""

    async def handler(stream: trio.SocketStream) -> None:
        try:
            with trio.move_on_after(_PATIENCE_S):
                await _answer(stream, commands)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            return  # the asker left

    await trio.serve_listeners(handler, [listener])


async def _answer(stream: trio.SocketStream, commands: Commands) -> None:
    async with stream:
        line = await _read_line(stream)
        reply = _reply(line, commands) if line is not None else {"error": "one line of JSON is expected"}
        await stream.send_all(json.dumps(reply, separators=(",", ":")).encode() + b"\n")


def _reply(line: bytes, commands: Commands) -> Any:
    try:
        request = json.loads(line)
        command = commands.get(request["command"])
    except (ValueError, TypeError, KeyError):
        return {"error": 'write a command, for example {"command": "status"}'}
    if command is None:
        return {"error": f"there is no command {request['command']}; there is: {', '.join(commands)}"}
    return command()


async def _read_line(stream: trio.SocketStream) -> bytes | None:
    buffer = bytearray()
    while b"\n" not in buffer:
        data = await stream.receive_some(4096)
        if not data or len(buffer) > _LINE_LIMIT:
            return None
        buffer += data
    return bytes(buffer.partition(b"\n")[0])


async def ask(directory: Path, command: str) -> Any:
    """Send one command to the node that runs with this runtime directory. Raises NotRunningError, PermissionError."""
    path = directory / SOCKET_NAME
    try:
        stream = await trio.open_unix_socket(path)
    except (FileNotFoundError, ConnectionRefusedError, OSError) as error:
        if isinstance(error, PermissionError):
            raise
        raise NotRunningError(f"no hapair answers on {path}; `hapair up` starts one") from error
    async with stream:
        await stream.send_all(json.dumps({"command": command}).encode() + b"\n")
        received = bytearray()
        async for data in stream:
            received += data
    if not received:
        raise NotRunningError(f"the hapair on {path} went away while it was asked")
    return json.loads(received)


def remove_runtime_socket(directory: Path) -> None:
    """At a clean stop."""
    path = directory / SOCKET_NAME
    if path.exists() and stat.S_ISSOCK(path.stat().st_mode):
        path.unlink()
