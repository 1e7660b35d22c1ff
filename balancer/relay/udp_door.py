"""A socket that clients send datagrams to, and whom each of them is from."""

from __future__ import annotations

import socket
from collections.abc import Hashable
from typing import Any

from balancer import datagrams
from balancer.datagrams import ANCILLARY_BYTES, LARGEST, Ancillary, local_address
from balancer.task import Task


class Door:
    """A socket that clients send to, and the flows that have come in by it."""

    __slots__ = ("flows", "lost", "message", "receive", "send", "socket", "task", "wide", "within")

    def __init__(self, listening: socket.socket) -> None:
        self.socket = listening
        self.flows: dict[Hashable, Any] = {}
        """By the client's address and port; where the socket is bound to no one address, by our address too."""
        self.wide = listening.getsockname()[0] in ("::", "0.0.0.0")
        self.within = slice(0, 16) if listening.family == socket.AF_INET6 else slice(4, 8)
        """Where our address is in the control data of a datagram."""
        self.receive, self.send, self.message = listening.recvfrom, listening.sendto, listening.sendmsg
        self.lost = datagrams.lost(listening)
        self.task: Task[None]

    def take(self) -> tuple[bytes, Any, Hashable, Ancillary]:
        """The next datagram, whose it is, the key of its flow, what to reply with. Raises BlockingIOError."""
        if not self.wide:
            data, address = self.receive(LARGEST)
            return data, address, address, ()
        data, received, _, address = self.socket.recvmsg(LARGEST, ANCILLARY_BYTES)
        return data, address, (address, received[0][2][self.within]), local_address(received)

    def on_events(self, mask: int) -> None:
        self.task.wake()
