"""One stream without its connection: what a relay reads and writes, and what the session is told."""

from math import inf

import pytest
from hpack import Encoder

from balancer.config_http2 import Http2
from balancer.failures import DeadlineExpired, Disconnected
from balancer.http2 import frames
from balancer.http2.events import Body, Opened
from balancer.http2.session import Session
from balancer.relay.http2_stream import VirtualStream
from balancer.streams import Stream
from balancer.testing import run, settle, stream_pair

FIELDS = [(b":method", b"POST"), (b":scheme", b"http"), (b":path", b"/"), (b":authority", b"a")]


class Carrier:
    """A connection that notes when it is to look for something to send."""

    def __init__(self, reactor):
        self.reactor = reactor
        self.stream, self.other = stream_pair(reactor)
        self.session = Session(Http2(), 0.0)
        self.session.receive(frames.PREFACE + frames.settings({}), 0.0)
        self.flushed = 0

    def flush(self) -> None:
        self.flushed += 1

    def sent(self) -> list[tuple[int, int, bytes]]:
        """Kind, flags and payload of what is to be sent."""
        reader = frames.FrameReader(1 << 20)
        reader.add(self.session.take()[0])
        found = []
        while (one := reader.next()) is not None:
            found.append((one.kind, one.flags, one.payload))
        return found


@pytest.fixture
def carrier(reactor):
    carrier = Carrier(reactor)
    carrier.session.take()
    yield carrier
    carrier.stream.close()
    carrier.other.close()
    settle(reactor)


def begun(carrier, *fields, ended=False):
    block = Encoder().encode([*FIELDS, *fields])
    flags = frames.END_HEADERS | (frames.END_STREAM if ended else 0)
    [event] = carrier.session.receive(frames.frame(frames.HEADERS, flags, 1, block), 0.0)
    assert isinstance(event, Opened)
    return VirtualStream(carrier, event)


@pytest.fixture
def stream(carrier):
    return begun(carrier)


def test_it_looks_like_its_connection(carrier, stream):
    assert (stream.peername, stream.sockname) == (carrier.stream.peername, carrier.stream.sockname)
    assert (stream.via, stream.spliceable) == (b"2.0", False)


def test_whatever_may_be_asked_of_a_stream_may_be_asked_of_this_one(stream):
    public = [name for name in Stream.__slots__ if not name.startswith("_")]
    assert [name for name in public if not hasattr(stream, name)] == []


def test_a_body_is_read_in_chunks(stream):
    assert stream.try_receive() is None
    stream.take_body(Body(1, b"abc", ended=False))
    stream.take_body(Body(1, b"def", ended=False))
    assert stream.try_receive() == b"6\r\nabcdef\r\n"
    stream.take_body(Body(1, b"g", ended=True, trailers=b"x: y\r\n"))
    assert stream.try_receive() == b"1\r\ng\r\n0\r\nx: y\r\n\r\n"
    assert not stream.ended
    assert stream.try_receive() == b""
    assert stream.ended


def test_a_body_whose_length_is_known_is_read_as_it_is(carrier):
    stream = begun(carrier, (b"content-length", b"6"))
    stream.take_body(Body(1, b"abcdef", ended=True))
    assert stream.try_receive(4) == b"abcd"
    assert stream.readable
    assert stream.try_receive(4) == b"ef"
    assert stream.try_receive() == b""


def test_no_body(carrier):
    stream = begun(carrier, ended=True)
    assert not stream.quiet
    assert stream.try_receive() == b""


def test_what_is_read_opens_the_window(carrier, stream):
    stream.take_body(Body(1, bytes(40_000), ended=False))
    assert carrier.sent() == []
    stream.try_receive()
    assert carrier.sent() == [(frames.WINDOW_UPDATE, 0, (40_000).to_bytes(4, "big"))]


def test_a_reader_is_woken(reactor, stream):
    async def read():
        return [await stream.receive(), await stream.receive()]

    async def both():
        reading = reactor.fork(read())
        await reactor.pause()
        stream.take_body(Body(1, b"a", ended=True))
        return await reading.join()

    assert run(reactor, both()) == [b"1\r\na\r\n0\r\n\r\n", b""]


def test_a_deadline(reactor, clock, stream):
    async def read():
        stream.deadline = reactor.now + 5
        await stream.receive()

    with pytest.raises(DeadlineExpired) as caught:
        run(reactor, read(), clock=clock)
    assert caught.value.stream is stream


def test_a_response_is_written_as_http_1_1(carrier, stream):
    data = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello"
    assert stream.try_send(data) == len(data)
    assert [(kind, flags) for kind, flags, _ in carrier.sent()] == [(frames.HEADERS, 4), (frames.DATA, 1)]


def test_no_more_is_taken_than_the_client_takes(reactor, carrier, stream):
    async def write():
        await stream.send_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + bytes(70_000))
        await stream.send_all(bytes(30_000))
        return "written"

    async def both():
        writing = reactor.fork(write())
        await reactor.pause()
        carrier.session.take()
        carrier.session.take()
        stream.sent()
        await reactor.pause()
        assert not writing.done  # 65,535 of 70,000 bytes fit into the client's window
        carrier.session.receive(
            b"".join(frames.frame(frames.WINDOW_UPDATE, 0, one, b"\0\0\x27\x10") for one in (0, 1)), 0.0
        )
        carrier.session.take()
        stream.sent()
        return await writing.join()

    assert run(reactor, both()) == "written"


def test_a_response_that_is_whole_and_a_request_that_is_not(carrier, stream):
    stream.try_send(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n")
    carrier.sent()
    stream.shutdown()
    assert carrier.sent() == []
    stream.close()
    assert carrier.sent() == [(frames.RST_STREAM, 0, bytes(4))]


def test_both_halves_have_ended(carrier):
    stream = begun(carrier, ended=True)
    stream.try_send(b"HTTP/1.1 204 No Content\r\n\r\n")
    stream.close()
    stream.close()
    assert [(kind, flags) for kind, flags, _ in carrier.sent()] == [(frames.HEADERS, 5)]
    assert (stream.closed, stream.filed_at) == (True, inf)


def test_a_response_that_is_cut_off(carrier):
    stream = begun(carrier, ended=True)
    stream.try_send(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel")
    stream.shutdown()
    assert [(kind, payload) for kind, _, payload in carrier.sent()][-1] == (frames.RST_STREAM, b"\0\0\0\2")
    with pytest.raises(Disconnected):
        stream.try_receive()


def test_a_response_that_ends_with_the_connection(carrier):
    stream = begun(carrier, ended=True)
    stream.try_send(b"HTTP/1.1 200 OK\r\n\r\nhello")
    stream.shutdown()
    assert [(kind, flags) for kind, flags, _ in carrier.sent()] == [(frames.HEADERS, 4), (frames.DATA, 1)]
    stream.close()
    assert carrier.sent() == []


@pytest.mark.parametrize(("end", "code"), [("close", 7), ("abort", 2)])
def test_no_response_at_all(carrier, stream, end, code):
    getattr(stream, end)()
    assert carrier.sent() == [(frames.RST_STREAM, 0, bytes((0, 0, 0, code)))]
    with pytest.raises(Disconnected):
        stream.try_send(b"HTTP/1.1 204 No Content\r\n\r\n")


def test_whoever_serves_it_hears_of_a_reset_at_once(reactor, stream):
    async def serve():
        stream.interrupt_if_lost(reactor.current)
        await reactor.sleep_until(inf)

    async def both():
        serving = reactor.fork(serve())
        await reactor.pause()
        stream.lose()
        await serving.join()

    with pytest.raises(Disconnected):
        run(reactor, both())


def test_who_waits_finds_out_that_it_was_reset(reactor, stream):
    async def both():
        reading = reactor.fork(stream.receive())
        await reactor.pause()
        stream.lose()
        await reading.join()

    with pytest.raises(Disconnected):
        run(reactor, both())


def test_a_response_waits_while_the_client_takes_nothing(reactor, carrier):
    stream = begun(carrier, ended=True)
    carrier.session.sender.control(bytes(100_000))

    async def both():
        writing = reactor.fork(stream.send_all(b"HTTP/1.1 204 No Content\r\n\r\n"))
        await reactor.pause()
        assert not writing.done
        _, drained = carrier.session.take()
        assert [one.stream_id for one in drained] == [1]
        stream.sent()
        await writing.join()

    run(reactor, both())
    assert [(kind, flags) for kind, flags, _ in carrier.sent()] == [(frames.HEADERS, 5)]


def test_a_reset_before_anybody_serves_it(reactor, stream):
    stream.lose()

    async def serve():
        stream.interrupt_if_lost(reactor.current)
        await reactor.pause()

    with pytest.raises(Disconnected):
        run(reactor, serve())
