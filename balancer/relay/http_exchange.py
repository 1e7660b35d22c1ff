"""One request to a server and its response to the client: attempts, one conversation, the end of it."""

from __future__ import annotations

from balancer.failures import ConnectFailed, DeadlineExpired, Disconnected
from balancer.http1.errors import BadMessage
from balancer.http1.forward import forward_response
from balancer.http1.request import RequestHead
from balancer.http1.response import ResponseHead, parse_response
from balancer.relay.http_client import Client, Refusal
from balancer.relay.http_request import Outgoing, Unanswered
from balancer.relay.http_response import relay_response
from balancer.relay.tcp import relay as relay_both_ways
from balancer.service import PoolService
from balancer.slots import BAD_RESPONSES, BYTES_IN, CONNECTIONS, FAILED, OPEN, RETRIES, TIMEOUTS, Counters
from balancer.streams import Stream, dial


async def exchange(client: Client, head: RequestHead, pool: PoolService) -> bool:
    """Carry one request out. True when the client may send another. Raises Refusal and BadMessage to be answered."""
    outgoing = Outgoing(client, head)
    tried: list[str] = []
    again: str | None = None
    while True:
        server = again or _choose(pool, tried)
        counters = pool.counters(server)
        counters.add(OPEN)
        upstream = None if again else pool.kept[server].take()
        was_kept = upstream is not None
        try:
            if upstream is None:
                upstream = await dial(client.service.reactor, pool.endpoint(server), pool.config.timeouts.connect_s)
                counters.add(CONNECTIONS)
            return await _converse(outgoing, pool, server, upstream)
        except ConnectFailed:
            counters.add(FAILED)
            tried.append(server)
            again = None
        except Unanswered as failure:
            if not (was_kept and failure.harmless):
                counters.add(BAD_RESPONSES)
                raise Refusal(502, "the server closed the connection without a response") from None
            again = server
        finally:
            counters.add(OPEN, -1)
        counters.add(RETRIES)


def _choose(pool: PoolService, tried: list[str]) -> str:
    """The server for the next attempt. Raises Refusal when enough were tried, or none is usable."""
    server = pool.choose(tried) if len(tried) <= pool.config.retries else None
    if server is None:
        raise Refusal(503, "no server could be reached" if tried else "no server is available")
    return server


async def _converse(outgoing: Outgoing, pool: PoolService, server: str, upstream: Stream) -> bool:
    """One attempt on one connection, which is kept for reuse or closed by the end of it."""
    client = outgoing.client
    counters = pool.counters(server)
    reusable = False
    upload = None
    try:
        await outgoing.send(upstream)
        upload = outgoing.pump_rest(upstream, counters, pool.config.timeouts.response_s)
        response, received = await _response_head(outgoing, upstream, counters)
        if response.status == 101:
            await _tunnel(client, response, received, upstream, counters)
            return False
        reusable, more = await relay_response(outgoing, response, received, upstream, counters)
        return more
    finally:
        if upload is not None and not upload.done:
            upload.cancel()
            await upload.wait()
        if reusable and not client.service.draining:
            pool.kept[server].keep(upstream)
        else:
            upstream.close()


async def _response_head(outgoing: Outgoing, upstream: Stream, counters: Counters) -> tuple[ResponseHead, bytes]:
    """The final response head and what was received after it; interim ones are sent on. Raises Unanswered, Refusal."""
    method = outgoing.head.method
    buffer = b""
    silent = True
    while data := await _receive(upstream, counters):
        silent = False
        buffer = buffer + data if buffer else data
        while (response := _parse(buffer, method, counters)) is not None:
            buffer = buffer[response.size :]
            if response.status >= 200 or (response.status == 101 and _was_asked_for(response, outgoing.head, counters)):
                return response, buffer
            await _send_interim(outgoing, response)
    if silent:
        raise Unanswered(harmless=outgoing.repeatable)
    counters.add(BAD_RESPONSES)
    raise Refusal(502, "the server closed the connection within a response head")


async def _receive(upstream: Stream, counters: Counters) -> bytes:
    """Bytes of a response head; b"" for an end of any kind. Raises Refusal when it is too late."""
    try:
        return await upstream.receive()
    except Disconnected as failure:
        if failure.stream is not upstream:
            raise
        return b""
    except DeadlineExpired as failure:
        if failure.stream is not upstream:
            raise
        counters.add(TIMEOUTS)
        raise Refusal(504, "the server did not answer in time") from None


def _parse(buffer: bytes, method: bytes, counters: Counters) -> ResponseHead | None:
    try:
        return parse_response(buffer, method)
    except BadMessage as refused:
        counters.add(BAD_RESPONSES)
        raise Refusal(502, f"the server sent an invalid response: {refused}") from None


def _was_asked_for(response: ResponseHead, head: RequestHead, counters: Counters) -> bool:
    """A server may switch to a protocol that the client named, and to nothing else. Raises Refusal."""
    asked = head.upgrade.split(b", ")
    if not response.upgrade or not set(response.upgrade.split(b", ")) <= set(asked):
        counters.add(BAD_RESPONSES)
        raise Refusal(502, "the server switched protocols without being asked")
    return True


async def _send_interim(outgoing: Outgoing, response: ResponseHead) -> None:
    """A 1xx response; clients of HTTP/1.0 do not know them."""
    if outgoing.head.minor:
        client = outgoing.client
        client.allow_idle()
        await client.stream.send_all(forward_response(response, minor=1, chunked=False, keep_alive=True))


async def _tunnel(
    client: Client, response: ResponseHead, received: bytes, upstream: Stream, counters: Counters
) -> None:
    """The protocol has been switched: from here on bytes are just bytes."""
    client.answering = True
    client.allow_idle()
    first = forward_response(response, minor=1, chunked=False, keep_alive=True) + received
    client.service.counters.add_exchange(101, 0, len(first))
    counters.add_exchange(101, 0, len(first))
    try:
        await client.stream.send_all(first)
        if early := client.received:
            await upstream.send_all(early)
            counters.add(BYTES_IN, len(early))
        await relay_both_ways(client.service, client.stream, upstream, counters)
    except DeadlineExpired:
        client.service.counters.add(TIMEOUTS)  # nobody said a word: a proper end for both
    except BaseException:
        upstream.abort()
        raise
