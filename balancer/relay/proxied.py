"""Connections that come through a proxy which says, ahead of the first byte, whose they are (PROXY protocol).

From a configured source a header is required; from anybody else the bytes are ordinary, whatever they look like. The
header is looked at before it is received, so that exactly its bytes are taken and whoever comes next (a TLS handshake,
a relay) finds the connection as if there had been none.
"""

from __future__ import annotations

from balancer.causes import Cause
from balancer.failures import DeadlineExpired
from balancer.networks import Networks, canonical
from balancer.proxyproto import LARGEST, BadProxyHeader, Header, parse
from balancer.service import FrontendService, Relay
from balancer.slots import BAD_REQUESTS, TIMEOUTS
from balancer.streams import Stream


def behind_proxies(relay: Relay, sources: Networks) -> Relay:
    """The relay for a frontend with `accept_proxy`."""

    async def serve(service: FrontendService, downstream: Stream) -> None:
        if canonical(downstream.peername[0]) in sources and not await _introduced(service, downstream):
            downstream.abort()
            return
        if downstream.proxied is None or service.limiter is None:
            await relay(service, downstream)
        else:
            await _limited(service, downstream, relay)

    return serve


async def _limited(service: FrontendService, stream: Stream, relay: Relay) -> None:
    """Serve a client whom only the header names: how many connections it may have is decided only now."""
    client = canonical(stream.peername[0])
    assert service.limiter is not None
    if client in service.proxies:
        await relay(service, stream)
    elif (cause := service.objection(client)) is not None:
        service.causes.add_cause(cause)
        stream.abort()
    else:
        try:
            await relay(service, stream)
        finally:
            if service.limiter is not None:  # a reload may have ended the limits
                service.limiter.disconnect(client)


async def _introduced(service: FrontendService, stream: Stream) -> bool:
    """Take the header. False where there is none, or none in time."""
    stream.deadline = stream.reactor.now + service.config.timeouts.header_s
    try:
        header = await _header(stream)
    except BadProxyHeader:
        service.counters.add(BAD_REQUESTS)
        service.causes.add_cause(Cause.PROXY_HEADER_INVALID)
        return False
    except DeadlineExpired:
        service.counters.add(TIMEOUTS)
        service.causes.add_cause(Cause.PROXY_HEADER_INVALID)
        return False
    if header is None:
        return False
    stream.proxied = header
    if header.source is not None:
        stream.peername = header.source
    return True


async def _header(stream: Stream) -> Header | None:
    """None at the end of a connection that brought no whole header. Raises BadProxyHeader, StreamFailure."""
    known = 0
    while len(data := await stream.peek(known, LARGEST)) > known:
        known = len(data)
        if (header := parse(data)) is not None:
            await stream.receive(header.size)
            return header
    return None
