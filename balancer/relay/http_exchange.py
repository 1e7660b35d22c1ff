"""One request to a server and its response to the client: attempts, one conversation, the end of it.

Most exchanges are one send and one receive on either side; that path is kept free of further calls and coroutines, and
whatever is less simple (heads or bodies in pieces, interim responses, tunnels) goes to a function of its own.

A request that came to nothing is sent again only where that cannot do harm: when no connection was made, when not one
byte of it was sent, or when its method is idempotent, it is wholly in hand, and the connection was one kept from
before, which the server is free to close at any time (RFC 9110 section 9.2.2, RFC 9112 section 9.3.1).
"""

from __future__ import annotations

from balancer.failures import ConnectFailed, DeadlineExpired, Disconnected
from balancer.http1.errors import BadMessage, Reason
from balancer.http1.forward import forward_response
from balancer.http1.request import RequestHead
from balancer.http1.response import ResponseHead, parse_response
from balancer.relay.http_attempt import Attempt
from balancer.relay.http_client import Client, Refusal
from balancer.relay.http_request import Outgoing
from balancer.relay.http_response import relay_response, send_whole_response
from balancer.relay.http_tunnel import tunnel
from balancer.service import PoolService
from balancer.slots import FAILED, RETRIES
from balancer.streams import Stream


class Unanswered(Exception):  # noqa: N818 - named for what happened
    """A connection kept from before ended without a byte of a response, and the request may be sent again."""


async def exchange(client: Client, head: RequestHead, pool: PoolService) -> bool:
    """Carry one request out. True when the client may send another. Raises Refusal and BadMessage to be answered."""
    outgoing = Outgoing(client, head)
    tried: tuple[str, ...] = ()
    attempt = Attempt(pool, _choose(pool, tried))
    while True:
        try:
            return await _converse(outgoing, attempt, attempt.stream or await attempt.connect(client.stream.reactor))
        except ConnectFailed:
            attempt.counters.add(FAILED)
            tried = (*tried, attempt.server)
        except Unanswered:
            pass
        finally:
            attempt.end()
        again = attempt.server not in tried
        attempt = Attempt(pool, attempt.server if again else _choose(pool, tried), fresh=again)
        attempt.counters.add(RETRIES)


def _choose(pool: PoolService, tried: tuple[str, ...]) -> str:
    """The server for the next attempt. Raises Refusal when enough were tried, or none is usable."""
    server = pool.choose(tried) if len(tried) <= pool.config.retries else None
    if server is None:
        raise Refusal(503, "no server could be reached" if tried else "no server is available")
    return server


async def _converse(outgoing: Outgoing, attempt: Attempt, upstream: Stream) -> bool:
    """One attempt on one connection. Raises Unanswered, Refusal, BadMessage."""
    client, head = outgoing.client, outgoing.head
    upload = None
    try:
        if not outgoing.send_at_once(upstream):
            await outgoing.send_on(upstream)
        if outgoing.complete:
            upstream.deadline = upstream.reactor.now + attempt.response_s
        else:
            upload = outgoing.pump_rest(upstream, attempt)
        received = await upstream.receive()
        try:
            response = parse_response(received, head.method)
        except BadMessage as bad:
            raise attempt.invalid(bad) from None
        if response is None or response.status < 200:
            response, received = await _later_head(outgoing, attempt, upstream, received)
            if response.status == 101:
                await tunnel(client, response, received, upstream, attempt.counters)
                return False
        else:
            received = received[response.size :]
        if response.body == len(received):
            return await send_whole_response(outgoing, response, received, attempt)
        return await relay_response(outgoing, response, received, upstream, attempt)
    except Disconnected as failure:
        if failure.stream is not upstream or client.answering:
            raise
        raise _no_response(outgoing, attempt) from None
    except DeadlineExpired as failure:
        if failure.stream is not upstream or client.answering:
            raise
        raise attempt.late() from None
    finally:
        if upload is not None and not upload.done:
            upload.cancel()
            await upload.wait()


def _no_response(outgoing: Outgoing, attempt: Attempt) -> Exception:
    """What to do about a connection that ended before a response head was whole."""
    if attempt.was_kept and not attempt.heard and outgoing.repeatable:
        return Unanswered()
    return attempt.unanswered()


async def _later_head(
    outgoing: Outgoing, attempt: Attempt, upstream: Stream, buffer: bytes
) -> tuple[ResponseHead, bytes]:
    """The final response head, or one that switches protocols, and what came after it. Interim ones are sent on."""
    method = outgoing.head.method
    data = buffer
    while data:
        attempt.heard = True
        while (response := _parse(buffer, method, attempt)) is not None:
            buffer = buffer[response.size :]
            if response.status == 101:
                _check_switch(response, outgoing.head, attempt)
                return response, buffer
            if response.status >= 200:
                return response, buffer
            await _send_interim(outgoing, response)
        data = await upstream.receive()
        buffer += data
    raise _no_response(outgoing, attempt)


def _parse(buffer: bytes, method: bytes, attempt: Attempt) -> ResponseHead | None:
    try:
        return parse_response(buffer, method)
    except BadMessage as bad:
        raise attempt.invalid(bad) from None


def _check_switch(response: ResponseHead, head: RequestHead, attempt: Attempt) -> None:
    """A server may switch to a protocol that the client named, and to nothing else. Raises Refusal."""
    asked = set(head.upgrade.split(b", ")) - {b""}
    if not response.upgrade or not set(response.upgrade.split(b", ")) <= asked:
        raise attempt.invalid(BadMessage(Reason.UPGRADE_UNASKED))


async def _send_interim(outgoing: Outgoing, response: ResponseHead) -> None:
    """A 1xx response; clients of HTTP/1.0 do not know them."""
    if outgoing.head.minor:
        outgoing.client.allow_idle()
        await outgoing.client.stream.send_all(forward_response(response, minor=1, chunked=False, keep_alive=True))
