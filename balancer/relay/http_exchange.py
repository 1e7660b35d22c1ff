"""One request to a server and its response to the client.

Most exchanges are one send and one receive on either side. That path is kept free of further coroutines; whatever is
less simple (heads or bodies in pieces, interim responses, tunnels) goes to a function of its own.

A request that came to nothing is sent again only where that cannot do harm: when no connection was made, when not one
byte of it was sent, or when its method is idempotent, it is wholly in hand, and the connection was one kept from
before, which the server is free to close at any time (RFC 9110 section 9.2.2, RFC 9112 section 9.3.1).
"""

from __future__ import annotations

from balancer.failures import Disconnected, StreamFailure
from balancer.http1.errors import BadMessage, Reason
from balancer.http1.forward import forward_response
from balancer.http1.request import RequestHead
from balancer.http1.response import ResponseHead
from balancer.relay.http_attempt import (
    NoResponse,
    check_repeatable,
    connect,
    find_repeat,
    find_server,
    invalid,
    parse,
    request_of,
)
from balancer.relay.http_client import Client
from balancer.relay.http_compressed import relay_perhaps_compressed
from balancer.relay.http_request import Outgoing
from balancer.relay.http_response import relay_response, whole_response
from balancer.relay.http_tunnel import tunnel
from balancer.service import PoolService
from balancer.task import PARK
from balancer.upstream import Upstream


async def exchange(client: Client, head: RequestHead, pool: PoolService) -> bool:
    """Carry one request out. True when the client may send another. Raises Refusal and BadMessage to be answered."""
    downstream, reactor, response_s = client.stream, client.stream.reactor, pool.config.timeouts.response_s
    client.began_at = reactor.now
    outgoing = Outgoing(client, head, pool.jars)
    request = request_of(client, head, pool) if pool.reads_request else None
    server = pool.state.choose((), request) if pool.room is None else None
    if server is None:
        pool, server = await find_server(client, pool, request)
    kept = client.own_connections(pool) if pool.private else pool.kept
    upstream = None if server is None else kept[server].take()
    if upstream is not None and pool.room is not None:
        pool.room.held_by(upstream)  # one connection has one place
    compressor = pool.compressor or client.service.compressor
    while True:
        if upstream is None:
            upstream = await connect(client, pool, server, request)
        stream = upstream.stream
        upload = None
        try:
            outgoing.sent = stream.try_send(outgoing.first)
            if outgoing.sent < len(outgoing.first):
                await outgoing.send_on(stream)
            if outgoing.complete:
                stream.deadline = reactor.now + response_s
            else:
                upload = outgoing.pump_rest(upstream, response_s)
            while (received := stream.receive_or_expect()) is None:
                await PARK
            response = parse(received, head.method, upstream)
            if response is None or response.status < 200:
                response, received = await _later_head(outgoing, upstream, received)
                if response.status == 101:
                    await tunnel(client, head, response, received, upstream)
                    return False
            else:
                received = received[response.size :]
                if outgoing.jars is not None:
                    response = outgoing.marked(response, upstream)
                if response.body == len(received) and compressor is None:
                    more, data = whole_response(outgoing, response, received, upstream)
                    sent = downstream.try_send(data) if more else client.try_last(data)
                    if sent < len(data):
                        await client.send_all(memoryview(data)[sent:])
                    return more
            if compressor is not None:
                return await relay_perhaps_compressed(outgoing, response, received, upstream, compressor)
            return await relay_response(outgoing, response, received, upstream)
        except StreamFailure as caught:
            failure = caught
        finally:
            try:
                if upload is not None and not upload.done:
                    upload.cancel()
                    await upload.wait()
            finally:
                upstream.end()
        check_repeatable(outgoing, upstream, failure)
        pool, server = await find_repeat(client, pool, upstream.server, request)
        upstream = None


async def _later_head(outgoing: Outgoing, upstream: Upstream, buffer: bytes) -> tuple[ResponseHead, bytes]:
    """The final response head, or one that switches protocols, and what came after it. Interim ones are sent on."""
    method = outgoing.head.method
    data, heard = buffer, False
    while data:
        heard = True
        while (response := parse(buffer, method, upstream)) is not None:
            buffer = buffer[response.size :]
            if response.status == 101:
                _check_switch(response, outgoing.head, upstream)
                return outgoing.marked(response, upstream), buffer
            if response.status >= 200:
                return outgoing.marked(response, upstream), buffer
            await _send_interim(outgoing, response)
        try:
            data = await upstream.stream.receive()
        except Disconnected as failure:
            if failure.stream is not upstream.stream:
                raise
            break
        buffer += data
    raise NoResponse(upstream.stream, heard=heard)


def _check_switch(response: ResponseHead, head: RequestHead, upstream: Upstream) -> None:
    """A server may switch to a protocol that the client named, and to nothing else. Raises Refusal."""
    asked = set(head.upgrade.split(b", ")) - {b""}
    if not response.upgrade or not set(response.upgrade.split(b", ")) <= asked:
        raise invalid(BadMessage(Reason.UPGRADE_UNASKED), upstream)


async def _send_interim(outgoing: Outgoing, response: ResponseHead) -> None:
    """A 1xx response; clients of HTTP/1.0 do not know them."""
    if outgoing.head.minor:
        outgoing.client.allow_idle()
        await outgoing.client.send_all(forward_response(response, minor=1, chunked=False, keep_alive=True))
