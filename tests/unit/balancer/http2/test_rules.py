"""Every error that RFC 9113 names, by the numbers of docs/http2.md. An id says what must follow: rule, kind, code.

A connection error raises Violation and leaves a GOAWAY; a stream error leaves an RST_STREAM, and the next request on
the same connection is served.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import pytest
from hpack import Encoder

from balancer.config_http2 import Http2
from balancer.http2 import frames
from balancer.http2.errors import ErrorCode, Violation
from balancer.http2.events import Opened, Reset
from balancer.http2.frames import (
    ACK,
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    GOAWAY,
    HEADERS,
    PADDED,
    PING,
    PREFACE,
    PRIORITY,
    PUSH_PROMISE,
    RST_STREAM,
    SETTINGS,
    WINDOW_UPDATE,
    WITH_PRIORITY,
    Frame,
    FrameReader,
    frame,
)
from balancer.http2.session import Session

GET = ((":method", "GET"), (":scheme", "http"), (":path", "/"), (":authority", "example.org"))
POST = ((":method", "POST"), *GET[1:])
WHOLE = END_HEADERS | END_STREAM


def block(fields: Iterable[tuple[str, str]]) -> bytes:
    """Without the table, so that blocks may come in any order."""
    return Encoder().encode([(name.encode("latin-1"), value.encode("latin-1"), True) for name, value in fields])


def request(stream_id: int = 1, fields: Iterable[tuple[str, str]] = GET, flags: int = WHOLE) -> bytes:
    return frame(HEADERS, flags, stream_id, block(fields))


def without(name: str) -> list[tuple[str, str]]:
    return [field for field in GET if field[0] != name]


def changed(name: str, value: str) -> list[tuple[str, str]]:
    return [(key, value if key == name else old) for key, old in GET]


def setting(identifier: int, value: int) -> bytes:
    return frames.settings({identifier: value})


def increment(stream_id: int, by: int) -> bytes:
    return frame(WINDOW_UPDATE, 0, stream_id, by.to_bytes(4, "big"))


UPLOAD = request(1, POST, END_HEADERS)
OPEN = UPLOAD
FINISHED = "the server answers stream 1"


@dataclass(frozen=True)
class Case:
    rule: str
    data: tuple[Any, ...]
    config: Http2


def case(rule: str, what: str, *data: Any, **config: int) -> Any:
    return pytest.param(Case(rule, data, Http2(**config)), id=f"{rule}: {what}")


CASES = [
    case("http2-1/connection/PROTOCOL_ERROR", "HTTP/1.1 instead", b"GET / HTTP/1.1\r\n\r\n"),
    case("http2-1/connection/PROTOCOL_ERROR", "wrong in its second half", b"PRI * HTTP/2.0\r\n\r\nSX\r\n\r\n"),
    case("http2-2/connection/PROTOCOL_ERROR", "PING first", PREFACE + frame(PING, 0, 0, bytes(8))),
    case("http2-2/connection/PROTOCOL_ERROR", "an acknowledgement first", PREFACE + frame(SETTINGS, ACK, 0)),
    case("http2-3/connection/FRAME_SIZE_ERROR", "DATA of 16,385 bytes, by its header", OPEN, b"\0\x40\1\0\0\0\0\0\1"),
    case("http2-3/connection/FRAME_SIZE_ERROR", "SETTINGS of 16 MB, by its header", b"\xff\xff\xff\4\0\0\0\0\0"),
    case("http2-4/connection/FRAME_SIZE_ERROR", "PADDED and empty", OPEN, frame(DATA, PADDED, 1)),
    case("http2-4/connection/FRAME_SIZE_ERROR", "half a priority", frame(HEADERS, WITH_PRIORITY | 4, 1, bytes(4))),
    case("http2-5/connection/COMPRESSION_ERROR", "an index beyond the tables", frame(HEADERS, WHOLE, 1, b"\xff\x7f")),
    case("http2-5/connection/COMPRESSION_ERROR", "an endless number", frame(HEADERS, WHOLE, 1, b"\xff" * 20)),
    case("http2-5/connection/COMPRESSION_ERROR", "a literal that is cut off", frame(HEADERS, WHOLE, 1, b"\x40\x0aabc")),
    case("http2-5/connection/COMPRESSION_ERROR", "a table too large", frame(HEADERS, WHOLE, 1, b"\x3f\xff\x7f")),
    case("http2-6/connection/PROTOCOL_ERROR", "DATA", request(1, GET, 0), frame(DATA, 0, 1, b"a")),
    case("http2-6/connection/PROTOCOL_ERROR", "another HEADERS", request(1, GET, 0), request(3)),
    case("http2-6/connection/PROTOCOL_ERROR", "a frame nobody knows", request(1, GET, 0), frame(0xEE, 0, 0)),
    case("http2-6/connection/PROTOCOL_ERROR", "another stream's", request(1, GET, 0), frame(CONTINUATION, 4, 3)),
    case("http2-7/connection/PROTOCOL_ERROR", "DATA", frame(DATA, 0, 1, b"a")),
    case("http2-7/connection/PROTOCOL_ERROR", "RST_STREAM", frames.reset(1, 8)),
    case("http2-7/connection/PROTOCOL_ERROR", "WINDOW_UPDATE", increment(1, 1)),
    case("http2-7/connection/PROTOCOL_ERROR", "CONTINUATION", frame(CONTINUATION, END_HEADERS, 1)),
    case("http2-8/stream/STREAM_CLOSED", "DATA", request(), frame(DATA, 0, 1, b"a")),
    case("http2-8/stream/STREAM_CLOSED", "HEADERS", request(), request()),
    case("http2-9/connection/STREAM_CLOSED", "DATA", request(), FINISHED, frame(DATA, 0, 1, b"a")),
    case("http2-9/connection/STREAM_CLOSED", "HEADERS", request(), FINISHED, request()),
    case("http2-10/connection/STREAM_CLOSED", "DATA", OPEN, frames.reset(1, 8), frame(DATA, 0, 1, b"a")),
    case("http2-10/connection/STREAM_CLOSED", "HEADERS", OPEN, frames.reset(1, 8), request()),
    case("http2-11/connection/PROTOCOL_ERROR", "stream 2", request(2)),
    case("http2-12/connection/PROTOCOL_ERROR", "3 after 5", request(5), request(3)),
    case("http2-13/stream/REFUSED_STREAM", "the second of one", request(1), request(3), max_streams=1),
    case("http2-14/connection/PROTOCOL_ERROR", "DATA", frame(DATA, 0, 0, b"a")),
    case("http2-15/connection/PROTOCOL_ERROR", "as long as the frame", OPEN, frame(DATA, PADDED, 1, b"\2ab"[:2])),
    case("http2-16/connection/PROTOCOL_ERROR", "HEADERS", request(0)),
    case("http2-17/connection/PROTOCOL_ERROR", "longer than the frame", frame(HEADERS, PADDED | WHOLE, 1, b"\x09ab")),
    case("http2-18/connection/PROTOCOL_ERROR", "PRIORITY", frame(PRIORITY, 0, 0, bytes(5))),
    case("http2-19/stream/FRAME_SIZE_ERROR", "of 4 bytes", OPEN, frame(PRIORITY, 0, 1, bytes(4))),
    case("http2-20/connection/PROTOCOL_ERROR", "RST_STREAM", frame(RST_STREAM, 0, 0, bytes(4))),
    case("http2-21/connection/FRAME_SIZE_ERROR", "of 3 bytes", OPEN, frame(RST_STREAM, 0, 1, bytes(3))),
    case("http2-22/connection/FRAME_SIZE_ERROR", "one setting", frame(SETTINGS, ACK, 0, bytes(6))),
    case("http2-23/connection/PROTOCOL_ERROR", "SETTINGS", frame(SETTINGS, 0, 1)),
    case("http2-24/connection/FRAME_SIZE_ERROR", "of 5 bytes", frame(SETTINGS, 0, 0, bytes(5))),
    case("http2-25/connection/PROTOCOL_ERROR", "2", setting(2, 2)),
    case("http2-26/connection/FLOW_CONTROL_ERROR", "2^31", setting(4, 2**31)),
    case("http2-27/connection/PROTOCOL_ERROR", "16,383", setting(5, 16_383)),
    case("http2-27/connection/PROTOCOL_ERROR", "2^24", setting(5, 2**24)),
    case("http2-29/connection/PROTOCOL_ERROR", "from a client", OPEN, frame(PUSH_PROMISE, END_HEADERS, 1, bytes(4))),
    case("http2-30/connection/PROTOCOL_ERROR", "PING", frame(PING, 0, 1, bytes(8))),
    case("http2-31/connection/FRAME_SIZE_ERROR", "of 7 bytes", frame(PING, 0, 0, bytes(7))),
    case("http2-32/connection/PROTOCOL_ERROR", "GOAWAY", frame(GOAWAY, 0, 1, bytes(8))),
    case("http2-33/connection/FRAME_SIZE_ERROR", "of 7 bytes", frame(GOAWAY, 0, 0, bytes(7))),
    case("http2-34/stream/PROTOCOL_ERROR", "by 0", OPEN, increment(1, 0)),
    case("http2-35/connection/PROTOCOL_ERROR", "by 0", increment(0, 0)),
    case("http2-36/connection/FRAME_SIZE_ERROR", "of 3 bytes", frame(WINDOW_UPDATE, 0, 0, bytes(3))),
    case("http2-37/stream/FLOW_CONTROL_ERROR", "2^31-1 more", OPEN, increment(1, 2**31 - 1)),
    case("http2-38/connection/FLOW_CONTROL_ERROR", "2^31-1 on top of 65,535", increment(0, 2**31 - 1)),
    case("http2-39/connection/FLOW_CONTROL_ERROR", "1 more", OPEN, increment(1, 2**31 - 65_536), setting(4, 65_536)),
    case("http2-40/stream/FLOW_CONTROL_ERROR", "a byte too many", OPEN, *[frame(DATA, 0, 1, bytes(16_384))] * 4,
         frame(DATA, 0, 1, b"a")),
    case("http2-41/connection/FLOW_CONTROL_ERROR", "in one frame", OPEN, frame(DATA, 0, 1, bytes(65_537)),
         max_streams=1, frame_bytes=70_000),
    case("http2-42/connection/PROTOCOL_ERROR", "alone", OPEN, frame(CONTINUATION, END_HEADERS, 1)),
    case("http2-42/connection/PROTOCOL_ERROR", "on stream 0", request(1, GET, 0), frame(CONTINUATION, END_HEADERS, 0)),
    case("http2-43/stream/PROTOCOL_ERROR", "not the end", OPEN, request(1, [("x", "y")], END_HEADERS)),
    case("http2-44/stream/PROTOCOL_ERROR", "shorter", request(1, [*POST, ("content-length", "3")], END_HEADERS),
         frame(DATA, END_STREAM, 1, b"ab")),
    case("http2-44/stream/PROTOCOL_ERROR", "longer", request(1, [*POST, ("content-length", "3")], END_HEADERS),
         frame(DATA, 0, 1, b"abcd")),
    case("http2-44/stream/PROTOCOL_ERROR", "no body", request(1, [*POST, ("content-length", "3")])),
    case("http2-44/stream/PROTOCOL_ERROR", "trailers too soon",
         request(1, [*POST, ("content-length", "3")], END_HEADERS), request(1, [("x", "y")])),
    case("http2-45/stream/PROTOCOL_ERROR", "not a number", request(1, [*POST, ("content-length", "+3")], END_HEADERS)),
    case("http2-45/stream/PROTOCOL_ERROR", "two of them",
         request(1, [*POST, ("content-length", "3"), ("content-length", "4")], END_HEADERS)),
    case("http2-45/stream/PROTOCOL_ERROR", "beyond 2^63-1",
         request(1, [*POST, ("content-length", "9223372036854775808")], END_HEADERS)),
    case("http2-46/stream/PROTOCOL_ERROR", "upper case", request(1, [*GET, ("X-a", "b")])),
    case("http2-46/stream/PROTOCOL_ERROR", "a colon inside", request(1, [*GET, ("x:a", "b")])),
    case("http2-46/stream/PROTOCOL_ERROR", "empty", request(1, [*GET, ("", "b")])),
    case("http2-46/stream/PROTOCOL_ERROR", "a line of HTTP/1.1", request(1, [*GET, ("a\r\nb", "c")])),
    case("http2-46/stream/PROTOCOL_ERROR", "above 0x7f", request(1, [*GET, ("x\xe9", "b")])),
    case("http2-47/stream/PROTOCOL_ERROR", "CR LF", request(1, [*GET, ("x", "a\r\ntransfer-encoding: chunked")])),
    case("http2-47/stream/PROTOCOL_ERROR", "LF", request(1, [*GET, ("x", "a\nb")])),
    case("http2-47/stream/PROTOCOL_ERROR", "NUL", request(1, [*GET, ("x", "a\0b")])),
    case("http2-47/stream/PROTOCOL_ERROR", "space before", request(1, [*GET, ("x", " a")])),
    case("http2-47/stream/PROTOCOL_ERROR", "tab after", request(1, [*GET, ("x", "a\t")])),
    case("http2-47/stream/PROTOCOL_ERROR", "in a path", request(1, changed(":path", "/ HTTP/1.1\r\nx: y"))),
    case("http2-47/stream/PROTOCOL_ERROR", "in a trailer", OPEN, request(1, [("x", "a\nb")])),
    case("http2-48/stream/PROTOCOL_ERROR", "connection", request(1, [*GET, ("connection", "close")])),
    case("http2-48/stream/PROTOCOL_ERROR", "transfer-encoding", request(1, [*POST, ("transfer-encoding", "chunked")])),
    case("http2-48/stream/PROTOCOL_ERROR", "upgrade", request(1, [*GET, ("upgrade", "websocket")])),
    case("http2-48/stream/PROTOCOL_ERROR", "keep-alive", request(1, [*GET, ("keep-alive", "5")])),
    case("http2-48/stream/PROTOCOL_ERROR", "proxy-connection", request(1, [*GET, ("proxy-connection", "a")])),
    case("http2-48/stream/PROTOCOL_ERROR", "in a trailer", OPEN, request(1, [("transfer-encoding", "chunked")])),
    case("http2-49/stream/PROTOCOL_ERROR", "gzip", request(1, [*GET, ("te", "gzip")])),
    case("http2-49/stream/PROTOCOL_ERROR", "more than trailers", request(1, [*GET, ("te", "trailers, deflate")])),
    case("http2-50/stream/PROTOCOL_ERROR", ":status", request(1, [*GET, (":status", "200")])),
    case("http2-50/stream/PROTOCOL_ERROR", ":protocol, which we do not offer", request(1, [*GET, (":protocol", "a")])),
    case("http2-51/stream/PROTOCOL_ERROR", ":path last", request(1, [*without(":path"), ("x", "y"), (":path", "/")])),
    case("http2-52/stream/PROTOCOL_ERROR", ":path", request(1, [*GET, (":path", "/b")])),
    case("http2-53/stream/PROTOCOL_ERROR", ":path", OPEN, request(1, [(":path", "/")])),
    *(case("http2-54/stream/PROTOCOL_ERROR", name, request(1, without(name)))
      for name in (":method", ":scheme", ":path")),
    *(case("http2-55/stream/PROTOCOL_ERROR", f"path {path!r}", request(1, changed(":path", path)))
      for path in ("", "a", "*", "http://example.org/", "/a b", "/\xe9")),
    *(case("http2-56/stream/PROTOCOL_ERROR", f"authority {name!r}", request(1, changed(":authority", name)))
      for name in ("", "me@example.org", "a b")),
    case("http2-57/stream/PROTOCOL_ERROR", "another host", request(1, [*GET, ("host", "example.net")])),
    case("http2-58/stream/PROTOCOL_ERROR", "method", request(1, changed(":method", "GET /"))),
    case("http2-58/stream/PROTOCOL_ERROR", "scheme", request(1, changed(":scheme", "ht tp"))),
    case("http2-59/stream/PROTOCOL_ERROR", "with a path", request(1, changed(":method", "CONNECT"))),
    case("http2-59/stream/PROTOCOL_ERROR", "without authority", request(1, [(":method", "CONNECT")])),
    case("http2-60/connection/ENHANCE_YOUR_CALM", "rapid reset",
         *(request(i, POST, END_HEADERS) + frames.reset(i, 8) for i in range(1, 23, 2)), resets=10),
    case("http2-60/connection/ENHANCE_YOUR_CALM", "malformed requests",
         *(request(i, [*GET, ("A", "b")]) for i in range(1, 23, 2)), resets=10),
    case("http2-60/connection/ENHANCE_YOUR_CALM", "refused streams",
         *(request(i) for i in range(1, 25, 2)), resets=10, max_streams=1),
    case("http2-61/connection/ENHANCE_YOUR_CALM", "empty ones", request(1, GET, 0), *[frame(CONTINUATION, 0, 1)] * 33),
    case("http2-62/connection/ENHANCE_YOUR_CALM", "compressed", frame(HEADERS, 0, 1, bytes(4_000)),
         frame(CONTINUATION, 0, 1, bytes(97)), header_list_bytes=4_096),
    case("http2-62/connection/ENHANCE_YOUR_CALM", "a bomb: one field of 1,000 bytes, named 10 times",
         frame(HEADERS, WHOLE, 1, b"\x40\x01a\x7f\xe9\x06" + b"b" * 1000 + b"\xbe" * 10), header_list_bytes=4_096),
    case("http2-63/connection/ENHANCE_YOUR_CALM", "PING", *[frame(PING, 0, 0, bytes(8))] * 11, idle_frames=10),
    case("http2-63/connection/ENHANCE_YOUR_CALM", "SETTINGS", *[frame(SETTINGS, 0, 0)] * 11, idle_frames=10),
    case("http2-63/connection/ENHANCE_YOUR_CALM", "PRIORITY", *[frame(PRIORITY, 0, 1, bytes(5))] * 11, idle_frames=10),
    case("http2-63/connection/ENHANCE_YOUR_CALM", "empty DATA", OPEN, *[frame(DATA, 0, 1)] * 11, idle_frames=10),
    case("http2-63/connection/ENHANCE_YOUR_CALM", "windows by bytes", *[increment(0, 1)] * 11, idle_frames=10),
    case("http2-63/connection/ENHANCE_YOUR_CALM", "frames nobody knows", *[frame(0xEE, 0, 0)] * 11, idle_frames=10),
    case("http2-63/connection/ENHANCE_YOUR_CALM", "DATA on a stream that was reset", OPEN, increment(1, 0),
         *[frame(DATA, 0, 1, b"a")] * 11, idle_frames=10),
    case("http2-63/connection/ENHANCE_YOUR_CALM", "RST_STREAM of what has ended", request(), FINISHED,
         *[frames.reset(1, 8)] * 11, idle_frames=10),
    case("http2-63/connection/ENHANCE_YOUR_CALM", "GOAWAY", *[frame(GOAWAY, 0, 0, bytes(8))] * 11, idle_frames=10),
]  # fmt: skip


def feed(session: Session, data: tuple[Any, ...]) -> list[Any]:
    """Everything in turn; the server's answer where it is due."""
    events: list[Any] = []
    if not (data and isinstance(data[0], bytes) and data[0].startswith((PREFACE, b"GET", b"PRI"))):
        events += session.receive(PREFACE + frame(SETTINGS, 0, 0), 0.0)
    for piece in data:
        if piece is FINISHED:
            session.sender.head(session.streams[1], [(b":status", b"204")], ended=True)
            session.take()
        else:
            events += session.receive(piece, 0.0)
    return events


def sent_by(session: Session) -> list[Frame]:
    reader = FrameReader(1 << 20)
    reader.add(session.take()[0])
    found = []
    while (one := reader.next()) is not None:
        found.append(one)
    return found


@pytest.mark.parametrize("given", CASES)
def test_what_a_client_must_not_do(given: Case) -> None:
    _, kind, code = given.rule.split("/")
    session = Session(given.config, 0.0)
    if kind == "connection":
        with pytest.raises(Violation) as caught:
            feed(session, given.data)
        assert caught.value.stream_id == 0
        goaway = [one for one in sent_by(session) if one.kind == GOAWAY]
        assert [int.from_bytes(one.payload[4:8], "big") for one in goaway] == [ErrorCode[code]]
        return
    events = feed(session, given.data)
    resets = [one for one in sent_by(session) if one.kind == RST_STREAM]
    assert [frames.number(one.payload) for one in resets] == [ErrorCode[code]]
    assert [(event.stream_id, event.code) for event in events if isinstance(event, Reset)] == [
        (resets[0].stream_id, ErrorCode[code])
    ]
    assert resets[0].stream_id not in session.streams
    after = Session.receive(session, frames.reset(1, 8) + request(99), 1000.0)
    assert [event.stream_id for event in after if isinstance(event, Opened)] == [99]
