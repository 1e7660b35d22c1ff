"""A worker's heart: the frontends and pools of one configuration, running on one reactor.

Nothing here decides: pools choose servers, relays move bytes, acceptors take connections. The engine holds them by name
and passes on what the control process says: apply, set_health, activate, stand_by, drain.
"""

from __future__ import annotations

import time
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from math import inf
from socket import socket

import trio

from balancer.acceptor import Acceptor
from balancer.accesslog.logs import AccessLogs
from balancer.config import BalancerConfig, Frontend, Mode
from balancer.fieldtypes import Endpoint
from balancer.parts import RELAYS as RELAYS
from balancer.parts import OnErrors, Parts
from balancer.parts import alpn_relays as alpn_relays
from balancer.persistence.memory import Memory
from balancer.pool import PoolSnapshot
from balancer.queue_counts import forget_queue
from balancer.reactor import Reactor
from balancer.relay.udp import DatagramRelay
from balancer.service import FrontendService, PoolService, Relay, link_pools
from balancer.slots import BUGS, HEARTBEAT_NS, LOG_LINES_DROPPED, Counts, Slots
from balancer.standing import Standing
from balancer.tls.material import Material
from balancer.waiting import open_room, renew_room


@dataclass(frozen=True, slots=True)
class FrontendSnapshot:
    """One frontend: whether this node serves it, what this worker has open, what all workers counted."""

    active: bool
    draining: bool
    open_here: int
    counts: Counts


@dataclass(frozen=True, slots=True)
class EngineSnapshot:
    """All of it, by name. `servers` is keyed by pool and server."""

    frontends: Mapping[str, FrontendSnapshot]
    pools: Mapping[str, PoolSnapshot]
    servers: Mapping[tuple[str, str], Counts]
    bugs: int


@dataclass(slots=True)
class _Running:
    """One frontend at run time."""

    service: FrontendService
    acceptor: Acceptor | DatagramRelay
    active: bool = True
    leaves_at: float = inf
    """When what it has open is cut; it is configured no more."""

    def can_become(self, frontend: Frontend) -> bool:
        """Whether its connections can go on with another configuration."""
        mine = self.service.config
        return mine.mode == frontend.mode and mine.udp.replies == frontend.udp.replies

    def lives_on(self) -> bool:
        """Whether connections go on here although the VIP has left."""
        return self.service.draining and not self.active


class Engine:
    """One worker's frontends and pools. All methods are for the reactor's own thread."""

    def __init__(
        self,
        reactor: Reactor,
        slots: Slots,
        worker_index: int,
        *,
        relays: Mapping[Mode, Relay] = RELAYS,
        on_errors: OnErrors | None = None,
        memory: Memory | None = None,
    ) -> None:
        """`on_errors` is told of servers that pools observe, when they make too many errors in a row.

        `memory` knows which clients belong to which servers, for pools with persistence; None: such a pool has none.
        """
        self._memory = memory
        self.reactor = reactor
        self.worker_index = worker_index
        self._parts = Parts(reactor, slots, worker_index, relays, on_errors)
        self._config = BalancerConfig(frontends={}, pools={})
        self._sockets: dict[tuple[bool, Endpoint], socket] = {}
        """Those that are listened on, by whether they are for datagrams, and address."""
        self._frontends: dict[str, _Running] = {}
        self._leaving: list[_Running] = []
        """No longer configured; what they have open may finish."""
        self._pools: dict[str, PoolService] = {}
        self._logs: AccessLogs | None = None
        self._material = Material()

    @property
    def slots(self) -> Slots:
        """Where everything is counted."""
        return self._parts.slots

    def apply(
        self,
        config: BalancerConfig,
        listeners: Mapping[Endpoint, socket],
        material: Material | None = None,
        log_files: Mapping[str, int] | None = None,
        datagram_sockets: Mapping[Endpoint, socket] | None = None,
        slots: Slots | None = None,
    ) -> None:
        """Serve this from now on; at once, and without a pause for what is served already.

        There is a socket for each of config.listeners() and of config.datagram_listeners() that was not listened on
        before; those of addresses that are not configured any more are closed. Connections that are open go on. A
        frontend that is not configured any more, or has another mode, drains for config.drain_s.

        `material` has the certificates; raises ssl.SSLError where they are not fit for use, and changes nothing.
        `log_files` has descriptors of the files that access logs go to, by path; those that it lacks are opened here.
        `slots` are others to count in, which `config` and a number of workers asked for.
        """
        material = material or Material()
        secrets = self._parts.secrets.after(config, material, self._material)
        self._parts.note(self._pools)
        before, doors = self._config, self._parts.secrets.doors
        self._config, self._material, self._parts.secrets = config, material, secrets
        moved = slots is not None
        same_doors = {name for name, (_, door) in secrets.doors.items() if name in doors and doors[name][1] is door}
        if self._logs is None:
            self.slots.forget_open(self.worker_index)
            self._logs = AccessLogs(self.reactor, self.slots, config, log_files or {})
        else:
            if slots is not None:
                self._parts.move(slots)
            self._logs.become(self.slots, config, log_files or {})
        self._sockets |= {(False, endpoint): one for endpoint, one in listeners.items()}
        self._sockets |= {(True, endpoint): one for endpoint, one in (datagram_sockets or {}).items()}
        self._apply_pools(before, moved)
        self._apply_frontends(before, moved, same_doors)
        self._logs.close_unused()
        self._close_unused_sockets()
        self._parts.forget(config)
        self.heartbeat()

    def _apply_pools(self, before: BalancerConfig, moved: bool) -> None:
        config, known, now = self._config, self._pools, time.monotonic()
        self._pools = {}
        for name, pool in config.pools.items():
            running = known.pop(name, None) or self._parts.pool(config, name)
            if name in before.pools and (
                moved or pool != before.pools[name] or config.files != before.files or pool.tls is not None
            ):
                running.become(self._parts.pool(config, name, running), now)
                self._renew_room(running)
            self._pools[name] = running
        for gone in known.values():
            gone.retire_kept()
        if self._memory is not None:
            self._memory.equip(config.pools, {name: running.state for name, running in self._pools.items()})
        link_pools(self._pools)

    def _renew_room(self, pool: PoolService) -> None:
        if pool.room is not None:
            renew_room(pool, self.slots, self.worker_index)
        elif pool.state.is_limited:
            open_room(pool, self.slots, self.worker_index, self.reactor)

    def _apply_frontends(self, before: BalancerConfig, moved: bool, same_doors: Container[str]) -> None:
        """First of all those that leave a socket let go of it."""
        config, known = self._config, self._frontends
        moved_or_files = moved or config.files != before.files
        for name, running in tuple(known.items()):
            frontend = config.frontends.get(name)
            if frontend is None or not running.can_become(frontend):
                self._let_leave(known.pop(name))
        self._frontends = {}
        for name, frontend in config.frontends.items():
            if name not in known:
                self._frontends[name] = self._begin(name)
                continue
            running = self._frontends[name] = known[name]
            secret = frontend.tls is not None and name not in same_doors
            if moved_or_files or secret or frontend != before.frontends[name]:
                self._renew_frontend(running, moved=moved)
        for running in self._frontends.values():
            if isinstance(running.acceptor, Acceptor):
                self._parts.share_room(running.service, config)
                running.acceptor.on_room = None if config.max_connections is None else self._look
                running.acceptor.look()

    def _look(self) -> None:
        for running in self._frontends.values():
            running.acceptor.look()

    def _begin(self, name: str) -> _Running:
        service = self._service(name)
        running = _Running(service, self._parts.acceptor(service, self._listening(service.config)))
        running.acceptor.start()
        return running

    def _renew_frontend(self, running: _Running, *, moved: bool) -> None:
        service = running.service
        fresh, limiter = self._service(service.name), service.limiter
        if fresh.limiter is not None and limiter is not None:
            fresh.limiter.take_over(limiter, same_cells=not moved)
        service.become(fresh)
        service.log = fresh.log
        other = self._parts.acceptor(service, self._listening(service.config))
        if isinstance(running.acceptor, Acceptor):
            assert isinstance(other, Acceptor)
            running.acceptor.become(other)
        else:
            assert isinstance(other, DatagramRelay)
            running.acceptor.become(other)

    def _service(self, name: str) -> FrontendService:
        assert self._logs is not None
        return self._parts.frontend(self._config, name, self._pools, self._logs)

    def _listening(self, frontend: Frontend) -> list[socket]:
        return [self._sockets[frontend.mode == "udp", endpoint] for endpoint in frontend.listen]

    def _let_leave(self, running: _Running) -> None:
        """Its connections finish what they do."""
        running.acceptor.stop()
        running.service.drain()
        running.acceptor.close_idle()
        running.leaves_at = self.reactor.now + self._config.drain_s
        self._leaving.append(running)

    def _close_unused_sockets(self) -> None:
        used = {(False, endpoint) for endpoint in self._config.listeners()}
        used |= {(True, endpoint) for endpoint in self._config.datagram_listeners()}
        unused = [self._sockets.pop(key) for key in self._sockets.keys() - used]
        if unused:
            self.reactor.spawn(_close(unused))

    def renew(self, material: Material) -> None:
        """Other certificates, for new connections. Raises ssl.SSLError; what came before it was renewed."""
        for name, (_, door) in self._parts.secrets.doors.items():
            if (mine := material.frontends.get(name)) is not None and mine != self._material.frontends.get(name):
                door.renew(mine)
        for name, (_, tls) in self._parts.secrets.servers.items():
            if (one := material.pools.get(name)) is not None and one != self._material.pools.get(name):
                tls.renew(one)
                self._pools[name].close_kept()
        self._material = material

    def set_standing(self, pool: str, server: str, standing: Standing) -> None:
        """What checks and people say of a server. Connections kept for reuse to one that takes no work are closed.

        So are those to where it was before, when it is elsewhere.
        """
        service = self._pools.get(pool)
        if service is None or server not in service.config.servers:
            return  # it was configured when this was said
        was_in_service, was_at = service.state.standing(server).in_service, service.state.endpoint(server)
        service.state.set_standing(server, standing, time.monotonic())
        if service.room is not None:
            service.room.look_again()
        elif service.state.is_limited:
            open_room(service, self.slots, self.worker_index, self.reactor)
        if has_moved := service.state.endpoint(server) != was_at:
            service.server_moved(server)
        if has_moved or not standing.takes_persistent:
            service.close_kept(server)
            self._let_flows_leave(pool, server)
            if service.config.on_down == "close":
                service.abort_connections(server)
        if standing.in_service and not was_in_service and service.config.on_up == "close_backups":
            self._close_backups(service, server)

    def _close_backups(self, service: PoolService, returned: str) -> None:
        backups = service.state.backups()
        for backup in () if returned in backups else backups:
            service.close_kept(backup)
            service.abort_connections(backup)
            self._let_flows_leave(service.name, backup)

    def _let_flows_leave(self, pool: str, server: str) -> None:
        for running in self._frontends.values():
            if isinstance(running.acceptor, DatagramRelay):
                running.acceptor.leave_server(pool, server)

    def activate(self, frontend: str) -> None:
        """The frontend's VIP is here now."""
        running = self._frontends.get(frontend)
        if running is None:
            return  # it was configured when this was said
        running.active = True
        running.service.draining = running.service.stopping

    def acceptors(self, frontend: str | None = None) -> list[Acceptor]:
        """Of one frontend, or of all; without those of datagrams. With those that leave, where all are meant."""
        known = self._frontends.get(frontend) if frontend is not None else None
        wanted = self._all_running() if frontend is None else () if known is None else (known,)
        return [one.acceptor for one in wanted if isinstance(one.acceptor, Acceptor)]

    def stand_by(self, frontend: str, *, lives_on: bool = False) -> None:
        """The frontend's VIP has left: no packet of its connections will find the client. It goes on listening.

        `lives_on`: by a handover that keeps the way to the clients, so connections go on until they end, at the latest
        until this is called again without it. Some may still wait to be accepted; each gets the answer to one request.
        """
        running = self._frontends.get(frontend)
        if running is None:
            return  # it was configured when this was said
        running.active = False
        if lives_on:
            running.service.drain()
            return
        if running.lives_on():
            running.acceptor.close_idle()
        running.service.draining = running.service.stopping
        running.acceptor.abort_all()

    def leave_sockets(self) -> None:
        """Listen no more: others do, by sockets of their own. Flows of datagrams end; connections go on."""
        for running in self._frontends.values():
            running.acceptor.stop()
            if isinstance(running.acceptor, DatagramRelay):
                running.acceptor.become(DatagramRelay(running.service, (), worker=self._parts.worker))
        self.reactor.spawn(_close(list(self._sockets.values())))
        self._sockets.clear()

    async def drain(self, deadline_s: float) -> None:
        """Take no more connections and wait for the end of those that are open; after `deadline_s` abort them."""
        for running in self._all_running():
            running.acceptor.stop()
            running.service.drain(stopping=True)
            running.acceptor.close_idle()
        for pool in self._pools.values():
            pool.close_kept()
        with trio.move_on_after(deadline_s):
            await self._until_all_closed()
        for running in self._all_running():
            running.acceptor.abort_all()
        await self._until_all_closed()
        self.close_logs()

    def close_logs(self) -> None:
        """Write what waits to be written; takes a second at most."""
        if self._logs is not None:
            self._logs.close()

    def replace_log(self, path: str, fd: int) -> None:
        """A log file has been opened anew."""
        if self._logs is not None:
            self._logs.replace(path, fd)

    def close(self) -> None:
        """End at once: every connection is reset, at the end of the next turn."""
        for running in self._all_running():
            running.acceptor.stop()
            running.acceptor.abort_all()
        for pool in self._pools.values():
            pool.close_kept()

    def heartbeat(self) -> None:
        """Say that this worker lives (call it every 250 ms or so); look for connections that nobody was woken for."""
        worker = self._parts.worker
        worker.set(HEARTBEAT_NS, time.monotonic_ns())
        worker.set(BUGS, self.reactor.bugs.count)
        if self._logs is not None:
            worker.set(LOG_LINES_DROPPED, self._logs.dropped)
        if self._leaving:
            self._see_off()
        self._look()
        now = time.monotonic()
        for pool in self._pools.values():
            pool.state.tick(now)
            pool.tell_kept()
        if self._memory is not None:
            self._memory.sweep(now)

    def forget_maxima(self, *, totals: bool) -> None:
        """Begin them anew; with `totals` also what is counted of queues, which nobody but a worker can."""
        for pool in self._pools.values():
            for counters in pool.all_counters.values():
                counters.forget_maxima()
        for pair in self.slots.layout.queues:
            forget_queue(self.slots.queue(self.worker_index, *pair), totals=totals)

    def _see_off(self) -> None:
        """Frontends that are not configured any more end when their connections have ended, or their time has."""
        for running in self._leaving:
            if running.leaves_at <= self.reactor.now:
                running.acceptor.abort_all()
        self._leaving = [running for running in self._leaving if running.acceptor.connections]

    def snapshot(self) -> EngineSnapshot:
        """How things stand now."""
        return EngineSnapshot(
            frontends={name: self._snapshot_of(running) for name, running in self._frontends.items()},
            pools={name: pool.state.snapshot() for name, pool in self._pools.items()},
            servers={pair: self.slots.server_counts(*pair) for pair in self.slots.layout.servers},
            bugs=self.reactor.bugs.count,
        )

    def _snapshot_of(self, running: _Running) -> FrontendSnapshot:
        return FrontendSnapshot(
            active=running.active,
            draining=running.service.draining,
            open_here=len(running.acceptor.connections),
            counts=self.slots.frontend_counts(running.service.name),
        )

    async def _until_all_closed(self) -> None:
        for running in self._all_running():
            await running.acceptor.until_empty()

    def _all_running(self) -> tuple[_Running, ...]:
        return (*self._frontends.values(), *self._leaving)


async def _close(sockets: Sequence[socket]) -> None:
    """As a task of its own, which runs after those that listened there have let go."""
    for one in sockets:
        one.close()
