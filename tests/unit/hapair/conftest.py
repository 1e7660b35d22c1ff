"""Children that are no processes: what a watch starts here lives in the test, at the far end of a real channel."""

import socket
from collections.abc import AsyncIterator, Sequence

import pytest
import trio

from hapair.channel import Channel, ChannelClosedError
from hapair.child import Child
from hapair.messages import FROM_ANNOUNCER, FROM_FLOWS, FROM_WORKER, TO_ANNOUNCER, TO_FLOWS, TO_WORKER, Heartbeat

DIRECTIONS = {
    "hapair.announcer": (FROM_ANNOUNCER, TO_ANNOUNCER),
    "hapair.worker": (FROM_WORKER, TO_WORKER),
    "hapair.flows": (FROM_FLOWS, TO_FLOWS),
}


class FakeProcess:
    """What Child uses of a trio.Process."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._over = trio.Event()

    def kill(self) -> None:
        self.end(-9)

    def end(self, status: int) -> None:
        if self.returncode is None:
            self.returncode = status
            self._over.set()

    async def wait(self) -> int | None:
        await self._over.wait()
        return self.returncode


class FakeChild:
    """The far end: it beats, keeps what it hears, and says what the test wants said."""

    def __init__(self, module: str, name: str, pid: int, sock: socket.socket) -> None:
        self.module = module
        self.name = name
        self.process = FakeProcess(pid)
        self.channel = Channel(sock, DIRECTIONS[module][1])
        self.started_at = trio.current_time()
        self.heard: list[object] = []
        self.fds: list[int] = []
        self.frozen = False
        self.exits_when_it_hears: type | None = None

    def say(self, message: object) -> None:
        self.channel.post(message)

    def die(self, status: int = -9) -> None:
        self.process.end(status)

    async def live(self) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.channel.run)
            nursery.start_soon(self._beat)
            nursery.start_soon(self._listen)
            await self.process.wait()
            nursery.cancel_scope.cancel()
        self.channel.close()

    async def _beat(self) -> None:
        while True:
            if not self.frozen:
                self.channel.post(Heartbeat(), key="beat")
            await trio.sleep(0.25)

    async def _listen(self) -> None:
        while True:
            try:
                message, fds = await self.channel.receive()
            except ChannelClosedError:
                return
            self.fds += fds
            if not isinstance(message, Heartbeat):
                self.heard.append(message)
            if self.exits_when_it_hears is type(message):
                self.die(0)


class FakeChildren:
    """In the place of hapair.child.start_child."""

    def __init__(self, nursery: trio.Nursery) -> None:
        self.started: list[FakeChild] = []
        self.born_frozen = False
        self.arguments: tuple[str, ...] = ()
        self.near_ends: list[Channel] = []
        self._nursery = nursery

    async def start(self, module: str, *, name: str, known: Sequence[type], arguments: Sequence[str] = ()) -> Child:
        self.arguments = tuple(arguments)
        assert known == DIRECTIONS[module][0]
        ours, theirs = socket.socketpair()
        fake = FakeChild(module, name, 1000 + len(self.started), theirs)
        self.started.append(fake)
        fake.frozen = self.born_frozen
        self._nursery.start_soon(fake.live)
        self.near_ends.append(Channel(ours, known))
        return Child(name, fake.process, self.near_ends[-1])  # type: ignore[arg-type]


@pytest.fixture
async def children(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[FakeChildren]:
    async with trio.open_nursery() as nursery:
        children = FakeChildren(nursery)
        monkeypatch.setattr("hapair.watch_workers.start_child", children.start)
        monkeypatch.setattr("hapair.watch_announcer.start_child", children.start)
        monkeypatch.setattr("hapair.watch_flows.start_child", children.start)
        yield children
        nursery.cancel_scope.cancel()
    for channel in [*children.near_ends, *(child.channel for child in children.started)]:
        channel.close()
