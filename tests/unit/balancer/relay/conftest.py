"""A client, the http relay and servers, all in one thread: a test says what each side sends and reads what came."""

from __future__ import annotations

import contextlib
import re
import socket
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from balancer.causes import Cause
from balancer.config import BalancerConfig, Mode, Pool
from balancer.reactor import Reactor
from balancer.relay.http import serve
from balancer.service import FrontendService, Relay
from balancer.slots import Counts, Slots
from balancer.streams import Stream
from balancer.task import Task
from balancer.testing import (
    FakeClock,
    ListeningPeer,
    closed_endpoint,
    config_for,
    service_for,
    socket_pair,
    stream_of,
)

_SETTLES_S = 0.002
_FRONTEND_PORT = re.compile(rb"X-Forwarded-Port: [0-9]{5}(?=\r)")


class End:
    """One end of a connection, in the hands of a test."""

    def __init__(self, rig: HttpRig, connected: socket.socket) -> None:
        self._rig = rig
        self.socket = connected
        connected.setblocking(False)
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.ended = False
        """The other side has ended its half."""
        self.reset = False

    def send(self, data: bytes) -> None:
        """Send all, letting the relay work as often as it takes."""
        rest = memoryview(data)
        while rest:
            with contextlib.suppress(BlockingIOError):
                rest = rest[self.socket.send(rest) :]
            self._rig.settle()

    def read(self) -> bytes:
        """All that has come. The port that the kernel gave the frontend reads as 12345, and has as many digits."""
        return _FRONTEND_PORT.sub(b"X-Forwarded-Port: 12345", self._read())

    def _read(self) -> bytes:
        self._rig.settle()
        received = b""
        while not self.ended:
            try:
                data = self.socket.recv(1 << 20)
            except BlockingIOError:
                before = len(received)
                self._rig.settle()
                with contextlib.suppress(BlockingIOError):
                    received += self.socket.recv(1 << 20)
                if len(received) == before:
                    break
                continue
            except ConnectionResetError:
                self.reset = self.ended = True
                break
            received += data
            self.ended = not data
        return received

    def shut(self) -> None:
        """End this half."""
        self.socket.shutdown(socket.SHUT_WR)
        self._rig.settle()

    def close(self) -> None:
        self.socket.close()
        self._rig.settle()

    def break_off(self) -> None:
        """Close with a reset."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.close()


class _Connection(Task[None]):
    """What an acceptor makes of a connection."""

    __slots__ = ("raised", "stream")

    def __init__(self, service: FrontendService, stream: Stream, relay: Relay) -> None:
        super().__init__(stream.reactor, relay(service, stream))
        self.stream = stream
        self.raised: BaseException | None = None

    def finish(self, error: BaseException | None) -> None:
        self.raised = error
        if error is None:
            self.stream.close()
        else:
            self.stream.abort()
        super().finish(error)


class HttpRig:
    """One frontend `main` with one pool `pool` of servers `one`, `two`, ... on the loopback."""

    def __init__(
        self,
        reactor: Reactor,
        clock: FakeClock,
        servers: int,
        in_pool: dict[str, Any],
        *,
        relay: Relay = serve,
        mode: Mode = "http",
        **frontend: Any,
    ) -> None:
        self._relay = relay
        self.reactor = reactor
        self.clock = clock
        self.peers = [ListeningPeer() for _ in range(servers)]
        for peer in self.peers:
            peer.socket.setblocking(False)
        endpoints = {name: peer.endpoint for name, peer in zip(("one", "two", "three"), self.peers, strict=False)}
        files = frontend.pop("files", {})
        plain = config_for(endpoints or {"one": closed_endpoint()}, mode=mode, **frontend)
        pools: dict[str, Pool] = {"pool": replace(plain.pools["pool"], **in_pool)}
        self.config = BalancerConfig(frontends=plain.frontends, pools=pools, files=files)
        self.slots = Slots.create(self.config, workers=1)
        self.service = service_for(reactor, self.config, self.slots)
        self.connections: list[_Connection] = []
        self._ends: list[End] = []

    def settle(self) -> None:
        while self.reactor.turn(_SETTLES_S):
            pass

    def client(self, data: bytes = b"", host: str = "127.0.0.1") -> End:
        """A new client connection, which sends `data`."""
        theirs, ours = socket_pair(host)
        connection = _Connection(self.service, stream_of(self.reactor, ours), self._relay)
        self.connections.append(connection)
        self.reactor.start(connection)
        client = self._end(theirs)
        client.send(data)
        self.settle()
        return client

    def server(self, number: int = 0) -> End:
        """The next connection that a server was given."""
        self.settle()
        accepted, _ = self.peers[number].socket.accept()
        return self._end(accepted)

    def was_called(self, number: int = 0) -> bool:
        """Whether a server has a connection that was not looked at."""
        self.settle()
        try:
            self._end(self.peers[number].socket.accept()[0])
        except BlockingIOError:
            return False
        return True

    def pass_time(self, seconds: float) -> None:
        self.clock.now += seconds
        self.settle()

    @property
    def frontend_counts(self) -> Counts:
        return self.slots.frontend_counts("main")

    @property
    def causes(self) -> dict[Cause, int]:
        return self.slots.cause_counts("main")

    def server_counts(self, server: str = "one") -> Counts:
        return self.slots.server_counts("pool", server)

    def _end(self, connected: socket.socket) -> End:
        end = End(self, connected)
        self._ends.append(end)
        return end

    def close(self) -> None:
        for end in self._ends:
            end.socket.close()
        for connection in self.connections:
            connection.cancel()
        for pool in self.service.pools.values():
            pool.close_kept()
        self.settle()
        for peer in self.peers:
            peer.close()
        assert self.server_counts().open == 0, "an attempt was not ended"
        self.slots.close()


RigMaker = Callable[..., HttpRig]


@pytest.fixture
def make_rig(reactor: Reactor, clock: FakeClock) -> Iterator[RigMaker]:
    """`make_rig(servers=2, in_pool={"retries": 0}, timeouts=FrontendTimeouts(...))`."""
    made: list[HttpRig] = []

    def make(servers: int = 1, in_pool: dict[str, Any] | None = None, **frontend: Any) -> HttpRig:
        made.append(HttpRig(reactor, clock, servers, in_pool or {}, **frontend))
        return made[-1]

    yield make
    for rig in made:
        rig.close()


@pytest.fixture
def rig(make_rig: RigMaker) -> HttpRig:
    """One server, everything as configured by default."""
    return make_rig()
