"""The rules of docs/http.md for responses and for attempts, as client and server see them; the rule is in the name."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from balancer.config import PoolTimeouts

if TYPE_CHECKING:
    from tests.unit.balancer.relay.conftest import HttpRig, RigMaker

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nab"
UPGRADE = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"


def ok(*lines: bytes, body: bytes = b"") -> bytes:
    return b"\r\n".join((b"HTTP/1.1 200 OK", *lines, b"", body))


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(ok(b"X: a", b" b"), id="http-rule-15/fold"),
        pytest.param(ok(b"Content-Length: 1", b"Content-Length: 2", body=b"ab"), id="http-rule-36/lengths-differ"),
        pytest.param(ok(b"Content-Length: +2", body=b"ab"), id="http-rule-36/plus"),
        pytest.param(ok(b"Content-Length: 0x2", body=b"ab"), id="http-rule-36/hexadecimal"),
        pytest.param(ok(b"Content-Length: 9223372036854775808"), id="http-rule-36/2**63"),
        pytest.param(ok(b"Content-Length: 5", b"Transfer-Encoding: chunked", body=b"0\r\n\r\n"), id="http-rule-36/2"),
        pytest.param(ok(b"Transfer-Encoding: gzip"), id="http-rule-36/coding"),
        pytest.param(ok(b"Transfer-Encoding: chunked", body=b"0x2\r\nab\r\n"), id="http-rule-36/chunk-size"),
        pytest.param(b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", id="http-rule-36/1.0"),
        pytest.param(b"HTTP/1.1 200 OK\nContent-Length: 2\n\nok", id="http-rule-50/lf"),
        pytest.param(b"HTTP/1.1 20 OK\r\n\r\n", id="http-rule-50/two-digits"),
        pytest.param(b"HTTP/1.1 600 OK\r\n\r\n", id="http-rule-50/600"),
        pytest.param(b"HTTP/2.0 200 OK\r\n\r\n", id="http-rule-50/version"),
        pytest.param(b"ICY 200 OK\r\n\r\n", id="http-rule-50/protocol"),
        pytest.param(ok(b"X : a"), id="http-rule-50/space-before-colon"),
        pytest.param(ok(b"X: a\0b"), id="http-rule-50/nul"),
        pytest.param(ok(b"X: " + b"x" * 70_000), id="http-rule-50/70-kb-header"),
        pytest.param(b"HTTP/1.1 101 Switching\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n", id="http-rule-40/unasked"),
    ],
)
def test_a_response_that_is_refused(rig: HttpRig, data: bytes) -> None:
    client = rig.client(GET)
    server = rig.server()
    server.send(data)
    assert client.read().startswith(b"HTTP/1.1 502 ")
    server.read()
    assert server.ended
    assert rig.server_counts().bad_responses == 1


@pytest.mark.parametrize(
    ("method", "data"),
    [
        pytest.param(b"HEAD", ok(b"Content-Length: 5"), id="http-rule-35/head"),
        pytest.param(b"HEAD", ok(b"Transfer-Encoding: chunked"), id="http-rule-35/head-chunked"),
        pytest.param(b"GET", b"HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n", id="http-rule-35/204"),
        pytest.param(b"GET", b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", id="http-rule-35/304"),
    ],
)
def test_a_response_without_a_body_whatever_its_length_says(rig: HttpRig, method: bytes, data: bytes) -> None:
    client = rig.client(method + b" / HTTP/1.1\r\nHost: a\r\n\r\n")
    server = rig.server()
    server.send(data)
    assert client.read().endswith(b"\r\n\r\n")
    client.send(GET)
    assert server.read().count(b"\r\n\r\n") == 2
    server.send(OK)
    assert client.read() == OK


@pytest.mark.parametrize(
    ("surplus", "kept"),
    [pytest.param(b"", True, id="http-rule-38/none"), pytest.param(b"HTTP/1.1 200", False, id="http-rule-38/some")],
)
def test_a_connection_with_surplus_bytes_serves_nobody_again(rig: HttpRig, surplus: bytes, kept: bool) -> None:
    client = rig.client(GET)
    server = rig.server()
    server.read()
    server.send(OK + surplus)
    assert client.read() == OK
    client.send(GET)
    assert rig.was_called() is not kept


@pytest.mark.parametrize(
    ("version", "passed"),
    [pytest.param(b"1.1", True, id="http-rule-34/1.1"), pytest.param(b"1.0", False, id="http-rule-34/1.0")],
)
def test_interim_responses(rig: HttpRig, version: bytes, passed: bool) -> None:
    client = rig.client(b"GET / HTTP/" + version + b"\r\nHost: a\r\n\r\n")
    server = rig.server()
    hints = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
    server.send(hints + b"HTTP/1.1 100 Continue\r\n\r\n")
    assert client.read() == (hints + b"HTTP/1.1 100 Continue\r\n\r\n" if passed else b"")
    server.send(OK)
    assert client.read().endswith(b"ok")


def test_http_rule_29_and_40_a_tunnel_after_the_switch_that_was_asked_for(rig: HttpRig) -> None:
    client = rig.client(UPGRADE)
    server = rig.server()
    assert b"\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" in server.read()
    server.send(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: WebSocket\r\n\r\nfrom server")
    assert client.read().endswith(b"\r\n\r\nfrom server")
    client.send(b"from client")
    assert server.read() == b"from client"


def test_http_rule_40_no_tunnel_after_any_other_answer(rig: HttpRig) -> None:
    client = rig.client(UPGRADE + GET)
    server = rig.server()
    server.send(OK)
    assert client.read() == OK
    assert server.read().count(b"GET / HTTP/1.1") == 2


@pytest.mark.parametrize(
    ("version", "reply"),
    [
        pytest.param(
            b"1.1", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n", id="http-rule-51/1.1"
        ),
        pytest.param(b"1.0", b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nab", id="http-rule-51/1.0"),
    ],
)
def test_a_body_that_ends_with_its_connection(rig: HttpRig, version: bytes, reply: bytes) -> None:
    client = rig.client(b"GET / HTTP/" + version + b"\r\nHost: a\r\n\r\n")
    server = rig.server()
    server.read()
    server.send(b"HTTP/1.1 200 OK\r\n\r\n")
    server.send(b"ab")
    got = client.read()
    server.close()
    assert got + client.read() == reply


def test_http_rule_52_a_server_that_sends_too_fast_is_held_back(rig: HttpRig) -> None:
    client = rig.client(GET)
    server = rig.server()
    server.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n")
    taken = 0
    server.socket.setblocking(False)
    for _ in range(2_000):
        try:
            taken += server.socket.send(b"x" * 65_536)
        except BlockingIOError:
            rig.settle()
            try:
                taken += server.socket.send(b"x" * 65_536)
            except BlockingIOError:
                break
    assert taken < 50_000_000
    client.close()


def die_on_reuse(rig: HttpRig, again: bytes) -> tuple[bytes, bytes]:
    """A second request on a connection that its server ends: what the next connection was asked, and the answer."""
    client = rig.client(GET)
    server = rig.server()
    server.read()
    server.send(OK)
    client.read()
    client.send(again)
    server.read()
    server.close()
    try:
        other = rig.server()
    except BlockingIOError:
        return b"", client.read()
    asked = other.read()
    other.send(OK)
    return asked, client.read()


def test_http_rule_39_what_is_not_idempotent_is_not_sent_twice(rig: HttpRig) -> None:
    asked, answer = die_on_reuse(rig, POST)
    assert asked == b""
    assert answer.startswith(b"HTTP/1.1 502 ")


def test_http_rule_53_what_is_may_be_where_a_kept_connection_dies(rig: HttpRig) -> None:
    asked, answer = die_on_reuse(rig, GET)
    assert asked.startswith(b"GET / HTTP/1.1\r\n")
    assert answer == OK


def test_http_rule_54_another_server_where_one_cannot_be_reached(make_rig: RigMaker) -> None:
    rig = make_rig(servers=2, in_pool={"retries": 1})
    rig.peers[0].close()
    clients = [rig.client(GET) for _ in range(2)]
    for _ in clients:
        server = rig.server(1)
        server.read()
        server.send(OK)
    assert [client.read() for client in clients] == [OK, OK]


def test_http_rule_54_or_the_same_one_a_moment_later(make_rig: RigMaker) -> None:
    rig = make_rig(servers=2, in_pool={"retries": 2, "redispatch": False, "timeouts": PoolTimeouts(connect_s=5.0)})
    rig.peers[0].close()
    client = rig.client(GET)
    assert client.read() == b""
    rig.pass_time(1.1)
    assert client.read() == b""
    assert rig.server_counts("one").failed == 2
    rig.pass_time(1.1)
    assert client.read().startswith(b"HTTP/1.1 503 ")
    assert (rig.server_counts("one").failed, rig.server_counts("one").retries) == (3, 2)
    assert not rig.was_called(1)


def test_http_rule_54_not_more_often_than_allowed(make_rig: RigMaker) -> None:
    rig = make_rig(servers=2, in_pool={"retries": 0})
    rig.peers[0].close()
    assert rig.client(GET).read().startswith(b"HTTP/1.1 503 ")


def test_http_rule_55_never_after_a_byte_of_the_response(rig: HttpRig) -> None:
    client = rig.client(GET)
    server = rig.server()
    server.read()
    server.send(OK)
    client.read()
    client.send(GET)
    server.send(b"HTTP/1.1 2")
    server.close()
    assert client.read().startswith(b"HTTP/1.1 502 ")
    assert not rig.was_called()
