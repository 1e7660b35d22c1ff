"""Forwarding rules: what a server and a client are sent, byte for byte."""

import pytest

from balancer.config import HttpLimits
from balancer.http1.forward import RequestForwarder, forward_response
from balancer.http1.forwarded import Origin
from balancer.http1.request import parse_request
from balancer.http1.response import parse_response

FORWARDER = RequestForwarder(Origin("192.0.2.7", "http", 80), b"198.51.100.1")
CLIENT = (
    b"X-Forwarded-Host: a\r\nX-Forwarded-For: 192.0.2.7\r\nX-Forwarded-Proto: http\r\nX-Forwarded-Port: 80\r\n"
    b"Forwarded: for=192.0.2.7;proto=http\r\n"
)
ADDED = CLIENT + b"Via: 1.1 hapair\r\n\r\n"


def forwarded(data: bytes) -> bytes:
    head = parse_request(data, HttpLimits())
    assert head is not None
    return FORWARDER.forward(head)


HEAD = b"GET / HTTP/1.1\r\nHost: a\r\n"

REQUESTS = {
    "plain": (HEAD + b"X-Y:  z \r\n\r\n", HEAD + b"X-Y:  z \r\n" + ADDED),
    "path-bytes-unmodified": (
        b"GET //a/./../%2e%2E/%c3?x=%zz&;|' HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET //a/./../%2e%2E/%c3?x=%zz&;|' HTTP/1.1\r\nHost: a\r\n" + ADDED,
    ),
    "version/1.2": (b"GET / HTTP/1.2\r\nHost: a\r\n\r\n", HEAD + ADDED),
    "empty-line-ahead": (b"\r\n" + HEAD + b"\r\n", HEAD + ADDED),
    "1.0": (b"GET / HTTP/1.0\r\nHost: a\r\n\r\n", HEAD + CLIENT + b"Via: 1.0 hapair\r\n\r\n"),
    "1.0/no-host": (
        b"GET / HTTP/1.0\r\nX: y\r\n\r\n",
        b"GET / HTTP/1.1\r\nX: y\r\nHost: 198.51.100.1\r\n"
        + CLIENT.replace(b"Host: a", b"Host: 198.51.100.1")
        + b"Via: 1.0 hapair\r\n\r\n",
    ),
    "absolute-form": (
        b"GET http://b/x HTTP/1.1\r\nHost: a\r\nX: y\r\n\r\n",
        b"GET /x HTTP/1.1\r\nX: y\r\nHost: b\r\n" + ADDED.replace(b"Host: a", b"Host: b"),
    ),
    "hop-by-hop": (
        HEAD + b"Connection: keep-alive\r\nKeep-Alive: 5\r\nProxy-Connection: close\r\nTE: gzip\r\nTrailer: X\r\n"
        b"Upgrade: h2c\r\nHTTP2-Settings: AAA\r\nX: y\r\n\r\n",
        HEAD + b"X: y\r\n" + ADDED,
    ),
    "nominated": (
        HEAD + b"Connection: close, X-Secret\r\nx-secret: 1\r\nX-Secret-Not: 2\r\nX: y\r\n\r\n",
        HEAD + b"X-Secret-Not: 2\r\nX: y\r\n" + ADDED,
    ),
    "nominated/framing-and-routing-stay": (
        b"POST / HTTP/1.1\r\nHost: a\r\nConnection: host, content-length\r\nContent-Length: 3\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n" + ADDED,
    ),
    "client's-word-about-itself": (
        HEAD + b"X-Forwarded-For: 1.1.1.1\r\nx-forwarded-proto: https\r\nForwarded: for=x\r\nX-Forwarded-Host: b\r\n"
        b"X-Forwarded-Port: 1\r\nX_Forwarded_For: 1.1.1.1\r\nX-Forwarded_Proto: https\r\n\r\n",
        HEAD + ADDED,
    ),
    "underscore/framing": (HEAD + b"Content_Length: 3\r\nTransfer_Encoding: chunked\r\n\r\n", HEAD + ADDED),
    "via/kept": (HEAD + b"Via: 1.1 b\r\n\r\n", HEAD + b"Via: 1.1 b\r\n" + ADDED),
    "length/collapsed": (
        HEAD + b"Content-Length: 3\r\nX: y\r\nContent-Length: 3\r\n\r\n",
        HEAD + b"X: y\r\nContent-Length: 3\r\n" + ADDED,
    ),
    "length/normalised": (HEAD + b"Content-Length: 003\r\n\r\n", HEAD + b"Content-Length: 3\r\n" + ADDED),
    "length/zero": (HEAD + b"Content-Length: 0\r\n\r\n", HEAD + b"Content-Length: 0\r\n" + ADDED),
    "coding": (HEAD + b"Transfer-Encoding: CHUNKED \r\n\r\n", HEAD + b"Transfer-Encoding: chunked\r\n" + ADDED),
    "te": (
        HEAD + b"TE: trailers, gzip\r\nConnection: TE\r\n\r\n",
        HEAD + b"TE: trailers\r\nConnection: TE\r\n" + ADDED,
    ),
    "upgrade": (
        HEAD + b"Connection: keep-alive, Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\r\n",
        HEAD + b"Sec-WebSocket-Version: 13\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" + ADDED,
    ),
    "expect": (
        HEAD + b"Content-Length: 3\r\nExpect: 100-continue\r\n\r\n",
        HEAD + b"Content-Length: 3\r\nExpect: 100-continue\r\n" + ADDED,
    ),
    "expect/no-body": (HEAD + b"Expect: 100-continue\r\n\r\n", HEAD + ADDED),
    "max-forwards": (
        b"OPTIONS * HTTP/1.1\r\nHost: a\r\nMax-Forwards: 5\r\n\r\n",
        b"OPTIONS * HTTP/1.1\r\nHost: a\r\nMax-Forwards: 4\r\n" + ADDED,
    ),
    "8-bit-value": (HEAD + b"X: \xe4\xa0\r\n\r\n", HEAD + b"X: \xe4\xa0\r\n" + ADDED),
}


@pytest.mark.parametrize(("received", "sent"), REQUESTS.values(), ids=REQUESTS)
def test_request(received: bytes, sent: bytes) -> None:
    assert forwarded(received) == sent


@pytest.mark.parametrize("received", [received for received, _ in REQUESTS.values()], ids=REQUESTS)
def test_what_is_sent_is_itself_acceptable(received: bytes) -> None:
    first = parse_request(received, HttpLimits())
    second = parse_request(forwarded(received), HttpLimits())
    assert first is not None
    assert second is not None
    assert (first.method, first.target, first.body) == (second.method, second.target, second.body)


def test_a_host_that_a_trusted_proxy_told_goes_on_instead() -> None:
    head = parse_request(HEAD + b"\r\n", HttpLimits())
    assert head is not None
    forwarder = RequestForwarder(Origin("192.0.2.7", "http", 80, host=b"b:81"), b"198.51.100.1")
    assert forwarder.forward(head) == HEAD + ADDED.replace(b"Host: a", b"Host: b:81")


KEPT, CLOSING, OLD, OLD_KEPT, CHUNKS = (
    {"minor": 1, "chunked": False, "keep_alive": True},
    {"minor": 1, "chunked": False, "keep_alive": False},
    {"minor": 0, "chunked": False, "keep_alive": False},
    {"minor": 0, "chunked": False, "keep_alive": True},
    {"minor": 1, "chunked": True, "keep_alive": True},
)
OK = b"HTTP/1.1 200 OK\r\n"

RESPONSES = {
    "plain": (OK + b"X: y\r\nContent-Length: 0\r\n\r\n", KEPT, OK + b"X: y\r\nContent-Length: 0\r\n\r\n"),
    "closing": (OK + b"Content-Length: 0\r\n\r\n", CLOSING, OK + b"Content-Length: 0\r\nConnection: close\r\n\r\n"),
    "to-1.0": (OK + b"Content-Length: 0\r\n\r\n", OLD, OK + b"Content-Length: 0\r\nConnection: close\r\n\r\n"),
    "to-1.0/keep-alive": (
        OK + b"Content-Length: 0\r\n\r\n",
        OLD_KEPT,
        OK + b"Content-Length: 0\r\nConnection: keep-alive\r\n\r\n",
    ),
    "from-1.0": (b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n", KEPT, OK + b"Content-Length: 0\r\n\r\n"),
    "hop-by-hop": (
        OK + b"Connection: keep-alive\r\nKeep-Alive: timeout=5\r\nContent-Length: 0\r\nUpgrade: h2c\r\n\r\n",
        KEPT,
        OK + b"Content-Length: 0\r\n\r\n",
    ),
    "nominated": (
        OK + b"X-Secret: 1\r\nConnection: x-secret\r\nContent-Length: 0\r\n\r\n",
        KEPT,
        OK + b"Content-Length: 0\r\n\r\n",
    ),
    "chunked": (OK + b"Transfer-Encoding: chunked\r\n\r\n", CHUNKS, OK + b"Transfer-Encoding: chunked\r\n\r\n"),
    "until-close": (OK + b"X: y\r\n\r\n", CHUNKS, OK + b"X: y\r\nTransfer-Encoding: chunked\r\n\r\n"),
    "chunked/to-1.0": (OK + b"Transfer-Encoding: chunked\r\n\r\n", OLD, OK + b"Connection: close\r\n\r\n"),
    "length/collapsed": (
        OK + b"Content-Length: 3\r\nContent-Length: 3\r\n\r\n",
        KEPT,
        OK + b"Content-Length: 3\r\n\r\n",
    ),
    "204": (
        b"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n",
        KEPT,
        b"HTTP/1.1 204 No Content\r\n\r\n",
    ),
    "100": (b"HTTP/1.1 100 Continue\r\n\r\n", KEPT, b"HTTP/1.1 100 Continue\r\n\r\n"),
    "103": (b"HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n", KEPT, b"HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n"),
    "101": (
        b"HTTP/1.1 101 Switching\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: x\r\n\r\n",
        KEPT,
        b"HTTP/1.1 101 Switching\r\nSec-WebSocket-Accept: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
    ),
    "no-reason": (b"HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", KEPT, b"HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n"),
}


@pytest.mark.parametrize(("received", "how", "sent"), RESPONSES.values(), ids=RESPONSES)
def test_response(received: bytes, how: dict[str, bool], sent: bytes) -> None:
    head = parse_response(received, b"GET")
    assert head is not None
    assert forward_response(head, **how) == sent


def test_a_response_to_head_keeps_its_length() -> None:
    head = parse_response(OK + b"Content-Length: 512\r\n\r\n", b"HEAD")
    assert head is not None
    assert forward_response(head, **KEPT) == OK + b"Content-Length: 512\r\n\r\n"
