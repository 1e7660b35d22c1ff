"""The node's side of a child process: start it, hear its heartbeats, see it die. The seam to processes."""

import logging
import signal
import socket
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import trio

from hapair.channel import Channel, ChannelClosedError
from hapair.heartbeat import INTERVAL_S, START_GRACE_S, Silence
from hapair.messages import Heartbeat
from hapair.wire import WireError

log = logging.getLogger(__name__)


@dataclass(slots=True, eq=False)
class Child:
    """One running child. Its process is waited for through a pidfd, so its death is seen at once."""

    name: str
    process: trio.Process
    channel: Channel
    hung: bool = False
    _silence: Silence = field(default_factory=lambda: _silence_from(trio.current_time()))

    async def follow(self, handle: Callable[[Any], None], on_closed: Callable[[], None] | None = None) -> str:
        """Handle what the child says until it is dead, then say how it died. A child that hangs is killed.

        `on_closed` is called once, when its channel closes. That is the first sign of a death: the kernel may close
        others of its descriptors for 10 ms and more before the process is gone (a packet socket takes that long).
        """
        told = False

        def closed() -> None:
            nonlocal told
            if not told and on_closed is not None:
                told = True
                on_closed()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.channel.run)
            nursery.start_soon(self._watch)
            nursery.start_soon(self._receive, handle, closed)
            await self.process.wait()
            nursery.cancel_scope.cancel()
        closed()  # where the process was gone before its channel was looked at
        return "it hung and was killed" if self.hung else _how(self.process.returncode)

    async def _receive(self, handle: Callable[[Any], None], on_closed: Callable[[], None]) -> None:
        while True:
            try:
                message, _ = await self.channel.receive()
            except ChannelClosedError:
                on_closed()
                return None
            except WireError:
                log.exception("unreadable message; killing the child", extra={"child": self.name})
                return self.kill()
            self._silence.heard(trio.current_time())
            if not isinstance(message, Heartbeat):
                handle(message)

    async def _watch(self) -> None:
        while True:
            self.channel.post(Heartbeat(), key="beat")
            await trio.sleep(INTERVAL_S)
            if self._silence.is_too_long(trio.current_time()):
                log.error("a process hangs and is killed", extra={"child": self.name, "pid": self.process.pid})
                self.hung = True
                return self.kill()

    def kill(self) -> None:
        """SIGKILL, which a stopped process obeys too."""
        self.process.kill()

    async def end(self, limit_s: float) -> None:
        """Wait for it to exit by itself; after `limit_s` kill it."""
        with trio.move_on_after(limit_s):
            await self.process.wait()
        if self.process.returncode is None:
            log.warning("a process does not end and is killed", extra={"child": self.name, "pid": self.process.pid})
            self.kill()
            await self.process.wait()


async def start_child(module: str, *, name: str, known: Sequence[type], arguments: Sequence[str] = ()) -> Child:
    """Exec `python -m module FD ARGUMENTS`. The child holds its end of the channel and no other descriptor of ours."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    try:
        command = [sys.executable, "-P", "-m", module, str(theirs.fileno()), *arguments]
        process = await trio.lowlevel.open_process(command, pass_fds=[theirs.fileno()], stdin=None)
    except BaseException:
        ours.close()
        raise
    finally:
        theirs.close()
    return Child(name, process, Channel(ours, known))


def _silence_from(now: float) -> Silence:
    return Silence(heard_at=now + START_GRACE_S, looked_at=now)


def _how(returncode: int | None) -> str:
    if returncode is None or returncode >= 0:
        return f"it exited with status {returncode}"
    try:
        return f"it was killed by {signal.Signals(-returncode).name}"
    except ValueError:
        return f"it was killed by signal {-returncode}"
