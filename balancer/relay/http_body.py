"""Bodies on their way from one connection to the other, in constant memory: nothing more is read until it was sent."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any, Self

from balancer.failures import StreamFailure
from balancer.gzip_stream import GzipStream
from balancer.http1.chunked import LAST_CHUNK, ChunkedDecoder, encode_chunk
from balancer.http1.errors import BadMessage, Reason
from balancer.relay.http_pace import PacedClient
from balancer.streams import RECEIVE_BYTES, Stream
from balancer.tally import Tally

BULK_BYTES = 262_144
"""With more than this to go, and coming fast, bytes are spliced: they never enter this process."""


class Truncated(StreamFailure):
    """A connection ended before the body that it was to bring."""

    def __init__(self, stream: Stream) -> None:
        super().__init__("the body ended early")
        self.stream = stream


class BodyTransfer:
    """One direction of one exchange. Each byte moved gives the source `idle_s` and the sink `sink_s`, and counts."""

    __slots__ = (
        "_compresses",
        "_counters",
        "_idle_s",
        "_receive",
        "_send",
        "_sink",
        "_sink_s",
        "_slot",
        "_source",
        "_splice",
    )

    def __init__(
        self,
        source: Stream,
        sink: Stream,
        idle_s: float,
        counters: tuple[Tally, Tally],
        slot: int,
        sink_s: float,
    ) -> None:
        self._source = source
        self._sink = sink
        self._receive = source.receive
        self._send = sink.send_all
        self._splice: Callable[[int], Coroutine[Any, Any, int]] = partial(source.splice_to, sink)
        self._idle_s = idle_s
        self._sink_s = sink_s
        self._counters = counters
        self._compresses = False
        """What is sent is counted, and not what has come."""
        self._slot = slot

    async def exactly(self, length: int) -> None:
        """Move `length` bytes as they are. Raises Truncated."""
        moved = 0
        while length:
            if length >= BULK_BYTES and moved >= RECEIVE_BYTES:
                moved = await self._splice(length)
            else:
                data = await self._receive(min(length, RECEIVE_BYTES))
                moved = len(data)
                await self._send(data)
            if not moved:
                raise Truncated(self._source)
            length -= moved
            self._took(moved)

    async def chunks(
        self, decoder: ChunkedDecoder, *, encode: bool, trailers: bool, most_bytes: int | None = None
    ) -> None:
        """Move the rest of a chunked body, as chunks again or as plain bytes. Raises Truncated, BadMessage.

        `most_bytes` is how much of it there may be: one byte more raises BadMessage, and is not sent.
        """
        while not decoder.done:
            received = await self._receive()
            if not received:
                raise Truncated(self._source)
            data = decoder.feed(received)
            if most_bytes is not None:
                most_bytes -= len(data)
                check_room(most_bytes)
            if encode:
                data = encoded(data, decoder, trailers=trailers)
            if data:
                await self._send(data)
            self._took(len(received))

    async def until_close(self, *, encode: bool) -> None:
        """Move what comes until the source ends; as chunks or as plain bytes. Raises Truncated."""
        while data := await self._receive():
            await self._send(encode_chunk(data) if encode else data)
            self._took(len(data))
        if self._source.truncated:
            raise Truncated(self._source)
        if encode:
            await self._send(LAST_CHUNK)

    def compress(self, gzip: GzipStream, *, encode: bool) -> None:
        """Send what comes compressed, as chunks or as plain bytes; hold nothing back while the source has no more."""
        source, send = self._source, self._send
        self._compresses = True

        async def send_compressed(data: bytes | bytearray | memoryview) -> None:
            made = await gzip.feed(bytes(data), flush=not source.readable)
            if made:
                await send(encode_chunk(made) if encode else made)
            self.count(len(made))

        async def receive_and_send(length: int) -> int:
            data = await self._receive(min(length, RECEIVE_BYTES))
            await self._send(data)
            return len(data)

        self._send, self._splice = send_compressed, receive_and_send

    def _took(self, moved: int) -> None:
        now = self._source.reactor.now
        self._source.deadline = now + self._idle_s
        self._sink.deadline = now + self._sink_s
        self._count(moved)

    def _count(self, moved: int) -> None:
        if not self._compresses:
            self.count(moved)

    def count(self, moved: int) -> None:
        """Count bytes that were moved."""
        for counters in self._counters:
            counters.add(self._slot, moved)


class PacedUpload(BodyTransfer):
    """From a client that has to keep a minimum rate."""

    __slots__ = ()

    def pace(self, client: PacedClient) -> Self:
        """Receive by way of `client`, who then sets the source's deadlines."""
        self._receive = client.receive
        self._splice = partial(client.splice_to, self._sink)
        return self

    def _took(self, moved: int) -> None:
        self._sink.deadline = self._sink.reactor.now + self._sink_s
        self._count(moved)


class PacedDownload(BodyTransfer):
    """To a client that has to keep a minimum rate."""

    __slots__ = ()

    def pace(self, client: PacedClient) -> Self:
        """Send by way of `client`, who then sets the sink's deadlines."""
        self._send = client.send_all
        self._splice = partial(client.splice_from, self._source)
        return self

    def _took(self, moved: int) -> None:
        self._source.deadline = self._source.reactor.now + self._idle_s
        self._count(moved)


def check_room(bytes_left: int) -> None:
    """Raises BadMessage where a request body has more bytes than it may have."""
    if bytes_left < 0:
        raise BadMessage(Reason.BODY_TOO_LARGE)


def encoded(data: bytes, decoder: ChunkedDecoder, *, trailers: bool) -> bytes:
    """What to send on for the `data` that a decoder has just given, with the end of the body if that was it."""
    chunk = encode_chunk(data) if data else b""
    if not decoder.done:
        return chunk
    return chunk + b"0\r\n" + (decoder.trailer if trailers else b"") + b"\r\n"
