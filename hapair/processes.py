"""Runs programs of an administrator: no shell, no privileges, a limit of time. The seam to such programs.

Capabilities and no_new_privs belong to a thread. So each program is started by a thread of its own, which gives up its
privileges first: the process that it starts has none, and this process keeps what it needs.
"""

import errno
import os
import signal
import subprocess
import threading
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

import trio

from hapair import privileges

OUTPUT_BYTES = 65_536
"""A program that writes more finds its pipe closed."""
REASON_CHARACTERS = 200
ENVIRONMENT: Mapping[str, str] = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "LANG": "C.UTF-8",
}
_KILL_GRACE_S = 1.0


@dataclass(frozen=True, slots=True)
class Ended:
    """How a program ended."""

    ok: bool
    """It exited with status 0, in time."""
    how: str
    """In words: `exited with status 1`."""
    output: str = ""
    """The first line of what it wrote, printable and not long."""


Run = Callable[[Sequence[str], Mapping[str, str], float], Awaitable[Ended]]
"""Run a command with these variables added to ENVIRONMENT, for so many seconds at most."""


class Programs:
    """Starts programs. One that cannot even be started, because its file system hangs, is not tried again meanwhile."""

    def __init__(self) -> None:
        self._starting: dict[tuple[str, ...], _Start] = {}

    async def run(self, command: Sequence[str], environment: Mapping[str, str], limit_s: float) -> Ended:
        """Run a program to its end; after `limit_s` it is killed with all of its process group. See `Run`."""
        before = self._starting.get(tuple(command))
        if before is not None and before.is_stuck:
            return Ended(False, "is still being started from before")
        start = _Start(command, {**ENVIRONMENT, **environment})
        self._starting[tuple(command)] = start
        output = bytearray()
        try:
            with trio.move_on_after(limit_s):
                if (error := await start.finished()) is not None:
                    return Ended(False, f"could not be started: {error.strerror}")
                await _until_end(start.process, start.pipe, output)
                return _ended(start.process.returncode, output)
            return Ended(False, f"took longer than {limit_s:g} s", first_line(output))
        finally:
            await start.clear_away()


class _Start:
    """A program's start in a thread of its own, and what came of it."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        self._command = command
        self._environment = environment
        self._token = trio.lowlevel.current_trio_token()
        self._done = trio.Event()
        self._given_up = False
        self._error: OSError | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self.pipe, self._far_end = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        os.set_blocking(self._far_end, True)
        self._thread = threading.Thread(target=self._run, name=f"start {command[0]}", daemon=True)
        self._thread.start()

    @property
    def is_stuck(self) -> bool:
        """It was given up, and goes on. (The thread of one that is done may take a moment to end.)"""
        return not self._done.is_set() and self._thread.is_alive()

    @property
    def process(self) -> "subprocess.Popen[bytes]":
        assert self._process is not None
        return self._process

    async def finished(self) -> OSError | None:
        """Wait until it runs; else say why it does not."""
        await self._done.wait()
        return self._error

    async def clear_away(self) -> None:
        """Kill what still runs."""
        os.close(self.pipe)
        self._given_up = True
        if self._process is not None:
            await _kill_group(self._process)

    def _run(self) -> None:
        process = None
        try:
            privileges.drop_all()
            _read_ahead(self._command[0])
            process = subprocess.Popen(
                self._command, env=self._environment, cwd="/", start_new_session=True,
                stdin=subprocess.DEVNULL, stdout=self._far_end, stderr=self._far_end,
            )  # fmt: skip
        except OSError as error:
            self._error = error
        finally:
            os.close(self._far_end)  # first: the pipe ends with the program
        self._tell(process)

    def _tell(self, process: "subprocess.Popen[bytes] | None") -> None:
        try:
            self._token.run_sync_soon(self._take, process)
        except trio.RunFinishedError:
            _kill_now(process)

    def _take(self, process: "subprocess.Popen[bytes] | None") -> None:
        if self._given_up:
            _kill_now(process)
            return
        self._process = process
        self._done.set()


def _read_ahead(path: str) -> None:
    """Between vfork and exec this whole process stands still; a file system that hangs must not do that to it."""
    try:
        with open(path, "rb") as file:
            file.read(4096)
    except PermissionError:
        pass  # a program may be executable and not readable


async def _until_end(process: "subprocess.Popen[bytes]", pipe: int, output: bytearray) -> None:
    """Collect what it writes until it has ended. What it left running in the background may go on."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_collect, pipe, output)
        await _wait(process)
        nursery.cancel_scope.cancel()
    _collect_rest(pipe, output)


async def _wait(process: "subprocess.Popen[bytes]") -> None:
    pidfd = os.pidfd_open(process.pid)
    try:
        await trio.lowlevel.wait_readable(pidfd)
    finally:
        os.close(pidfd)
    process.wait()


async def _collect(pipe: int, output: bytearray) -> None:
    while len(output) < OUTPUT_BYTES:
        await trio.lowlevel.wait_readable(pipe)
        if not _collect_rest(pipe, output):
            return


def _collect_rest(pipe: int, output: bytearray) -> bool:
    """Everything that can be read without waiting; False at its end."""
    with suppress(BlockingIOError):
        while len(output) < OUTPUT_BYTES:
            data = os.read(pipe, OUTPUT_BYTES - len(output))
            if not data:
                return False
            output += data
    return True


async def _kill_group(process: "subprocess.Popen[bytes]") -> None:
    """Until it is reaped its process group cannot be another one's."""
    if process.returncode is not None:
        return
    _signal_group(process)
    with trio.move_on_after(_KILL_GRACE_S, shield=True):
        await _wait(process)


def _kill_now(process: "subprocess.Popen[bytes] | None") -> None:
    """Nobody waits for it any more."""
    if process is not None:
        _signal_group(process)
        process.wait()


def _signal_group(process: "subprocess.Popen[bytes]") -> None:
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except OSError as error:
        if error.errno != errno.ESRCH:
            raise


def _ended(status: int | None, output: bytes | bytearray) -> Ended:
    if status == 0:
        return Ended(True, "exited with status 0", first_line(output))
    if status is not None and status > 0:
        return Ended(False, f"exited with status {status}", first_line(output))
    return Ended(False, f"was killed by {_signal_name(-(status or 0))}", first_line(output))


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def first_line(output: bytes | bytearray) -> str:
    """The first line that is not empty, with nothing in it that a log or a terminal would stumble over."""
    for line in bytes(output).decode("utf-8", "replace").splitlines():
        clean = "".join(char if char.isprintable() else " " for char in line).strip()
        if clean:
            return clean[:REASON_CHARACTERS]
    return ""
