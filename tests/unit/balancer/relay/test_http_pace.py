"""Slow bodies and slow readers, where a frontend has a minimum rate."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from balancer.causes import Cause
from balancer.config import FrontendTimeouts

if TYPE_CHECKING:
    from tests.unit.balancer.relay.conftest import End, HttpRig, RigMaker

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: a\r\n"
QUIET_TURNS = 10
TIMEOUTS = FrontendTimeouts(upload_rate=100.0, download_rate=1000.0, rate_window_s=20.0)


def paced(make_rig: RigMaker) -> HttpRig:
    return make_rig(timeouts=TIMEOUTS)


def test_a_body_a_byte_at_a_time_is_late_after_a_window(make_rig: RigMaker) -> None:
    rig = paced(make_rig)
    client = rig.client(POST + b"Content-Length: 5000\r\n\r\n")
    rig.server()
    for _ in range(19):
        rig.pass_time(1.0)
        client.send(b"x")
    assert client.read() == b""
    rig.pass_time(1.3)
    assert client.read().startswith(b"HTTP/1.1 408 ")
    assert client.ended
    assert rig.causes == {Cause.BODY_TOO_SLOW: 1}


def test_chunks_a_byte_at_a_time_are_late_too(make_rig: RigMaker) -> None:
    rig = paced(make_rig)
    client = rig.client(POST + b"Transfer-Encoding: chunked\r\n\r\n")
    rig.server()
    for _ in range(19):
        rig.pass_time(1.0)
        client.send(b"1\r\nx\r\n")
    rig.pass_time(2.3)
    assert client.read().startswith(b"HTTP/1.1 408 ")


def test_a_body_at_the_minimum_rate_arrives(make_rig: RigMaker) -> None:
    rig = paced(make_rig)
    client = rig.client(POST + b"Content-Length: 5000\r\n\r\n")
    server = rig.server()
    for _ in range(50):
        rig.pass_time(1.0)
        client.send(b"x" * 100)
    assert server.read().endswith(b"\r\n\r\n" + b"x" * 5000)
    server.send(b"HTTP/1.1 204 No Content\r\n\r\n")
    assert client.read().startswith(b"HTTP/1.1 204 ")
    assert rig.causes == {}


def test_a_server_that_does_not_read_is_not_held_against_the_client(make_rig: RigMaker) -> None:
    rig = paced(make_rig)
    client = rig.client(POST + b"Content-Length: 30000000\r\n\r\n")
    server = rig.server()
    fill(rig, client)
    rig.pass_time(50.0)
    assert client.read() == b""
    assert server.read() != b""
    rig.pass_time(19.0)
    assert client.read() == b""
    assert rig.causes == {}


def fill(rig: HttpRig, end: End) -> None:
    """Send until nothing has gone for a while: a busy kernel takes its time to move what it has been given."""
    refused = 0
    while refused < QUIET_TURNS:
        try:
            end.socket.send(b"x" * 65536)
            refused = 0
        except BlockingIOError:
            refused += 1
            rig.settle()


def downloading(rig: HttpRig) -> tuple[End, End]:
    """A client with a response of 30 MB under way that it does not read."""
    client = rig.client()
    client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)
    client.send(GET)
    server = rig.server()
    server.send(b"HTTP/1.1 200 OK\r\nContent-Length: 30000000\r\n\r\n")
    fill(rig, server)
    return client, server


def test_a_client_that_reads_nothing_is_reset_after_a_window(make_rig: RigMaker) -> None:
    rig = paced(make_rig)
    client, _ = downloading(rig)
    rig.pass_time(19.0)
    assert rig.causes == {}
    rig.pass_time(1.3)
    if not rig.causes:  # a busy kernel acknowledged the last of it late, which counts as read in this window
        rig.pass_time(20.3)
    assert rig.causes == {Cause.CLIENT_TOO_SLOW: 1}
    client.read()
    assert client.reset


def test_a_client_that_reads_at_the_minimum_rate_goes_on(make_rig: RigMaker) -> None:
    rig = paced(make_rig)
    client, _ = downloading(rig)
    for _ in range(12):
        rig.pass_time(10.0)
        assert len(client.socket.recv(1 << 20)) > 10_000
        rig.settle()
    assert rig.causes == {}


def test_a_server_that_sends_nothing_is_not_held_against_the_client(make_rig: RigMaker) -> None:
    rig = paced(make_rig)
    client = rig.client(GET)
    server = rig.server()
    server.send(b"HTTP/1.1 200 OK\r\nContent-Length: 600000\r\n\r\n" + b"x" * 300_000)
    assert len(client.read()) > 300_000
    rig.pass_time(250.0)
    server.send(b"x" * 300_000)
    assert len(client.read()) == 300_000
    assert rig.causes == {}
