"""One http client connection: what is known about it, and the bytes received from it that nobody has used yet."""

from __future__ import annotations

import random
from functools import lru_cache
from typing import Literal

from balancer.causes import Cause
from balancer.http1.errors import BadMessage
from balancer.http1.forward import RequestForwarder
from balancer.http1.forwarded import Origin, taken_over
from balancer.http1.request import RequestHead
from balancer.http1.response import ResponseHead
from balancer.networks import canonical
from balancer.proxyproto import encode, facts_of
from balancer.relay.http_body import BodyTransfer, PacedDownload, PacedUpload
from balancer.relay.http_guard import Guard
from balancer.relay.http_notes import Notes
from balancer.relay.http_pace import PacedClient
from balancer.relay.refusal import Refusal as Refusal
from balancer.route import CompiledRoute
from balancer.secure import SecureStream
from balancer.service import FrontendService, PoolService
from balancer.slots import BYTES_IN, BYTES_OUT, Counters
from balancer.streams import Stream
from balancer.tally import Tally
from balancer.tls.info import client_fields
from balancer.upstream import Kept, Upstream


class Client(Notes):
    """A downstream connection. It can be asked for what placeholders stand for (balancer.placeholders.Asker)."""

    __slots__ = (
        "_direct",
        "_further",
        "_own",
        "_request_id",
        "answering",
        "began_at",
        "cause",
        "forwarder",
        "guard",
        "origin",
        "paced",
        "received",
        "route",
        "server",
        "service",
        "stream",
        "trusted",
        "uploaded",
    )

    def __init__(self, service: FrontendService, stream: Stream) -> None:
        self.service = service
        self.stream = stream
        self.received = b""
        """Bytes after those that were used: the next request, or a part of it."""
        self.answering = False
        """A response to the current request has begun: an error can no more be told, only shown by an early end."""
        self.began_at = stream.reactor.now
        """The current request was about to be sent to a server: what its latency is reckoned from."""
        self.cause: Cause | None = None
        """Why the current request, or the connection, ends otherwise than well."""
        self.paced = PacedClient(stream, service.config.timeouts) if service.paced else None
        """Where the client has to keep a minimum rate."""
        self.guard = Guard(service, stream) if service.guarded else None
        """Where requests are limited."""
        self.uploaded = True
        """The current request is wholly here."""
        peer, listener = stream.peername, stream.sockname
        self._direct = self.origin = _direct(peer[0], _scheme(stream), listener[1])
        """`origin` is who the client is: its `address` is what routes, hashes, limits and logs go by."""
        self._further = b"" if stream.tls is None else client_fields(stream.tls, asked=_asks_certificate(service))
        self.forwarder = _forwarder(self.origin, listener[0], self._further, stream.via)
        self.trusted = service.trusted if service.trusted and self.origin.address in service.trusted else None
        """None: what a request says of its client is not believed. Else `take_over` is to be called for each."""
        self.route: CompiledRoute | None = service.routes.initial
        """Of the current request; None: nothing is done to requests and responses of this frontend."""
        self.server = "-"
        """Who answers the current request; kept where `route` says something."""
        self._request_id = b""

        self._own: tuple[Origin, dict[tuple[str, int], Kept]] | None = None
        """Connections to servers that are kept for one client, by pool and its moves."""

    def take_over(self, head: RequestHead) -> None:
        """The peer is a trusted proxy: this request's client is the one that it names."""
        assert self.trusted is not None
        # What clients wrote themselves may be long: then it is not kept.
        short = sum(map(len, head.removed)) <= _MOST_KEPT_BYTES
        take, make = (taken_over, _forwarder) if short else (taken_over.__wrapped__, _forwarder.__wrapped__)
        self.origin = take(self._direct, head.removed, self.trusted)
        self.forwarder = make(self.origin, self.stream.sockname[0], self._further, self.stream.via)

    def kept_of(self, pool: PoolService) -> Kept:
        """Connections of a pool that this client may use again."""
        return self.own_connections(pool) if pool.private else pool.kept

    def own_connections(self, pool: PoolService) -> Kept:
        """Connections to be kept for this client alone. Those for another, of the same trusted proxy, are closed."""
        if self._own is None or self._own[0].address != self.origin.address:
            self.close_own()
            self._own = self.origin, {}
        by_pool, key = self._own[1], (pool.name, pool.moves)
        if key not in by_pool:
            by_pool[key] = pool.new_kept()
        return by_pool[key]

    def close_own(self) -> None:
        """Close the connections that are kept for this client."""
        for kept in () if self._own is None else self._own[1].values():
            for connections in kept.values():
                connections.close_all()

    def proxy_header(self, version: str) -> bytes:
        """What a server is told ahead of a connection. The port is known of the peer alone."""
        peer, address = self.stream.peername, self.origin.address
        source = (address, peer[1] if address == self._direct.address else 0)
        unique_id = b"" if self.service.routes.request_id is None else self.request_id
        return encode(version, source, self.stream.sockname[:2], tls=facts_of(self.stream.tls), unique_id=unique_id)

    @property
    def address(self) -> str:
        return self.origin.address

    @property
    def client_port(self) -> int:
        return int(self.stream.peername[1])

    @property
    def scheme(self) -> str:
        return self.origin.scheme

    @property
    def listen_port(self) -> int:
        return self.origin.port

    @property
    def local_host(self) -> bytes:
        return _host_of(self.stream.sockname[0])

    @property
    def sni(self) -> str | None:
        return self.stream.sni

    @property
    def frontend(self) -> str:
        return self.service.name

    @property
    def pool(self) -> str:
        return "-" if self.route is None or self.route.pool is None else self.route.pool

    @property
    def request_id(self) -> bytes:
        """Of the current request: what a trusted peer calls it, else made when it is first asked for."""
        if not self._request_id:
            self._request_id = b"%032x" % _RANDOM.getrandbits(128)
        return self._request_id

    def begin_request(self, request_id: bytes) -> None:
        """Another request, with the id that it came with, if any."""
        self.server = "-"
        self._request_id = request_id

    async def reply(self, status: int, data: bytes) -> None:
        """Send a response of our own."""
        self.allow_idle()
        self.service.counters.add_exchange(status, 0, len(data), self.service.reactor.unsettled)
        await self.stream.send_all(data)

    def close(self) -> None:
        """The connection ends: nothing that outlives it may hold it."""
        if self.paced is not None:
            self.stream.referee = None
        if self.guard is not None:
            self.guard.close()
        if self._own is not None:
            self.close_own()

    def tally(self, server: Counters) -> Tally:
        """Where a server's bytes are counted."""
        return server

    def begin_answer(self, response: ResponseHead, bytes_in: int, bytes_out: int, upstream: Upstream) -> None:
        """The first bytes of a final response are about to be sent."""
        service = self.service
        reactor = service.reactor
        now = reactor.now
        latency_s = now - self.began_at
        self.answering = True
        self.stream.deadline = now + service.config.timeouts.idle_s
        service.causes.add_latency(latency_s)
        service.counters.add_exchange(response.status, bytes_in, bytes_out, reactor.unsettled)
        if latency_s > upstream.counters.longest_s:
            upstream.counters.note_longest(now - max(self.began_at, upstream.ready_at), latency_s)
        upstream.counters.add_exchange(response.status, bytes_in, bytes_out, reactor.unsettled, latency_s)

    def allow_idle(self) -> None:
        """The client has this much time to take what is sent to it next."""
        self.stream.deadline = self.stream.reactor.now + self.service.config.timeouts.idle_s

    def blame(self, cause: Cause) -> None:
        """The current request, or the connection, ends for this reason."""
        self.cause = cause
        self.service.causes.add_cause(cause)

    def keep_evidence(
        self, kind: Literal["request", "response"], bad: BadMessage, data: bytes, pool: str = "", server: str = ""
    ) -> None:
        """Of something malformed; `data` where it has none of its own."""
        service, peer = self.service, (self.origin.address, self.client_port)
        service.evidence.keep(
            *(kind, bad.reason, bad.data or data), frontend=service.name, peer=peer, at=self.stream.reactor.now,
            pool=pool, server=server,
        )  # fmt: skip

    def calm(self) -> None:
        """There will be no further request: what is still to be said has deadlines of its own."""
        self.stream.referee = None
        self.paced = None
        if self.guard is not None:
            self.guard.end()

    def lateness(self, *, sending: bool) -> Cause:
        """What the client is late with, when it is late in a body."""
        paced = self.paced
        if sending:
            return Cause.CLIENT_TOO_SLOW if paced is not None and paced.going.too_slow else Cause.SEND_TIMEOUT
        return Cause.BODY_TOO_SLOW if paced is not None and paced.coming.too_slow else Cause.BODY_TIMEOUT

    async def send_all(self, data: bytes | memoryview) -> None:
        """Hand over all of it; the client has to take it in time."""
        if self.paced is not None:
            await self.paced.send_all(data)
        else:
            await self.stream.send_all(data)

    def try_last(self, data: bytes) -> int:
        """As the stream's `try_send`; nothing is sent after it."""
        stream = self.stream
        return stream.try_last(data) if isinstance(stream, SecureStream) else stream.try_send(data)

    def transfer(self, upstream: Stream, server: Counters) -> BodyTransfer:
        """The body of a response, about to be moved here."""
        idle_s = self.service.config.timeouts.idle_s
        counters = (self.service.counters, self.tally(server))
        if self.paced is not None:
            return PacedDownload(upstream, self.stream, idle_s, counters, BYTES_OUT, idle_s).pace(self.paced)
        return BodyTransfer(upstream, self.stream, idle_s, counters, BYTES_OUT, idle_s)

    def upload(self, upstream: Stream, server: Counters, grace_s: float) -> BodyTransfer:
        """The body of a request, about to be moved to a server, who gets `grace_s` more: the client is late first."""
        timeouts = self.service.config.timeouts
        counters, server_s = (
            (self.service.counters, self.tally(server)),
            max(timeouts.idle_s, timeouts.body_s) + grace_s,
        )
        if self.paced is not None:
            return PacedUpload(self.stream, upstream, timeouts.body_s, counters, BYTES_IN, server_s).pace(self.paced)
        return BodyTransfer(self.stream, upstream, timeouts.body_s, counters, BYTES_IN, server_s)


_RANDOM = random.Random()
_MOST_KEPT_BYTES = 512
"""Of what a request says of its client."""


def _scheme(stream: Stream) -> str:
    secret = stream.tls is not None or (stream.proxied is not None and stream.proxied.over_tls)
    return "https" if secret else "http"


def _asks_certificate(service: FrontendService) -> bool:
    tls = service.config.tls
    return tls is not None and tls.client_ca is not None


@lru_cache(maxsize=4096)
def _direct(peer: str, scheme: str, port: int) -> Origin:
    return Origin(canonical(peer), scheme, port)


@lru_cache(maxsize=4096)
def _forwarder(origin: Origin, listener: str, further: bytes, via: bytes) -> RequestForwarder:
    """Shared by the connections of one client: it holds nothing that changes."""
    return RequestForwarder(origin, _host_of(listener), further, via)


def _host_of(address: str) -> bytes:
    return (f"[{address}]" if ":" in address else address).encode("ascii")
