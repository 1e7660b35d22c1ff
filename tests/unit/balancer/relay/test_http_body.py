"""Bodies on their way: each framing, deadlines that move with the bytes, and ends that come too early."""

from collections.abc import Iterator

import pytest

from balancer.config import BalancerConfig
from balancer.http1.chunked import ChunkedDecoder
from balancer.reactor import Reactor
from balancer.relay.http_body import BodyTransfer, Truncated, encoded
from balancer.slots import BYTES_OUT, Counters, Slots
from balancer.streams import Stream
from balancer.testing import FakeClock, closed_endpoint, config_for, run, settle, stream_pair


class Moved:
    """A transfer from one connection to another, and the far ends of both."""

    def __init__(self, reactor: Reactor) -> None:
        self.reactor = reactor
        self.origin, self.source = stream_pair(reactor)
        self.sink, self.target = stream_pair(reactor)
        config: BalancerConfig = config_for({"one": closed_endpoint()})
        self.slots = Slots.create(config, workers=1)
        counters: tuple[Counters, Counters] = (self.slots.frontend(0, "main"), self.slots.server(0, "pool", "one"))
        self.transfer = BodyTransfer(self.source, self.sink, 30.0, counters, BYTES_OUT, 31.0)

    def sent(self, data: bytes, *, end: bool = False) -> None:
        assert self.origin.try_send(data) == len(data)
        if end:
            self.origin.shutdown()
        settle(self.reactor)

    def arrived(self) -> bytes | None:
        settle(self.reactor)
        return self.target.try_receive()

    def close(self) -> None:
        streams: tuple[Stream, ...] = (self.origin, self.source, self.sink, self.target)
        for stream in streams:
            stream.close()
        settle(self.reactor)
        self.slots.close()


@pytest.fixture
def moved(reactor: Reactor) -> Iterator[Moved]:
    moved = Moved(reactor)
    yield moved
    moved.close()


def test_exactly_and_not_a_byte_more(moved: Moved) -> None:
    moved.sent(b"abcdefNEXT")
    run(moved.reactor, moved.transfer.exactly(6))
    assert moved.arrived() == b"abcdef"
    assert moved.source.try_receive() == b"NEXT"
    assert moved.slots.frontend_counts("main").bytes_out == 6
    assert moved.slots.server_counts("pool", "one").bytes_out == 6


def test_each_byte_gives_more_time(moved: Moved, clock: FakeClock) -> None:
    clock.now = 2000.0
    moved.sent(b"ab")
    run(moved.reactor, moved.transfer.exactly(2))
    assert (moved.source.deadline, moved.sink.deadline) == (2030.0, 2031.0)


def test_an_end_before_the_length(moved: Moved) -> None:
    moved.sent(b"abc", end=True)
    with pytest.raises(Truncated) as truncated:
        run(moved.reactor, moved.transfer.exactly(4))
    assert truncated.value.stream is moved.source
    assert moved.arrived() == b"abc"


def test_chunks_to_chunks(moved: Moved) -> None:
    moved.sent(b"3;x\r\nabc\r\n0\r\nX: y\r\n\r\nNEXT")
    decoder = ChunkedDecoder()
    run(moved.reactor, moved.transfer.chunks(decoder, encode=True, trailers=True))
    assert moved.arrived() == b"3\r\nabc\r\n0\r\nX: y\r\n\r\n"
    assert decoder.surplus == b"NEXT"


def test_chunks_to_plain_bytes(moved: Moved) -> None:
    moved.sent(b"3\r\nabc\r\n0\r\nX: y\r\n\r\n")
    run(moved.reactor, moved.transfer.chunks(ChunkedDecoder(), encode=False, trailers=True))
    assert moved.arrived() == b"abc"


def test_an_end_before_the_last_chunk(moved: Moved) -> None:
    moved.sent(b"3\r\nabc\r\n", end=True)
    with pytest.raises(Truncated):
        run(moved.reactor, moved.transfer.chunks(ChunkedDecoder(), encode=True, trailers=False))
    assert moved.arrived() == b"3\r\nabc\r\n"


@pytest.mark.parametrize(("encode", "sent"), [(True, b"3\r\nabc\r\n0\r\n\r\n"), (False, b"abc")])
def test_until_close(moved: Moved, encode: bool, sent: bytes) -> None:
    moved.sent(b"abc", end=True)
    run(moved.reactor, moved.transfer.until_close(encode=encode))
    assert moved.arrived() == sent


def test_encoded_ends_the_body_when_the_decoder_has() -> None:
    decoder = ChunkedDecoder()
    assert encoded(decoder.feed(b"1\r\na\r\n"), decoder, trailers=False) == b"1\r\na\r\n"
    assert encoded(decoder.feed(b"0\r\n"), decoder, trailers=False) == b""
    assert encoded(decoder.feed(b"X: y\r\n\r\n"), decoder, trailers=False) == b"0\r\n\r\n"
    assert encoded(b"", decoder, trailers=True) == b"0\r\nX: y\r\n\r\n"
