"""Attempts at servers: which server, a connection to it, and what to make of one that failed."""

from __future__ import annotations

from balancer.causes import Cause
from balancer.counts import CLIENT_ABORTS, CONNECT_US_MAX
from balancer.dial import dial
from balancer.failures import ConnectFailed, DeadlineExpired, Disconnected, StreamFailure
from balancer.http1.errors import BadMessage
from balancer.http1.request import RequestHead
from balancer.http1.response import ResponseHead, parse_response
from balancer.policies import Request
from balancer.relay.http_client import Client, Refusal
from balancer.relay.http_request import Outgoing
from balancer.relay.queueing import find, find_again
from balancer.service import PoolService
from balancer.slots import BAD_RESPONSES, CONNECT_US, CONNECTIONS, FAILED, OPEN, RETRIES, TIMEOUTS
from balancer.streams import Stream
from balancer.upstream import Upstream
from balancer.waiting import Unserved


class NoResponse(StreamFailure):
    """The server ended the connection before a response head was whole. `heard`: some of it had come."""

    def __init__(self, stream: Stream, *, heard: bool) -> None:
        super().__init__("no response")
        self.stream = stream
        self.heard = heard


def request_of(client: Client, head: RequestHead, pool: PoolService) -> Request:
    """What a server of `pool` is chosen by."""
    request = Request(client.origin.address, head.target, head.fields)
    if pool.jars is not None:
        client.note_cookie(pool.state, request)
    return request


async def find_server(client: Client, pool: PoolService, request: Request | None) -> tuple[PoolService, str | None]:
    """As `find`, for a client of mode http. Raises Refusal."""
    try:
        return await find(client.stream, pool, request, client)
    except Unserved as unserved:
        raise _refused(client, pool, unserved) from None


async def find_repeat(
    client: Client, pool: PoolService, server: str, request: Request | None
) -> tuple[PoolService, str | None]:
    """Where a request is sent again that `server` has not answered: to the same one, or where there is a place."""
    if pool.room is None:
        return pool, server
    return await find_server(client, pool, request)  # its place was given away


def _refused(client: Client, pool: PoolService, unserved: Unserved) -> Refusal:
    client.note_attempt(unserved.pool, None, 0)
    return Refusal(503, unserved.cause, shown=pool.sorry_page)


async def connect(client: Client, pool: PoolService, server: str | None, request: Request | None = None) -> Upstream:
    """A new connection to `server`, or to another one where that fails. Raises Refusal when there is none to be had.

    With a waiting room `server` has been given a place already.
    """
    reactor = client.stream.reactor
    tried: list[str] = []
    began_at = reactor.now
    version = pool.config.send_proxy
    preamble = b"" if version is None else client.proxy_header(version)
    while server is not None:
        client.note_attempt(pool.name, server, len(tried))
        counters = pool.counters(server)
        if pool.room is None:
            counters.add(OPEN)
        if tried:
            counters.add(RETRIES)
        try:
            endpoint, connect_s = pool.endpoint(server), pool.config.timeouts.connect_s
            keeper = client.kept_of(pool)[server]  # now: when it is connected, the server may have moved
            stream = await dial(reactor, endpoint, connect_s, preamble, pool.tls, pool.way, client.origin.address)
        except ConnectFailed as failure:
            client.note_unreachable(failure)
            counters.add(FAILED)
            counters.add(OPEN, -1)
            tried.append(server)
            server = await _find_another(client, pool, tried, request)
        except BaseException:
            counters.add(OPEN, -1)
            raise
        else:
            counters.add(CONNECTIONS)
            connect_us = int((reactor.now - began_at) * 1e6)
            counters.add(CONNECT_US, connect_us)
            counters.raise_to(CONNECT_US_MAX, connect_us)
            pool.connected(server, stream)
            client.note_connected()
            return Upstream(keeper, server, counters, stream)
    if pool.fallback is not None:
        return await connect(client, *await find_server(client, pool.fallback, request), request)
    client.note_attempt(pool.name, None, len(tried))
    raise Refusal(503, Cause.CONNECT_FAILED if tried else Cause.NO_SERVER, shown=pool.sorry_page)


async def _find_another(client: Client, pool: PoolService, tried: list[str], request: Request | None) -> str | None:
    try:
        return await find_again(client.stream, pool, tried, request, client)
    except Unserved as unserved:
        raise _refused(client, pool, unserved) from None


def check_repeatable(outgoing: Outgoing, upstream: Upstream, failure: StreamFailure) -> None:
    """Return where the request may be sent again on a new connection; else raise a Refusal, or the failure itself."""
    client = outgoing.client
    client.note_kept(upstream)
    stream = getattr(failure, "stream", None)
    if stream is client.stream:
        upstream.counters.add(CLIENT_ABORTS)
    if client.answering or stream is not upstream.stream:
        raise failure
    if isinstance(failure, DeadlineExpired):
        upstream.counters.add(TIMEOUTS)
        raise Refusal(504, Cause.RESPONSE_TIMEOUT)
    if isinstance(failure, NoResponse | Disconnected):
        heard = isinstance(failure, NoResponse) and failure.heard
        if upstream.was_kept and not heard and outgoing.repeatable:
            upstream.counters.add(RETRIES)
            client.note_repeat()
            return
        upstream.counters.add(BAD_RESPONSES)
        if isinstance(failure, Disconnected) and failure.ours:
            raise Refusal(502, Cause.SERVER_LEFT)
        raise Refusal(502, "the server closed the connection without a response", cause=Cause.RESPONSE_CUT)
    raise failure


def parse(buffer: bytes, method: bytes, upstream: Upstream) -> ResponseHead | None:
    """As `parse_response`. Raises Refusal."""
    try:
        return parse_response(buffer, method)
    except BadMessage as bad:
        bad.data = buffer
        raise invalid(bad, upstream) from None


def invalid(why: BadMessage, upstream: Upstream) -> Refusal:
    """The server's bytes are no response."""
    upstream.counters.add(BAD_RESPONSES)
    refusal = Refusal(502, f"the server sent an invalid response: {why}", cause=Cause.RESPONSE_INVALID)
    refusal.invalid = why, upstream.pool, upstream.server
    return refusal
