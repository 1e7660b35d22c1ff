"""Mode udp: one frontend in one worker. Datagrams of one client's port go to one server, and what it replies goes back.

Each flow has a connected socket of its own to its server: so the kernel tells replies apart, takes them from nobody
else, and says on the right socket that the server's port is closed. Where no replies are expected (`replies: 0`) one
socket for each server does for all flows.

A datagram is passed on at once or not at all: when the kernel takes no more it is dropped and counted, for to keep it
would only make it late. What nobody has answered yet is sent to another server when the first turns out to be
unreachable or goes DOWN; a flow that was answered ends then, and its client's next datagram begins a new one.
"""

from __future__ import annotations

import socket
from collections.abc import Hashable, Iterable
from select import EPOLLIN
from typing import Any

import trio

from balancer import datagrams
from balancer.causes import Cause
from balancer.datagrams import Ancillary
from balancer.failures import SHORTAGE_ERRNOS
from balancer.networks import canonical
from balancer.policies import Request
from balancer.relay.udp_door import Door
from balancer.relay.udp_flow import TOO_MUCH, UNREACHABLE, Tally, UdpFlow
from balancer.relay.udp_replies import Replies
from balancer.relay.udp_table import FlowTable
from balancer.service import FrontendService, PoolService
from balancer.slots import DROPPED, FAILED, OPEN, RETRIES, SHED, TIMEOUTS, Counters
from balancer.task import PARK

BATCH = 32
"""Datagrams that are taken from one socket before others get their turn."""
DRAIN_IDLE_S = 2.0
"""Once the worker is to stop, a flow that is quiet for so long has ended."""


class DatagramRelay:
    """Takes datagrams while it runs. In an engine it stands where an Acceptor does; flows are its connections."""

    def __init__(self, service: FrontendService, listening: Iterable[socket.socket], *, worker: Counters) -> None:
        self.service = service
        self.reactor = service.reactor
        settings = service.config.udp
        self.table: FlowTable[UdpFlow] = FlowTable(replies=settings.replies, requests=settings.requests)
        self.idle_s = settings.idle_s
        self._one_way = settings.replies == 0
        self._doors = [Door(one) for one in listening]
        self._worker = worker
        self._shared: dict[tuple[str, str], socket.SocketType] = {}
        """By pool and server, where no replies are expected."""
        self._tallies: dict[tuple[str, str], Tally] = {}
        self.replies = Replies(self)
        self._stopped = False
        self._emptied = trio.Event()

    @property
    def connections(self) -> set[UdpFlow]:
        """The flows that are open here."""
        return self.table.open

    def start(self) -> None:
        """Begin to take datagrams."""
        self.replies.start()
        for door in self._doors:
            door.task = self.reactor.spawn(self._serve(door))

    def become(self, other: DatagramRelay) -> None:
        """Take datagrams as another one would that was not started, with the same number of replies to each.

        Flows that came in by sockets that are no longer listened on end: there is no way back for what they get.
        """
        self.idle_s = other.idle_s
        doors = {door.socket: door for door in self._doors}
        added = [door for door in other._doors if door.socket not in doors]
        kept = {door.socket for door in other._doors}
        self._doors = [doors.get(door.socket, door) for door in other._doors]
        for door in doors.values():
            if door.socket not in kept:
                door.task.cancel()
                for flow in [one for one in self.table.open if one.home is door.flows]:
                    self.end(flow)
        for door in added:
            door.task = self.reactor.spawn(self._serve(door))

    def stop(self) -> None:
        """Let no new flow begin; those that are open go on."""
        self._stopped = True
        self._finish_if_empty()

    def look(self) -> None:
        """Take note of what the kernel had no room for."""
        for door in self._doors:
            lost = datagrams.lost(door.socket)
            if lost != door.lost:
                self.drop(Cause.QUEUE_FULL, (lost - door.lost) & 0xFFFFFFFF)
                door.lost = lost

    def abort_all(self) -> None:
        """End every flow."""
        for flow in tuple(self.table.open):
            self.end(flow)
        self._finish_if_empty()

    def close_idle(self) -> None:
        """From now on a flow does not wait long."""
        self.idle_s = min(self.idle_s, DRAIN_IDLE_S)
        for flow in self.table.open:
            flow.deadline = min(flow.deadline, self.reactor.now + self.idle_s)
            self.reactor.wheel.file(flow, self.reactor.now)

    async def until_empty(self) -> None:
        """Wait until no flow is open. For a trio task."""
        while self.table.open:
            self._emptied = trio.Event()
            await self._emptied.wait()

    def leave_server(self, pool: str, server: str) -> None:
        """A server takes no more work: its flows go to others with what was not answered, or end."""
        for flow in tuple(self.table.open):
            if flow.server == server and flow.pool is not None and flow.pool.name == pool:
                self._move(flow)
        shared = self._shared.pop((pool, server), None)
        if shared is not None:
            self.reactor.close_later(shared)

    def _finish_if_empty(self) -> None:
        if self.table.open:
            return
        self._emptied.set()
        if self._stopped and self.replies.running:
            self.replies.stop()
            for door in self._doors:
                door.task.cancel()
            for shared in self._shared.values():
                self.reactor.close_later(shared)
            self._shared.clear()

    async def _serve(self, door: Door) -> None:
        reactor = self.reactor
        reactor.watch(door.socket.fileno(), door, EPOLLIN)
        try:
            while True:
                if self._take_batch(door):
                    await reactor.pause()
                else:
                    await PARK
        finally:
            reactor.unwatch(door.socket.fileno())

    def _take_batch(self, door: Door) -> bool:
        """Pass on what clients have sent. True where there may be more."""
        flows, take, now, unsettled = door.flows, door.take, self.reactor.now, self.reactor.unsettled
        deadline = now + self.idle_s
        for _ in range(BATCH):
            try:
                data, address, key, ancillary = take()
            except BlockingIOError:
                return False
            flow = flows.get(key)
            if flow is None and (flow := self._begin(door, key, address, ancillary)) is None:
                continue
            flow.deadline = deadline
            self.table.asked(flow, now)
            if flow.held is not None:
                flow.hold(data)
            try:
                flow.send(data)
            except OSError as error:
                self._not_sent(flow, data, error)
                continue
            tally = flow.tally
            if not tally.listed:
                tally.listed = True
                unsettled.append(tally)
            tally.datagrams_in += 1
            tally.bytes_in += len(data)
            if self._one_way:
                self._sent_for_good(flow)
        return True

    def _sent_for_good(self, flow: UdpFlow) -> None:
        """Nobody will answer: there is nothing to be sent elsewhere later, and perhaps nothing more to come."""
        flow.held = None
        if self.table.is_over(flow):
            self.end(flow)

    def _begin(self, door: Door, key: Hashable, address: Any, ancillary: Ancillary) -> UdpFlow | None:
        """A new flow, with a server; None where there cannot be one, which is counted."""
        service = self.service
        if self._stopped or not self._has_room():
            self.drop(Cause.TOO_MANY_FLOWS)
            return None
        flow = UdpFlow(self, door, key, address, ancillary)
        flow.held = None if self._one_way else []
        if service.limiter is not None and (cause := self._objection(flow)) is not None:
            self.drop(cause)
            return None
        if not self._assign(flow):
            self._let_go(flow)
            self.drop(Cause.SERVER_UNREACHABLE if flow.tried else Cause.NO_SERVER)
            service.counters.add(FAILED)
            return None
        self.table.add(flow)
        service.counters.opened()
        flow.deadline = self.reactor.now + self.idle_s
        self.reactor.wheel.file(flow, self.reactor.now)
        return flow

    def _has_room(self) -> bool:
        """Whether one more flow may begin; where there are enough, the one that matters least makes room."""
        service = self.service
        if len(self.table.open) + service.open_elsewhere() < service.config.max_connections:
            return True
        return self._make_room()

    def _make_room(self) -> bool:
        victim = self.table.victim()
        if victim is None:
            return False
        self.service.causes.add_cause(Cause.TOO_MANY_FLOWS)
        self.end(victim)
        return True

    def _objection(self, flow: UdpFlow) -> Cause | None:
        """Why a client is not served; None where it is, and is counted."""
        limiter = self.service.limiter
        assert limiter is not None
        client = canonical(flow.address[0])
        if limiter.denies(client):
            return Cause.DENIED
        cause = limiter.connect(client, self.reactor.now)
        if cause is None:
            flow.client = client
        return cause

    def _assign(self, flow: UdpFlow) -> bool:
        """Give a flow a server of its pool, or of one that this falls back on. False where there is none to be had."""
        while (pool := flow.pool) is not None:
            request = Request(canonical(flow.address[0])) if pool.reads_request else None
            while len(flow.tried) <= pool.config.retries:
                server = pool.choose(flow.tried, request)
                if server is None:
                    break
                if flow.tried:
                    pool.counters(server).add(RETRIES)
                if self._connect(flow, pool, server):
                    return True
                flow.tried.append(server)
            if pool.fallback is None:
                return False
            flow.pool, flow.tried = pool.fallback, []
        return False

    def _connect(self, flow: UdpFlow, pool: PoolService, server: str) -> bool:
        counters = pool.counters(server)
        shared = self._shared.get((pool.name, server)) if self._one_way else None
        try:
            flow.socket = self._socket_to(flow, pool, server) if shared is None else shared
        except OSError as error:
            if error.errno not in UNREACHABLE | SHORTAGE_ERRNOS:
                raise
            if error.errno in SHORTAGE_ERRNOS:
                self._worker.add(SHED)
                self._make_room()  # the next one will find a descriptor
            counters.add(FAILED)
            return False
        flow.server, flow.send = server, flow.socket.send
        flow.tally = self._tally(pool, server)
        counters.opened()
        if self._one_way:
            self._shared[pool.name, server] = flow.socket
        else:
            self.reactor.watch(flow.socket.fileno(), flow, EPOLLIN)
        return True

    def _socket_to(self, flow: UdpFlow, pool: PoolService, server: str) -> socket.SocketType:
        client = canonical(flow.address[0]) if pool.config.transparent else None
        return datagrams.connected(pool.endpoint(server), pool.way, client)

    def _tally(self, pool: PoolService, server: str) -> Tally:
        tally = self._tallies.get((pool.name, server))
        if tally is None:
            tally = self._tallies[pool.name, server] = Tally(self.service.counters, pool.counters(server))
        return tally

    def _disconnect(self, flow: UdpFlow) -> None:
        """A flow has no server any more."""
        if flow.socket is None or flow.pool is None:
            return
        flow.pool.counters(flow.server).add(OPEN, -1)
        if not self._one_way:
            self.reactor.forget(flow.socket.fileno())
            self.reactor.close_later(flow.socket)
        flow.socket = None

    def _not_sent(self, flow: UdpFlow, data: bytes, error: OSError) -> None:
        """A datagram for a server was not taken."""
        if error.errno in TOO_MUCH:
            self.drop(Cause.UPSTREAM_BUSY)
        elif error.errno in UNREACHABLE:
            if self._one_way:
                flow.held = [data]
            elif flow.held is None:
                self.drop(Cause.SERVER_UNREACHABLE)
            self.unreachable(flow)
        else:
            raise error

    def unreachable(self, flow: UdpFlow) -> None:
        assert flow.pool is not None
        flow.pool.counters(flow.server).add(FAILED)
        self._move(flow, tried=True)

    def _move(self, flow: UdpFlow, *, tried: bool = False) -> None:
        """Send what was not answered to another server; end the flow where there is none, or nothing to send."""
        while flow.held and flow.pool is not None and flow.pool.config.redispatch:
            if tried:
                flow.tried.append(flow.server)
            self._disconnect(flow)
            if not self._assign(flow):
                break
            if self._send_held(flow):
                if self._one_way:
                    self._sent_for_good(flow)
                return
            flow.pool.counters(flow.server).add(FAILED)
            tried = True
        if flow.held:
            self.service.counters.add(FAILED)
            self.drop(Cause.SERVER_UNREACHABLE, len(flow.held))
        self.end(flow)

    def _send_held(self, flow: UdpFlow) -> bool:
        """False where this server cannot be reached either."""
        for data in flow.held or ():
            try:
                flow.send(data)
            except OSError as error:
                if error.errno in TOO_MUCH:
                    self.drop(Cause.UPSTREAM_BUSY)
                elif error.errno in UNREACHABLE:
                    return False
                else:
                    raise
        return True

    def expired(self, flow: UdpFlow) -> None:
        """A flow was quiet for too long (called by the flow)."""
        if not flow.answered and not self._one_way and flow.pool is not None:
            self.service.counters.add(TIMEOUTS)
            self.service.causes.add_cause(Cause.RESPONSE_TIMEOUT)
            flow.pool.counters(flow.server).add(TIMEOUTS)
        self.end(flow)

    def end(self, flow: UdpFlow) -> None:
        if self.table.remove(flow):
            self._let_go(flow)
            self.service.counters.add(OPEN, -1)
            self._finish_if_empty()

    def _let_go(self, flow: UdpFlow) -> None:
        self._disconnect(flow)
        self.reactor.wheel.remove(flow)
        if flow.client is not None and self.service.limiter is not None:
            self.service.limiter.disconnect(flow.client)

    def drop(self, cause: Cause, count: int = 1) -> None:
        self.service.counters.add(DROPPED, count)
        self.service.causes.add_cause(cause, count)
