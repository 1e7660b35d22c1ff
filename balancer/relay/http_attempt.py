"""One try at one server: its connection, its counters, and what becomes of the connection afterwards."""

from __future__ import annotations

from balancer.dial import dial
from balancer.http1.errors import BadMessage
from balancer.reactor import Reactor
from balancer.relay.http_client import Refusal
from balancer.service import PoolService
from balancer.slots import BAD_RESPONSES, CONNECTIONS, OPEN, TIMEOUTS
from balancer.streams import Stream


class Attempt:
    """Counts as open from its making to `end`."""

    __slots__ = ("_pool", "counters", "heard", "response_s", "reusable", "server", "stream", "was_kept")

    def __init__(self, pool: PoolService, server: str, *, fresh: bool = False) -> None:
        """On a connection kept from before, if there is one and `fresh` does not rule it out; else `connect` next."""
        self._pool = pool
        self.server = server
        self.counters = pool.counters(server)
        self.counters.add(OPEN)
        self.stream = None if fresh else pool.kept[server].take()
        self.was_kept = self.stream is not None
        self.response_s = pool.config.timeouts.response_s
        self.heard = False
        """A byte of a response has come."""
        self.reusable = False
        """The connection may be kept for another request."""

    async def connect(self, reactor: Reactor) -> Stream:
        """A new connection. Raises ConnectFailed."""
        pool = self._pool
        self.stream = await dial(reactor, pool.endpoint(self.server), pool.config.timeouts.connect_s)
        self.counters.add(CONNECTIONS)
        return self.stream

    def end(self) -> None:
        """Keep the connection or close it."""
        self.counters.add(OPEN, -1)
        if self.stream is not None:
            if self.reusable:
                self._pool.kept[self.server].keep(self.stream)
            else:
                self.stream.close()

    def invalid(self, why: BadMessage) -> Refusal:
        """The server's bytes are no response."""
        self.counters.add(BAD_RESPONSES)
        return Refusal(502, f"the server sent an invalid response: {why}")

    def unanswered(self) -> Refusal:
        """The connection ended without a whole response head."""
        self.counters.add(BAD_RESPONSES)
        return Refusal(502, "the server closed the connection without a response")

    def late(self) -> Refusal:
        """The server did not do its part in time."""
        self.counters.add(TIMEOUTS)
        return Refusal(504, "the server did not answer in time")
