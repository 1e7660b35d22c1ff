"""Whole connections: a client that speaks HTTP/2 by another library, and servers that speak HTTP/1.1."""

import socket
from dataclasses import replace

import pytest
from h2.errors import ErrorCodes
from h2.events import (
    ConnectionTerminated,
    InformationalResponseReceived,
    StreamEnded,
    StreamReset,
    TrailersReceived,
    WindowUpdated,
)
from h2.settings import SettingCodes

from balancer.config import FrontendTimeouts, Http2
from balancer.http2 import frames

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
GOAWAY_KIND = 7
GET = b"\x82\x84\x86\x41\x01a"


@pytest.fixture
def rig(make_rig):
    return make_rig(http2=Http2())


@pytest.fixture
def client(rig, make_http2_client):
    return make_http2_client(rig.client())


def test_a_request_and_its_response(rig, client):
    client.request(1, (b"x-a", b"b"))
    server = rig.server()
    received = server.read()
    assert received.startswith(b"GET / HTTP/1.1\r\nhost: example.org\r\nx-a: b\r\nX-Forwarded-Host: example.org\r\n")
    assert received.endswith(b"Forwarded: for=127.0.0.1;proto=http\r\nVia: 2.0 hapair\r\n\r\n")
    server.send(OK)
    client.read()
    assert (client.status(), client.body()) == (b"200", b"hello")
    assert len(client.of(StreamEnded)) == 1
    assert rig.frontend_counts.requests == 1


def test_http_1_1_on_the_same_port(rig):
    client = rig.client(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    server = rig.server()
    assert b"Via: 1.1 hapair" in server.read()
    server.send(OK)
    assert client.read() == OK


def test_a_preface_in_pieces(rig, make_http2_client):
    end = rig.client(frames.PREFACE[:3])
    end.send(frames.PREFACE[3:20])
    assert end.read() == b""
    end.send(frames.PREFACE[20:] + frames.settings({}))
    assert end.read()[3] == frames.SETTINGS


def test_what_begins_like_a_preface(rig):
    client = rig.client(b"PRI")
    client.send(b" / HTTP/1.1\r\nHost: a\r\n\r\n")
    assert rig.server().read().startswith(b"PRI / HTTP/1.1\r\n")
    client = rig.client(b"PRI")
    client.send(b"\0")
    assert client.read().startswith(b"HTTP/1.1 400")


def test_half_a_preface_in_time(rig):
    client = rig.client(frames.PREFACE[:10])
    rig.pass_time(10.1)
    assert client.read() == b""  # it is half a head of HTTP/1.1 too
    rig.pass_time(10.1)
    assert client.read().startswith(b"HTTP/1.1 408")


def test_many_streams_at_a_time_and_one_that_waits(rig, client):
    for stream_id in (1, 3, 5):
        client.request(stream_id, path=b"/%d" % stream_id)
    servers = {server.read()[5:6]: server for server in (rig.server(), rig.server(), rig.server())}
    for stream_id in (5, 3):
        servers[b"%d" % stream_id].send(OK)
    client.read()
    assert (client.body(3), client.body(5), client.body(1)) == (b"hello", b"hello", b"")
    servers[b"1"].send(OK)
    client.read()
    assert client.body(1) == b"hello"


def test_an_upload_of_unknown_length_and_a_response_in_chunks(rig, client):
    client.request(1, body=b"abc")
    server = rig.server()
    received = server.read()
    assert b"Transfer-Encoding: chunked" in received
    assert received.endswith(b"\r\n\r\n3\r\nabc\r\n0\r\n\r\n")
    server.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n")
    client.read()
    assert client.body() == b"hello"
    assert len(client.of(StreamEnded)) == 1


def test_an_upload_in_pieces(rig, client):
    client.h2.send_headers(1, [(b":method", b"POST"), (b":scheme", b"http"), (b":path", b"/"), (b":authority", b"a")])
    client.flush()
    server = rig.server()
    assert b"Transfer-Encoding: chunked" in server.read()
    client.h2.send_data(1, b"abc")
    client.flush()
    assert server.read() == b"3\r\nabc\r\n"
    client.h2.send_headers(1, [(b"x-checksum", b"1")], end_stream=True)
    client.flush()
    assert server.read() == b"0\r\n\r\n"  # trailers go no further where TE does not say so


def test_trailers_both_ways(rig, client):
    te = (b"te", b"trailers")
    head = [(b":method", b"POST"), (b":scheme", b"http"), (b":path", b"/"), (b":authority", b"a"), te]
    client.h2.send_headers(1, head)
    client.h2.send_data(1, b"abc")
    client.h2.send_headers(1, [(b"x-checksum", b"1")], end_stream=True)
    client.flush()
    server = rig.server()
    received = server.read()
    assert b"TE: trailers\r\nConnection: TE\r\n" in received
    assert received.endswith(b"3\r\nabc\r\n0\r\nx-checksum: 1\r\n\r\n")
    server.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nGrpc-Status: 0\r\n\r\n")
    client.read()
    [trailers] = client.of(TrailersReceived)
    assert trailers.headers == [(b"grpc-status", b"0")]


def test_interim_responses(rig, client):
    client.request(1)
    server = rig.server()
    server.send(b"HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n")
    client.read()
    [interim] = client.of(InformationalResponseReceived)
    assert interim.headers == [(b":status", b"103"), (b"link", b"a")]
    server.send(OK)
    client.read()
    assert client.body() == b"hello"


@pytest.mark.parametrize(
    ("fields", "path", "status"),
    [
        ((), b"/#", b"400"),
        ((), b"/" + b"a" * 9000, b"414"),
        (((b"x", b"y" * 17_000),), b"/", b"431"),
        (((b"expect", b"something"),), b"/", b"417"),
    ],
)
def test_what_the_parser_refuses_is_answered_and_the_connection_lives_on(rig, client, fields, path, status):
    client.request(1, *fields, path=path)
    assert client.status() == status
    client.request(3)
    rig.server().send(OK)
    client.read()
    assert client.body(3) == b"hello"


def test_no_server(make_rig, make_http2_client):
    rig = make_rig(servers=0, http2=Http2(), in_pool={"retries": 0})
    client = make_http2_client(rig.client())
    client.request(1)
    assert client.status() == b"503"


def test_a_response_that_is_cut_off_resets_its_stream_alone(rig, client):
    client.request(1)
    server = rig.server()
    server.send(b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\nhello")
    server.close()
    client.read()
    assert [event.error_code for event in client.of(StreamReset)] == [ErrorCodes.INTERNAL_ERROR]
    client.request(3)
    rig.server().send(OK)
    client.read()
    assert client.body(3) == b"hello"


def test_a_reset_ends_the_attempt(rig, client):
    client.request(1)
    server = rig.server()
    server.read()
    client.h2.reset_stream(1, ErrorCodes.CANCEL)
    client.flush()
    server.read()
    assert server.ended
    assert rig.server_counts().open == 0
    client.request(3)
    rig.server().send(OK)
    client.read()
    assert client.body(3) == b"hello"


def test_an_early_answer_to_an_upload(rig, client):
    head = [(b":method", b"POST"), (b":scheme", b"http"), (b":path", b"/"), (b":authority", b"a")]
    client.h2.send_headers(1, head)
    client.flush()
    rig.server().send(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
    client.read()
    assert client.status() == b"413"
    rig.pass_time(2.1)
    client.read()
    assert [event.error_code for event in client.of(StreamReset)] == [ErrorCodes.NO_ERROR]


def test_a_slow_client_is_not_buffered_for(rig, make_http2_client):
    client = make_http2_client(rig.client())
    client.h2.update_settings({SettingCodes.INITIAL_WINDOW_SIZE: 10})
    client.flush()
    client.request(1)
    server = rig.server()
    server.read()
    server.socket.send(b"HTTP/1.1 200 OK\r\nContent-Length: 50000000\r\n\r\n")
    taken = 0
    for _ in range(200):
        rig.settle()
        try:
            taken += server.socket.send(bytes(1 << 20))
        except BlockingIOError:
            continue
    client.read()
    assert client.body() == bytes(10)
    assert taken < 45_000_000  # what the kernels hold, and one read of ours
    client.h2.increment_flow_control_window(7, 1)
    client.flush()
    assert len(client.body()) == 17


def test_a_slow_server_stops_the_window(rig, client):
    rig.peers[0].socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    head = [(b":method", b"POST"), (b":scheme", b"http"), (b":path", b"/"), (b":authority", b"a")]
    client.h2.send_headers(1, head)
    client.flush()
    rig.server()  # which reads nothing
    for _ in range(3000):
        count = min(client.h2.local_flow_control_window(1), 16_384)
        if not count:
            break
        client.h2.send_data(1, bytes(count))
        client.flush()
    assert client.h2.local_flow_control_window(1) == 0
    client.request(3)  # and the others go on
    rig.server().send(OK)
    client.read()
    assert client.body(3) == b"hello"
    assert len(client.of(WindowUpdated, 1)) > 3


def test_ping(rig, client):
    client.h2.ping(b"abcdefgh")
    client.flush()
    assert client.events[-1].ping_data == b"abcdefgh"


def test_a_connection_error(rig, client):
    client.request(1)
    server = rig.server()
    client.end.send(b"\0\0\x01\6\0\0\0\0\0a")
    client.read()
    assert goaways(client) == [(ErrorCodes.FRAME_SIZE_ERROR, 1)]
    server.read()
    assert server.ended
    assert client.end.ended
    assert rig.frontend_counts.bad_requests == 1


def goaways(client) -> list[tuple[int, int]]:
    return [
        (event.error_code, event.last_stream_id) for event in client.events if isinstance(event, ConnectionTerminated)
    ]


class Raw:
    """A client that acknowledges nothing."""

    def __init__(self, rig):
        self.end = rig.client(frames.PREFACE + frames.settings({}))
        self._reader = frames.FrameReader(1 << 20)

    def frames(self, *kinds: int) -> list[frames.Frame]:
        self._reader.add(self.end.read())
        found = []
        while (one := self._reader.next()) is not None:
            found.append(one)
        return [one for one in found if one.kind in kinds]


def test_settings_that_are_not_acknowledged(make_rig):
    rig = make_rig(http2=Http2(settings_s=5.0))
    client = Raw(rig)
    rig.pass_time(4.9)
    assert not client.end.ended
    rig.pass_time(0.2)
    [goaway] = client.frames(GOAWAY_KIND)
    assert goaway.payload[4:8] == b"\0\0\0\4", "http2-28/connection/SETTINGS_TIMEOUT"
    assert client.end.ended
    assert rig.frontend_counts.timeouts == 1


def test_a_connection_without_requests_ends_after_the_keep_alive_time(rig, client):
    client.request(1)
    rig.server().send(OK)
    client.read()
    rig.pass_time(59.0)
    assert client.read() == []
    rig.pass_time(1.2)
    client.read()
    assert goaways(client) == [(0, 1)]
    assert client.end.ended


def test_a_ping_does_not_keep_it(rig, client):
    for _ in range(7):
        rig.pass_time(9.0)
        client.h2.ping(b"abcdefgh")
        if not client.end.ended:
            client.flush()
    rig.pass_time(1.0)
    client.read()
    assert client.end.ended


def test_a_frame_that_never_becomes_whole(rig, client):
    client.end.send(b"\0\0\x08\6\0\0\0\0\0")
    for _ in range(7):
        rig.pass_time(1.5)
        if not client.end.ended:
            client.end.send(b"a")
    client.read()
    assert goaways(client) == [(0, 0)]
    assert client.end.ended
    assert rig.frontend_counts.timeouts == 1


def test_a_request_in_progress_may_take_longer(rig, client):
    client.request(1)
    rig.server()
    rig.pass_time(59.9)
    rig.pass_time(0.05)
    client.read()
    assert goaways(client) == []
    rig.pass_time(0.2)  # the pool's response time
    client.read()
    assert client.status() == b"504"


PONG = frames.frame(frames.PING, frames.ACK, 0, b"draining")


def test_drain_in_two_steps(rig):
    client = Raw(rig)
    client.end.read()
    client.end.send(frames.frame(frames.HEADERS, 5, 1, GET))
    server = rig.server()
    rig.service.drain(stopping=True)
    rig.settle()
    assert [(one.kind, one.payload[:4]) for one in client.frames(GOAWAY_KIND, frames.PING)] == [
        (GOAWAY_KIND, b"\x7f\xff\xff\xff"),
        (frames.PING, b"drai"),
    ]
    client.end.send(PONG)
    assert [one.payload for one in client.frames(GOAWAY_KIND)] == [b"\0\0\0\1\0\0\0\0"]
    assert not client.end.ended
    server.send(OK)
    assert client.end.read().endswith(b"hello")
    assert client.end.ended
    assert rig.service.told_of_drain == set()


def test_drain_serves_what_was_on_its_way(rig):
    client = Raw(rig)
    client.end.read()
    rig.service.drain(stopping=True)
    rig.settle()
    assert [one.payload[:4] for one in client.frames(GOAWAY_KIND)] == [b"\x7f\xff\xff\xff"]
    client.end.send(frames.frame(frames.HEADERS, 5, 1, GET))
    server = rig.server()
    assert server.read().startswith(b"GET / HTTP/1.1\r\nhost: a\r\n")
    rig.pass_time(1.1)
    assert [one.payload[:4] for one in client.frames(GOAWAY_KIND)] == [b"\0\0\0\1"]
    client.end.send(frames.frame(frames.HEADERS, 5, 3, GET))
    assert not rig.was_called()
    server.send(OK)
    assert client.end.read().endswith(b"hello")
    assert client.end.ended


def test_drain_of_a_connection_that_is_idle(rig):
    client = Raw(rig)
    client.end.read()
    rig.service.drain(stopping=True)
    rig.settle()
    client.end.send(PONG)
    assert [one.payload[:4] for one in client.frames(GOAWAY_KIND)] == [b"\x7f\xff\xff\xff", bytes(4)]
    assert client.end.ended


def test_a_connection_that_comes_while_draining(rig):
    rig.service.drain()
    client = Raw(rig)
    assert len(client.frames(GOAWAY_KIND)) == 1
    client.end.send(PONG + frames.frame(frames.HEADERS, 5, 1, GET))
    assert len(client.frames(GOAWAY_KIND)) == 1
    assert client.end.ended


def test_the_client_is_gone(rig, client):
    client.request(1)
    server = rig.server()
    client.end.break_off()
    server.read()
    assert server.ended
    assert rig.connections[-1].done


def test_the_client_has_ended_its_half(rig, client):
    client.request(1)
    server = rig.server()
    client.end.shut()
    server.read()
    assert server.ended
    assert rig.connections[-1].done


def test_a_client_that_takes_nothing(make_rig, make_http2_client):
    rig = make_rig(http2=Http2(idle_frames=100_000_000), timeouts=FrontendTimeouts(idle_s=20.0))
    client = make_http2_client(rig.client())
    client.end.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    rig.connections[-1].stream._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    ping = frames.frame(frames.PING, 0, 0, bytes(8))
    for _ in range(2000):
        try:
            client.end.socket.send(ping * 1000)
        except BlockingIOError:
            rig.settle()
            break
        rig.settle()
    else:
        pytest.fail("it took everything")
    rig.pass_time(19.0)
    assert not rig.connections[-1].done
    rig.pass_time(4.0)
    rig.pass_time(4.0)
    assert rig.connections[-1].done


def test_a_client_that_opens_no_window_loses_its_stream(make_rig, make_http2_client):
    rig = make_rig(http2=Http2(), timeouts=replace(FrontendTimeouts(), idle_s=20.0))
    client = make_http2_client(rig.client())
    client.h2.update_settings({SettingCodes.INITIAL_WINDOW_SIZE: 1})
    client.flush()
    client.request(1)
    rig.server().send(OK)
    client.read()
    assert client.body() == b"h"
    rig.pass_time(20.1)
    client.read()
    assert [event.error_code for event in client.of(StreamReset)] == [ErrorCodes.INTERNAL_ERROR]
