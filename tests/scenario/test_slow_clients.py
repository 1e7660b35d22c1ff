"""Slow clients in their hundreds, on the loopback, beside a client who behaves: he is served all the while.

The clock is a fake one: no attack takes longer than it takes to say so.
"""

from __future__ import annotations

import contextlib
import resource
import socket
from collections.abc import Iterator

import pytest

from balancer.acceptor import Acceptor
from balancer.causes import Cause
from balancer.config import FrontendTimeouts
from balancer.fieldtypes import Endpoint
from balancer.listener import open_listener
from balancer.reactor import Reactor
from balancer.relay import http
from balancer.slots import Slots
from balancer.testing import FakeClock, ListeningPeer, config_for, service_for

SLOW = 500
GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
BIG = b"HTTP/1.1 200 OK\r\nContent-Length: 800000\r\n\r\n"
TIMEOUTS = FrontendTimeouts(header_s=10.0, body_s=30.0, upload_rate=100.0, download_rate=1000.0, rate_window_s=20.0)


class Site:
    """A frontend, its acceptor and a server that answers everything, in one thread."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.reactor = Reactor(clock=self.clock)
        self.peer = ListeningPeer(backlog=1024)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.endpoint = Endpoint("127.0.0.1", probe.getsockname()[1])
        config = config_for({"one": self.peer.endpoint}, mode="http", timeouts=TIMEOUTS)
        self.slots = Slots.create(config, 1)
        self.service = service_for(self.reactor, config, self.slots)
        self.listening = open_listener(self.endpoint)
        self.listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 32_768)  # 500 times as much as the kernel likes
        self.acceptor = Acceptor(self.service, [self.listening], relay=http.serve, worker=self.slots.worker(0))
        self.acceptor.start()
        self.clients: list[socket.socket] = []
        self.served: list[socket.socket] = []
        self.peer.socket.setblocking(False)
        self.settle()

    def connect(self, data: bytes = b"", *, buffer_bytes: int = 0) -> socket.socket:
        client = socket.socket()
        if buffer_bytes:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer_bytes)
        client.settimeout(5)
        client.connect(("127.0.0.1", self.endpoint.port))
        client.sendall(data)
        self.clients.append(client)
        return client

    def settle(self) -> None:
        while self.reactor.turn(0.002) or self._serve():
            pass

    def _serve(self) -> bool:
        """The server's part: whoever asks is answered. True when there was something to do."""
        busy = False
        try:
            while True:
                accepted, _ = self.peer.socket.accept()
                accepted.setblocking(False)
                self.served.append(accepted)
                busy = True
        except BlockingIOError:
            pass
        for accepted in self.served:
            try:
                data = accepted.recv(65536)
            except (BlockingIOError, ConnectionResetError):
                continue
            if data.startswith(b"GET /big "):
                accepted.send(BIG)
                busy = True
            elif data.startswith(b"GET "):
                accepted.send(OK)
                busy = True
        return busy

    def pour(self) -> None:
        """Have the server send as much as the big responses take."""
        for accepted in self.served:
            with contextlib.suppress(BlockingIOError, ConnectionResetError, BrokenPipeError):
                accepted.send(b"x" * 262_144)
        self.settle()

    def pass_time(self, seconds: float) -> None:
        self.clock.now += seconds
        self.settle()

    def answers(self) -> bool:
        """Whether a client who behaves is served now."""
        client = self.connect(GET)
        self.settle()
        return client.recv(1000) == OK

    @property
    def causes(self) -> dict[Cause, int]:
        return self.slots.cause_counts("main")

    def close(self) -> None:
        for end in (*self.clients, *self.served):
            end.close()
        self.acceptor.stop()
        self.acceptor.abort_all()
        for pool in self.service.pools.values():
            pool.close_kept()
        while self.reactor.turn(0.002):
            pass
        self.listening.close()
        self.peer.close()
        assert self.reactor.bugs.count == 0
        self.reactor.close()
        self.slots.close()


@pytest.fixture
def site() -> Iterator[Site]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < 4 * SLOW + 200:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 4 * SLOW + 200), hard))
    site = Site()
    yield site
    site.close()
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def crowd(site: Site, data: bytes, *, buffer_bytes: int = 0) -> list[socket.socket]:
    slow = []
    for number in range(SLOW):
        slow.append(site.connect(data, buffer_bytes=buffer_bytes))
        if number % 100 == 99:
            site.settle()
    assert len(site.acceptor.connections) == SLOW
    return slow


def test_heads_that_trickle_in(site: Site) -> None:
    slow = crowd(site, b"GET / HTTP/1.1\r\nHost: a\r\n")
    for _ in range(9):
        for client in slow:
            client.sendall(b"X: y\r\n")
        site.pass_time(1.0)
        assert site.answers()
    assert site.causes == {}
    site.pass_time(1.1)
    assert site.causes == {Cause.HEADER_TIMEOUT: SLOW}
    assert all(client.recv(100).startswith(b"HTTP/1.1 408 ") for client in slow)
    site.pass_time(2.1)
    assert len(site.acceptor.connections) == 9
    assert site.answers()


def test_connections_that_say_nothing(site: Site) -> None:
    slow = crowd(site, b"")
    site.pass_time(9.0)
    assert site.answers()
    site.pass_time(1.1)
    assert all(client.recv(100) == b"" for client in slow)
    assert site.answers()


def test_bodies_that_trickle_in(site: Site) -> None:
    slow = crowd(site, b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n")
    for _ in range(4):
        site.pass_time(4.9)
        for client in slow:
            client.sendall(b"x")
        site.settle()
        assert site.answers()
    assert site.causes == {}
    site.pass_time(0.8)
    assert site.causes == {Cause.BODY_TOO_SLOW: SLOW}
    assert all(client.recv(100).startswith(b"HTTP/1.1 408 ") for client in slow)
    assert site.answers()


def test_responses_that_nobody_reads(site: Site) -> None:
    crowd(site, b"GET /big HTTP/1.1\r\nHost: a\r\n\r\n", buffer_bytes=4096)
    site.settle()
    site.pour()
    site.pass_time(19.0)
    assert site.causes == {}
    assert site.answers()
    # What their kernels still took after they stopped reading counts as taken: a second window at the most.
    site.pass_time(1.3)
    site.pass_time(20.0)
    assert site.causes == {Cause.CLIENT_TOO_SLOW: SLOW}
    assert site.answers()
