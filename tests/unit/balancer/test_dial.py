"""Connections to servers: made, refused, silent, cancelled."""

import errno
import os
import socket
from pathlib import Path
from typing import Any

import pytest

from balancer.dial import dial
from balancer.failures import ConnectFailed, Disconnected
from balancer.fieldtypes import Endpoint
from balancer.reactor import Reactor
from balancer.sockets import Way
from balancer.task import Task
from balancer.testing import FakeClock, ListeningPeer, closed_endpoint, run, settle, stream_pair


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_dial(reactor: Reactor, host: str) -> None:
    listening = ListeningPeer(host)

    async def main() -> bytes:
        stream = await dial(reactor, listening.endpoint, 5.0)
        assert stream.peername == (host, listening.endpoint.port)
        far = listening.accept_stream(reactor)
        await stream.send_all(b"ping")
        received = await far.receive()
        assert stream.sockname[:2] == far.peername[:2]
        stream.close()
        far.close()
        return received

    assert run(reactor, main()) == b"ping"
    listening.close()
    settle(reactor)


def test_dial_refused(reactor: Reactor) -> None:
    with pytest.raises(ConnectFailed) as caught:
        run(reactor, dial(reactor, closed_endpoint(), 5.0))
    assert caught.value.errno == errno.ECONNREFUSED


def test_dial_silent(reactor: Reactor, clock: FakeClock) -> None:
    """A server whose queue is full drops the SYN, which is what an unreachable one looks like."""
    listening = ListeningPeer(backlog=0)
    filling = [socket.socket() for _ in range(3)]
    for caller in filling:
        caller.setblocking(False)
        caller.connect_ex((listening.endpoint.host, listening.endpoint.port))
    with pytest.raises(ConnectFailed) as caught:
        run(reactor, dial(reactor, listening.endpoint, 5.0), clock=clock)
    assert caught.value.timed_out
    for opened in (*filling, listening):
        opened.close()
    settle(reactor)


def test_dial_unreachable(reactor: Reactor) -> None:
    """An address that cannot be connected to fails at once."""
    with pytest.raises(ConnectFailed):
        run(reactor, dial(reactor, Endpoint("255.255.255.255", 80), 5.0))


def test_dial_cancelled_leaves_nothing_open(reactor: Reactor) -> None:
    listening = ListeningPeer()
    before = len(os.listdir("/proc/self/fd"))
    task = reactor.spawn(dial(reactor, listening.endpoint, 5.0))
    reactor.turn()
    task.cancel()
    settle(reactor)
    assert len(os.listdir("/proc/self/fd")) == before
    listening.close()


def test_what_a_connection_begins_with(reactor: Reactor) -> None:
    listening = ListeningPeer()

    async def main() -> bytes:
        stream = await dial(reactor, listening.endpoint, 5.0, b"hello ")
        far = listening.accept_stream(reactor)
        received = await far.receive()
        stream.close()
        far.close()
        return received

    assert run(reactor, main()) == b"hello "
    listening.close()
    settle(reactor)


def test_a_unix_socket(reactor: Reactor, tmp_path: Path) -> None:
    endpoint = Endpoint.parse(f"unix:{tmp_path}/x.sock")
    with pytest.raises(ConnectFailed) as caught:
        run(reactor, dial(reactor, endpoint, 5.0))
    assert caught.value.errno == errno.ENOENT
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(endpoint.host)
        listening.listen()
        stream = run(reactor, dial(reactor, endpoint, 5.0, b"hello", way=Way(source="127.0.0.9")))
        taken, _ = listening.accept()
        with taken:
            assert taken.recv(10) == b"hello"
        stream.close()
        settle(reactor)


def test_from_a_source(reactor: Reactor) -> None:
    listening = ListeningPeer()
    stream = run(reactor, dial(reactor, listening.endpoint, 5.0, way=Way(source="127.0.0.9")))
    with listening.accept() as taken:
        assert taken.getpeername()[0] == "127.0.0.9"
    stream.close()
    settle(reactor)
    listening.close()


def test_from_a_source_that_is_not_here(reactor: Reactor) -> None:
    listening = ListeningPeer()
    with pytest.raises(ConnectFailed):
        run(reactor, dial(reactor, listening.endpoint, 0.1, way=Way(source="192.0.2.9")))
    listening.close()


def test_the_client_for_whom_it_is_made_leaves(reactor: Reactor) -> None:
    """What is lost is no server: who waits here is told of its own loss as it is."""
    listening = ListeningPeer(backlog=0)
    filling = [socket.socket() for _ in range(3)]
    for caller in filling:
        caller.setblocking(False)
        caller.connect_ex((listening.endpoint.host, listening.endpoint.port))
    client, peer = stream_pair(reactor)
    lost = Disconnected(client, errno.ECONNRESET)

    async def main() -> None:
        task = reactor.current
        reactor.fork(interrupt(task))
        await dial(reactor, listening.endpoint, 5.0)

    async def interrupt(task: Task[Any]) -> None:
        await reactor.pause()
        task.interrupt(lost)

    with pytest.raises(Disconnected) as caught:
        run(reactor, main())
    assert caught.value is lost
    for one in (client, peer, listening, *filling):
        one.close()
    settle(reactor)
