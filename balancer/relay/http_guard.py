"""What is looked at for each request of a client where a frontend limits more than the size of heads.

Nobody makes a Guard where nothing of the kind is configured: then a request pays for one test of a local variable.
"""

from __future__ import annotations

import math
from math import inf

from balancer.causes import Cause
from balancer.failures import StreamFailure
from balancer.http1.request import RequestHead
from balancer.relay.refusal import Refusal
from balancer.service import FrontendService
from balancer.streams import Stream
from balancer.task import Task


class RequestOverdue(StreamFailure):
    """The whole request has taken too long, whoever is to blame."""


class Guard:
    """One client connection, request by request. In the timer wheel as the deadline of the whole request."""

    __slots__ = ("_limiter", "_reactor", "_request_s", "_task", "deadline", "filed_at")

    def __init__(self, service: FrontendService, stream: Stream) -> None:
        self.deadline = inf
        self.filed_at = inf
        self._reactor = stream.reactor
        self._task: Task[object] = stream.reactor.current
        self._limiter = service.limiter
        self._request_s = service.config.timeouts.request_s

    def begin(self, head: RequestHead, address: str) -> None:
        """A request of the client at `address` is about to be served. Raises Refusal."""
        limiter, now = self._limiter, self._reactor.now
        if limiter is not None:
            if limiter.denies(address):
                raise Refusal(403, Cause.DENIED)
            if wait_s := limiter.request(address, head.fields, now):
                raise Refusal(429, Cause.TOO_MANY_REQUESTS, retry_after_s=math.ceil(wait_s))
        if self._request_s is not None:
            self.deadline = now + self._request_s
            self._reactor.wheel.file(self, now)

    def end(self) -> None:
        """It has been served, or is not to be timed any more."""
        self.deadline = inf

    def close(self) -> None:
        """The connection has ended: the wheel would hold it, and all that it needed, until it looks here again."""
        self._reactor.wheel.remove(self)

    def expire(self) -> None:
        """Called by the timer wheel."""
        self._task.interrupt(RequestOverdue(Cause.REQUEST_TIMEOUT.value))
