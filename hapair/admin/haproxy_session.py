"""A conversation in HAProxy's runtime commands: what comes at once and its answers, or with `prompt` line after line.

As HAProxy has it, an answer ends with an empty line, a line may hold several commands between semicolons, and one that
ends with `<<` is followed by a payload up to an empty line, which goes with the last command of the line.
"""

from collections.abc import Awaitable, Callable
from typing import Final

import trio

from hapair.admin.haproxy_cli import split_commands
from hapair.admin.levels import DENIED, LEVELS, Level, may

IDLE_S = 10.0
PROMPT_IDLE_S = 300.0
LINE_LIMIT = 65_536
PAYLOAD_LIMIT = 1 << 20

Run = Callable[[str, Level, str | None], Awaitable[str]]
"""Carries out one command of somebody of this level, with what comes with it."""
_LEVELS: Final = {str(level): level for level in LEVELS}


class Session:
    """One connection, of which `begin` has been received."""

    def __init__(self, stream: trio.SocketStream, begin: bytes, run: Run, level: Level = "admin") -> None:
        """`level`: what is granted at first; whoever asks for less has less from then on."""
        self._stream = stream
        self._buffer = begin
        self._run = run
        self._level = level
        self._prompts = False

    async def serve(self) -> None:
        """Until what came at once is answered, or `quit`, or its end."""
        while (line := await self._line()) is not None:
            payload = None
            if line.endswith(" <<"):
                line, payload = line.removesuffix("<<"), await self._payload()
                if payload is None:
                    return
            commands = split_commands(line)
            for place, command in enumerate(commands, 1):
                if command == "quit":
                    return
                await self._answer(command, payload if place == len(commands) else None)
            if not self._prompts and b"\n" not in self._buffer:
                return

    async def _payload(self) -> str | None:
        """Up to an empty line; None: it is too long, or its end did not come."""
        lines: list[str] = []
        size = 0
        while (line := await self._line()) is not None and size <= PAYLOAD_LIMIT:
            if not line:
                return "".join(f"{one}\n" for one in lines)
            lines.append(line)
            size += len(line) + 1
        return None

    async def _answer(self, command: str, payload: str | None) -> None:
        if command == "prompt":
            self._prompts = not self._prompts
            answer = ""
        elif command in ("user", "operator"):
            answer = self._lower(_LEVELS[command])
        elif command == "show cli level":
            answer = f"{self._level}\n"
        elif command or not self._prompts:
            answer = await self._run(command, self._level, payload)
        else:
            answer = ""
        await self._stream.send_all(f"{answer}\n{'> ' if self._prompts else ''}".encode())

    def _lower(self, level: Level) -> str:
        if not may(self._level, level):
            return DENIED
        self._level = level
        return ""

    async def _line(self) -> str | None:
        """Without its end; None at the end of the conversation."""
        with trio.move_on_after(PROMPT_IDLE_S if self._prompts else IDLE_S):
            while b"\n" not in self._buffer:
                data = await self._stream.receive_some(4096)
                if not data or len(self._buffer) > LINE_LIMIT:
                    rest, self._buffer = self._buffer, b""
                    return rest.decode("utf-8", "replace") if rest and not data else None
                self._buffer += data
            line, _, self._buffer = self._buffer.partition(b"\n")
            return line.removesuffix(b"\r").decode("utf-8", "replace")
        return None
