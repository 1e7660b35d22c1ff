"""TLS with clients ends here: the handshake, then the relay that the two sides agreed upon (ALPN)."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from balancer.causes import Cause
from balancer.failures import DeadlineExpired, HandshakeFailed
from balancer.secure import SecureStream
from balancer.service import FrontendService, Relay
from balancer.slots import BAD_REQUESTS, TIMEOUTS
from balancer.streams import Stream
from balancer.tls.contexts import DoorContexts

log = logging.getLogger(__name__)


class TlsRelay:
    """A relay that first does the handshake. `by_alpn` has those for protocols other than the frontend's usual one."""

    def __init__(self, contexts: DoorContexts, relay: Relay, by_alpn: Mapping[str, Relay]) -> None:
        self.contexts = contexts
        self._relay = relay
        self._by_alpn = by_alpn

    async def __call__(self, service: FrontendService, downstream: Stream) -> None:
        assert isinstance(downstream, SecureStream)
        downstream.deadline = service.reactor.now + service.config.timeouts.tls_handshake_s
        downstream.interrupt_if_lost(service.reactor.current)
        try:
            tls = await downstream.handshake(self.contexts.door)
        except HandshakeFailed as failure:
            service.counters.add(BAD_REQUESTS)
            service.causes.add_cause(Cause.HANDSHAKE_FAILED)
            log.debug("no TLS", extra={"frontend": service.name, "reason": failure.reason})
            return  # it has been told by an alert, which a reset would take away
        except DeadlineExpired:
            service.counters.add(TIMEOUTS)
            service.causes.add_cause(Cause.HANDSHAKE_TIMEOUT)
            raise
        await self._by_alpn.get(tls.alpn or "", self._relay)(service, downstream)
