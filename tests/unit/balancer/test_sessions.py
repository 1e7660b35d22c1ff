"""Which connections are open and with whom they speak is told of real ones, served by a whole engine, and ended."""

import socket
from collections.abc import Iterator

import pytest
from h2.config import H2Configuration
from h2.connection import H2Connection

from balancer.config import Http2
from balancer.sessions import end_session, end_sessions, sessions
from balancer.testing import settle
from tests.unit.balancer.test_engine import House, end_of

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@pytest.fixture
def tcp() -> Iterator[House]:
    yield from _house()


@pytest.fixture
def http() -> Iterator[House]:
    yield from _house(mode="http")


@pytest.fixture
def http2() -> Iterator[House]:
    yield from _house(mode="http", http2=Http2())


def _house(**frontend: object) -> Iterator[House]:
    house = House(**frontend)
    house.apply()
    yield house
    house.close()


def seen(house: House) -> list[tuple[str, str, str, int, str, str]]:
    return [
        (one.frontend, one.client, "", one.port, one.pool, one.server)
        for one in sessions(house.engine.acceptors(), 1, 100)
    ]


def port_of(client: socket.socket) -> int:
    return int(client.getsockname()[1])


def ask(house: House) -> tuple[socket.socket, socket.socket]:
    """A client that waits for its response, and the server's end."""
    client = house.connect()
    client.sendall(GET)
    settle(house.reactor)
    return client, house.server.accept()


def test_a_tcp_connection_and_its_server(tcp: House) -> None:
    client = tcp.connect()
    server = tcp.server.accept()
    assert seen(tcp) == [("main", "127.0.0.1", "", port_of(client), "pool", "one")]
    (session,) = sessions(tcp.engine.acceptors(), 1, 100)
    assert session.id >> 48 == 1
    assert 0 <= session.age_s < 5
    assert end_session(tcp.engine.acceptors(), 1, session.id + 1) == 0
    assert end_session(tcp.engine.acceptors(), 2, session.id) == 0
    assert end_session(tcp.engine.acceptors(), 1, session.id) == 1
    settle(tcp.reactor)
    assert end_of(client) == "reset"
    assert seen(tcp) == []
    server.close()


def test_an_http_connection_speaks_with_a_server_only_while_a_request_is_under_way(http: House) -> None:
    idle = http.connect()
    assert seen(http) == [("main", "127.0.0.1", "", port_of(idle), "", "")]
    client, server = ask(http)
    assert ("main", "127.0.0.1", "", port_of(client), "pool", "one") in seen(http)
    server.sendall(ANSWER)
    settle(http.reactor)
    assert client.recv(1000).startswith(b"HTTP/1.1 200 OK")
    assert {one[4:] for one in seen(http)} == {("", "")}
    server.close()


def test_those_of_one_server_are_ended(http: House) -> None:
    first, one = ask(http)
    second, two = ask(http)
    idle = http.connect()
    assert [end[4:] for end in seen(http) if end[3] == port_of(second)] == [("pool", "two")]
    assert end_sessions(http.engine.acceptors(), "pool", "one") == 1
    assert end_sessions(http.engine.acceptors(), "other", "one") == 0
    settle(http.reactor)
    assert end_of(first) == "reset"
    two.sendall(ANSWER)
    settle(http.reactor)
    assert second.recv(1000).startswith(b"HTTP/1.1 200 OK")
    assert {end[3] for end in seen(http)} == {port_of(second), port_of(idle)}
    one.close()
    two.close()


def test_of_http2_the_streams_are_told_and_ended(http2: House) -> None:
    client = http2.connect()
    h2 = H2Connection(H2Configuration())
    h2.initiate_connection()
    for stream in (1, 3):
        h2.send_headers(
            stream, [(":method", "GET"), (":scheme", "http"), (":path", "/"), (":authority", "a")], end_stream=True
        )
    client.sendall(h2.data_to_send())
    settle(http2.reactor)
    servers = [http2.server.accept(), http2.server.accept()]
    settle(http2.reactor)
    assert sorted(one[4:] for one in seen(http2)) == [("pool", "one"), ("pool", "two")]
    assert end_sessions(http2.engine.acceptors(), "pool", "one") == 1
    settle(http2.reactor)
    assert [one[4:] for one in seen(http2)] == [("pool", "two")]
    for server in servers:
        server.close()


def test_no_more_are_told_than_asked_for(tcp: House) -> None:
    for _ in range(3):
        tcp.connect()
    assert len(sessions(tcp.engine.acceptors(), 0, 2)) == 2
    assert tcp.engine.acceptors("nowhere") == []
    assert len(tcp.engine.acceptors("main")) == 1
