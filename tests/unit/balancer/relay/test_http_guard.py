"""The time limit of a whole request."""

from __future__ import annotations

from typing import TYPE_CHECKING

from balancer.causes import Cause
from balancer.config import FrontendTimeouts

if TYPE_CHECKING:
    from tests.unit.balancer.relay.conftest import HttpRig, RigMaker

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
TIMEOUTS = FrontendTimeouts(request_s=30.0)


def status(answer: bytes) -> bytes:
    return answer[9:12]


def timed(make_rig: RigMaker) -> HttpRig:
    return make_rig(timeouts=TIMEOUTS)


def test_a_server_that_takes_too_long(make_rig: RigMaker) -> None:
    rig = timed(make_rig)
    client = rig.client(GET)
    server = rig.server()
    rig.pass_time(29.0)
    assert client.read() == b""
    rig.pass_time(1.2)
    assert status(client.read()) == b"504"
    server.read()
    assert server.ended
    assert rig.causes == {Cause.REQUEST_TIMEOUT: 1}
    assert rig.frontend_counts.timeouts == 1


def test_a_client_that_takes_too_long_with_its_body(make_rig: RigMaker) -> None:
    rig = timed(make_rig)
    client = rig.client(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n")
    rig.server()
    for _ in range(29):
        rig.pass_time(1.0)
        client.send(b"x")
    assert client.read() == b""
    rig.pass_time(1.2)
    assert status(client.read()) == b"408"


def test_a_response_that_has_begun_is_cut_off(make_rig: RigMaker) -> None:
    rig = timed(make_rig)
    client = rig.client(GET)
    rig.server().send(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok")
    assert client.read().endswith(b"ok")
    rig.pass_time(30.2)
    assert client.read() == b""
    assert client.reset


def test_each_request_has_its_own_time(make_rig: RigMaker) -> None:
    rig = timed(make_rig)
    client = rig.client(GET)
    server = rig.server()
    for _ in range(3):
        rig.pass_time(20.0)
        server.send(OK)
        assert client.read() == OK
        rig.pass_time(20.0)
        client.send(GET)
    assert rig.causes == {}
