"""Requests on their way to a server: bodies of every framing, and responses that come before a body is whole."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.unit.balancer.relay.conftest import HttpRig

HEAD = b"POST / HTTP/1.1\r\nHost: a\r\n"
ADDED = (
    b"X-Forwarded-Host: a\r\nX-Forwarded-For: 127.0.0.1\r\nX-Forwarded-Proto: http\r\nX-Forwarded-Port: 12345\r\n"
    b"Forwarded: for=127.0.0.1;proto=http\r\nVia: 1.1 hapair\r\n\r\n"
)
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


def test_a_body_that_comes_with_its_head(rig: HttpRig) -> None:
    client = rig.client(HEAD + b"Content-Length: 5\r\n\r\nhello")
    server = rig.server()
    assert server.read() == HEAD + b"Content-Length: 5\r\n" + ADDED + b"hello"
    server.send(OK)
    assert client.read() == OK
    assert rig.frontend_counts.bytes_in == len(HEAD + b"Content-Length: 5\r\n" + ADDED + b"hello")


def test_a_body_in_pieces_and_the_next_request_with_its_last(rig: HttpRig) -> None:
    client = rig.client(HEAD + b"Content-Length: 6\r\n\r\nab")
    server = rig.server()
    client.send(b"cd")
    client.send(b"ef" + GET)
    assert server.read() == HEAD + b"Content-Length: 6\r\n" + ADDED + b"abcdef"
    server.send(OK)
    assert client.read() == OK
    assert server.read() == GET[:-2] + ADDED


def test_chunks(rig: HttpRig) -> None:
    client = rig.client(HEAD + b"Transfer-Encoding: chunked\r\n\r\n3;a=b\r\nabc\r\n")
    server = rig.server()
    client.send(b"2\r\nde\r\n0\r\nX: y\r\n\r\n" + GET)
    assert server.read() == (HEAD + b"Transfer-Encoding: chunked\r\n" + ADDED + b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n")
    server.send(OK)
    assert client.read() == OK
    assert server.read() == GET[:-2] + ADDED


def test_chunks_at_once(rig: HttpRig) -> None:
    rig.client(HEAD + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n" + GET)
    assert rig.server().read() == HEAD + b"Transfer-Encoding: chunked\r\n" + ADDED + b"5\r\nabcde\r\n0\r\n\r\n"


def test_trailers_go_on_where_trailers_are_spoken(rig: HttpRig) -> None:
    rig.client(
        HEAD + b"Transfer-Encoding: chunked\r\nTE: trailers\r\nConnection: TE\r\n\r\n0\r\nX: y\r\nHost: b\r\n\r\n"
    )
    assert rig.server().read() == (
        HEAD + b"Transfer-Encoding: chunked\r\nTE: trailers\r\nConnection: TE\r\n" + ADDED + b"0\r\nX: y\r\n\r\n"
    )


def test_a_malformed_chunk_within_a_body(rig: HttpRig) -> None:
    client = rig.client(HEAD + b"Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n")
    server = rig.server()
    server.read()
    client.send(b"0x1\r\n")
    assert client.read().startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert client.ended
    assert server.read() == b""
    assert server.ended


def test_a_malformed_chunk_after_a_response_has_begun(rig: HttpRig) -> None:
    client = rig.client(HEAD + b"Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n")
    server = rig.server()
    server.send(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc")
    client.read()
    client.send(b"0x1\r\n")
    assert client.read() == b""
    assert client.ended


def test_a_client_that_breaks_off_within_its_body(rig: HttpRig) -> None:
    client = rig.client(HEAD + b"Content-Length: 6\r\n\r\nab")
    server = rig.server()
    server.read()
    client.close()
    assert server.read() == b""
    assert server.ended
    assert rig.connections[0].done


@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_a_large_body_arrives_whole(rig: HttpRig, framing: str) -> None:
    body = hashlib.shake_128(b"body").digest(3 << 20)
    head = {"length": b"Content-Length: %d\r\n\r\n" % len(body), "chunked": b"Transfer-Encoding: chunked\r\n\r\n"}
    client = rig.client(HEAD + head[framing])
    server = rig.server()
    server.read()
    received = b""
    for start in range(0, len(body), 1 << 17):
        piece = body[start : start + (1 << 17)]
        client.send(piece if framing == "length" else b"%x\r\n%b\r\n" % (len(piece), piece))
        received += server.read()
    if framing == "chunked":
        client.send(b"0\r\n\r\n")
        received = unchunked(received + server.read())
    assert received == body
    server.send(OK)
    assert client.read() == OK
    client.send(GET)
    assert server.read() == GET[:-2] + ADDED


def unchunked(data: bytes) -> bytes:
    body = b""
    while data:
        size, _, data = data.partition(b"\r\n")
        body += data[: int(size, 16)]
        data = data[int(size, 16) + 2 :]
    return body


def test_a_server_that_does_not_read_holds_the_client_back(rig: HttpRig) -> None:
    client = rig.client(HEAD + b"Content-Length: %d\r\n\r\n" % (64 << 20))
    rig.server()
    sent = 0
    piece = b"x" * (1 << 20)
    while True:
        try:
            sent += client.socket.send(piece)
        except BlockingIOError:
            rig.settle()
            try:
                sent += client.socket.send(piece)
            except BlockingIOError:
                break
    assert sent < 32 << 20
    rig.pass_time(302.0)
    assert rig.server_counts().timeouts == 1
    assert client.read().startswith(b"HTTP/1.1 504 Gateway Timeout\r\n")


def test_a_response_before_the_body_is_whole_ends_the_connection(rig: HttpRig) -> None:
    client = rig.client(HEAD + b"Content-Length: 6\r\n\r\nab")
    server = rig.server()
    server.send(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n")
    assert client.read() == b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    assert client.ended
    server.read()
    assert server.ended
    client.send(b"cdef" + GET)
    assert not rig.was_called()


def test_a_server_that_refuses_a_body_and_closes(rig: HttpRig) -> None:
    client = rig.client(HEAD + b"Content-Length: 10\r\n\r\nab")
    server = rig.server()
    server.read()
    server.send(b"HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n\r\nno\n")
    server.close()
    client.send(b"cdef")
    assert client.read().endswith(b"\r\n\r\nno\n")


def test_a_response_that_begins_before_the_body_is_whole_goes_on_beside_it(rig: HttpRig) -> None:
    client = rig.client(HEAD + b"Content-Length: 4\r\n\r\nab")
    server = rig.server()
    server.read()
    server.send(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nAB")
    assert client.read() == b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nConnection: close\r\n\r\nAB"
    client.send(b"cd")
    assert server.read() == b"cd"
    server.send(b"CD")
    assert client.read() == b"CD"
    assert client.ended


def test_nothing_was_sent_on_a_kept_connection_that_had_ended(rig: HttpRig) -> None:
    client = rig.client(GET)
    server = rig.server()
    server.send(OK)
    assert client.read() == OK
    server.close()
    client.send(HEAD + b"Content-Length: 2\r\n\r\nhi")
    assert rig.server().read().endswith(b"\r\n\r\nhi")
