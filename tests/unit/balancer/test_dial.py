"""Connections to servers: made, refused, silent, cancelled."""

import errno
import os
import socket

import pytest

from balancer.dial import dial
from balancer.failures import ConnectFailed
from balancer.fieldtypes import Endpoint
from balancer.reactor import Reactor
from balancer.testing import FakeClock, ListeningPeer, closed_endpoint, run, settle


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
