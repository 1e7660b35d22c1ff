"""The handshake before a relay: which relay, what it is told, who is turned away. Real sockets, an ordinary client."""

import socket
import ssl
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from balancer.config import BalancerConfig, FrontendTimeouts, Hsts, Route
from balancer.config_routes import Redirect
from balancer.config_tls import CertificateFiles, FrontendTls
from balancer.engine import Engine
from balancer.listener import open_listeners
from balancer.reactor import Reactor
from balancer.relay.tls import TlsRelay
from balancer.secure import SecureStream
from balancer.service import FrontendService
from balancer.slots import Slots
from balancer.streams import Stream
from balancer.testing import (
    FakeClock,
    ListeningPeer,
    closed_endpoint,
    config_for,
    secure_stream_of,
    service_for,
    settle,
    socket_pair,
)
from balancer.tls.contexts import DoorContexts
from balancer.tls.material import Bundle, FrontendMaterial, Material

TLS = FrontendTls(certificates=(CertificateFiles(certificate="x.pem"),))
ASKING = FrontendTls(
    certificates=(CertificateFiles(certificate="x.pem"),), client_ca="ca.pem", client_certificate="optional"
)


@pytest.fixture
def server() -> Iterator[ListeningPeer]:
    peer = ListeningPeer()
    yield peer
    peer.close()


class Client:
    """An ordinary TLS client; whatever it waits for, the reactor goes on meanwhile."""

    def __init__(self, reactor: Reactor, connected: socket.socket, context: ssl.SSLContext) -> None:
        self._reactor = reactor
        connected.setblocking(False)
        self.socket = context.wrap_socket(
            connected, server_hostname="www.example.org", do_handshake_on_connect=False, suppress_ragged_eofs=False
        )
        self.patiently(self.socket.do_handshake)

    def patiently(self, call: Any) -> Any:
        for _ in range(50):
            try:
                return call()
            except ssl.SSLWantReadError:
                settle(self._reactor)
        raise TimeoutError

    def ask(self, request: bytes) -> None:
        self.socket.send(request)
        settle(self._reactor)

    def read(self) -> bytes:
        return bytes(self.patiently(lambda: self.socket.recv(65536)))


class Running:
    """An engine with one frontend that speaks TLS."""

    def __init__(self, reactor: Reactor, config: BalancerConfig, material: Material) -> None:
        self.reactor = reactor
        self.slots = Slots.create(config, workers=1)
        self.listeners = open_listeners(config.listeners())
        self.engine = Engine(reactor, self.slots, 0)
        self.engine.apply(config, self.listeners, material)

    def connect(self, context: ssl.SSLContext) -> Client:
        (listener,) = self.listeners.values()
        return Client(self.reactor, socket.create_connection(listener.getsockname()[:2], 5), context)

    def close(self) -> None:
        self.engine.close()
        settle(self.reactor)
        for listener in self.listeners.values():
            listener.close()
        self.slots.close()


@pytest.fixture
def serve(reactor: Reactor, server: ListeningPeer, issued: Any, authority: Any) -> Iterator[Any]:
    made: list[Running] = []

    def make(**frontend: Any) -> Running:
        with socket.create_server(("127.0.0.1", 0)) as probe:
            listen = f"127.0.0.1:{probe.getsockname()[1]}"
        in_pool = frontend.pop("in_pool", {})
        config = config_for({"one": server.endpoint}, listen=listen, **{"tls": TLS, **frontend})
        config = replace(config, pools={"pool": replace(config.pools["pool"], **in_pool)})
        bundle = Bundle(names=("www.example.org",), pem=issued.pem)
        material = FrontendMaterial(bundles=(bundle,), client_ca=authority.pem)
        made.append(Running(reactor, config, Material(frontends={"main": material})))
        return made[-1]

    yield make
    for running in made:
        running.close()


@pytest.fixture
def context(authority: Any) -> ssl.SSLContext:
    return ssl.create_default_context(cadata=authority.pem.decode())


def answer(reactor: Reactor, server: ListeningPeer, response: bytes) -> bytes:
    """What a server was asked; it is answered, and its connection ended."""
    with server.accept() as connection:
        request = connection.recv(65536)
        connection.sendall(response)
    settle(reactor)
    return request


def test_http_servers_are_told_of_https(reactor: Reactor, server: Any, serve: Any, context: ssl.SSLContext) -> None:
    client = serve(mode="http").connect(context)
    client.ask(
        b"GET / HTTP/1.1\r\nHost: www.example.org\r\nX-SSL-Client-Verify: SUCCESS\r\nX_SSL_Client_CN: me\r\n\r\n"
    )
    request = answer(reactor, server, b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")
    assert b"\r\nX-Forwarded-Proto: https\r\n" in request
    assert b"proto=https" in request
    assert b"client" not in request.lower().replace(b"x-forwarded", b"")
    assert client.read().endswith(b"hi")
    client.socket.close()


def test_http_servers_are_told_of_the_client(
    reactor: Reactor, server: Any, serve: Any, context: ssl.SSLContext, authority: Any
) -> None:
    running = serve(mode="http", tls=ASKING)
    context.load_cert_chain(authority.issue(subject="/O=Example/CN=anna").both)
    client = running.connect(context)
    client.ask(b"GET / HTTP/1.1\r\nHost: www.example.org\r\nX-SSL-Client-CN: root\r\n\r\n")
    request = answer(reactor, server, b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    assert (
        b"\r\nX-SSL-Client-Verify: SUCCESS\r\nX-SSL-Client-DN: CN=anna,O=Example\r\nX-SSL-Client-CN: anna\r\n"
        in request
    )
    assert b"root" not in request
    client.socket.close()


def test_routes_know_the_name_of_the_handshake_and_hsts_is_said(serve: Any, context: ssl.SSLContext) -> None:
    named = Route(sni=("*.example.org",), redirect=Redirect(to="{scheme}://{sni}:{port}/"))
    running = serve(mode="http", hsts=Hsts(max_age_s=300.0), routes=(Route(sni=("other.org",), deny=403), named))
    client = running.connect(context)
    client.ask(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    (listener,) = running.listeners.values()
    assert client.read() == (
        b"HTTP/1.1 302 Found\r\nLocation: https://www.example.org:%d/\r\nContent-Length: 0\r\n"
        b"Strict-Transport-Security: max-age=300\r\n\r\n" % listener.getsockname()[1]
    )
    client.socket.close()


def test_and_of_one_without_a_certificate(reactor: Reactor, server: Any, serve: Any, context: ssl.SSLContext) -> None:
    client = serve(mode="http", tls=ASKING).connect(context)
    client.ask(b"GET / HTTP/1.1\r\nHost: www.example.org\r\n\r\n")
    assert b"\r\nX-SSL-Client-Verify: NONE\r\n" in answer(reactor, server, b"HTTP/1.1 204 No Content\r\n\r\n")
    client.socket.close()


def test_a_proxy_header_tells_of_tls_and_of_the_name(
    reactor: Reactor, server: ListeningPeer, serve: Any, context: ssl.SSLContext
) -> None:
    client = serve(mode="http", in_pool={"send_proxy": "v2"}).connect(context)
    client.ask(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    with server.accept() as accepted:
        header = accepted.recv(65536)
    assert header[:14] == b"\r\n\r\n\x00\r\nQUIT\n\x21\x11"
    end = 16 + int.from_bytes(header[14:16], "big")
    told, at = {}, 28
    while at < end:
        size = int.from_bytes(header[at + 1 : at + 3], "big")
        told[header[at]] = header[at + 3 : at + 3 + size]
        at += 3 + size
    assert told[0x02] == b"www.example.org"
    assert told[0x20][:5] == b"\x01\x00\x00\x00\x01"  # by TLS; no certificate was shown
    assert b"\x21\x00\x07TLSv1.3" in told[0x20]
    assert header[end:].startswith(b"GET / HTTP/1.1\r\n")
    client.socket.close()


def test_bytes_of_any_kind_in_mode_tcp(reactor: Reactor, server: Any, serve: Any, context: ssl.SSLContext) -> None:
    client = serve(mode="tcp").connect(context)
    client.ask(b"anything")
    assert answer(reactor, server, b"something") == b"anything"
    assert client.read() == b"something"
    assert client.read() == b"", "the server's end is passed on, said"
    client.socket.close()


def test_an_end_that_the_client_did_not_say_is_passed_on_all_the_same(
    reactor: Reactor, server: Any, serve: Any, context: ssl.SSLContext
) -> None:
    client = serve(mode="tcp").connect(context)
    client.ask(b"anything")
    client.socket.shutdown(socket.SHUT_WR)
    settle(reactor)
    with server.accept() as connection:
        assert connection.recv(100) == b"anything"
        assert connection.recv(100) == b""
    client.socket.close()


def test_a_client_that_speaks_no_tls_is_counted(reactor: Reactor, serve: Any) -> None:
    running = serve(mode="http")
    (listener,) = running.listeners.values()
    with socket.create_connection(listener.getsockname()[:2], 5) as client:
        client.sendall(b"\x16\x03\x01\x00\x05hello")
        settle(reactor)
        assert client.recv(100)[:1] == b"\x15", "an alert"
    settle(reactor)
    assert running.slots.frontend_counts("main").bad_requests == 1


def test_renewed_certificates_are_for_new_connections(
    reactor: Reactor, server: Any, serve: Any, context: ssl.SSLContext, authority: Any
) -> None:
    running = serve(mode="http")
    old = running.connect(context)
    issued = authority.issue("www.example.org", "new.example.org")
    renewed = FrontendMaterial(bundles=(Bundle(names=("www.example.org",), pem=issued.pem),))
    running.engine.renew(Material(frontends={"main": renewed}))
    new = running.connect(context)
    assert ("DNS", "new.example.org") in new.socket.getpeercert()["subjectAltName"]
    old.ask(b"GET / HTTP/1.1\r\nHost: www.example.org\r\n\r\n")
    answer(reactor, server, b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")
    assert old.read().endswith(b"hi")
    old.socket.close()
    new.socket.close()


def relay_of(issued: Any, served: list[str], alpn: tuple[str, ...]) -> TlsRelay:
    async def usual(service: FrontendService, stream: Stream) -> None:
        served.append("usual")

    async def special(service: FrontendService, stream: Stream) -> None:
        served.append("special")

    material = FrontendMaterial(bundles=(Bundle(names=(), pem=issued.pem),))
    return TlsRelay(DoorContexts(TLS, material, alpn), usual, {"h2": special})


@pytest.mark.parametrize(
    ("offered", "served"), [(["h2", "http/1.1"], "special"), (["http/1.1"], "usual"), ([], "usual")]
)
def test_the_protocol_that_was_agreed_upon_chooses_the_relay(
    reactor: Reactor, issued: Any, context: ssl.SSLContext, offered: list[str], served: str
) -> None:
    config = config_for({"one": closed_endpoint()}, tls=TLS)
    slots = Slots.create(config, workers=1)
    service = service_for(reactor, config, slots)
    theirs, ours = socket_pair()
    stream, said = secure_stream_of(reactor, ours), list[str]()
    task = reactor.spawn(relay_of(issued, said, ("h2", "http/1.1"))(service, stream))
    if offered:
        context.set_alpn_protocols(offered)
    client = Client(reactor, theirs, context)
    settle(reactor)
    assert task.done
    assert said == [served]
    stream.close()
    settle(reactor)
    client.socket.close()
    slots.close()


def test_a_slow_handshake_is_cut_and_counted(reactor: Reactor, clock: FakeClock, issued: Any) -> None:
    config = config_for({"one": closed_endpoint()}, tls=TLS, timeouts=FrontendTimeouts(tls_handshake_s=3.0))
    slots = Slots.create(config, workers=1)
    theirs, ours = socket_pair()
    stream = secure_stream_of(reactor, ours)
    assert isinstance(stream, SecureStream)
    task = reactor.spawn(relay_of(issued, [], ())(service_for(reactor, config, slots), stream))
    theirs.sendall(b"\x16\x03\x01\x02")
    settle(reactor)
    clock.now += 2.5
    settle(reactor)
    assert not task.done
    clock.now += 1
    settle(reactor)
    assert task.done
    assert slots.frontend_counts("main").timeouts == 1
    stream.close()
    settle(reactor)
    theirs.close()
    slots.close()
