"""What h2 is made to do, and what it is kept from. The rest of what it does is in test_session.py and test_rules.py."""

import tracemalloc

import pytest

from balancer.config_http2 import Http2
from balancer.http2 import frames, library
from balancer.http2.errors import Reason, Violation
from balancer.http2.frames import ACK, DATA, END_STREAM, RST_STREAM, SETTINGS, WINDOW_UPDATE, Frame, FrameReader
from balancer.http2.library import MOST_REPEATS, Library

PAYLOAD = frames.HEADER_BYTES


def read(data: bytes) -> list[Frame]:
    reader = FrameReader(1 << 24)
    reader.add(data)
    return list(iter(reader.next, None))


@pytest.fixture
def h2() -> Library:
    made = Library(Http2())
    made.take()
    return made


def test_our_settings():
    [one] = read(Library(Http2(max_streams=7)).take())
    assert (one.kind, one.flags) == (SETTINGS, 0)
    assert frames.settings_of(one.payload) == [(3, 7), (4, 65_536), (5, 16_384), (6, 65_536), (9, 1)]


def test_a_window_smaller_than_the_default_holds_when_the_client_knows_of_it():
    h2 = Library(Http2(window_bytes=20_000))
    stream = h2.begin(1, ended=False)
    assert stream.inbound_flow_control_window == 65_535
    h2.receive(Frame(DATA, 0, 1, bytes(10_000)))
    [acknowledged] = h2.receive(Frame(SETTINGS, ACK, 0, b""))
    assert isinstance(acknowledged, library.SettingsAcknowledged)
    assert stream.inbound_flow_control_window == 10_000
    assert h2.begin(3, ended=False).inbound_flow_control_window == 20_000


def test_a_wide_one_holds_at_once():
    assert Library(Http2(window_bytes=100_000)).begin(1, ended=False).inbound_flow_control_window == 100_000


def test_an_error_is_raised_with_what_h2_says_of_it_and_leaves_no_goaway(h2):
    h2.ping(bytes(8))
    with pytest.raises(Violation) as caught:
        h2.receive(Frame(frames.PING, 0, 1, bytes(8)))
    assert (caught.value.reason, caught.value.stream_id) == (Reason.RULES, 0)
    assert caught.value.text.endswith("Stream ID must be zero for PingFrame with stream_id=1")
    assert [one.kind for one in read(h2.take())] == [frames.PING]


@pytest.mark.parametrize(
    ("frame", "reason"),
    [
        (Frame(frames.PING, 0, 0, bytes(7)), Reason.FRAME_LENGTH),
        (Frame(WINDOW_UPDATE, 0, 0, b"\x7f\xff\xff\xff"), Reason.WINDOW),
        (Frame(DATA, 0, 9, b"a"), Reason.RULES),
        (Frame(DATA, 0, 1, bytes(16_385)), Reason.FRAME_LENGTH),
    ],
)
def test_reasons(h2, frame, reason):
    h2.begin(1, ended=False)
    with pytest.raises(Violation) as caught:
        h2.receive(frame)
    assert caught.value.reason is reason


def test_settings_are_acknowledged_once_and_the_last_of_two_values_holds(h2):
    stream = h2.begin(1, ended=True)
    pairs = b"\0\4\0\0\0\1" + b"\0\4\0\0\0\2" + b"\0\3\0\0\0\1"
    h2.settings(pairs)
    assert stream.outbound_flow_control_window == 2
    assert read(h2.take()) == [(SETTINGS, ACK, 0, b"")]


def test_the_first_of_two_values_counts_too(h2):
    with pytest.raises(Violation) as caught:
        h2.settings(b"\0\5\0\0\0\1" + b"\0\5\0\0\x40\0")
    assert caught.value.reason is Reason.RULES


def test_a_table_that_was_done_without_for_a_moment_is_emptied(h2):
    h2.begin(1, ended=True)
    h2.settings(b"\0\1\0\0\0\0" + b"\0\1\0\0\x10\0")
    h2.take()
    h2.head(1, [(b":status", b"200")], ended=True)
    assert [one.payload for one in read(h2.take())] == [b"\x20\x3f\xe1\x1f\x88"]  # RFC 7541 section 4.2: 0, then 4,096


def test_the_same_said_again_and_again_is_too_much(h2):
    h2.settings(b"\0\4\0\0\0\1" * MOST_REPEATS)
    with pytest.raises(Violation) as caught:
        h2.settings(b"\0\4\0\0\0\1" * (MOST_REPEATS + 1))
    assert caught.value.reason is Reason.TOO_MANY_IDLE_FRAMES


def test_settings_that_nobody_knows_are_not_kept(h2):
    pairs = [b"".join(bytes((high, low, 0, 0, 0, 9)) for low in range(256)) for high in range(16, 48)]
    tracemalloc.start()
    for payload in pairs:
        h2.settings(payload)
    kept, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert kept < 100_000  # h2 by itself would keep 5 MB


def test_data_to_be_ignored_is_given_back_to_the_connection(h2):
    h2.begin(1, ended=False)
    h2.reset(1, 8)
    h2.take()
    for _ in range(4):
        h2.ignored_data(Frame(DATA, 0, 1, bytes(10_000)))
    assert read(h2.take()) == [(WINDOW_UPDATE, 0, 0, (40_000).to_bytes(4, "big"))]


def test_a_stream_to_be_ignored(h2):
    h2.begin(1, ended=False)
    h2.ignore(1)
    h2.ignored_data(Frame(DATA, END_STREAM, 1, b"a"))
    assert h2.take() == b""
    assert [h2.has_begun(one) for one in (1, 2, 3)] == [True, False, False]


def test_a_reset_of_what_has_ended_is_none(h2):
    h2.begin(1, ended=True)
    h2.head(1, [(b":status", b"204")], ended=True)
    h2.take()
    h2.reset(1, 8)
    assert h2.take() == b""
    h2.begin(3, ended=True)
    h2.reset(3, 8)
    assert read(h2.take()) == [(RST_STREAM, 0, 3, b"\0\0\0\x08")]


def test_streams_that_ended_cost_nothing(h2):
    def serve(number: int) -> None:
        h2.begin(number, ended=True)
        h2.head(number, [(b":status", b"204")], ended=True)
        h2.forget(number)
        h2.take()

    for number in range(1, 1_000, 2):
        serve(number)
    tracemalloc.start()
    for number in range(1_001, 5_001, 2):
        serve(number)
    kept, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert kept < 20_000  # of 2,000 streams
