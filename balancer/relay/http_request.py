"""The way of one request to a server: what is sent at once, what has to be pumped, and which server gets it.

A request that came to nothing is sent again only where that cannot do harm: when no connection was made, when not one
byte of it was sent, or when its method is idempotent, it is wholly in hand, and the connection was one kept from
before, which the server is free to close at any time (RFC 9110 section 9.2.2, RFC 9112 section 9.3.1).
"""

from __future__ import annotations

from typing import Any

from balancer.failures import DeadlineExpired, Disconnected, StreamFailure
from balancer.http1.chunked import ChunkedDecoder
from balancer.http1.errors import BadMessage
from balancer.http1.framing import CHUNKED
from balancer.http1.request import RequestHead
from balancer.reactor import Fork, Task
from balancer.relay.http_body import BodyTransfer, encoded
from balancer.relay.http_client import Client, Refusal
from balancer.slots import BYTES_IN, Counters
from balancer.streams import Stream

IDEMPOTENT = frozenset((b"GET", b"HEAD", b"PUT", b"DELETE", b"OPTIONS", b"TRACE"))
_GRACE_S = 1.0


class Unanswered(Exception):  # noqa: N818 - named for what happened
    """The server's connection ended before the first byte of a response. `harmless`: the request may be sent again."""

    def __init__(self, *, harmless: bool) -> None:
        super().__init__("no response")
        self.harmless = harmless


class Outgoing:
    """One request, ready to be sent. `first` is sent in one call: the head and what is there of the body."""

    __slots__ = ("_rest", "client", "first", "head")

    def __init__(self, client: Client, head: RequestHead) -> None:
        """Takes what belongs to this request from the client's received bytes. Raises BadMessage."""
        self.client = client
        self.head = head
        self.first = client.forwarder.forward(head)
        self._rest: int | ChunkedDecoder = 0
        if head.body == CHUNKED:
            self._take_chunks()
        elif head.body:
            body = client.received[: head.body]
            client.received = client.received[head.body :]
            self.first += body
            self._rest = head.body - len(body)

    def _take_chunks(self) -> None:
        decoder = ChunkedDecoder()
        data = decoder.feed(self.client.received)
        self.first += encoded(data, decoder, trailers=self.head.trailers)
        self.client.received = decoder.surplus
        if not decoder.done:
            self._rest = decoder

    @property
    def repeatable(self) -> bool:
        """May be sent again after a server may have seen it."""
        return self._rest == 0 and self.head.method in IDEMPOTENT

    async def send(self, upstream: Stream) -> None:
        """Send `first`. Raises Unanswered."""
        first = self.first
        try:
            sent = upstream.try_send(first)
        except Disconnected:
            raise Unanswered(harmless=True) from None
        if sent < len(first):
            await self._send_on(upstream, memoryview(first)[sent:])

    async def _send_on(self, upstream: Stream, rest: memoryview) -> None:
        upstream.deadline = upstream.reactor.now + self.client.service.config.timeouts.idle_s
        try:
            await upstream.send_all(rest)
        except Disconnected as failure:
            if failure.stream is not upstream:
                raise
            raise Unanswered(harmless=self.repeatable) from None
        except DeadlineExpired:
            raise Refusal(504, "the server does not take the request") from None

    def pump_rest(self, upstream: Stream, server: Counters, response_s: float) -> Fork[None] | None:
        """Begin to send what `send` did not, beside the current task; None where that was all."""
        reactor = upstream.reactor
        if self._rest == 0:
            upstream.deadline = reactor.now + response_s
            return None
        idle_s = self.client.service.config.timeouts.idle_s
        self.client.stream.deadline = reactor.now + idle_s
        # A client that sends nothing is told from a server that takes nothing by who is late first.
        upstream.deadline = reactor.now + idle_s + _GRACE_S
        return reactor.fork(self._pump(upstream, server, response_s, reactor.current))

    async def _pump(self, upstream: Stream, server: Counters, response_s: float, exchange: Task[Any]) -> None:
        service = self.client.service
        transfer = BodyTransfer(
            self.client.stream, upstream, service.config.timeouts.idle_s, (service.counters, server), BYTES_IN, _GRACE_S
        )
        try:
            if isinstance(self._rest, int):
                await transfer.exactly(self._rest)
            else:
                await transfer.chunks(self._rest, encode=True, trailers=self.head.trailers)
                self.client.received = self._rest.surplus
        except Disconnected as failure:
            if failure.stream is not upstream:
                exchange.interrupt(failure)
            return  # a server may refuse a body and close: its response says why
        except (StreamFailure, BadMessage) as failure:
            exchange.interrupt(failure)
            return
        self._rest = 0
        upstream.deadline = upstream.reactor.now + response_s
        exchange.wake()  # to wait by the new deadline, which may be earlier

    @property
    def complete(self) -> bool:
        """All of the request has been sent."""
        return self._rest == 0
