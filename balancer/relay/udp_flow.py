"""One flow's end towards its server, and what went through it."""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable, Hashable
from math import inf
from typing import TYPE_CHECKING, Any

from balancer.datagrams import Ancillary
from balancer.failures import PEER_ERRNOS
from balancer.relay.udp_table import Flow
from balancer.service import PoolService
from balancer.slots import BYTES_IN, BYTES_OUT, DATAGRAMS_IN, DATAGRAMS_OUT, Counters

if TYPE_CHECKING:
    from balancer.relay.udp import DatagramRelay
    from balancer.relay.udp_door import Door

HELD_BYTES = 4096
"""What a client has sent and nobody has answered is kept for another server, up to so much for each flow."""

TOO_MUCH = frozenset({errno.EAGAIN, errno.ENOBUFS, errno.ENOMEM, errno.EMSGSIZE})
"""The kernel takes this datagram not now, or not at all; whoever it is for is not to blame."""
UNREACHABLE = PEER_ERRNOS | {errno.EINVAL, errno.EADDRNOTAVAIL, errno.ENOPROTOOPT}
"""What a datagram sent, or one sent before, can be told of the way. EINVAL: from an address that has left."""


class Tally:
    """What went between one frontend and one server in this turn, written down at its end."""

    __slots__ = ("_frontend", "_server", "bytes_in", "bytes_out", "datagrams_in", "datagrams_out", "listed")

    def __init__(self, frontend: Counters, server: Counters) -> None:
        self._frontend = frontend
        self._server = server
        self.listed = False
        """Among those that the reactor will settle."""
        self.datagrams_in = self.bytes_in = self.datagrams_out = self.bytes_out = 0

    def settle(self) -> None:
        """Write it down, and begin anew."""
        for record in (self._frontend, self._server):
            record.add(DATAGRAMS_IN, self.datagrams_in)
            record.add(BYTES_IN, self.bytes_in)
            record.add(DATAGRAMS_OUT, self.datagrams_out)
            record.add(BYTES_OUT, self.bytes_out)
        self.datagrams_in = self.bytes_in = self.datagrams_out = self.bytes_out = 0
        self.listed = False


class UdpFlow(Flow):
    """A flow with its socket. `deadline` and `filed_at` are for the timer wheel."""

    __slots__ = (
        *(
            "address",
            "ancillary",
            "client",
            "deadline",
            "door",
            "filed_at",
            "held",
            "pass_",
            "patience",
            "pool",
            "queued",
        ),
        *("relay", "send", "server", "socket", "tally", "tried"),
    )

    def __init__(self, relay: DatagramRelay, door: Door, key: Hashable, address: Any, ancillary: Ancillary) -> None:
        super().__init__(door.flows, key, relay.reactor.now)
        self.relay = relay
        self.door = door
        self.address = address
        """The client's."""
        self.ancillary = ancillary
        """What replies are sent with, so that they come from where the client sent to."""
        self.client: str | None = None
        """The address under which it is counted, where clients are limited."""
        self.pool: PoolService | None = relay.service.default_pool
        self.server = ""
        self.socket: socket.SocketType | None = None
        self.send: Callable[[bytes], int]
        """To the server."""
        self.tally: Tally
        self.held: list[bytes] | None = []
        """What was sent to servers without an answer; None: too much, or one has answered, or none will."""
        self.tried: list[str] = []
        """Servers of the pool that could not be reached."""
        self.queued = False
        """Among those whose replies are waiting."""
        self.patience = 0
        """Its server's replies are received in groups while it is above 0; so often without a group, and no more."""
        self.pass_ = 0
        """When its replies were last looked at."""
        self.deadline = inf
        self.filed_at = inf

    def hold(self, data: bytes) -> None:
        """Keep what was not answered yet, unless it is too much."""
        held = self.held
        if held is not None:
            held.append(data)
            if sum(map(len, held)) > HELD_BYTES:
                self.held = None

    def on_events(self, mask: int) -> None:
        """The server has replied, or the network says that it cannot be reached (called by the reactor)."""
        if not self.queued:
            self.queued = True
            self.relay.replies.answering(self)

    def expire(self) -> None:
        """It was quiet for too long (called by the timer wheel)."""
        self.relay.expired(self)
