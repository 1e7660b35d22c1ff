"""Bodies on their way from one connection to the other, in constant memory: nothing more is read until it was sent."""

from __future__ import annotations

from balancer.failures import StreamFailure
from balancer.http1.chunked import LAST_CHUNK, ChunkedDecoder, encode_chunk
from balancer.slots import Counters
from balancer.streams import RECEIVE_BYTES, Stream

BULK_BYTES = 262_144
"""With more than this to go, and coming fast, bytes are spliced: they never enter this process."""


class Truncated(StreamFailure):
    """A connection ended before the body that it was to bring."""

    def __init__(self, stream: Stream) -> None:
        super().__init__("the body ended early")
        self.stream = stream


class BodyTransfer:
    """One direction of one exchange. Each byte moved gives both connections `idle_s` more, and is counted.

    `grace_s` is what the sink gets beyond that, so that a slow source is the first to be late.
    """

    __slots__ = ("_counters", "_grace_s", "_idle_s", "_sink", "_slot", "_source")

    def __init__(
        self,
        source: Stream,
        sink: Stream,
        idle_s: float,
        counters: tuple[Counters, Counters],
        slot: int,
        grace_s: float = 0.0,
    ) -> None:
        self._source = source
        self._sink = sink
        self._idle_s = idle_s
        self._grace_s = grace_s
        self._counters = counters
        self._slot = slot

    async def exactly(self, length: int) -> None:
        """Move `length` bytes as they are. Raises Truncated."""
        source, sink = self._source, self._sink
        moved = 0
        while length:
            if length >= BULK_BYTES and moved >= RECEIVE_BYTES:
                moved = await source.splice_to(sink, length)
            else:
                data = await source.receive(min(length, RECEIVE_BYTES))
                moved = len(data)
                await sink.send_all(data)
            if not moved:
                raise Truncated(source)
            length -= moved
            self._took(moved)

    async def chunks(self, decoder: ChunkedDecoder, *, encode: bool, trailers: bool) -> None:
        """Move the rest of a chunked body, as chunks again or as plain bytes. Raises Truncated, BadMessage."""
        source, sink = self._source, self._sink
        while not decoder.done:
            received = await source.receive()
            if not received:
                raise Truncated(source)
            data = decoder.feed(received)
            if encode:
                data = encoded(data, decoder, trailers=trailers)
            if data:
                await sink.send_all(data)
            self._took(len(received))

    async def until_close(self, *, encode: bool) -> None:
        """Move what comes until the source ends; as chunks or as plain bytes."""
        source, sink = self._source, self._sink
        while data := await source.receive():
            await sink.send_all(encode_chunk(data) if encode else data)
            self._took(len(data))
        if encode:
            await sink.send_all(LAST_CHUNK)

    def _took(self, moved: int) -> None:
        deadline = self._source.reactor.now + self._idle_s
        self._source.deadline = deadline
        self._sink.deadline = deadline + self._grace_s
        for counters in self._counters:
            counters.add(self._slot, moved)


def encoded(data: bytes, decoder: ChunkedDecoder, *, trailers: bool) -> bytes:
    """What to send on for the `data` that a decoder has just given, with the end of the body if that was it."""
    chunk = encode_chunk(data) if data else b""
    if not decoder.done:
        return chunk
    return chunk + b"0\r\n" + (decoder.trailer if trailers else b"") + b"\r\n"
