"""What is looked at for each request: its time, who sends it, how many there are."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING

import pytest

from balancer.causes import Cause
from balancer.config import ClientLimits, FrontendTimeouts, RequestLimit
from balancer.relay.http_guard import Guard
from balancer.relay.http_pace import PacedClient

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


def test_more_requests_than_may_be(make_rig: RigMaker) -> None:
    rig = make_rig(limits=ClientLimits(requests=(RequestLimit(rate=0.4, burst=1),)))
    client = rig.client(GET)
    server = rig.server()
    server.send(OK)
    assert client.read() == OK
    client.send(GET)
    answer = client.read()
    assert answer.startswith(b"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 3\r\n")
    assert client.ended
    assert rig.causes == {Cause.TOO_MANY_REQUESTS: 1}
    rig.pass_time(2.5)
    rig.client(GET)
    server.read()
    server.send(OK)
    assert rig.frontend_counts.status_2xx == 2


def test_a_client_that_is_not_allowed(make_rig: RigMaker) -> None:
    rig = make_rig(limits=ClientLimits(deny=("127.0.0.0/8",)))
    client = rig.client(GET)
    assert client.read().startswith(b"HTTP/1.1 403 Forbidden\r\n")
    assert client.ended
    assert not rig.was_called()
    assert rig.causes == {Cause.DENIED: 1}


def test_whom_a_trusted_proxy_names_is_the_client_that_is_limited(make_rig: RigMaker) -> None:
    rig = make_rig(limits=ClientLimits(deny=("192.0.2.0/24",)), trusted_proxies=("127.0.0.0/8",))
    client = rig.client(GET)
    rig.server().send(OK)
    assert client.read() == OK
    client.send(b"GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 192.0.2.7\r\n\r\n")
    assert status(client.read()) == b"403"


@pytest.mark.parametrize("timeouts", [TIMEOUTS, FrontendTimeouts(upload_rate=100.0, download_rate=100.0)])
def test_nothing_is_kept_of_a_connection_that_has_ended(make_rig: RigMaker, timeouts: FrontendTimeouts) -> None:
    """A TLS session is large: none may wait for a timer that means nothing any more, or for the collector of cycles."""
    gc.collect()
    gc.disable()
    try:
        rig = make_rig(timeouts=timeouts)
        client = rig.client(GET[:-2] + b"Connection: close\r\n\r\n")
        server = rig.server()
        assert watchers() == 1
        server.send(OK)
        assert client.read().endswith(b"\r\n\r\nok")
        rig.pass_time(0.2)
        assert watchers() == 0
    finally:
        gc.enable()


def watchers() -> int:
    return sum(isinstance(one, Guard | PacedClient) for one in gc.get_objects())
