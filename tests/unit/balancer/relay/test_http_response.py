"""Responses on their way to the client: framing, reuse, truncation, bodies larger than any buffer."""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING, Any

import pytest

from balancer.config import FrontendTimeouts

if TYPE_CHECKING:
    from tests.unit.balancer.relay.conftest import End, HttpRig, RigMaker

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
OLD_GET = b"GET / HTTP/1.0\r\nHost: a\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\n"


def answered(rig: HttpRig, request: bytes, *pieces: bytes) -> tuple[End, End]:
    """A client and a server that has sent these pieces."""
    client = rig.client(request)
    server = rig.server()
    server.read()
    for piece in pieces:
        server.send(piece)
    return client, server


def is_kept(rig: HttpRig) -> bool:
    return len(rig.service.pools["pool"].kept["one"]) == 1


def test_a_body_in_pieces(rig: HttpRig) -> None:
    client, _ = answered(rig, GET, OK + b"Content-Length: 6\r\n\r\n", b"ab", b"cd", b"ef")
    assert client.read() == OK + b"Content-Length: 6\r\n\r\nabcdef"
    assert not client.ended
    assert is_kept(rig)


def test_surplus_bytes_end_the_server_s_connection_and_reach_nobody(rig: HttpRig) -> None:
    client, server = answered(rig, GET, OK + b"Content-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\n\r\n")
    assert client.read() == OK + b"Content-Length: 2\r\n\r\nok"
    assert not client.ended
    assert not is_kept(rig)
    server.read()
    assert server.ended


def test_surplus_bytes_after_a_body_in_pieces(rig: HttpRig) -> None:
    client, _ = answered(rig, GET, OK + b"Content-Length: 4\r\n\r\n", b"ab", b"cdSURPLUS")
    assert client.read() == OK + b"Content-Length: 4\r\n\r\nabcd"
    assert not is_kept(rig)


@pytest.mark.parametrize("status", [b"204 No Content", b"304 Not Modified"])
def test_a_status_without_a_body(rig: HttpRig, status: bytes) -> None:
    client, _ = answered(rig, GET, b"HTTP/1.1 " + status + b"\r\n\r\n")
    assert client.read() == b"HTTP/1.1 " + status + b"\r\n\r\n"
    assert not client.ended
    assert is_kept(rig)


def test_a_response_to_head(rig: HttpRig) -> None:
    client, _ = answered(rig, b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n", OK + b"Content-Length: 5000\r\n\r\n")
    assert client.read() == OK + b"Content-Length: 5000\r\n\r\n"
    assert is_kept(rig)


def test_a_body_after_a_response_to_head_is_surplus(rig: HttpRig) -> None:
    client, _ = answered(rig, b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n", OK + b"Content-Length: 2\r\n\r\nok")
    assert client.read() == OK + b"Content-Length: 2\r\n\r\n"
    assert not is_kept(rig)


def test_chunks(rig: HttpRig) -> None:
    client, _ = answered(
        rig, GET, OK + b"Transfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n", b"2\r\nd", b"e\r\n0\r", b"\n\r\n"
    )
    assert client.read() == (OK + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n1\r\nd\r\n1\r\ne\r\n0\r\n\r\n")
    assert not client.ended
    assert is_kept(rig)


def test_chunks_at_once(rig: HttpRig) -> None:
    client, _ = answered(rig, GET, OK + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n")
    assert client.read() == OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n0\r\n\r\n"
    assert is_kept(rig)


def test_surplus_bytes_after_chunks(rig: HttpRig) -> None:
    client, _ = answered(rig, GET, OK + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\nx")
    assert client.read() == OK + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
    assert not is_kept(rig)


def test_trailers_are_dropped(rig: HttpRig) -> None:
    client, _ = answered(rig, GET, OK + b"Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nX: y\r\n\r\n")
    assert client.read() == OK + b"Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n"


def test_trailers_are_sent_to_who_wants_them_but_not_all_of_them(rig: HttpRig) -> None:
    client, _ = answered(
        rig,
        b"GET / HTTP/1.1\r\nHost: a\r\nTE: trailers\r\nConnection: TE\r\n\r\n",
        OK + b"Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nX: y\r\nContent-Length: 9\r\n\r\n",
    )
    assert client.read() == OK + b"Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nX: y\r\n\r\n"


def test_chunks_for_http_1_0(rig: HttpRig) -> None:
    client, _ = answered(rig, OLD_GET, OK + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", b"0\r\n\r\n")
    assert client.read() == OK + b"Connection: close\r\n\r\nabc"
    assert client.ended
    assert not client.reset


def test_a_body_until_close(rig: HttpRig) -> None:
    client, server = answered(rig, GET, OK + b"X: y\r\n\r\nab", b"cd")
    server.shut()
    assert client.read() == OK + b"X: y\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n2\r\ncd\r\n0\r\n\r\n"
    assert not client.ended
    assert not is_kept(rig)


def test_an_empty_body_until_close(rig: HttpRig) -> None:
    client, server = answered(rig, GET, OK + b"\r\n")
    server.close()
    assert client.read() == OK + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"


def test_a_body_until_close_for_http_1_0(rig: HttpRig) -> None:
    client, server = answered(rig, OLD_GET, b"HTTP/1.0 200 OK\r\n\r\nab", b"cd")
    server.close()
    assert client.read() == OK + b"Connection: close\r\n\r\nabcd"
    assert client.ended
    assert not client.reset


@pytest.mark.parametrize(
    ("request_", "head", "reset"),
    [
        (GET, OK + b"Content-Length: 10\r\n\r\n", False),
        (GET, OK + b"Transfer-Encoding: chunked\r\n\r\na\r\n", False),
        (OLD_GET, OK + b"Transfer-Encoding: chunked\r\n\r\na\r\n", True),
    ],
    ids=["length", "chunked", "chunked-for-1.0"],
)
def test_a_truncated_body_never_looks_whole(rig: HttpRig, request_: bytes, head: bytes, reset: bool) -> None:
    client, server = answered(rig, request_, head + b"abc")
    assert b"abc" in client.read()
    server.close()
    assert client.read() == b""
    assert client.ended
    assert client.reset is reset
    assert rig.server_counts().bad_responses == 1


def test_a_body_until_close_that_ends_in_a_reset_is_truncated(rig: HttpRig) -> None:
    client, server = answered(rig, GET, OK + b"\r\nabc")
    client.read()
    server.break_off()
    assert client.read() == b""
    assert client.ended


def test_a_malformed_chunk_within_a_body(rig: HttpRig) -> None:
    client, server = answered(rig, GET, OK + b"Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n", b"zz\r\n")
    assert client.read() == OK + b"Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n"
    assert client.ended
    server.read()
    assert server.ended


def test_a_server_that_stops_within_a_body(make_rig: RigMaker) -> None:
    rig = make_rig(timeouts=FrontendTimeouts(idle_s=30.0))
    client, server = answered(rig, GET, OK + b"Content-Length: 10\r\n\r\nabc")
    rig.pass_time(29.0)
    server.send(b"d")
    rig.pass_time(29.0)
    assert client.read().endswith(b"abcd")
    assert not client.ended
    rig.pass_time(1.1)
    assert client.read() == b""
    assert client.ended
    assert rig.server_counts().timeouts == 1


def test_a_client_that_stops_reading(make_rig: RigMaker) -> None:
    rig = make_rig(timeouts=FrontendTimeouts(idle_s=30.0))
    body = b"x" * (32 << 20)
    client = rig.client(GET)
    server = rig.server()
    server.read()
    server.socket.send(OK + b"Content-Length: %d\r\n\r\n" % len(body))
    sent = 0
    while True:
        try:
            sent += server.socket.send(body[sent : sent + (1 << 20)])
        except BlockingIOError:
            rig.settle()
            try:
                sent += server.socket.send(body[sent : sent + (1 << 20)])
            except BlockingIOError:
                break
    assert sent < len(body)  # held back: the rest waits at the server, not in memory here
    rig.pass_time(30.1)
    assert rig.connections[0].done
    server.read()
    assert server.ended
    del client


@pytest.mark.parametrize("framing", ["length", "chunked", "until-close"])
def test_a_large_body_arrives_whole(rig: HttpRig, framing: str) -> None:
    body = hashlib.shake_128(b"body").digest(3 << 20)
    head = {
        "length": b"Content-Length: %d\r\n\r\n" % len(body),
        "chunked": b"Transfer-Encoding: chunked\r\n\r\n%x\r\n" % len(body),
        "until-close": b"\r\n",
    }[framing]
    client = rig.client(OLD_GET)
    server = rig.server()
    server.read()
    received = b""
    data = OK + head + body + (b"\r\n0\r\n\r\n" if framing == "chunked" else b"")
    for start in range(0, len(data), 200_000):
        server.send(data[start : start + 200_000])
        received += client.read()
    server.shut()
    received += client.read()
    assert received.partition(b"\r\n\r\n")[2] == body
    assert client.ended
    assert rig.frontend_counts.bytes_out >= len(body)


def test_a_spliced_body_leaves_the_connection_fit_for_reuse(rig: HttpRig, monkeypatch: pytest.MonkeyPatch) -> None:
    spliced, splice = [], os.splice

    def counting(*arguments: Any, **options: Any) -> int:
        spliced.append(splice(*arguments, **options))
        return spliced[-1]

    monkeypatch.setattr("os.splice", counting)
    body = b"x" * (2 << 20)
    client = rig.client(GET)
    server = rig.server()
    server.read()
    received = b""
    data = OK + b"Content-Length: %d\r\n\r\n" % len(body) + body
    for start in range(0, len(data), 300_000):
        server.send(data[start : start + 300_000])
        received += client.read()
    assert received == data
    assert sum(spliced) > 2 * 1_000_000  # into a pipe and out of it
    assert is_kept(rig)
    client.send(GET)
    assert server.read() != b""
    assert not rig.was_called()


def test_a_server_that_closes_after_its_response(rig: HttpRig) -> None:
    client, server = answered(rig, GET, OK + b"Content-Length: 2\r\nConnection: close\r\n\r\nok")
    assert client.read() == OK + b"Content-Length: 2\r\n\r\nok"
    assert not client.ended
    assert not is_kept(rig)
    server.read()
    assert server.ended
