"""A conversation in HAProxy's runtime commands: what comes at once and its answers, or with `prompt` line after line.

As HAProxy has it, an answer ends with an empty line, a line may hold several commands between semicolons, and one that
ends with `<<` is followed by a payload up to an empty line.
"""

from collections.abc import Callable

import trio

from hapair.admin.haproxy_cli import split_commands

IDLE_S = 10.0
PROMPT_IDLE_S = 300.0
LINE_LIMIT = 65_536


class Session:
    """One connection, of which `begin` has been received. `run` carries out one command."""

    def __init__(self, stream: trio.SocketStream, begin: bytes, run: Callable[[str], str]) -> None:
        self._stream = stream
        self._buffer = begin
        self._run = run
        self._prompts = False

    async def serve(self) -> None:
        """Until what came at once is answered, or `quit`, or its end."""
        while (line := await self._line()) is not None:
            if line.endswith(" <<"):
                line = line.removesuffix("<<")
                while await self._line():
                    pass  # no command here takes a payload
            for command in split_commands(line):
                if command == "quit":
                    return
                await self._answer(command)
            if not self._prompts and b"\n" not in self._buffer:
                return

    async def _answer(self, command: str) -> None:
        if command == "prompt":
            self._prompts = not self._prompts
            answer = ""
        elif command or not self._prompts:
            answer = self._run(command)
        else:
            answer = ""
        await self._stream.send_all(f"{answer}\n{'> ' if self._prompts else ''}".encode())

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
