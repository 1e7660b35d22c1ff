"""Floods and broken rules on real connections: who does it is sent away and noted, and nobody else notices."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from balancer.causes import Cause
from balancer.config import AccessLog, Http2
from balancer.http2 import frames
from balancer.http2.frames import CONTINUATION, DATA, GOAWAY, HEADERS, PING, PRIORITY, RST_STREAM, WINDOW_UPDATE, frame

if TYPE_CHECKING:
    from tests.unit.balancer.relay.conftest import Logged

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
HELLO = frames.PREFACE + frames.settings({})
GET = b"\x82\x84\x86\x41\x01a"  # GET http://a/
LIMITS = Http2(resets=20, idle_frames=50)
CALM = 11
RESETS = "too many streams that came to nothing"
IDLE = "too many frames that carry nothing forward"
FLOODS = {
    "rapid reset": (
        b"".join(frame(HEADERS, 5, i, GET) + frame(RST_STREAM, 0, i, b"\0\0\0\x08") for i in range(1, 45, 2)),
        RESETS,
    ),
    "malformed requests": (b"".join(frame(HEADERS, 5, i, b"\x82") for i in range(1, 45, 2)), RESETS),
    "CONTINUATION": (frame(HEADERS, 1, 1, GET) + frame(CONTINUATION, 0, 1) * 40, "header block in too many pieces"),
    "large header blocks": (
        frame(HEADERS, 1, 1, GET) + frame(CONTINUATION, 0, 1, bytes(16_384)) * 4,
        "header block too large",
    ),
    "PING": (frame(PING, 0, 0, bytes(8)) * 60, IDLE),
    "SETTINGS": (frames.settings({4: 70_000}) * 60, IDLE),
    "one SETTINGS": (frames.settings({4: 1}) + frame(4, 0, 0, b"\0\4\0\0\0\1" * 2_000), IDLE),
    "empty DATA": (frame(HEADERS, 4, 1, b"\x83" + GET[1:]) + frame(DATA, 0, 1) * 60, IDLE),
    "tiny WINDOW_UPDATE": (frame(WINDOW_UPDATE, 0, 0, b"\0\0\0\1") * 60, IDLE),
    "PRIORITY": (frame(PRIORITY, 0, 1, bytes(5)) * 60, IDLE),
    "frames nobody knows": (frame(0xEE, 0, 0, b"x") * 60, IDLE),
}


def goaways(data: bytes) -> list[tuple[int, bytes]]:
    """Error codes and texts."""
    reader = frames.FrameReader(1 << 20)
    reader.add(data)
    found = iter(reader.next, None)
    return [(frames.number(one.payload[4:8]), one.payload[8:]) for one in found if one.kind == GOAWAY]


@pytest.mark.parametrize("flood", FLOODS)
def test_a_flood_ends_its_connection_and_no_other(logged: Logged, make_http2_client: Any, flood: str) -> None:
    rig, log = logged(log=AccessLog(format="json"), http2=LIMITS)
    other = make_http2_client(rig.client())
    other.request(1)
    server = rig.server()
    data, why = FLOODS[flood]
    attacker = rig.client(HELLO)
    attacker.send(data)
    assert goaways(attacker.read()) == [(CALM, why.encode())]
    assert attacker.ended
    for stream_id in (1, 3):
        assert server.read().startswith(b"GET / HTTP/1.1\r\nhost: example.org\r\n")
        server.send(OK)
        other.read()
        assert other.body(stream_id) == b"hello"
        if stream_id == 1:
            other.request(3)
    assert rig.causes[Cause.HTTP2_FLOOD] == 1
    [line] = [line for line in log.lines if f'"reason":"{why}"' in line]
    assert '"client":"127.0.0.1"' in line
    assert line.endswith(f'"termination":"PR","reason":"{why}"}}')


def test_a_broken_rule(logged: Logged) -> None:
    rig, log = logged(http2=Http2())
    rig.client(HELLO).send(frame(DATA, 0, 1, b"a"))
    assert log.lines == ['main main/<NOSRV> -1/-1/-1/-1/0 -1 0 - - PR-- 1/1/0/0/0 0/0 "<BADREQ>"']
    assert rig.causes == {Cause.HTTP2_INVALID: 1}
    assert rig.frontend_counts.bad_requests == 1


def test_a_malformed_request(logged: Logged) -> None:
    rig, log = logged(log=AccessLog(format="json"), http2=Http2())
    client = rig.client(HELLO)
    client.send(frame(HEADERS, 5, 1, GET[1:]))
    assert not client.ended
    [line] = log.lines
    assert line.endswith('"termination":"PR","reason":"mandatory pseudo-header field missing"}')
    assert rig.causes == {Cause.HTTP2_INVALID: 1}
    assert rig.frontend_counts.bad_requests == 1


def test_a_stream_too_many_is_no_offence(logged: Logged) -> None:
    rig, log = logged(http2=Http2(max_streams=1))
    rig.client(HELLO).send(frame(HEADERS, 4, 1, b"\x83" + GET[1:]) + frame(HEADERS, 5, 3, GET))
    assert log.lines == []
    assert (rig.causes, rig.frontend_counts.bad_requests) == ({}, 0)
