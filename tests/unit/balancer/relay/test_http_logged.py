"""What a log says of each way in which a request can end: HAProxy's codes, provoked on real connections.

Times pass only when a test says so, so that the timers of a line are literals too.
"""

from __future__ import annotations

import json
import re
import socket
from typing import TYPE_CHECKING, Any

import pytest

from balancer.causes import Cause
from balancer.config import (
    AccessLog,
    ClientLimits,
    FrontendTimeouts,
    HttpLimits,
    PoolTimeouts,
    QueueSettings,
    RequestLimit,
    Route,
)
from balancer.config_routes import Redirect, Respond
from balancer.pool import PoolState
from balancer.relay import http, tcp

if TYPE_CHECKING:
    from tests.unit.balancer.relay.conftest import HttpRig, Logged, LoggedRig, RigMaker

GET = b"GET /x?y=1 HTTP/1.1\r\nHost: a\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
PART = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\npart"


def test_all_well(logged: Logged) -> None:
    rig, log = logged()
    client = rig.client(GET)
    server = rig.server()
    rig.clock.now += 0.25
    server.send(OK)
    assert client.read() == OK
    client.send(GET)
    server.send(OK)
    assert log.lines == [
        'main pool/one 0/0/0/250/250 200 40 - - ---- 1/1/0/0/0 0/0 "GET /x?y=1 HTTP/1.1"',
        'main pool/one 0/0/0/0/0 200 40 - - ---- 1/1/0/0/0 0/0 "GET /x?y=1 HTTP/1.1"',
    ]


def test_a_body_is_counted(logged: Logged) -> None:
    rig, log = logged()
    client = rig.client(GET)
    server = rig.server()
    server.send(PART)
    rig.clock.now += 1.5
    server.send(b"the six rest"[:6])
    assert len(client.read()) == 49
    assert log.lines == ['main pool/one 0/0/0/0/1500 200 49 - - ---- 1/1/0/0/0 0/0 "GET /x?y=1 HTTP/1.1"']


def test_a_head_in_pieces_has_its_time(logged: Logged) -> None:
    rig, log = logged()
    client = rig.client(GET[:5])
    rig.clock.now += 2.0
    client.send(GET[5:])
    rig.server().send(OK)
    assert log.lines == ['main pool/one 2000/0/0/0/2000 200 40 - - ---- 1/1/0/0/0 0/0 "GET /x?y=1 HTTP/1.1"']


def test_a_server_that_closes_before_a_response(logged: Logged) -> None:
    rig, log = logged()
    rig.client(GET)
    server = rig.server()
    server.read()
    server.close()
    (line,) = log.lines
    assert re.fullmatch(r'main pool/one 0/0/0/-1/0 502 [0-9]+ - - SH-- 1/1/0/0/0 0/0 "GET /x\?y=1 HTTP/1\.1"', line)


def test_a_server_that_resets_before_a_response(logged: Logged) -> None:
    rig, log = logged()
    rig.client(GET)
    rig.server().break_off()
    (line,) = log.lines
    assert " 502 " in line
    assert " SH-- " in line


def test_a_server_that_does_not_answer(logged: Logged) -> None:
    rig, log = logged(in_pool={"timeouts": PoolTimeouts(response_s=3.0)})
    rig.client(GET)
    rig.server().read()
    rig.pass_time(3.1)
    (line,) = log.lines
    assert re.fullmatch(r'main pool/one 0/0/0/-1/3100 504 [0-9]+ - - sH-- 1/1/0/0/0 0/0 "GET /x\?y=1 HTTP/1\.1"', line)


def test_a_server_that_sends_junk(logged: Logged) -> None:
    rig, log = logged()
    rig.client(GET)
    rig.server().send(b"junk\r\n\r\n")
    (line,) = log.lines
    assert re.fullmatch(r'main pool/one 0/0/0/-1/0 502 [0-9]+ - - PH-- 1/1/0/0/0 0/0 "GET /x\?y=1 HTTP/1\.1"', line)


def test_a_body_that_is_cut_off(logged: Logged) -> None:
    rig, log = logged()
    rig.client(GET)
    server = rig.server()
    server.send(PART)
    server.close()
    assert log.lines == ['main pool/one 0/0/0/0/0 200 43 - - SD-- 1/1/0/0/0 0/0 "GET /x?y=1 HTTP/1.1"']


def test_a_body_that_stalls(logged: Logged) -> None:
    rig, log = logged(timeouts=FrontendTimeouts(idle_s=2.0))
    rig.client(GET)
    server = rig.server()
    server.send(PART)
    server.send(b"x")
    rig.pass_time(2.1)
    assert log.lines == ['main pool/one 0/0/0/0/2100 200 44 - - sD-- 1/1/0/0/0 0/0 "GET /x?y=1 HTTP/1.1"']


def test_no_server_can_be_reached(logged: Logged) -> None:
    rig, log = logged(servers=0, in_pool={"retries": 2})
    rig.client(GET)
    rig.pass_time(1.1)
    rig.pass_time(1.1)
    (line,) = log.lines
    assert re.fullmatch(r'main pool/one 0/0/-1/-1/2200 503 [0-9]+ - - SC-- 1/1/0/0/2 0/0 "GET /x\?y=1 HTTP/1\.1"', line)


def test_another_server_was_tried_in_its_place(logged: Logged) -> None:
    rig, log = logged(servers=2)
    rig.peers[0].close()
    rig.client(GET)
    rig.server(1).send(OK)
    assert log.lines == ['main pool/two 0/0/0/0/0 200 40 - - ---- 1/1/0/0/+1 0/0 "GET /x?y=1 HTTP/1.1"']


def test_no_server_is_usable(logged: Logged) -> None:
    rig, log = logged()
    rig.service.pools["pool"].state.set_health("one", False)
    rig.client(GET)
    (line,) = log.lines
    assert re.fullmatch(
        r'main pool/<NOSRV> 0/-1/-1/-1/0 503 [0-9]+ - - SC-- 1/1/0/0/0 0/0 "GET /x\?y=1 HTTP/1\.1"', line
    )


def test_a_head_that_does_not_come_in_time(logged: Logged) -> None:
    rig, log = logged(timeouts=FrontendTimeouts(header_s=5.0))
    rig.client(b"GET / HT")
    rig.pass_time(5.1)
    (line,) = log.lines
    assert re.fullmatch(r'main main/<NOSRV> -1/-1/-1/-1/5100 408 [0-9]+ - - cR-- 1/1/0/0/0 0/0 "<BADREQ>"', line)


def test_a_bad_request(logged: Logged) -> None:
    rig, log = logged()
    rig.client(b"GET / HTTP/1.1\r\nHost : a\r\n\r\n")
    (line,) = log.lines
    assert re.fullmatch(r'main main/<NOSRV> -1/-1/-1/-1/0 400 [0-9]+ - - PR-- 1/1/0/0/0 0/0 "<BADREQ>"', line)


def test_a_client_that_leaves_in_the_middle_of_a_head(logged: Logged) -> None:
    rig, log = logged()
    rig.client(GET[:5]).close()
    assert log.lines == ['main main/<NOSRV> -1/-1/-1/-1/0 400 0 - - CR-- 1/1/0/0/0 0/0 "<BADREQ>"']


def test_a_client_that_resets_while_it_waits(logged: Logged) -> None:
    rig, log = logged()
    client = rig.client(GET)
    rig.server().read()
    client.break_off()
    assert log.lines == ['main pool/one 0/0/0/-1/0 -1 0 - - CH-- 1/1/0/0/0 0/0 "GET /x?y=1 HTTP/1.1"']


def test_a_client_that_resets_during_the_body(logged: Logged) -> None:
    rig, log = logged()
    client = rig.client(GET)
    server = rig.server()
    server.send(PART)
    client.break_off()
    assert log.lines == ['main pool/one 0/0/0/0/0 200 43 - - CD-- 1/1/0/0/0 0/0 "GET /x?y=1 HTTP/1.1"']


@pytest.mark.parametrize(("sent", "stopping", "end"), [
    (b"", False, "-1 0 - - CH--"),
    (b"", True, "-1 0 - - KH--"),
    (PART, True, "200 43 - - KD--"),
])  # fmt: skip
def test_what_is_cut_off_from_outside(logged: Logged, sent: bytes, stopping: bool, end: str) -> None:
    """A stream of HTTP/2 ends with its connection; at the end of `drain` all that is open does."""
    rig, log = logged()
    rig.client(GET)
    rig.server().send(sent)
    rig.settle()
    if stopping:
        rig.service.drain(stopping=True)
    rig.connections[0].cancel()
    (line,) = log.lines
    assert end in line


def test_a_request_body_that_stalls(logged: Logged) -> None:
    rig, log = logged(timeouts=FrontendTimeouts(body_s=4.0))
    rig.client(POST + b"half")
    rig.server().read()
    rig.pass_time(4.1)
    (line,) = log.lines
    assert " 408 " in line
    assert " cH-- " in line


@pytest.mark.parametrize(
    ("route", "status", "code"),
    [
        ({"deny": 403}, 403, "PR"),
        ({"redirect": Redirect(to="/y")}, 302, "LR"),
        ({"respond": Respond(status=204)}, 204, "LR"),
    ],
)
def test_an_answer_of_ours(logged: Logged, route: dict[str, Any], status: int, code: str) -> None:
    rig, log = logged(routes=(Route(**route),))
    rig.client(GET)
    (line,) = log.lines
    assert f" {status} " in line
    assert f" {code}-- " in line
    assert line.startswith("main main/<NOSRV> 0/-1/-1/-1/0 ")


def silent(rig: HttpRig) -> list[socket.socket]:
    """Let the kernel take no connection for the server: a queue that is full drops them."""
    rig.peers[0].socket.listen(0)
    filling = [socket.socket() for _ in range(3)]
    for caller in filling:
        caller.setblocking(False)
        caller.connect_ex((rig.peers[0].endpoint.host, rig.peers[0].endpoint.port))
    return filling


@pytest.mark.parametrize(("stopping", "code"), [(False, "CC"), (True, "KC")])
def test_what_ends_while_we_connect(logged: Logged, stopping: bool, code: str) -> None:
    rig, log = logged()
    filling = silent(rig)
    rig.client(GET)
    rig.service.drain(stopping=stopping)
    rig.connections[0].cancel()
    assert log.lines == [f'main pool/one 0/0/-1/-1/0 -1 0 - - {code}-- 1/1/0/0/0 0/0 "GET /x?y=1 HTTP/1.1"']
    for caller in filling:
        caller.close()


def test_a_client_that_resets_while_we_connect(logged: Logged) -> None:
    rig, log = logged()
    filling = silent(rig)
    rig.client(GET).break_off()
    assert log.lines == ['main pool/one 0/0/-1/-1/0 -1 0 - - CC-- 1/1/0/0/0 0/0 "GET /x?y=1 HTTP/1.1"']
    assert (rig.server_counts().failed, rig.server_counts().open) == (0, 0)
    for caller in filling:
        caller.close()


@pytest.mark.parametrize("mode", ["http", "tcp"])
def test_a_client_that_resets_while_the_only_server_has_a_rest(logged: Logged, mode: Any) -> None:
    rig, log = logged(mode=mode, relay=http.serve if mode == "http" else tcp.serve)
    rig.peers[0].close()
    client = rig.client(GET)
    assert rig.server_counts().failed == 1
    client.break_off()
    rig.pass_time(1.1)
    assert rig.server_counts().failed == 1
    (line,) = log.lines
    assert " CC" in line


def test_a_server_that_is_silent(logged: Logged) -> None:
    rig, log = logged(in_pool={"timeouts": PoolTimeouts(connect_s=2.0), "retries": 0})
    filling = silent(rig)
    rig.client(GET)
    rig.pass_time(2.1)
    (line,) = log.lines
    assert re.match(r"main pool/one 0/0/-1/-1/2100 503 [0-9]+ - - SC-- ", line)
    for caller in filling:
        caller.close()


def test_a_head_that_is_cut_off_at_the_end_of_a_drain(logged: Logged) -> None:
    rig, log = logged()
    rig.client(GET[:5])
    rig.service.drain(stopping=True)
    rig.connections[0].cancel()
    assert log.lines == ['main main/<NOSRV> -1/-1/-1/-1/0 -1 0 - - KR-- 1/1/0/0/0 0/0 "<BADREQ>"']


def test_a_client_that_does_not_read(logged: Logged) -> None:
    rig, log = logged(timeouts=FrontendTimeouts(idle_s=2.0))
    rig.client(GET)
    server = rig.server()
    server.socket.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n")
    for _ in range(1000):  # until nothing more goes through
        rig.settle()
        try:
            server.socket.send(bytes(1 << 20))
        except BlockingIOError:
            break
    rig.pass_time(2.1)
    (line,) = log.lines
    assert re.match(r"main pool/one 0/0/0/0/2[0-9]{3} 200 [0-9]{6,8} - - cD-- ", line)


def test_a_body_that_comes_too_slowly(logged: Logged) -> None:
    rig, log = logged(timeouts=FrontendTimeouts(upload_rate=1000, rate_window_s=2.0))
    rig.client(POST + b"h")
    rig.server().read()
    rig.pass_time(2.1)
    (line,) = log.lines
    assert " 408 " in line
    assert " cH-- " in line


@pytest.mark.parametrize(("sent", "code"), [(b"", "sH"), (PART, "sD")])
def test_a_request_that_takes_too_long_in_all(logged: Logged, sent: bytes, code: str) -> None:
    rig, log = logged(timeouts=FrontendTimeouts(request_s=3.0))
    rig.client(GET)
    rig.server().send(sent)
    rig.pass_time(3.1)
    (line,) = log.lines
    assert f" {code}-- " in line


def test_a_chunk_that_is_none(logged: Logged) -> None:
    rig, log = logged()
    rig.client(GET)
    server = rig.server()
    server.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n")
    server.send(b"junk\r\n")
    (line,) = log.lines
    assert " PD-- " in line


def test_a_chunk_of_a_request_that_is_none_after_an_answer_began(logged: Logged) -> None:
    rig, log = logged()
    client = rig.client(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n")
    rig.server().send(PART)
    client.send(b"junk\r\n")
    (line,) = log.lines
    assert " PD-- " in line


@pytest.mark.parametrize(
    ("frontend", "request_", "status"),
    [
        ({"http": HttpLimits(body_bytes=5)}, POST, 413),
        ({"limits": ClientLimits(deny=("127.0.0.1/32",))}, GET, 403),
        ({"limits": ClientLimits(requests=(RequestLimit(rate=0.001, burst=1),))}, GET + GET, 429),
        ({"http": HttpLimits(target_bytes=64)}, b"GET /%b HTTP/1.1\r\nHost: a\r\n\r\n" % (b"x" * 100), 414),
        ({}, b"GET / HTTP/1.1\r\nHost: a\r\nExpect: tea\r\n\r\n", 417),
        ({}, b"CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n", 405),
    ],
)
def test_what_is_refused(logged: Logged, frontend: dict[str, Any], request_: bytes, status: int) -> None:
    rig, log = logged(**frontend)
    rig.client(request_)
    if status == 429:
        rig.server().send(OK)
    line = log.lines[-1]
    assert f" {status} " in line
    assert " PR-- " in line


def test_the_method_that_is_answered_here(logged: Logged) -> None:
    rig, log = logged()
    rig.client(b"OPTIONS / HTTP/1.1\r\nHost: a\r\nMax-Forwards: 0\r\n\r\n")
    (line,) = log.lines
    assert " LR-- " in line


@pytest.mark.parametrize(("sent", "status", "code"), [(b"", "502", "DH"), (PART, "200", "DD")])
def test_a_server_that_went_down(logged: Logged, sent: bytes, status: str, code: str) -> None:
    rig, log = logged(in_pool={"on_down": "close"})
    rig.client(GET)
    rig.server().send(sent)
    rig.service.pools["pool"].abort_connections("one")
    (line,) = log.lines
    assert f" {status} " in line
    assert f" {code}-- " in line


def test_a_server_that_went_down_in_mode_tcp(logged: Logged) -> None:
    rig, log = logged(relay=tcp.serve, mode="tcp", in_pool={"on_down": "close"})
    rig.client(b"hi")
    rig.server().send(b"hello")
    rig.service.pools["pool"].abort_connections("one")
    (line,) = log.lines
    assert " 5 DD " in line


def test_a_mistake_of_ours(logged: Logged, monkeypatch: pytest.MonkeyPatch) -> None:
    def mistaken(*_: object) -> None:
        raise ZeroDivisionError

    rig, log = logged()
    monkeypatch.setattr(PoolState, "choose", mistaken)
    client = rig.client(GET)
    assert client.read() == b""
    assert rig.reactor.bugs.count == 1
    rig.reactor.bugs.count = 0
    assert log.lines == ['main main/<NOSRV> 0/-1/-1/-1/0 -1 0 - - IC-- 1/1/0/0/0 0/0 "GET /x?y=1 HTTP/1.1"']


def test_between_requests_and_without_one_nothing_is_logged(logged: Logged) -> None:
    rig, log = logged(timeouts=FrontendTimeouts(header_s=1.0, keep_alive_s=1.0))
    rig.client().close()
    rig.client()
    rig.pass_time(1.1)
    assert log.lines == []


def test_captures_and_what_is_not_captured(logged: Logged) -> None:
    rig, log = logged(
        AccessLog(format="httplog", request_headers=("User-Agent", "X-None"), response_headers=("Server",), query=False)
    )
    rig.client(
        b"GET /x?token=secret HTTP/1.1\r\nHost: a\r\nAuthorization: secret\r\nCookie: secret\r\n"
        b'user-agent: a|"{\xff}\r\n\r\n'
    )
    rig.server().send(b"HTTP/1.1 200 OK\r\nserver: x y\r\nContent-Length: 0\r\n\r\n")
    (line,) = log.lines
    assert line.endswith(' 0/0 {a#7C#22#7B#FF#7D|} {x y} "GET /x HTTP/1.1"')
    assert "secret" not in line


def test_the_client_that_a_trusted_proxy_names(logged: Logged) -> None:
    rig, log = logged(trusted_proxies=("127.0.0.1/32",))
    rig.client(GET[:-2] + b"X-Forwarded-For: 192.0.2.7\r\n\r\n")
    rig.server().send(OK)
    assert log.lines[0].startswith("192.0.2.7:")


def test_a_tunnel(logged: Logged) -> None:
    rig, log = logged()
    client = rig.client(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
    server = rig.server()
    server.send(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n")
    server.send(b"hello")
    server.read()
    assert client.read().endswith(b"\r\n\r\nhello")
    client.close()
    server.close()
    assert log.lines == ['main pool/one 0/0/0/0/0 101 82 - - ---- 1/1/0/0/0 0/0 "GET / HTTP/1.1"']


def test_mode_tcp(logged: Logged) -> None:
    rig, log = logged(relay=tcp.serve, mode="tcp")
    client = rig.client(b"hi")
    server = rig.server()
    server.send(b"hello")
    server.read()
    client.read()
    rig.clock.now += 0.5
    client.close()
    server.close()
    assert log.lines == ["main pool/one 0/0/500 5 -- 1/1/0/0/0 0/0"]


@pytest.mark.parametrize(("end", "code"), [("client", "CD"), ("server", "SD"), ("time", "sD"), ("drain", "KD")])
def test_mode_tcp_that_ends_badly(logged: Logged, end: str, code: str) -> None:
    rig, log = logged(relay=tcp.serve, mode="tcp", timeouts=FrontendTimeouts(idle_s=1.0))
    client = rig.client(b"hi")
    server = rig.server()
    if end == "time":
        rig.pass_time(1.1)
    elif end == "drain":
        rig.connections[0].cancel()
    else:
        (client if end == "client" else server).break_off()
    (line,) = log.lines
    assert f" {code} " in line


def test_mode_tcp_without_a_server(logged: Logged) -> None:
    rig, log = logged(relay=tcp.serve, mode="tcp", servers=0)
    rig.client(b"hi")
    rig.service.pools["pool"].state.set_health("one", False)
    rig.client(b"hi")
    assert log.lines == [
        "main pool/one 0/-1/0 0 SC 1/1/0/0/0 0/0",
        "main pool/<NOSRV> -1/-1/0 0 SC 1/1/0/0/0 0/0",
    ]


def test_a_plain_client_makes_no_record(make_rig: RigMaker) -> None:
    rig = make_rig()
    rig.client(GET)
    rig.server().send(OK)
    assert rig.service.log is None
    assert Cause.RESPONSE_CUT not in rig.slots.cause_counts("main")


def _busy(logged: Logged, **queue: Any) -> tuple[HttpRig, LoggedRig]:
    """Its one server is busy with a client's request."""
    settings = {"in_pool": {"queue": QueueSettings(**queue)}} if queue else {}
    rig, log = logged(each_server={"max_connections": 1}, **settings)
    rig.client(GET)
    return rig, log


def test_a_request_that_had_to_wait(logged: Logged) -> None:
    rig, log = _busy(logged)
    rig.client(GET)
    rig.client(GET)
    server = rig.server()
    rig.clock.now += 0.25
    server.send(OK)
    rig.clock.now += 0.5
    server.send(OK)
    rig.clock.now += 0.25
    server.send(OK)
    assert [line.removeprefix("main pool/one ")[:45].rstrip() for line in log.lines] == [
        '0/0/0/250/250 200 40 - - ---- 1/1/1/1/0 0/0 "',
        "0/250/0/500/750 200 40 - - ---- 1/1/1/1/0 0/0",
        "0/750/0/250/1000 200 40 - - ---- 1/1/0/0/0 0/",
    ]


def test_a_request_that_waited_for_too_long(logged: Logged) -> None:
    rig, log = _busy(logged, timeout_s=3.0)
    rig.client(GET)
    rig.pass_time(3.1)
    assert log.lines == ['main pool/<NOSRV> 0/3100/-1/-1/3100 503 201 - - sQ-- 1/1/1/0/0 0/0 "GET /x?y=1 HTTP/1.1"']


def test_a_request_that_could_not_even_wait(logged: Logged) -> None:
    rig, log = _busy(logged, length=0)
    rig.client(GET)
    (line,) = log.lines
    assert line.startswith("main pool/<NOSRV> 0/-1/-1/-1/0 503 ")
    assert " SQ-- " in line


def test_a_client_that_leaves_while_it_waits(logged: Logged) -> None:
    rig, log = _busy(logged)
    client = rig.client(GET)
    rig.clock.now += 0.5
    client.close()
    assert log.lines == ['main pool/<NOSRV> 0/500/-1/-1/500 -1 0 - - CQ-- 1/1/1/0/0 0/0 "GET /x?y=1 HTTP/1.1"']


def test_json_says_how_long_and_why(make_rig: RigMaker, logged: Logged) -> None:
    rig, log = logged(
        AccessLog(format="json"), each_server={"max_connections": 1}, in_pool={"queue": QueueSettings(timeout_s=3.0)}
    )
    rig.client(GET)
    rig.client(GET)
    rig.pass_time(3.1)
    (line,) = map(json.loads, log.lines)
    assert (line["termination"], line["reason"]) == ("sQ", "all servers were busy for too long")
    assert (line["queue_ms"], line["status"], line["pool"]) == (3100, 503, "pool")


def test_connections_of_mode_tcp_that_wait(logged: Logged) -> None:
    rig, log = logged(
        AccessLog(format="tcplog"),
        mode="tcp",
        relay=tcp.serve,
        each_server={"max_connections": 1},
        in_pool={"queue": QueueSettings(timeout_s=3.0)},
    )
    rig.client(b"x")
    rig.client(b"x")
    rig.client().close()
    rig.pass_time(3.1)
    gone, late = log.lines
    assert gone.startswith("main pool/<NOSRV> 0/-1/0 0 CQ ")
    assert gone.endswith(" 0/1")
    assert late.startswith("main pool/<NOSRV> 3100/-1/3100 0 sQ ")
    assert late.endswith(" 0/0")
