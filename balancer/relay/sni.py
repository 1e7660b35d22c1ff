"""Mode tcp with routes: the pool follows from the server name that a client asks for, and from its address.

Where TLS ends here the name is known from the handshake. Where it is passed through, the ClientHello is looked at and
stays where it is, so that the server gets every byte of it.
"""

from __future__ import annotations

from collections.abc import Callable

from balancer.causes import Cause
from balancer.config import Frontend, Route
from balancer.failures import DeadlineExpired
from balancer.networks import Networks, canonical
from balancer.patterns import host_test
from balancer.relay.tcp import serve_from
from balancer.service import FrontendService
from balancer.slots import BAD_REQUESTS, TIMEOUTS
from balancer.streams import Stream
from balancer.tls.clienthello import LARGEST, BadClientHello, Reason, server_name

_Condition = Callable[[bytes, str], bool]


class SniRelay:
    """Relays of one frontend: to the pool of the first route that matches, else to the default one."""

    def __init__(self, frontend: Frontend) -> None:
        self._passes_through = frontend.tls is None and any(route.sni for route in frontend.routes)
        self._routes = tuple((_condition(route), route.pool) for route in frontend.routes)

    async def __call__(self, service: FrontendService, downstream: Stream) -> None:
        if self._passes_through and not await _look(service, downstream):
            downstream.abort()
            return
        name, client = (downstream.sni or "").encode("ascii", "replace"), canonical(downstream.peername[0])
        for holds, pool in self._routes:
            if pool is not None and holds(name, client):
                await serve_from(service, service.pools[pool], downstream)
                return
        assert service.default_pool is not None, "the configuration sees to it that mode tcp has a pool"
        await serve_from(service, service.default_pool, downstream)


def _condition(route: Route) -> _Condition:
    names = host_test(route.sni) if route.sni else None
    clients = Networks(route.client) if route.client else None

    def holds(name: bytes, client: str) -> bool:
        return (names is None or bool(name and names(name))) and (clients is None or client in clients)

    return holds


async def _look(service: FrontendService, stream: Stream) -> bool:
    """Find out the name. False where there will be none: not in time, or in no form that a server would take.

    What is not TLS at all has no name, and may be what the default pool is for.
    """
    stream.deadline = service.reactor.now + service.config.timeouts.tls_handshake_s
    try:
        stream.sni = await _name(stream) or None
    except BadClientHello as bad:
        if bad.reason is Reason.NOT_TLS:
            return True
        service.counters.add(BAD_REQUESTS)
        service.causes.add_cause(Cause.HANDSHAKE_FAILED)
        return False
    except DeadlineExpired:
        service.counters.add(TIMEOUTS)
        service.causes.add_cause(Cause.HANDSHAKE_TIMEOUT)
        return False
    return True


async def _name(stream: Stream) -> str | None:
    """None where the client ended before it had said all. Raises BadClientHello, StreamFailure."""
    known = 0
    while len(data := await stream.peek(known, LARGEST)) > known:
        known = len(data)
        if (name := server_name(data)) is not None:
            return name
    return None
