"""One http client connection: what is known about it, and the bytes received from it that nobody has used yet."""

from __future__ import annotations

from functools import lru_cache

from balancer.http1.forward import RequestForwarder
from balancer.relay.http_body import BodyTransfer
from balancer.service import FrontendService
from balancer.slots import BYTES_OUT, Counters
from balancer.streams import Stream


class Refusal(Exception):  # noqa: N818 - named for what it is
    """A request that is answered by us, with an error. Nothing of another response has been sent."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status
        self.why = why


class Client:
    """A downstream connection."""

    __slots__ = ("answering", "forwarder", "received", "service", "stream")

    def __init__(self, service: FrontendService, stream: Stream) -> None:
        self.service = service
        self.stream = stream
        self.received = b""
        """Bytes after those that were used: the next request, or a part of it."""
        self.answering = False
        """A response to the current request has begun: an error can no more be told, only shown by an early end."""
        self.forwarder = _forwarder(stream.peername[0], stream.sockname[0])

    def begin_answer(self, status: int, bytes_in: int, bytes_out: int, server: Counters) -> None:
        """The first bytes of a final response are about to be sent."""
        service = self.service
        reactor = service.reactor
        self.answering = True
        self.stream.deadline = reactor.now + service.config.timeouts.idle_s
        service.counters.add_exchange(status, bytes_in, bytes_out, reactor.unsettled)
        server.add_exchange(status, bytes_in, bytes_out, reactor.unsettled)

    def allow_idle(self) -> None:
        """The client has this much time to take what is sent to it next."""
        self.stream.deadline = self.stream.reactor.now + self.service.config.timeouts.idle_s

    def transfer(self, upstream: Stream, server: Counters) -> BodyTransfer:
        """The body of a response, about to be moved here."""
        idle_s = self.service.config.timeouts.idle_s
        return BodyTransfer(upstream, self.stream, idle_s, (self.service.counters, server), BYTES_OUT)


@lru_cache(maxsize=4096)
def _forwarder(client: str, listener: str) -> RequestForwarder:
    """Shared by the connections of one client: it holds nothing that changes."""
    host = f"[{listener}]" if ":" in listener else listener
    return RequestForwarder(client, "http", host.encode("ascii"))
