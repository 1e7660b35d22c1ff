"""The runtime socket: a line of JSON in, a line of JSON out, on a unix socket in the runtime directory.

A command is answered by one line; a story, which takes its time, by as many as it has to tell. What begins with a
letter is no JSON but one of HAProxy's runtime commands (hapair/admin/haproxy_session.py).
"""

import json
import logging
import os
import socket
import stat
import struct
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from pathlib import Path
from typing import Any

import trio

from hapair.admin.haproxy_session import Run, Session
from hapair.admin.levels import Level
from hapair.events.feed import acting

log = logging.getLogger(__name__)

SOCKET_NAME = "hapair.sock"
_LINE_LIMIT = 65_536
_PATIENCE_S = 10.0
_CREDENTIALS = struct.Struct("3i")
"""struct ucred: pid, uid, gid."""

Commands = Mapping[str, Callable[[], Any]]
Stories = Mapping[str, Callable[[Mapping[str, Any]], AsyncGenerator[Any, None]]]
"""Each is called with the whole request: its arguments stand beside `command`."""
NO_STORIES: Stories = {}


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


async def serve_runtime(
    listener: trio.SocketListener,
    commands: Commands,
    stories: Stories = NO_STORIES,
    run_text: Run | None = None,
) -> None:
    """Answer for ever. `run_text` carries out one command of HAProxy's; None: they are not understood."""

    async def handler(stream: trio.SocketStream) -> None:
        try:
            async with stream:
                acting.set(_who(stream))
                begin = await _begin(stream)
                if begin is None:
                    return
                if run_text is not None and begin[:1].isalpha():
                    await Session(stream, begin, run_text).serve()
                else:
                    await _answer(stream, begin, commands, stories)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            return  # the asker left

    await trio.serve_listeners(handler, [listener])


async def serve_commands(listener: trio.SocketListener, run_text: Run, level: Level) -> None:
    """Answer commands of HAProxy's for ever, of whoever may connect there."""

    async def handler(stream: trio.SocketStream) -> None:
        try:
            async with stream:
                acting.set(_who(stream))
                begin = await _begin(stream)
                if begin:
                    await Session(stream, begin, run_text, level).serve()
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            return  # the asker left

    await trio.serve_listeners(handler, [listener])


def _who(stream: trio.SocketStream) -> str:
    """The user at the other end, as the kernel says."""
    credentials = stream.socket.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    uid = _CREDENTIALS.unpack(credentials)[1]
    return "root (runtime socket)" if uid == 0 else f"uid {uid} (runtime socket)"


async def _begin(stream: trio.SocketStream) -> bytes | None:
    """What comes first; empty at the end, None where nothing comes."""
    with trio.move_on_after(_PATIENCE_S):
        return bytes(await stream.receive_some(4096))
    return None


async def _answer(stream: trio.SocketStream, begin: bytes, commands: Commands, stories: Stories) -> None:
    request: Mapping[str, Any] = {}
    story = None
    with trio.move_on_after(_PATIENCE_S):
        line = await _read_line(stream, begin)
        request = _parse(line)
        story = stories.get(request.get("command", ""))
        if story is None:
            await _say(stream, _reply(line, request, commands, stories))
    if story is not None:
        async with aclosing(story(request)) as lines:
            async for one in lines:
                await _say(stream, one)


def _parse(line: bytes | None) -> Mapping[str, Any]:
    """A request; empty where the line is none."""
    try:
        request = json.loads(line or b"")
    except (ValueError, RecursionError):
        return {}
    return request if isinstance(request, dict) and isinstance(request.get("command"), str) else {}


def _reply(line: bytes | None, request: Mapping[str, Any], commands: Commands, stories: Stories) -> Any:
    if line is None:
        return {"error": "one line of JSON is expected"}
    if not request:
        return {"error": 'write a command, for example {"command": "status"}'}
    name = request["command"]
    if name not in commands:
        return {"error": f"there is no command {name}; there is: {', '.join((*commands, *stories))}"}
    return commands[name]()


async def _say(stream: trio.SocketStream, what: Any) -> None:
    await stream.send_all(json.dumps(what, separators=(",", ":")).encode() + b"\n")


async def _read_line(stream: trio.SocketStream, begin: bytes) -> bytes | None:
    buffer = bytearray(begin)
    while b"\n" not in buffer:
        data = await stream.receive_some(4096)
        if not data or len(buffer) > _LINE_LIMIT:
            return None
        buffer += data
    return bytes(buffer.partition(b"\n")[0])


async def ask(directory: Path, command: str) -> Any:
    """Send one command to the node that runs with this runtime directory. Raises NotRunningError, PermissionError."""
    async with aclosing(follow(directory, {"command": command})) as lines:
        async for line in lines:
            return line
    raise NotRunningError(f"the hapair on {directory / SOCKET_NAME} went away while it was asked")


async def follow(directory: Path, request: Mapping[str, Any]) -> AsyncGenerator[Any, None]:
    """Send a request and give what comes back, line by line. Raises NotRunningError, PermissionError."""
    path = directory / SOCKET_NAME
    try:
        stream = await trio.open_unix_socket(path)
    except (FileNotFoundError, ConnectionRefusedError, OSError) as error:
        if isinstance(error, PermissionError):
            raise
        raise NotRunningError(f"no hapair answers on {path}; `hapair up` starts one") from error
    async with stream:
        await stream.send_all(json.dumps(request).encode() + b"\n")
        received = bytearray()
        async for data in stream:
            *lines, received = (received + data).split(b"\n")
            for line in lines:
                yield json.loads(line)


def remove_runtime_socket(directory: Path) -> None:
    """At a clean stop."""
    path = directory / SOCKET_NAME
    if path.exists() and stat.S_ISSOCK(path.stat().st_mode):
        path.unlink()
