"""Compressed responses, as a client sees them."""

from __future__ import annotations

import gzip
import random
import zlib
from typing import TYPE_CHECKING

import pytest

from balancer.config import Compression
from balancer.http1.chunked import ChunkedDecoder

if TYPE_CHECKING:
    from tests.unit.balancer.relay.conftest import HttpRig, RigMaker

GET = b"GET / HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\n\r\n"
TEXT = b"hello world, " * 1000
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
SAID = b"Vary: Accept-Encoding\r\nContent-Encoding: gzip\r\n"


def compressing(make_rig: RigMaker, **in_pool: object) -> HttpRig:
    return make_rig(compression=Compression(), in_pool=in_pool)


def dechunked(data: bytes) -> bytes:
    decoder = ChunkedDecoder()
    body = decoder.feed(data)
    assert decoder.done
    assert decoder.surplus == b""
    return body


def test_a_whole_response_keeps_a_length(make_rig: RigMaker) -> None:
    rig = compressing(make_rig)
    client = rig.client(GET)
    server = rig.server()
    for _ in range(2):
        server.read()
        server.send(HEAD + b"Content-Length: %d\r\n\r\n" % len(TEXT) + TEXT)
        head, _, body = client.read().partition(b"\r\n\r\n")
        assert head + b"\r\n" == HEAD + SAID + b"Content-Length: %d\r\n" % len(body)
        assert gzip.decompress(body) == TEXT
        assert len(body) < 200
        client.send(GET)
    assert rig.service.compressor is not None
    assert rig.service.compressor.running == 0
    for counts in (rig.server_counts(), rig.slots.frontend_counts("main")):
        assert (counts.gzip_in, counts.gzip_out, counts.gzip_bypassed) == (2 * len(TEXT), 2 * len(body), 0)
        assert counts.gzipped == 2


def test_a_long_response_comes_in_chunks_and_the_connections_live_on(make_rig: RigMaker) -> None:
    rig = compressing(make_rig)
    client = rig.client(GET)
    server = rig.server()
    text = TEXT * 100
    server.send(HEAD + b"Content-Length: %d\r\n\r\n" % len(text))
    server.send(text)
    head, _, body = client.read().partition(b"\r\n\r\n")
    assert head + b"\r\n" == HEAD + SAID + b"Transfer-Encoding: chunked\r\n"
    assert gzip.decompress(dechunked(body)) == text
    client.send(GET)
    assert server.read().count(GET[:14]) == 2
    assert not rig.was_called()


def test_what_is_sent_is_what_is_counted(make_rig: RigMaker) -> None:
    rig = compressing(make_rig)
    client = rig.client(GET)
    server = rig.server()
    text = TEXT * 100
    server.send(HEAD + b"Content-Length: %d\r\n\r\n" % len(text))
    server.send(text)
    body = client.read().partition(b"\r\n\r\n")[2]
    assert len(body) / 2 < rig.frontend_counts.bytes_out < len(body) + 200


@pytest.mark.parametrize("seed", range(6))
def test_however_the_server_splits_it_the_client_reads_the_same(make_rig: RigMaker, seed: int) -> None:
    rng = random.Random(seed)
    rig = compressing(make_rig)
    client = rig.client(GET)
    server = rig.server()
    text = b"".join(rng.choice((b"alpha ", b"beta ", b"\r\n", b"0", bytes((rng.randrange(256),)))) for _ in range(9000))
    chunked = b"Transfer-Encoding: chunked\r\n\r\n"
    rest = text
    wire = b""
    while rest:
        size = rng.choice((1, 7, 500, 5000))
        wire += b"%x\r\n%b\r\n" % (len(rest[:size]), rest[:size])
        rest = rest[size:]
    wire = HEAD + chunked + wire + b"0\r\n\r\n"
    while wire:
        size = rng.choice((1, 100, 3000, 9000))
        server.send(wire[:size])
        wire = wire[size:]
    head, _, body = client.read().partition(b"\r\n\r\n")
    assert head + b"\r\n" == HEAD + SAID + b"Transfer-Encoding: chunked\r\n"
    assert gzip.decompress(dechunked(body)) == text


def test_an_event_stream_goes_on_event_by_event(make_rig: RigMaker) -> None:
    rig = compressing(make_rig)
    client = rig.client(GET)
    server = rig.server()
    server.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
    reader = zlib.decompressobj(16 + zlib.MAX_WBITS)
    decoder = ChunkedDecoder()
    assert client.read().endswith(SAID + b"Transfer-Encoding: chunked\r\n\r\n")
    for event in (b"data: one\n\n", b"data: two\n\n"):
        server.send(b"%x\r\n%b\r\n" % (len(event), event))
        assert reader.decompress(decoder.feed(client.read())) == event
    server.send(b"0\r\n\r\n")
    assert reader.decompress(decoder.feed(client.read())) == b""
    assert (reader.eof, decoder.done) == (True, True)
    assert not client.ended


def test_a_client_of_http_1_0_gets_it_to_the_end_of_the_connection(make_rig: RigMaker) -> None:
    rig = compressing(make_rig)
    client = rig.client(b"GET / HTTP/1.0\r\nAccept-Encoding: gzip\r\n\r\n")
    server = rig.server()
    server.send(HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
    server.send(b"6\r\n world\r\n0\r\n\r\n")
    head, _, body = client.read().partition(b"\r\n\r\n")
    assert head + b"\r\n" == HEAD + SAID + b"Connection: close\r\n"
    assert gzip.decompress(body) == b"hello world"
    assert client.ended


def test_a_response_to_the_end_of_the_servers_connection(make_rig: RigMaker) -> None:
    rig = compressing(make_rig)
    client = rig.client(GET)
    server = rig.server()
    server.read()
    server.send(HEAD + b"\r\nhello")
    server.send(b" world")
    server.close()
    assert gzip.decompress(dechunked(client.read().partition(b"\r\n\r\n")[2])) == b"hello world"


def test_a_body_that_is_cut_off_has_no_end(make_rig: RigMaker) -> None:
    rig = compressing(make_rig)
    client = rig.client(GET)
    server = rig.server()
    server.send(HEAD + b"Content-Length: 5000\r\n\r\nhello")
    server.close()
    body = client.read().partition(b"\r\n\r\n")[2]
    assert not body.endswith(b"0\r\n\r\n")
    assert client.ended
    assert rig.service.compressor is not None
    assert rig.service.compressor.running == 0


def test_who_does_not_accept_gzip_gets_it_plain(make_rig: RigMaker) -> None:
    rig = compressing(make_rig)
    client = rig.client(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    whole = HEAD + b"Content-Length: %d\r\n" % len(TEXT)
    rig.server().send(whole + b"\r\n" + TEXT)
    assert client.read() == whole + b"Vary: Accept-Encoding\r\n\r\n" + TEXT


def test_what_does_not_get_smaller_stays_as_it_is(make_rig: RigMaker) -> None:
    rig = compressing(make_rig)
    client = rig.client(GET)
    noise = zlib.compress(bytes(hash((number, 7)) & 0xFF for number in range(5000)), 9)[:1500]
    whole = HEAD + b"Content-Length: %d\r\n" % len(noise)
    rig.server().send(whole + b"\r\n" + noise)
    assert client.read() == whole + b"Vary: Accept-Encoding\r\n\r\n" + noise


def test_no_more_than_so_many_at_once(make_rig: RigMaker) -> None:
    rig = make_rig(compression=Compression(at_once=1))
    one, other = rig.client(GET), rig.client(GET)
    first, second = rig.server(), rig.server()
    first.send(HEAD + b"Content-Length: 5000\r\n\r\nhello")
    second.send(HEAD + b"Content-Length: 5000\r\n\r\nhello")
    assert b"Content-Encoding: gzip\r\n" in one.read()
    assert other.read() == HEAD + b"Content-Length: 5000\r\nVary: Accept-Encoding\r\n\r\nhello"
    assert (rig.frontend_counts.gzip_bypassed, rig.server_counts().gzip_bypassed) == (5000, 5000)


def test_a_pool_has_its_own_say(make_rig: RigMaker) -> None:
    whole = HEAD + b"Content-Length: %d\r\n\r\n" % len(TEXT) + TEXT
    rig = compressing(make_rig, compression=Compression(enabled=False))
    client = rig.client(GET)
    rig.server().send(whole)
    assert client.read() == whole
    rig = make_rig(in_pool={"compression": Compression()})
    client = rig.client(GET)
    rig.server().send(whole)
    assert b"Content-Encoding: gzip\r\n" in client.read()


LONG = b"Content-Length: %d\r\n" % len(TEXT)


@pytest.mark.parametrize("head", [
    b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Encoding: br\r\n" + LONG,
    b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Encoding: gzip\r\n" + LONG,
    b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nCache-Control: no-transform\r\n" + LONG,
    b"HTTP/1.1 206 Partial Content\r\nContent-Type: text/plain\r\nContent-Range: bytes 0-1/2\r\n" + LONG,
    b"HTTP/1.1 200 OK\r\nContent-Type: image/png\r\n" + LONG,
    b"HTTP/1.1 200 OK\r\n" + LONG,
], ids=["br", "gzip", "no-transform", "range", "image", "no-type"])  # fmt: skip
def test_what_is_not_to_be_compressed_goes_on_byte_for_byte(make_rig: RigMaker, head: bytes) -> None:
    client = (rig := compressing(make_rig)).client(GET)
    rig.server().send(head + b"\r\n" + TEXT)
    assert client.read() == head + b"\r\n" + TEXT


@pytest.mark.parametrize(("size", "compressed"), [(1023, False), (1024, True)])
def test_what_is_small_stays_as_it_is(make_rig: RigMaker, size: int, compressed: bool) -> None:
    rig = make_rig(compression=Compression(minimum_bytes=1024))
    client = rig.client(GET)
    rig.server().send(HEAD + b"Content-Length: %d\r\n\r\n" % size + TEXT[:size])
    head, _, body = client.read().partition(b"\r\n\r\n")
    assert (b"\r\nContent-Encoding: gzip" in head) == compressed
    assert (gzip.decompress(body) if compressed else body) == TEXT[:size]


@pytest.mark.parametrize(("method", "head"), [
    (b"HEAD", HEAD + LONG + b"ETag: \"a\"\r\n"),
    (b"GET", b"HTTP/1.1 204 No Content\r\nContent-Type: text/plain\r\n"),
    (b"GET", b"HTTP/1.1 304 Not Modified\r\nContent-Type: text/plain\r\nETag: \"a\"\r\n" + LONG),
], ids=["head", "204", "304"])  # fmt: skip
def test_what_has_no_body_says_of_none_that_it_is_compressed(make_rig: RigMaker, method: bytes, head: bytes) -> None:
    rig = compressing(make_rig)
    client = rig.client(GET.replace(b"GET", method))
    server = rig.server()
    server.send(head + b"\r\n")
    got = client.read()
    assert got.endswith(b"\r\n\r\n")
    assert got.count(b"\r\n\r\n") == 1
    assert b"Content-Encoding" not in got
    assert b"Transfer-Encoding" not in got
    client.send(GET)
    assert server.read().count(b" / HTTP/1.1\r\n") == 2  # both connections live on
    server.send(HEAD + LONG + b"\r\n" + TEXT)
    assert gzip.decompress(client.read().partition(b"\r\n\r\n")[2]) == TEXT


def test_vary_is_said_beside_what_the_server_varies_by(make_rig: RigMaker) -> None:
    rig = compressing(make_rig)
    client = rig.client(GET)
    rig.server().send(HEAD + b"Vary: Cookie\r\n" + LONG + b"\r\n" + TEXT)
    head = client.read().partition(b"\r\n\r\n")[0]
    assert b"\r\nVary: Cookie\r\n" in head
    assert b"\r\nVary: Accept-Encoding\r\n" in head
