"""Connections kept for reuse: last in, first out, and never one on which anything has happened."""

from collections.abc import Iterator
from socket import socket

import pytest

from balancer.reactor import Reactor
from balancer.streams import Stream
from balancer.testing import FakeClock, settle, socket_pair, stream_of
from balancer.upstream import KeptConnections


class Kept:
    """Connections to a server whose ends a test holds."""

    def __init__(self, reactor: Reactor) -> None:
        self.reactor = reactor
        self.connections = KeptConnections(idle_s=30.0)
        self.servers: list[socket] = []

    def connect(self) -> Stream:
        ours, theirs = socket_pair()
        self.servers.append(theirs)
        stream = stream_of(self.reactor, ours)
        settle(self.reactor)
        return stream

    def keep(self) -> Stream:
        stream = self.connect()
        self.connections.keep(stream)
        return stream


@pytest.fixture
def kept(reactor: Reactor) -> Iterator[Kept]:
    kept = Kept(reactor)
    yield kept
    kept.connections.close_all()
    for server in kept.servers:
        server.close()
    settle(reactor)


def test_the_last_kept_is_the_first_taken(kept: Kept) -> None:
    first, second = kept.keep(), kept.keep()
    assert kept.connections.take() is second
    assert kept.connections.take() is first
    assert kept.connections.take() is None
    for stream in (first, second):
        stream.close()


def test_a_connection_that_the_server_closes_is_dropped_at_once(kept: Kept) -> None:
    stream = kept.keep()
    kept.servers[0].close()
    settle(kept.reactor)
    assert stream.closed
    assert len(kept.connections) == 0


def test_a_connection_with_bytes_that_nobody_asked_for_is_dropped_at_once(kept: Kept) -> None:
    stream = kept.keep()
    kept.servers[0].sendall(b"HTTP/1.1 408 Request Timeout\r\n\r\n")
    settle(kept.reactor)
    assert stream.closed
    assert kept.connections.take() is None


def test_a_connection_with_surplus_bytes_is_not_kept(kept: Kept) -> None:
    stream = kept.connect()
    kept.servers[0].sendall(b"surplus")
    settle(kept.reactor)
    kept.connections.keep(stream)
    assert stream.closed
    assert len(kept.connections) == 0


def test_a_connection_that_has_ended_is_not_kept(kept: Kept) -> None:
    stream = kept.connect()
    kept.servers[0].close()
    settle(kept.reactor)
    kept.connections.keep(stream)
    assert stream.closed


def test_whether_anything_follows_a_last_read_that_was_full_is_asked(kept: Kept) -> None:
    stream = kept.connect()
    kept.servers[0].sendall(b"12345")
    settle(kept.reactor)
    assert stream.try_receive(5) == b"12345"
    kept.connections.keep(stream)
    assert kept.connections.take() is stream
    stream.close()


def test_a_connection_is_closed_when_its_time_is_up(kept: Kept, clock: FakeClock) -> None:
    stream = kept.keep()
    clock.now += 29.0
    settle(kept.reactor)
    assert not stream.closed
    clock.now += 1.1
    settle(kept.reactor)
    assert stream.closed
    assert len(kept.connections) == 0


def test_a_connection_in_use_has_no_such_time(kept: Kept, clock: FakeClock) -> None:
    stream = kept.keep()
    assert kept.connections.take() is stream
    clock.now += 100.0
    settle(kept.reactor)
    assert not stream.closed
    stream.close()


def test_close_all(kept: Kept) -> None:
    streams = [kept.keep(), kept.keep()]
    kept.connections.close_all()
    assert [stream.closed for stream in streams] == [True, True]
    assert len(kept.connections) == 0
