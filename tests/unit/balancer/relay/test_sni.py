"""Connections that are routed by the name in their ClientHello; real sockets."""

import ssl
from collections.abc import Iterator
from typing import Any

import pytest

from balancer.config import BalancerConfig, Frontend, FrontendTimeouts, Pool, Route, Server
from balancer.fieldtypes import Endpoint
from balancer.reactor import Reactor
from balancer.relay.sni import SniRelay
from balancer.slots import Slots
from balancer.testing import FakeClock, ListeningPeer, service_for, settle, socket_pair, stream_of

ROUTES = (
    Route(sni=("mail.example",), pool="mail"),
    Route(sni=("*.shop.example",), client=("127.0.0.0/8",), pool="shop"),
    Route(client=("192.0.2.0/24",), pool="mail"),
)


def hello(name: str | None) -> bytes:
    context = ssl.create_default_context()
    context.check_hostname = False
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    with pytest.raises(ssl.SSLWantReadError):
        context.wrap_bio(incoming, outgoing, server_hostname=name).do_handshake()
    return outgoing.read()


class Rig:
    def __init__(self, reactor: Reactor) -> None:
        self.reactor = reactor
        self.peers = {name: ListeningPeer() for name in ("rest", "mail", "shop")}
        frontend = Frontend(
            listen=(Endpoint("127.0.0.1", 1),),
            mode="tcp",
            pool="rest",
            routes=ROUTES,
            timeouts=FrontendTimeouts(tls_handshake_s=3.0),
        )
        pools = {name: Pool(servers={"one": Server(address=peer.endpoint)}) for name, peer in self.peers.items()}
        config = BalancerConfig(frontends={"main": frontend}, pools=pools)
        self.slots = Slots.create(config, workers=1)
        self.service = service_for(reactor, config, self.slots)
        self.relay = SniRelay(frontend)
        self.open: list[Any] = []

    def connect(self) -> Any:
        theirs, ours = socket_pair()
        stream = stream_of(self.reactor, ours)
        self.open += [theirs, stream]
        self.task = self.reactor.spawn(self.relay(self.service, stream))
        settle(self.reactor)
        return theirs

    def reached(self) -> list[str]:
        """The pools that have a new connection, and what it brought."""
        settle(self.reactor)
        found = []
        for name, peer in self.peers.items():
            peer.socket.setblocking(False)
            try:
                accepted, _ = peer.socket.accept()
            except BlockingIOError:
                continue
            self.open.append(accepted)
            accepted.settimeout(60)
            self.received = accepted.recv(65536)
            found.append(name)
        return found

    def close(self) -> None:
        for one in self.open:
            one.close()
        settle(self.reactor)
        for peer in self.peers.values():
            peer.close()
        self.slots.close()


@pytest.fixture
def rig(reactor: Reactor) -> Iterator[Rig]:
    rig = Rig(reactor)
    yield rig
    rig.close()


@pytest.mark.parametrize(
    ("name", "pool"),
    [
        ("mail.example", "mail"),
        ("a.shop.example", "shop"),
        ("shop.example", "rest"),
        ("b.example", "rest"),
        (None, "rest"),
    ],
)
def test_the_name_chooses_and_every_byte_arrives(rig: Rig, name: str | None, pool: str) -> None:
    data = hello(name)
    rig.connect().sendall(data)
    assert rig.reached() == [pool]
    assert rig.received == data


def test_a_hello_in_pieces(rig: Rig) -> None:
    data = hello("mail.example")
    client = rig.connect()
    for place in range(0, len(data) - 50, 50):
        client.sendall(data[place : place + 50])
        assert rig.reached() == []
    client.sendall(data[place + 50 :])
    assert rig.reached() == ["mail"]
    assert rig.received == data


def test_what_is_not_tls_goes_to_the_default_pool(rig: Rig) -> None:
    rig.connect().sendall(b"hello\n")
    assert rig.reached() == ["rest"]


def test_a_malformed_hello_reaches_nobody(rig: Rig) -> None:
    client = rig.connect()
    client.sendall(b"\x16\x03\x01\0\x04\1\0\0\0")
    assert rig.reached() == []
    with pytest.raises(ConnectionResetError):
        client.recv(1)
    assert rig.slots.frontend_counts("main").bad_requests == 1


def test_one_who_is_slow_is_cut(rig: Rig, clock: FakeClock) -> None:
    client = rig.connect()
    client.sendall(b"\x16\x03")
    settle(rig.reactor)
    clock.now += 4
    assert rig.reached() == []
    with pytest.raises(ConnectionResetError):
        client.recv(1)
    assert rig.slots.frontend_counts("main").timeouts == 1


def test_one_who_ends_early_goes_to_the_default_pool_and_ends_there(rig: Rig) -> None:
    client = rig.connect()
    client.sendall(b"\x16\x03")
    client.shutdown(1)
    assert rig.reached() == ["rest"]


@pytest.mark.parametrize(
    "route",
    [Route(path=("/a",), pool="rest"), Route(sni=("a.example",), deny=403), Route(host=("a.example",), pool="rest")],
)
def test_routes_by_requests_need_mode_http(route: Route) -> None:
    with pytest.raises(ValueError, match="in mode: tcp a route has"):
        Frontend(listen=(Endpoint("127.0.0.1", 1),), mode="tcp", pool="rest", routes=(route,))
