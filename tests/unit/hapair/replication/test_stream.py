"""A conversation over real sockets: both prove who they are, then speak; anything else ends it with a reason."""

import socket
from collections.abc import AsyncIterator
from ipaddress import ip_address

import pytest
import trio

from hapair.replication import stream as module
from hapair.replication.stream import PeerStream, StreamEndedError
from vrrp.liveness.config import LinkConfig
from vrrp.liveness.session import Role, Session
from vrrp.liveness.tcp import TcpWire

A, B = ip_address("127.0.0.1"), ip_address("127.0.0.2")


def config(node: str, peer: str, secret: bytes = b"s" * 32) -> LinkConfig:
    return LinkConfig(
        node=node, peer=peer, address=A, peer_address=B, port=1340, secret=secret, interval_s=0.1, purpose="flows"
    )


@pytest.fixture
async def wires() -> AsyncIterator[tuple[TcpWire, TcpWire]]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        one = socket.create_connection(server.getsockname())
        other = server.accept()[0]
    found = TcpWire(one, user_timeout_s=5), TcpWire(other, user_timeout_s=5)
    yield found
    for wire in found:
        wire.close()


async def both(*streams: PeerStream) -> None:
    async with trio.open_nursery() as nursery:
        for stream in streams:
            nursery.start_soon(stream.shake_hands)


async def test_what_one_says_the_other_hears(wires: tuple[TcpWire, TcpWire]) -> None:
    a = PeerStream(wires[0], config("pi-a", "pi-b"), Role.DIALER)
    b = PeerStream(wires[1], config("pi-b", "pi-a"), Role.LISTENER)
    await both(a, b)
    await a.send(b"one")
    await a.send(b"two" * 10_000)
    assert (await b.receive(), await b.receive()) == (b"one", b"two" * 10_000)
    await b.send(b"back")
    assert await a.receive() == b"back"
    a.close()
    with pytest.raises(StreamEndedError, match="it hung up"):
        await b.receive()


class Eager:
    """A wire to a peer that says something together with the last that proves who it is."""

    def __init__(self) -> None:
        self.peer = Session(
            secret=b"s" * 32, purpose="flows", node="pi-b", peer="pi-a", role=Role.LISTENER, nonce=bytes(range(32))
        )
        self.arrived = [self.peer.take_output()]

    def receive(self, _: int) -> bytes | None:
        return self.arrived.pop(0)

    def send(self, data: bytes) -> int:
        self.peer.feed(data)
        assert self.peer.next_frame() is None
        proof = self.peer.take_output()
        if self.peer.established:
            self.arrived.append(proof + self.peer.seal(b"first") + self.peer.seal(b"second"))
        return len(data)

    async def wait_readable(self) -> None:
        assert self.arrived

    async def wait_writable(self) -> None:
        raise AssertionError

    def close(self) -> None:
        self.arrived.clear()


async def test_what_comes_together_with_the_handshake_is_heard() -> None:
    stream = PeerStream(Eager(), config("pi-a", "pi-b"), Role.DIALER)
    await stream.shake_hands()
    assert (await stream.receive(), await stream.receive()) == (b"first", b"second")


async def test_without_the_secret_nothing_is_said(wires: tuple[TcpWire, TcpWire]) -> None:
    a = PeerStream(wires[0], config("pi-a", "pi-b", b"x" * 32), Role.DIALER)
    b = PeerStream(wires[1], config("pi-b", "pi-a"), Role.LISTENER)
    with trio.move_on_after(5), pytest.RaisesGroup(StreamEndedError, match=None):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(a.shake_hands)
            await b.shake_hands()


async def test_silence_is_an_end(
    wires: tuple[TcpWire, TcpWire], monkeypatch: pytest.MonkeyPatch, autojump_clock: object
) -> None:
    a = PeerStream(wires[0], config("pi-a", "pi-b"), Role.DIALER)
    with pytest.raises(StreamEndedError, match="it did not say who it is in time"):
        await a.shake_hands()


async def test_a_peer_that_says_nothing_more(wires: tuple[TcpWire, TcpWire], monkeypatch: pytest.MonkeyPatch) -> None:
    a = PeerStream(wires[0], config("pi-a", "pi-b"), Role.DIALER)
    b = PeerStream(wires[1], config("pi-b", "pi-a"), Role.LISTENER)
    await both(a, b)
    monkeypatch.setattr(module, "SILENCE_LIMIT_S", 0.05)
    with pytest.raises(StreamEndedError, match="nothing came for 0 s"):
        await b.receive()
