"""Mode http as a client sees it: requests in turn, refusals, deadlines, the end of connections."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from balancer.causes import Cause
from balancer.config import FrontendTimeouts, HttpLimits, Route

if TYPE_CHECKING:
    from tests.unit.balancer.relay.conftest import HttpRig, RigMaker

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
CLIENT = (
    b"X-Forwarded-Host: a\r\nX-Forwarded-For: 127.0.0.1\r\nX-Forwarded-Proto: http\r\nX-Forwarded-Port: 12345\r\n"
    b"Forwarded: for=127.0.0.1;proto=http\r\n"
)
SENT_ON = b"GET / HTTP/1.1\r\nHost: a\r\n" + CLIENT + b"Via: 1.1 hapair\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
OK_LAST = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"


def refusal(status: bytes, why: bytes, extra: bytes = b"") -> bytes:
    text = status + b": " + why + b"\n"
    return (
        b"HTTP/1.1 " + status + b"\r\n" + extra + b"Content-Type: text/plain; charset=utf-8\r\nContent-Length: "
        + b"%d" % len(text) + b"\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n" + text
    )  # fmt: skip


def test_a_request_and_its_response(rig: HttpRig) -> None:
    client = rig.client(GET)
    server = rig.server()
    assert server.read() == SENT_ON
    server.send(OK)
    assert client.read() == OK
    assert not client.ended


def test_both_connections_are_used_again(rig: HttpRig) -> None:
    client = rig.client(GET)
    server = rig.server()
    for _ in range(3):
        assert server.read() == SENT_ON
        server.send(OK)
        assert client.read() == OK
        client.send(GET)
    assert not rig.was_called()
    assert rig.frontend_counts.requests == 3
    assert rig.server_counts().connections == 1


def test_a_kept_connection_serves_another_client(rig: HttpRig) -> None:
    client = rig.client(GET)
    server = rig.server()
    server.read()
    server.send(OK)
    client.close()
    rig.client(GET)
    assert server.read() == SENT_ON
    assert not rig.was_called()


def test_requests_sent_at_once_are_served_in_turn(rig: HttpRig) -> None:
    client = rig.client(GET + b"GET /2 HTTP/1.1\r\nHost: a\r\n\r\n")
    server = rig.server()
    assert server.read() == SENT_ON
    server.send(OK)
    assert client.read() == OK
    assert server.read() == SENT_ON.replace(b"GET /", b"GET /2")
    server.send(OK)
    assert client.read() == OK


def test_a_request_in_single_bytes(rig: HttpRig) -> None:
    client = rig.client()
    for byte in GET:
        client.send(bytes((byte,)))
    assert rig.server().read() == SENT_ON


def test_a_client_that_wants_no_more(rig: HttpRig) -> None:
    client = rig.client(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    server = rig.server()
    assert server.read() == SENT_ON
    server.send(OK)
    assert client.read() == OK_LAST
    assert client.ended


def test_http_1_0(rig: HttpRig) -> None:
    client = rig.client(b"GET / HTTP/1.0\r\n\r\n")
    server = rig.server()
    assert server.read() == (
        b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        + CLIENT.replace(b"Host: a", b"Host: 127.0.0.1")
        + b"Via: 1.0 hapair\r\n\r\n"
    )
    server.send(OK)
    assert client.read() == OK_LAST
    assert client.ended


def test_http_1_0_keep_alive(rig: HttpRig) -> None:
    client = rig.client(b"GET / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n")
    server = rig.server()
    server.read()
    server.send(OK)
    assert client.read() == b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: keep-alive\r\n\r\nok"
    assert not client.ended


def test_a_half_closed_client_gets_its_response(rig: HttpRig) -> None:
    client = rig.client(GET)
    client.shut()
    server = rig.server()
    server.read()
    server.send(OK)
    assert client.read() == OK
    assert client.ended


@pytest.mark.parametrize(
    ("data", "reply"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", refusal(b"400 Bad Request", b"no Host header")),
        (b"GET / HTTP/1.1\nHost: a\n\n", refusal(b"400 Bad Request", b"line not ended by CR LF")),
        (b"\x16\x03\x01", refusal(b"400 Bad Request", b"malformed method")),
        (
            b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            refusal(b"400 Bad Request", b"both Content-Length and Transfer-Encoding"),
        ),
        (
            b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0x1\r\nx\r\n0\r\n\r\n",
            refusal(b"400 Bad Request", b"malformed chunk size"),
        ),
        (
            b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n",
            refusal(b"501 Not Implemented", b"Transfer-Encoding is not chunked"),
        ),
        (
            b"CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n",
            refusal(
                b"405 Method Not Allowed",
                b"CONNECT is not for a load balancer",
                b"Allow: GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS, TRACE\r\n",
            ),
        ),
        (
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
            refusal(b"505 HTTP Version Not Supported", b"only HTTP/1.0 and HTTP/1.1 are spoken here"),
        ),
        (
            b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 20_000 + b"\r\n\r\n",
            refusal(b"431 Request Header Fields Too Large", b"message head too large"),
        ),
    ],
    ids=["no-host", "bare-lf", "tls", "length+coding", "chunk-size", "gzip", "connect", "h2-preface", "large"],
)
def test_a_malformed_request_is_refused_and_reaches_no_server(rig: HttpRig, data: bytes, reply: bytes) -> None:
    client = rig.client(data + GET)
    assert client.read() == reply
    assert client.ended
    assert not rig.was_called()
    counts = rig.frontend_counts
    assert (counts.bad_requests, counts.requests) == (1, 1)


def test_a_malformed_request_after_a_good_one(rig: HttpRig) -> None:
    client = rig.client(b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n" + b"BAD\r\n\r\n")
    server = rig.server()
    server.read()
    server.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n")
    assert client.read() == (
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n" + refusal(b"400 Bad Request", b"malformed method")
    )
    assert client.ended


def test_limits_are_the_frontend_s(make_rig: RigMaker) -> None:
    rig = make_rig(http=HttpLimits(header_count=2))
    client = rig.client(b"GET / HTTP/1.1\r\nHost: a\r\nX: 1\r\nX: 2\r\n\r\n")
    assert client.read() == refusal(b"431 Request Header Fields Too Large", b"too many header lines")


def test_routes(make_rig: RigMaker) -> None:
    rig = make_rig(routes=(Route(pool="pool", path=("/in/*",)),), pool=None)
    refused = rig.client(GET)
    assert refused.read() == refusal(b"503 Service Unavailable", b"no route leads anywhere from here")
    rig.client(GET.replace(b"/ ", b"/in/ "))
    assert rig.server().read() == SENT_ON.replace(b"/ ", b"/in/ ", 1)


def test_max_forwards_0_is_answered_here(rig: HttpRig) -> None:
    client = rig.client(b"OPTIONS * HTTP/1.1\r\nHost: a\r\nMax-Forwards: 0\r\n\r\n")
    assert client.read().startswith(b"HTTP/1.1 200 OK\r\nAllow: GET,")
    assert client.ended
    assert not rig.was_called()


TIMEOUTS = FrontendTimeouts(header_s=10.0, keep_alive_s=60.0, idle_s=300.0)
LATE = refusal(b"408 Request Timeout", b"the request did not come in time")


def test_a_head_that_trickles_in_is_late_all_the_same(make_rig: RigMaker) -> None:
    rig = make_rig(timeouts=TIMEOUTS)
    client = rig.client(b"GET")
    for _ in range(9):
        rig.pass_time(1.0)
        client.send(b"x")
    assert client.read() == b""
    rig.pass_time(1.1)
    assert client.read() == LATE
    assert client.ended
    assert rig.frontend_counts.timeouts == 1


def test_who_connects_and_says_nothing_is_closed_when_a_head_would_be_late(make_rig: RigMaker) -> None:
    rig = make_rig(timeouts=TIMEOUTS)
    client = rig.client()
    rig.pass_time(9.0)
    assert client.read() == b""
    assert not client.ended
    rig.pass_time(1.1)
    assert client.read() == b""
    assert client.ended


def test_an_idle_connection_is_closed_without_a_word(make_rig: RigMaker) -> None:
    rig = make_rig(timeouts=TIMEOUTS)
    client = rig.client(GET)
    rig.server().send(OK)
    assert client.read() == OK
    rig.pass_time(59.0)
    assert not client.ended
    rig.pass_time(1.1)
    assert client.read() == b""
    assert client.ended
    assert rig.frontend_counts.timeouts == 0


def test_keep_alive_time_begins_anew_with_each_request(make_rig: RigMaker) -> None:
    rig = make_rig(timeouts=TIMEOUTS)
    client = rig.client(GET)
    server = rig.server()
    rig.pass_time(50.0)
    server.send(OK)
    rig.pass_time(50.0)
    assert client.read() == OK
    assert not client.ended
    rig.pass_time(10.1)
    assert client.read() == b""
    assert client.ended


def test_a_body_that_stops_coming(make_rig: RigMaker) -> None:
    rig = make_rig(timeouts=TIMEOUTS)
    client = rig.client(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n12345")
    server = rig.server()
    rig.pass_time(59.0)
    client.send(b"6")
    rig.pass_time(59.0)
    assert client.read() == b""
    rig.pass_time(1.2)
    assert client.read() == LATE
    assert client.ended
    server.read()
    assert server.ended
    assert rig.causes == {Cause.BODY_TIMEOUT: 1}


@pytest.mark.parametrize(
    "data", [b"Content-Length: 11\r\n\r\n", b"Transfer-Encoding: chunked\r\n\r\nb\r\nhello world\r\n0\r\n\r\n"]
)
def test_a_body_that_is_too_large_reaches_no_server(make_rig: RigMaker, data: bytes) -> None:
    rig = make_rig(http=HttpLimits(body_bytes=10))
    client = rig.client(b"POST / HTTP/1.1\r\nHost: a\r\n" + data)
    assert client.read() == refusal(b"413 Content Too Large", b"request body too large")
    assert client.ended
    assert not rig.was_called()
    assert rig.causes == {Cause.REQUEST_TOO_LARGE: 1}


def test_a_chunked_body_that_grows_too_large(make_rig: RigMaker) -> None:
    rig = make_rig(http=HttpLimits(body_bytes=10))
    client = rig.client(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
    server = rig.server()
    client.send(b"5\r\nworld\r\n")
    assert server.read().endswith(b"5\r\nhello\r\n5\r\nworld\r\n")
    client.send(b"1\r\n!\r\n0\r\n\r\n")
    assert client.read() == refusal(b"413 Content Too Large", b"request body too large")
    assert server.read() == b""
    assert server.ended


def test_a_body_of_just_the_size_that_is_allowed(make_rig: RigMaker) -> None:
    rig = make_rig(http=HttpLimits(body_bytes=10))
    client = rig.client(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n0123456789")
    server = rig.server()
    assert server.read().endswith(b"\r\n\r\n0123456789")
    server.send(OK)
    assert client.read() == OK


def test_while_draining_the_current_response_is_the_last(rig: HttpRig) -> None:
    client = rig.client(GET)
    server = rig.server()
    rig.service.draining = True
    server.send(OK)
    assert client.read() == OK_LAST
    assert client.ended
    server.read()
    assert server.ended


def test_while_draining_a_connection_between_two_requests_gets_one_more_answer(rig: HttpRig) -> None:
    client = rig.client()
    rig.service.draining = True
    assert client.read() == b""
    assert not client.ended
    client.send(GET)
    server = rig.server()
    server.send(OK)
    assert client.read() == OK_LAST
    assert client.ended


def test_while_draining_a_connection_that_was_still_to_be_accepted_gets_its_answer(rig: HttpRig) -> None:
    rig.service.draining = True
    client = rig.client(GET)
    server = rig.server()
    server.send(OK)
    assert client.read() == OK_LAST
    assert client.ended


def test_while_stopping_no_further_request_is_waited_for(rig: HttpRig) -> None:
    rig.service.draining = rig.service.stopping = True
    client = rig.client()
    assert client.read() == b""
    assert client.ended


def test_a_refused_client_that_goes_on_sending_is_read_for_a_while(rig: HttpRig) -> None:
    client = rig.client(b"BAD\r\n\r\n")
    client.send(b"x" * 100_000)
    assert client.read() == refusal(b"400 Bad Request", b"malformed method")
    assert not rig.connections[0].done
    rig.pass_time(2.1)
    assert rig.connections[0].done


def test_a_client_that_resets_while_its_response_is_awaited_frees_the_server(rig: HttpRig) -> None:
    client = rig.client(GET)
    server = rig.server()
    assert rig.server_counts().open == 1
    client.break_off()
    server.read()
    assert server.ended
    assert rig.server_counts().open == 0


def test_a_head_is_never_answered_with_a_body(make_rig: RigMaker) -> None:
    rig = make_rig(servers=0)
    client = rig.client(b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n")
    assert client.read().endswith(b"Connection: close\r\n\r\n")


def test_over_ipv6(rig: HttpRig) -> None:
    rig.client(GET, host="::1")
    assert rig.server().read() == (
        b"GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-Host: a\r\nX-Forwarded-For: ::1\r\nX-Forwarded-Proto: http\r\n"
        b'X-Forwarded-Port: 12345\r\nForwarded: for="[::1]";proto=http\r\nVia: 1.1 hapair\r\n\r\n'
    )
