"""The way of one request to a server: what is sent at once, and what has to be pumped beside waiting for a response."""

from __future__ import annotations

from typing import Any

from balancer.failures import Disconnected, StreamFailure
from balancer.http1.chunked import ChunkedDecoder
from balancer.http1.errors import BadMessage
from balancer.http1.framing import CHUNKED
from balancer.http1.request import RequestHead
from balancer.http1.response import ResponseHead
from balancer.persistence.cookies import CookieJars
from balancer.relay.http_body import check_room, encoded
from balancer.relay.http_client import Client
from balancer.relay.http_route import edited_request
from balancer.streams import Stream
from balancer.task import Fork, Task
from balancer.upstream import Upstream

IDEMPOTENT = frozenset((b"GET", b"HEAD", b"PUT", b"DELETE", b"OPTIONS", b"TRACE"))
_GRACE_S = 1.0


class Outgoing:
    """One request, ready to be sent. `first` is sent in one call: the head and what is there of the body."""

    __slots__ = ("_in_hand", "_rest", "_room_bytes", "client", "complete", "first", "head", "jars", "sent")

    def __init__(self, client: Client, head: RequestHead, jars: CookieJars | None = None) -> None:
        """Takes what belongs to this request from the client's received bytes. Raises BadMessage."""
        self.client = client
        self.jars = jars
        """What is to be done about cookies that name servers; None: nothing."""
        if jars is not None:
            head = jars.stripped(head)
        self.head = head
        self.first = client.forwarder.forward(head)
        if client.route is not None:
            self.first = edited_request(client, head, self.first)
        self.sent = 0
        """Bytes of `first` that have been sent for all that is known."""
        self.complete = True
        """All of the request has been sent, once `first` has."""
        self._rest: int | ChunkedDecoder = 0
        self._room_bytes: int | None = None
        """How much a chunked body may still bring; None: any number."""
        if head.body:
            self._take_body()
        self._in_hand = self.complete

    def _take_body(self) -> None:
        client, length = self.client, self.head.body
        most_bytes = client.service.config.http.body_bytes
        if length == CHUNKED:
            self._take_chunks(most_bytes)
        else:
            if most_bytes is not None:
                check_room(most_bytes - length)
            body = client.received[:length]
            client.received = client.received[length:]
            self.first += body
            self._rest = length - len(body)
        self.complete = client.uploaded = self._rest == 0

    def _take_chunks(self, most_bytes: int | None) -> None:
        decoder = ChunkedDecoder()
        data = decoder.feed(self.client.received)
        if most_bytes is not None:
            self._room_bytes = most_bytes - len(data)
            check_room(self._room_bytes)
        self.first += encoded(data, decoder, trailers=self.head.trailers)
        self.client.received = decoder.surplus
        if not decoder.done:
            self._rest = decoder

    def marked(self, response: ResponseHead, upstream: Upstream) -> ResponseHead:
        """The response of a server, with a cookie that names it where that is to be."""
        if self.jars is None:
            return response
        secure = self.client.origin.scheme == "https"
        response = self.jars.marked(self.head, response, upstream.pool, upstream.server, secure=secure)
        self.client.note_marked(self.jars.done(upstream.pool))
        return response

    @property
    def repeatable(self) -> bool:
        """May be sent again: no server has seen it, or one that has is none the worse."""
        return self.sent == 0 or (self._in_hand and self.head.method in IDEMPOTENT)

    async def send_on(self, upstream: Stream) -> None:
        """Send what has not been sent of `first`. Raises Disconnected, DeadlineExpired."""
        upstream.deadline = upstream.reactor.now + self.client.service.config.timeouts.idle_s
        rest = memoryview(self.first)[self.sent :]
        self.sent = len(self.first)  # some of it, for all we know if this fails
        await upstream.send_all(rest)

    def pump_rest(self, upstream: Upstream, response_s: float) -> Fork[None]:
        """Begin to send what is beyond `first`, beside the current task."""
        reactor = upstream.stream.reactor
        timeouts = self.client.service.config.timeouts
        self.client.stream.deadline = reactor.now + timeouts.body_s
        # A client that sends nothing is told from a server that takes nothing by who is late first.
        upstream.stream.deadline = reactor.now + max(timeouts.idle_s, timeouts.body_s) + _GRACE_S
        return reactor.fork(self._pump(upstream, response_s, reactor.current))

    async def _pump(self, upstream: Upstream, response_s: float, exchange: Task[Any]) -> None:
        stream = upstream.stream
        transfer = self.client.upload(stream, upstream.counters, _GRACE_S)
        try:
            if isinstance(self._rest, int):
                await transfer.exactly(self._rest)
            else:
                room = self._room_bytes
                await transfer.chunks(self._rest, encode=True, trailers=self.head.trailers, most_bytes=room)
                self.client.received = self._rest.surplus
        except Disconnected as failure:
            if failure.stream is not stream:
                exchange.interrupt(failure)
            return  # a server may refuse a body and close: its response says why
        except (StreamFailure, BadMessage) as failure:
            exchange.interrupt(failure)
            return
        self.complete = self.client.uploaded = True
        self.client.allow_idle()
        stream.deadline = stream.reactor.now + response_s
        exchange.wake()  # to wait by the new deadline, which may be earlier
