"""What is allowed, and what is ignored. What is not allowed is in test_rules.py."""

import tracemalloc

import pytest
from hpack import Encoder

from balancer.config_http2 import Http2
from balancer.http2 import frames
from balancer.http2.errors import Reason, Violation
from balancer.http2.events import Acknowledged, Body, Opened, Reset
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
    RST_STREAM,
    SETTINGS,
    WINDOW_UPDATE,
    WITH_PRIORITY,
    Frame,
    FrameReader,
    frame,
)
from balancer.http2.session import Session

GET = [(b":method", b"GET"), (b":scheme", b"http"), (b":path", b"/"), (b":authority", b"a")]
HEAD = b"GET / HTTP/1.1\r\nhost: a\r\n\r\n"
WHOLE = END_HEADERS | END_STREAM
BLOCK = Encoder().encode([(name, value, True) for name, value in GET])


def request(stream_id: int = 1, flags: int = WHOLE) -> bytes:
    return frame(HEADERS, flags, stream_id, BLOCK)


def increment(stream_id: int, by: int) -> bytes:
    return frame(WINDOW_UPDATE, 0, stream_id, by.to_bytes(4, "big"))


def sent(session: Session) -> list[Frame]:
    reader = FrameReader(1 << 20)
    reader.add(session.take()[0])
    found = []
    while (one := reader.next()) is not None:
        found.append(one)
    return found


@pytest.fixture
def session() -> Session:
    session = Session(Http2(), 0.0)
    session.receive(PREFACE + frame(SETTINGS, 0, 0), 0.0)
    session.take()
    return session


def test_settings_and_a_wide_window_begin_it_and_the_clients_settings_are_acknowledged():
    session = Session(Http2(), 0.0)
    assert not session.settings_acknowledged
    session.receive(PREFACE + frame(SETTINGS, 0, 0) + frame(SETTINGS, ACK, 0), 0.0)
    assert [(one.kind, one.flags) for one in sent(session)] == [(SETTINGS, 0), (WINDOW_UPDATE, 0), (SETTINGS, ACK)]
    assert session.settings_acknowledged


@pytest.mark.parametrize("size", [1, 5, 1000])
def test_a_request_is_the_same_however_it_comes(size):
    session = Session(Http2(), 0.0)
    data = PREFACE + frame(SETTINGS, 0, 0) + request(1, END_HEADERS) + frame(DATA, END_STREAM, 1, b"abc")
    events = [event for at in range(0, len(data), size) for event in session.receive(data[at : at + size], 0.0)]
    assert events == [
        Opened(1, HEAD[:-2] + b"transfer-encoding: chunked\r\n\r\n", b"GET", chunked=True, ended=False),
        Body(1, b"abc", ended=True),
    ]
    assert not session.partial


def test_a_header_block_in_pieces(session):
    pieces = (frame(HEADERS, END_STREAM, 1, BLOCK[:3]), frame(CONTINUATION, 0, 1), frame(CONTINUATION, 4, 1, BLOCK[3:]))
    assert session.receive(pieces[0] + pieces[1], 0.0) == []
    assert session.partial
    assert session.receive(pieces[2], 0.0) == [Opened(1, HEAD, b"GET", chunked=False, ended=True)]


def test_trailers(session):
    session.receive(request(1, END_HEADERS), 0.0)
    trailers = frame(HEADERS, WHOLE, 1, Encoder().encode([(b"a", b"b", True)]))
    assert session.receive(trailers, 0.0) == [Body(1, b"", ended=True, trailers=b"a: b\r\n")]


def test_padding_is_given_back_at_once(session):
    session.receive(request(1, END_HEADERS), 0.0)
    padded = frame(DATA, PADDED, 1, b"\xff" + b"a" + bytes(255))
    for _ in range(129):
        assert session.receive(padded, 0.0) == [Body(1, b"a", ended=False)]
    assert [(one.stream_id, frames.number(one.payload)) for one in sent(session)] == [(1, 256 * 128)]


def test_a_window_opens_as_the_server_takes(session):
    session.receive(request(1, END_HEADERS), 0.0)
    for _ in range(4):
        session.receive(frame(DATA, 0, 1, bytes(16_384)), 0.0)
    assert sent(session) == []
    session.consumed(1, 32_767)
    assert sent(session) == []
    session.consumed(1, 1)
    assert [(one.stream_id, frames.number(one.payload)) for one in sent(session)] == [(1, 32_768)]


def test_no_stream_takes_the_window_of_the_others():
    session = Session(Http2(max_streams=2), 0.0)
    session.receive(PREFACE + frame(SETTINGS, 0, 0) + request(1, END_HEADERS) + request(3, END_HEADERS), 0.0)
    session.take()
    for _ in range(4):
        session.receive(frame(DATA, 0, 1, bytes(16_384)), 0.0)
    assert [(one.stream_id, frames.number(one.payload)) for one in sent(session)] == [(0, 65_536)]
    assert session.receive(frame(DATA, 0, 3, bytes(16_384)), 0.0) == [Body(3, bytes(16_384), ended=False)]


def test_a_stream_ends_when_both_halves_have(session):
    session.receive(request(1), 0.0)
    session.sender.head(session.streams[1], [(b":status", b"204")], ended=True)
    assert 1 in session.streams
    _, drained = session.take()
    assert [one.stream_id for one in drained] == [1]
    assert session.streams == {}
    session.reset(1, 8)
    assert session.take() == (b"", [])


def test_a_reset_by_the_client(session):
    session.receive(request(1), 0.0)
    stream = session.streams[1]
    session.sender.data(stream, b"abc", ended=True)
    assert session.receive(frames.reset(1, 8), 0.0) == [Reset(1, 8, None)]
    assert session.take() == (b"", [])


def test_a_reset_by_us_and_what_the_client_sent_before_it_knew(session):
    session.receive(request(1, END_HEADERS), 0.0)
    session.reset(1, 2)
    late = frame(DATA, 0, 1, b"a") + increment(1, 9) + frames.reset(1, 8) + request(1)
    assert session.receive(late, 0.0) == []
    assert [(one.kind, one.stream_id) for one in sent(session)] == [(RST_STREAM, 1)]


def test_what_is_ignored(session):
    nobody_knows = frame(0xEE, 0xFF, 77, b"x") + frames.settings({0xFFFF: 1}) + frame(PING, ACK, 0, bytes(8))
    assert session.receive(nobody_knows, 0.0) == [Acknowledged(bytes(8))]
    assert session.receive(frame(PRIORITY, 0, 9, bytes(5)), 0.0) == []
    session.receive(request(3), 0.0)
    session.sender.head(session.streams[3], [(b":status", b"204")], ended=True)
    session.take()
    assert session.receive(increment(3, 1) + frames.reset(3, 8), 0.0) == []


def test_ping(session):
    session.receive(frame(PING, 0, 0, b"abcdefgh"), 0.0)
    assert sent(session) == [(PING, ACK, 0, b"abcdefgh")]
    session.ping(b"12345678")
    assert sent(session) == [(PING, 0, 0, b"12345678")]


def test_settings_change_the_windows_of_open_streams(session):
    session.receive(request(1), 0.0)
    session.receive(frames.settings({4: 10}), 0.0)
    assert session.streams[1].window == 10
    session.receive(request(3) + increment(3, 5), 0.0)
    assert session.streams[3].window == 15


def test_goaway_twice(session):
    session.receive(request(1), 0.0)
    session.go_away(last=False)
    assert sent(session) == [(GOAWAY, 0, 0, b"\x7f\xff\xff\xff\0\0\0\0")]
    assert [type(event) for event in session.receive(request(3), 0.0)] == [Opened]
    session.go_away(last=True)
    assert sent(session) == [(GOAWAY, 0, 0, b"\0\0\0\3\0\0\0\0")]


def test_after_the_last_goaway_streams_are_ignored(session):
    session.go_away(last=True)
    session.take()
    late = request(1, END_HEADERS) + frame(DATA, 0, 1, b"a") + increment(1, 1) + frames.reset(1, 8)
    assert session.receive(late, 0.0) == []
    assert sent(session) == []


def test_the_goaway_of_an_error_says_why(session):
    session.receive(request(5), 0.0)
    session.fail(Reason.SETTINGS_TIMEOUT)
    assert sent(session) == [
        (GOAWAY, 0, 0, b"\0\0\0\5\0\0\0\4our settings were not acknowledged in time"),
    ]


def test_the_budget_of_resets_fills_up_again():
    session = Session(Http2(resets=10), 0.0)
    session.receive(PREFACE + frame(SETTINGS, 0, 0), 0.0)
    for number in range(40):
        session.receive(request(2 * number + 1) + frames.reset(2 * number + 1, 8), number * 1.0)
    assert session.streams == {}


def test_streams_go_on_after_a_goaway_of_the_client(session):
    session.receive(request(1, END_HEADERS), 0.0)
    goaway = frame(GOAWAY, 0, 0, bytes(8) + b"enough")
    assert session.receive(goaway + frame(DATA, END_STREAM, 1, b"abc"), 0.0) == [Body(1, b"abc", ended=True)]
    session.sender.head(session.streams[1], [(b":status", b"204")], ended=True)
    assert [(one.kind, one.stream_id) for one in sent(session)] == [(HEADERS, 1)]


def test_streams_go_on_after_our_own(session):
    session.receive(request(1, END_HEADERS), 0.0)
    session.go_away(last=True)
    assert session.receive(frame(DATA, END_STREAM, 1, b"abc"), 0.0) == [Body(1, b"abc", ended=True)]
    session.sender.head(session.streams[1], [(b":status", b"204")], ended=True)
    assert [one.kind for one in sent(session)] == [GOAWAY, HEADERS]


def test_a_stream_may_depend_on_itself_for_nobody_looks(session):
    assert session.receive(frame(PRIORITY, 0, 1, b"\0\0\0\1\0"), 0.0) == []
    with_priority = frame(HEADERS, WHOLE | WITH_PRIORITY, 1, b"\0\0\0\1\0" + BLOCK)
    assert session.receive(with_priority, 0.0) == [Opened(1, HEAD, b"GET", chunked=False, ended=True)]


def test_what_comes_for_a_stream_that_was_refused_takes_from_the_window_of_the_connection():
    session = Session(Http2(max_streams=1), 0.0)
    session.receive(PREFACE + frame(SETTINGS, 0, 0) + request(1), 0.0)
    session.take()
    refused = request(3, END_HEADERS) + frame(DATA, 0, 3, bytes(16_384)) * 2
    assert session.receive(refused, 0.0) == [Reset(3, 7, Reason.TOO_MANY_STREAMS)]
    assert [(one.kind, one.stream_id) for one in sent(session)] == [(RST_STREAM, 3), (WINDOW_UPDATE, 0)]


def test_compression_stays_in_step_whatever_becomes_of_a_block():
    session, encoder = Session(Http2(max_streams=1), 0.0), Encoder()
    session.receive(PREFACE + frame(SETTINGS, 0, 0), 0.0)
    blocks = [encoder.encode([*GET, (b"x", b"%d" % number)]) for number in (1, 2, 2)]
    for stream_id, block in zip((1, 3), blocks, strict=False):
        session.receive(frame(HEADERS, WHOLE, stream_id, block), 0.0)  # the second is refused
    session.reset(1, 8)
    [opened] = session.receive(frame(HEADERS, WHOLE, 5, blocks[2]), 0.0)
    assert isinstance(opened, Opened)
    assert opened.head == HEAD[:-2] + b"x: 2\r\n\r\n"


@pytest.mark.parametrize(
    "again",
    [frame(SETTINGS, ACK, 0), request(1), frame(PING, ACK, 0, bytes(8)), frames.settings({0xFFFF: 1})],
    ids=["an acknowledgement of nothing", "HEADERS on a stream that we reset", "a PING's answer", "unknown settings"],
)
def test_what_carries_nothing_forward_is_counted(again):
    session = Session(Http2(idle_frames=10), 0.0)
    session.receive(PREFACE + frame(SETTINGS, 0, 0) + frame(SETTINGS, ACK, 0) + request(1), 0.0)
    session.reset(1, 2)
    with pytest.raises(Violation) as caught:
        session.receive(again * 11, 0.0)
    assert caught.value.reason is Reason.TOO_MANY_IDLE_FRAMES


def test_the_goaway_of_an_error_that_h2_finds_says_why(session):
    with pytest.raises(Violation):
        session.receive(frames.settings({5: 1}), 0.0)
    [goaway] = sent(session)
    assert goaway.payload == bytes(7) + b"\1" + b"Setting 5 has invalid value 1"


def test_of_streams_that_ended_little_is_kept(session):
    def serve(number: int) -> None:
        session.receive(request(number), 0.0)
        session.sender.head(session.streams[number], [(b":status", b"204")], ended=True)
        session.take()

    for number in range(1, 4_001, 2):
        serve(number)
    tracemalloc.start()
    for number in range(4_001, 8_001, 2):
        serve(number)
    kept, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert kept < 200_000  # of 2,000 streams: the numbers of the last 1,024
    assert session.streams == {}


def test_a_frame_that_is_too_large_is_refused_before_it_is_there(session):
    with pytest.raises(Violation) as caught:
        session.receive(b"\xff\xff\xff\0\0\0\0\0\1", 0.0)
    assert caught.value.reason is Reason.FRAME_TOO_LARGE
