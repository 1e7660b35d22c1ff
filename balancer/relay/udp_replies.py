"""Mode udp, from servers to clients: replies are passed on, one by one or, where much comes at once, many by one call.

A server that sends large amounts (QUIC) hands the kernel many datagrams of one size by one call, and so may a network
card. A flow that is found to be of that kind receives them as they are, in a group, and sends the group on. Tried on
packets of 1200 bytes: 0.6 microseconds for each, instead of 4.6. Where there are no groups the different way of
receiving would cost a fifth more, so a flow that meets none goes back to the plain one.
"""

from __future__ import annotations

import errno
import socket
from collections import deque
from typing import TYPE_CHECKING

from balancer import datagrams
from balancer.causes import Cause
from balancer.datagrams import LARGEST
from balancer.relay.udp_flow import TOO_MUCH, UNREACHABLE, UdpFlow
from balancer.slots import CONNECTIONS
from balancer.task import PARK, Task

if TYPE_CHECKING:
    from balancer.relay.udp import DatagramRelay

BATCH = 32
"""Replies that are taken of one flow before others get their turn."""
PATIENCE = 64
"""Receipts without a group after which a server is taken not to send in groups."""


class Replies:
    """The flows whose servers have something to say."""

    def __init__(self, relay: DatagramRelay) -> None:
        self._relay = relay
        self._reactor = relay.reactor
        self._waiting: deque[UdpFlow] = deque()
        self._pass = 0
        self._task: Task[None] | None = None

    @property
    def running(self) -> bool:
        return self._task is not None

    def start(self) -> None:
        """Begin to pass on what servers say."""
        self._task = self._reactor.spawn(self._pass_replies())

    def stop(self) -> None:
        """No more of it."""
        if self._task is not None:
            self._task.cancel()
            self._task = None

    def answering(self, flow: UdpFlow) -> None:
        """There is something to be read from the server of a flow (called by the flow)."""
        self._waiting.append(flow)
        if self._task is not None:
            self._task.wake()

    async def _pass_replies(self) -> None:
        waiting, reactor = self._waiting, self._reactor
        while True:
            self._pass += 1
            for _ in range(len(waiting)):
                flow = waiting.popleft()
                flow.queued = False
                if flow.socket is not None:
                    self._answer(flow)
                if reactor.overdue():
                    break
            if waiting:
                await reactor.pause()
            else:
                await PARK

    def _answer(self, flow: UdpFlow) -> None:
        """Pass on what the server has replied.

        Most servers answer a datagram with one. So only one is taken, and the kernel will say if there are more: when
        it does so in the next turn, they are taken until there are none.
        """
        assert flow.socket is not None
        flow.deadline = self._reactor.now + self._relay.idle_s
        if flow.patience > 0:
            self._answer_in_groups(flow, flow.socket)
            return
        receive = flow.socket.recv
        limit = BATCH if flow.pass_ == self._pass - 1 else 1
        flow.pass_ = self._pass
        for _ in range(limit):
            try:
                data = receive(LARGEST)
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno not in UNREACHABLE:
                    raise
                self._relay.unreachable(flow)
                return
            if not flow.answered and flow.pool is not None:
                flow.held = None
                flow.pool.counters(flow.server).add(CONNECTIONS, 0)  # whoever observes the server learns that it works
            self._reply(flow, data)
            if self._relay.table.answered(flow):
                self._relay.end(flow)
                return
        if limit == BATCH and not flow.patience:
            datagrams.group(flow.socket, on=True)
            flow.patience = PATIENCE

    def _answer_in_groups(self, flow: UdpFlow, server: socket.SocketType) -> None:
        """As `_answer`, for a server that sends much at once: many datagrams by one call, if the kernel has them so."""
        for _ in range(BATCH):
            try:
                data, size = datagrams.receive_group(server)
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno not in UNREACHABLE:
                    raise
                self._relay.unreachable(flow)
                return
            count = -(-len(data) // size) if size else 1
            if count > 1:
                flow.patience = PATIENCE
                self._reply_in_groups(flow, data, size, count)
            else:
                flow.patience -= 1
                self._reply(flow, data)
            if self._relay.table.answered(flow, count):
                self._relay.end(flow)
                return
            if not flow.patience:
                datagrams.group(server, on=False)
                flow.patience = -1
                return

    def _reply_in_groups(self, flow: UdpFlow, data: bytes, size: int, count: int) -> None:
        try:
            flow.door.message((data,), (*flow.ancillary, *datagrams.in_groups_of(size)), 0, flow.address)
        except OSError as error:
            if error.errno not in TOO_MUCH | UNREACHABLE | {errno.EIO}:
                raise
            for start in range(0, len(data), size):  # the way to this client may be narrower
                self._reply(flow, data[start : start + size])
            return
        self._count_out(flow, count, len(data))

    def _reply(self, flow: UdpFlow, data: bytes) -> None:
        door = flow.door
        try:
            if flow.ancillary:
                door.message((data,), flow.ancillary, 0, flow.address)
            else:
                door.send(data, flow.address)
        except OSError as error:
            if error.errno not in TOO_MUCH | UNREACHABLE:
                raise
            self._relay.drop(Cause.CLIENT_BUSY)
            return
        self._count_out(flow, 1, len(data))

    def _count_out(self, flow: UdpFlow, count: int, size: int) -> None:
        tally = flow.tally
        if not tally.listed:
            tally.listed = True
            self._reactor.unsettled.append(tally)
        tally.datagrams_out += count
        tally.bytes_out += size
