"""After a switch of protocols (WebSocket, mostly): from here on bytes are just bytes."""

from __future__ import annotations

from balancer.causes import Cause
from balancer.counts import SERVER_ABORTS
from balancer.failures import DeadlineExpired
from balancer.http1.forward import forward_response
from balancer.http1.request import RequestHead
from balancer.http1.response import ResponseHead
from balancer.relay.http_client import Client
from balancer.relay.http_route import edited_response
from balancer.relay.tcp import relay
from balancer.slots import BYTES_IN, TIMEOUTS
from balancer.upstream import Upstream


async def tunnel(
    client: Client, head: RequestHead, response: ResponseHead, received: bytes, upstream: Upstream
) -> None:
    """Send the 101 on, then whatever comes, both ways, until both sides have ended."""
    service, early = client.service, client.received
    first = forward_response(response, minor=1, chunked=False, keep_alive=True)
    if client.route is not None:
        first = edited_response(client, head, first, upstream.server)
    first += received
    client.received = b""
    client.begin_answer(response, 0, len(first), upstream)
    server = client.tally(upstream.counters)
    timeouts = service.config.timeouts
    if client.guard is not None:
        client.guard.end()
    try:
        await client.send_all(first)
        if early:
            await upstream.stream.send_all(early)
            service.counters.add(BYTES_IN, len(early))
            server.add(BYTES_IN, len(early))
        idle_s = timeouts.idle_s if timeouts.tunnel_s is None else timeouts.tunnel_s
        await relay(service, client.stream, upstream.stream, server, idle_s)
    except DeadlineExpired:
        service.counters.add(TIMEOUTS)  # nobody said a word: a proper end for both
        upstream.counters.add(SERVER_ABORTS)
        client.blame(Cause.TUNNEL_IDLE)
    except BaseException:
        upstream.stream.abort()  # a reset is passed on
        raise
