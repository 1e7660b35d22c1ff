"""Any bytes from an HTTP/2 client give events or the one error, and what we send holds together. Seeded; short here.

HAPAIR_FUZZ_ROUNDS=1000000 runs it for long.
"""

import os
import random
from contextlib import suppress

import pytest
from hpack import Encoder

from balancer.config import HttpLimits
from balancer.config_http2 import Http2
from balancer.http1.errors import BadMessage
from balancer.http1.request import parse_request
from balancer.http2 import frames
from balancer.http2.errors import Violation
from balancer.http2.events import Body, Event, Opened
from balancer.http2.frames import PREFACE, FrameReader, frame
from balancer.http2.session import Session

ROUNDS = int(os.environ.get("HAPAIR_FUZZ_ROUNDS", "3000"))
CONFIG = Http2(max_streams=4, resets=50, idle_frames=200)
NAMES = (b":method", b":path", b":scheme", b":authority", b"host", b"cookie", b"te", b"content-length", b"x", b"X", b"")
VALUES = (b"GET", b"POST", b"/", b"*", b"http", b"a", b"3", b"trailers", b"a\r\nb", b"", b" a", b"\xff", b"CONNECT")
GET = [(b":method", b"GET"), (b":scheme", b"http"), (b":path", b"/"), (b":authority", b"a")]


def fields(rng: random.Random) -> list[tuple[bytes, bytes]]:
    """A request, mostly."""
    found = list(GET)
    for _ in range(rng.choice((0, 0, 0, 1, 2))):
        found.insert(rng.randint(0, len(found)), (rng.choice(NAMES), rng.choice(VALUES)))
    return found


def some_frame(rng: random.Random, encoder: Encoder) -> bytes:
    stream_id = rng.choice((0, 1, 1, 3, 3, 5, 7, 9, 2, 2**31 - 1))
    match rng.randint(0, 9):
        case 0 | 1 | 2:
            return frame(frames.HEADERS, rng.choice((4, 5, 5, 0)), stream_id, encoder.encode(fields(rng)))
        case 3 | 4:
            return frame(frames.DATA, rng.choice((0, 1, 8)), stream_id, rng.randbytes(rng.choice((0, 1, 3, 300))))
        case 5:
            increment = rng.choice((0, 1, 65_536, 2**31 - 1))
            return frame(frames.WINDOW_UPDATE, 0, stream_id, increment.to_bytes(4, "big"))
        case 6:
            return frames.settings({rng.randint(0, 7): rng.choice((0, 1, 16_384, 65_536, 2**32 - 1))})
        case 7:
            return frame(rng.randint(0, 12), rng.randrange(256), stream_id, rng.randbytes(rng.choice((0, 4, 5, 8))))
        case 8:
            return frames.reset(stream_id, 8)
    return frame(frames.CONTINUATION, 4, stream_id, rng.randbytes(4))


def mutated(rng: random.Random, data: bytes) -> bytes:
    at = rng.randint(0, len(data))
    return data[:at] + rng.randbytes(rng.randint(0, 3)) + data[at + rng.randint(0, 3) :]


def conversation(seed: int) -> list[bytes]:
    """What a client sends, in pieces that fall anywhere."""
    rng, encoder = random.Random(seed), Encoder()
    data = PREFACE + frames.settings({}) + b"".join(some_frame(rng, encoder) for _ in range(rng.randint(1, 20)))
    if rng.random() < 0.5:
        data = mutated(rng, data)
    cuts = sorted(rng.randint(0, len(data)) for _ in range(3))
    return [data[a:b] for a, b in zip((0, *cuts), (*cuts, len(data)), strict=True)]


def heard(pieces: list[bytes], seed: int) -> tuple[list[Event], bool]:
    """All events of a session that is answered now and then, and whether it ended by an error."""
    rng, session, events = random.Random(seed), Session(CONFIG, 0.0), []
    reader = FrameReader(1 << 24)
    for piece in pieces:
        try:
            found = session.receive(piece, 0.0)
        except Violation:
            reader.add(session.take()[0])
            kinds = [one.kind for one in iter(reader.next, None)]
            assert frames.GOAWAY in kinds
            return events, True
        events += found
        for stream in tuple(session.streams.values()):
            if rng.random() < 0.5 and not stream.finishing:
                session.sender.head(stream, [(b":status", b"200")], ended=False)
                session.sender.data(stream, b"hello", ended=True)
        reader.add(session.take()[0])
        list(iter(reader.next, None))
        assert not reader.partial
        assert len(session.streams) <= CONFIG.max_streams
    return events, False


@pytest.mark.parametrize("seed", [7, 8, 9])
def test_any_bytes_give_events_or_the_one_error(seed):
    ended_well = 0
    for number in range(ROUNDS // 3):
        events, failed = heard(conversation(seed * 1_000_000 + number), number)
        ended_well += not failed
        for event in events:
            if isinstance(event, Opened):
                with suppress(BadMessage):
                    head = parse_request(event.head, HttpLimits())
                    assert head is not None, "a head is whole"
                    assert head.size == len(event.head), "and nothing follows it"
            elif isinstance(event, Body):
                assert event.stream_id % 2
    assert ended_well > 0


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_it_does_not_matter_how_the_bytes_come(seed):
    for number in range(ROUNDS // 15):
        pieces = conversation(seed * 1_000_000 + number)
        sessions = Session(CONFIG, 0.0), Session(CONFIG, 0.0)
        whole, bytewise = [], []
        with suppress(Violation):
            for piece in pieces:
                whole += sessions[0].receive(piece, 0.0)
        with suppress(Violation):
            for piece in pieces:
                for at in range(len(piece)):
                    bytewise += sessions[1].receive(piece[at : at + 1], 0.0)
        assert bytewise[: len(whole)] == whole
        assert sessions[0].take()[0] == sessions[1].take()[0]


@pytest.mark.parametrize("seed", [4, 5])
def test_noise(seed):
    rng = random.Random(seed)
    for _ in range(ROUNDS // 3):
        session = Session(CONFIG, 0.0)
        with suppress(Violation):
            session.receive(rng.choice((b"", PREFACE, PREFACE + frames.settings({}))) + rng.randbytes(100), 0.0)
