"""Switched protocols: WebSocket and its kind, byte for byte, after a matching 101 only."""

from __future__ import annotations

from typing import TYPE_CHECKING

from balancer.causes import Cause
from balancer.config import FrontendTimeouts

if TYPE_CHECKING:
    from tests.unit.balancer.relay.conftest import End, HttpRig, RigMaker

ASK = b"GET /chat HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n\r\n"
SWITCH = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"


def switched(rig: HttpRig, early: bytes = b"") -> tuple[End, End]:
    client = rig.client(ASK + early)
    server = rig.server()
    assert b"\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" in server.read()
    server.send(SWITCH + b"hello")
    assert client.read() == SWITCH + b"hello"
    return client, server


def test_a_tunnel_has_an_idle_time_of_its_own(make_rig: RigMaker) -> None:
    rig = make_rig(timeouts=FrontendTimeouts(idle_s=10.0, tunnel_s=3600.0, request_s=20.0))
    client, _ = switched(rig)
    rig.pass_time(3599.0)
    assert client.read() == b""
    assert not client.ended
    rig.pass_time(1.2)
    assert client.read() == b""
    assert client.ended
    assert rig.causes == {Cause.TUNNEL_IDLE: 1}


def test_bytes_go_both_ways_until_both_sides_have_ended(rig: HttpRig) -> None:
    client, server = switched(rig)
    client.send(b"\x00GET / HTTP/1.1\r\n")
    assert server.read() == b"\x00GET / HTTP/1.1\r\n"
    server.send(b"\xff" * 200_000)
    assert client.read() == b"\xff" * 200_000
    client.shut()
    assert server.read() == b""
    assert server.ended
    server.send(b"bye")
    server.close()
    assert client.read() == b"bye"
    assert client.ended
    assert rig.frontend_counts.status_1xx == 1
    assert rig.server_counts().open == 0


def test_what_the_client_sends_early_waits_for_the_switch(rig: HttpRig) -> None:
    _, server = switched(rig, b"early")
    assert server.read() == b"early"


def test_a_server_that_does_not_switch_answers_as_ever(rig: HttpRig) -> None:
    client = rig.client(ASK)
    server = rig.server()
    server.send(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    assert client.read() == b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
    assert not client.ended


def test_another_protocol_than_asked_for(rig: HttpRig) -> None:
    client = rig.client(ASK)
    rig.server().send(SWITCH.replace(b"websocket", b"h2c"))
    assert client.read().startswith(b"HTTP/1.1 502 Bad Gateway\r\n")


def test_a_silent_tunnel_is_closed(make_rig: RigMaker) -> None:
    rig = make_rig(timeouts=FrontendTimeouts(idle_s=30.0))
    client, server = switched(rig)
    rig.pass_time(29.0)
    client.send(b"x")
    rig.pass_time(29.0)
    assert not client.ended
    rig.pass_time(1.1)
    client.read()
    server.read()
    assert (client.ended, server.ended) == (True, True)
    assert rig.frontend_counts.timeouts == 1


def test_a_reset_is_passed_on(rig: HttpRig) -> None:
    client, server = switched(rig)
    client.break_off()
    server.read()
    assert server.reset
