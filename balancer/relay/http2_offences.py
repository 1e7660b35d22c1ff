"""What is done about clients that break the rules of HTTP/2: they are counted, and have a line in the log."""

from __future__ import annotations

from balancer.causes import Cause
from balancer.http2.errors import ErrorCode, Reason
from balancer.networks import canonical
from balancer.service import FrontendService
from balancer.slots import BAD_REQUESTS
from balancer.streams import Stream


def note(service: FrontendService, stream: Stream, reason: Reason, text: str) -> None:
    """`text`: what was wrong. It was no request, or not yet, so that no other line can tell of it."""
    if reason is Reason.TOO_MANY_STREAMS:
        return  # it may not have seen our settings, and asks again
    cause = Cause.HTTP2_FLOOD if reason.code is ErrorCode.ENHANCE_YOUR_CALM else Cause.HTTP2_INVALID
    service.counters.add(BAD_REQUESTS)
    service.causes.add_cause(cause)
    if service.log is not None:
        record = service.log.begin(canonical(stream.peername[0]), stream.peername[1], stream.reactor.now)
        record.cause, record.why, record.version = cause, text, "2.0"
        record.tls = stream.tls is not None
        service.log.add(record)
