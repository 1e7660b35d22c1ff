"""Connections kept for reuse: last in, first out, and never one on which anything has happened."""

from collections.abc import Iterator
from socket import socket

import pytest

from balancer.reactor import Reactor
from balancer.slots import OPEN, Slots
from balancer.testing import FakeClock, closed_endpoint, config_for, settle, socket_pair, stream_of
from balancer.upstream import KeptConnections, Upstream


class Server:
    """A server whose ends of the connections a test holds."""

    def __init__(self, reactor: Reactor) -> None:
        self.reactor = reactor
        self.kept = KeptConnections(idle_s=30.0)
        self.ends: list[socket] = []
        self.slots = Slots.create(config_for({"one": closed_endpoint()}), workers=1)
        self.counters = self.slots.server(0, "pool", "one")

    def connect(self) -> Upstream:
        ours, theirs = socket_pair()
        self.ends.append(theirs)
        self.counters.add(OPEN)
        upstream = Upstream(self.kept, "one", self.counters, stream_of(self.reactor, ours))
        settle(self.reactor)
        return upstream

    def keep(self) -> Upstream:
        upstream = self.connect()
        upstream.reusable = True
        upstream.end()
        return upstream

    def send(self, data: bytes) -> None:
        self.ends[-1].sendall(data)
        settle(self.reactor)

    def hang_up(self) -> None:
        self.ends[-1].close()
        settle(self.reactor)


@pytest.fixture
def server(reactor: Reactor) -> Iterator[Server]:
    server = Server(reactor)
    yield server
    server.kept.close_all()
    for end in server.ends:
        end.close()
    settle(reactor)
    server.slots.close()


def test_the_last_kept_is_the_first_taken(server: Server) -> None:
    first, second = server.keep(), server.keep()
    assert server.kept.take() is second
    assert server.kept.take() is first
    assert server.kept.take() is None
    first.end()
    second.end()


def test_a_connection_counts_as_open_while_it_is_in_use(server: Server) -> None:
    upstream = server.connect()
    assert server.counters.get(OPEN) == 1
    upstream.reusable = True
    upstream.end()
    assert server.counters.get(OPEN) == 0
    assert server.kept.take() is upstream
    assert server.counters.get(OPEN) == 1
    upstream.end()
    assert server.counters.get(OPEN) == 0


def test_reuse_has_to_be_earned_each_time(server: Server) -> None:
    upstream = server.keep()
    assert (upstream.was_kept, server.kept.proven) == (False, 0)
    assert server.kept.take() is upstream
    assert upstream.was_kept
    assert not upstream.reusable
    upstream.end()
    assert upstream.stream.closed
    assert len(server.kept) == 0


def test_a_connection_that_the_server_closes_is_dropped_at_once(server: Server) -> None:
    upstream = server.keep()
    server.hang_up()
    assert upstream.stream.closed
    assert len(server.kept) == 0


def test_a_connection_with_bytes_that_nobody_asked_for_is_dropped_at_once(server: Server) -> None:
    upstream = server.keep()
    server.send(b"HTTP/1.1 408 Request Timeout\r\n\r\n")
    assert upstream.stream.closed
    assert server.kept.take() is None


def test_a_connection_in_use_is_not_dropped(server: Server) -> None:
    upstream = server.connect()
    server.send(b"x")
    assert not upstream.stream.closed
    upstream.end()


def test_a_connection_with_surplus_bytes_is_not_kept(server: Server) -> None:
    upstream = server.connect()
    server.send(b"surplus")
    upstream.reusable = True
    upstream.end()
    assert upstream.stream.closed
    assert len(server.kept) == 0


def test_a_connection_that_has_ended_is_not_kept(server: Server) -> None:
    upstream = server.connect()
    server.hang_up()
    upstream.reusable = True
    upstream.end()
    assert upstream.stream.closed


def test_whether_anything_follows_a_last_read_that_was_full_is_asked(server: Server) -> None:
    upstream = server.connect()
    server.send(b"12345")
    assert upstream.stream.try_receive(5) == b"12345"
    upstream.reusable = True
    upstream.end()
    assert len(server.kept) == 1


def test_a_connection_is_closed_when_its_time_is_up(server: Server, clock: FakeClock) -> None:
    upstream = server.keep()
    clock.now += 29.0
    settle(server.reactor)
    assert not upstream.stream.closed
    clock.now += 1.1
    settle(server.reactor)
    assert upstream.stream.closed
    assert len(server.kept) == 0


def test_close_all(server: Server) -> None:
    kept = [server.keep(), server.keep()]
    server.kept.close_all()
    assert [upstream.stream.closed for upstream in kept] == [True, True]
    assert len(server.kept) == 0
