"""What is looked at for each request of a client where a frontend limits more than the size of heads.

Nobody makes a Guard where nothing of the kind is configured: then a request pays for one test of a local variable.
"""

from __future__ import annotations

from math import inf

from balancer.causes import Cause
from balancer.failures import StreamFailure
from balancer.http1.request import RequestHead
from balancer.service import FrontendService
from balancer.streams import Stream
from balancer.task import Task


class RequestOverdue(StreamFailure):
    """The whole request has taken too long, whoever is to blame."""


class Guard:
    """One client connection, request by request. In the timer wheel as the deadline of the whole request."""

    __slots__ = ("_reactor", "_request_s", "_task", "deadline", "filed_at")

    def __init__(self, service: FrontendService, stream: Stream) -> None:
        self.deadline = inf
        self.filed_at = inf
        self._reactor = stream.reactor
        self._task: Task[object] = stream.reactor.current
        self._request_s = service.config.timeouts.request_s

    def begin(self, head: RequestHead) -> None:
        """A request is about to be served. Raises Refusal."""
        if self._request_s is not None:
            self.deadline = self._reactor.now + self._request_s
            self._reactor.wheel.file(self, self._reactor.now)

    def end(self) -> None:
        """It has been served, or is not to be timed any more."""
        self.deadline = inf

    def expire(self) -> None:
        """Called by the timer wheel."""
        self._task.interrupt(RequestOverdue(Cause.REQUEST_TIMEOUT.value))
