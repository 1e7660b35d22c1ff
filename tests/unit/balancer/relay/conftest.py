"""A client, the http relay and servers, all in one thread: a test says what each side sends and reads what came."""

from __future__ import annotations

import contextlib
import re
import socket
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any, TypeVar

import pytest
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import DataReceived, Event, ResponseReceived

from balancer.accesslog.journal import Journal
from balancer.accesslog.writer import Writer
from balancer.causes import Cause
from balancer.config import AccessLog, BalancerConfig, Mode, Pool
from balancer.reactor import Reactor
from balancer.relay import http, http2
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
_DATE = re.compile(r"^127\.0\.0\.1:[0-9]+ \[[0-9]{2}/[A-Z][a-z]{2}/[0-9]{4}:[0-9:]{8}\.[0-9]{3}\] ")
_FRONTEND_PORT = re.compile(rb"X-Forwarded-Port: [0-9]{5}(?=\r)")

T = TypeVar("T")


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
        relay: Relay | None = None,
        mode: Mode = "http",
        **frontend: Any,
    ) -> None:
        if not servers:
            in_pool = {"retries": 0} | in_pool  # what is never there need not be waited for
        self._relay = relay or (http2.serve if "http2" in frontend else http.serve)
        self.reactor = reactor
        self.clock = clock
        self.peers = [ListeningPeer() for _ in range(servers)]
        for peer in self.peers:
            peer.socket.setblocking(False)
        endpoints = {name: peer.endpoint for name, peer in zip(("one", "two", "three"), self.peers, strict=False)}
        files = frontend.pop("files", {})
        each_server = frontend.pop("each_server", {})
        plain = config_for(endpoints or {"one": closed_endpoint()}, mode=mode, **frontend)
        servers_of_pool = {name: replace(one, **each_server) for name, one in plain.pools["pool"].servers.items()}
        pools: dict[str, Pool] = {"pool": replace(plain.pools["pool"], servers=servers_of_pool, **in_pool)}
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
        ours.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # as a listener's connections have it
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
        assert self.slots.queue_counts("pool").waiting == 0
        for peer in self.peers:
            peer.close()
        assert self.server_counts().open == 0, "an attempt was not ended"
        self.slots.close()


RigMaker = Callable[..., HttpRig]


class Http2Client:
    """A client that speaks HTTP/2 by another library than ours."""

    def __init__(self, end: End, **settings: int) -> None:
        self.end = end
        self.h2 = H2Connection(H2Configuration(header_encoding=None))
        self.h2.local_settings.update(settings)
        self.h2.initiate_connection()
        self.events: list[Event] = []
        self.flush()

    def flush(self) -> None:
        self.end.send(self.h2.data_to_send())
        self.read()

    def read(self) -> list[Event]:
        """What came since the last call, which is acknowledged where it has to be."""
        events = self.h2.receive_data(self.end.read())
        self.events += events
        if data := self.h2.data_to_send():
            self.end.send(data)
        return events

    def request(
        self, stream_id: int, *fields: tuple[bytes, bytes], body: bytes | None = None, path: bytes = b"/"
    ) -> None:
        """`body` None: none; what is beyond the window stays unsent."""
        method = b"GET" if body is None else b"POST"
        head = [(b":method", method), (b":scheme", b"http"), (b":path", path), (b":authority", b"example.org")]
        self.h2.send_headers(stream_id, [*head, *fields], end_stream=body is None)
        if body is not None:
            self.h2.send_data(stream_id, body, end_stream=True)
        self.flush()

    def of(self, kind: type[T], stream_id: int = 1) -> list[T]:
        """All events of a kind so far."""
        return [
            event for event in self.events if isinstance(event, kind) and getattr(event, "stream_id", 0) == stream_id
        ]

    def status(self, stream_id: int = 1) -> bytes:
        [response] = self.of(ResponseReceived, stream_id)
        return dict(response.headers)[b":status"]

    def body(self, stream_id: int = 1) -> bytes:
        return b"".join(event.data for event in self.of(DataReceived, stream_id))


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
def make_http2_client() -> Callable[..., Http2Client]:
    return Http2Client


@pytest.fixture
def rig(make_rig: RigMaker) -> HttpRig:
    """One server, everything as configured by default."""
    return make_rig()


class Memory:
    """A target that remembers lines."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def write(self, lines: Sequence[str]) -> int:
        self.lines.extend(lines)
        return 0

    def close(self) -> None: ...


class LoggedRig:
    """A rig whose frontend logs."""

    def __init__(self, rig: HttpRig, memory: Memory, writer: Writer) -> None:
        self.rig = rig
        self._memory = memory
        self._writer = writer
        slots = rig.slots

        def gauges(pool: str, server: str) -> tuple[int, int, int, int]:
            return (1, 1, rig.server_counts().open, slots.server_counts(pool, server).open if server else 0)

        frontend = rig.config.frontends["main"]
        rig.service.log = Journal("main", frontend, reactor=rig.reactor, writer=writer, gauges=gauges)

    @property
    def lines(self) -> list[str]:
        """All that was logged, without addresses, ports and dates."""
        self.rig.settle()
        assert self.rig.service.log is not None
        self.rig.service.log.flush()
        self._writer.close()
        return [_DATE.sub("", line) for line in self._memory.lines]


Logged = Callable[..., tuple[HttpRig, LoggedRig]]


@pytest.fixture
def logged(make_rig: RigMaker) -> Iterator[Logged]:
    writers = []

    def make(log: AccessLog | None = None, **rig: Any) -> tuple[HttpRig, LoggedRig]:
        memory = Memory()
        writer = Writer(memory, 1000)
        writers.append(writer)
        made = make_rig(access_log=log or AccessLog(format="httplog"), **rig)
        return made, LoggedRig(made, memory, writer)

    yield make
    for writer in writers:
        writer.close()
