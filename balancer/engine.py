"""A worker's heart: the frontends and pools of one configuration, running on one reactor.

Nothing here decides: pools choose servers, relays move bytes, acceptors take connections. The engine holds them by name
and passes on what the control process says: apply, set_health, activate, stand_by, drain.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from socket import socket

import trio

from balancer.acceptor import Acceptor
from balancer.accesslog.logs import AccessLogs
from balancer.config import BalancerConfig, Frontend, Mode, pools_of
from balancer.fieldtypes import Endpoint
from balancer.networks import Networks
from balancer.observe import ObservedCounters, Streak
from balancer.persistence.memory import Memory
from balancer.pool import PoolSnapshot, PoolState
from balancer.reactor import Reactor
from balancer.relay import http as relay_http
from balancer.relay import tcp as relay_tcp
from balancer.relay.proxied import behind_proxies
from balancer.relay.sni import SniRelay
from balancer.relay.tls import TlsRelay
from balancer.relay.udp import DatagramRelay
from balancer.secure import SecureStream
from balancer.service import FrontendService, PoolService, Relay, link_pools
from balancer.slots import BUGS, HEARTBEAT_NS, LOG_LINES_DROPPED, Counters, Counts, Slots
from balancer.standing import Standing
from balancer.streams import Stream
from balancer.tls.contexts import DoorContexts, ServerTls
from balancer.tls.material import FrontendMaterial, Material, PoolMaterial
from balancer.waiting import open_room

OnErrors = Callable[[str, str, str], None]
"""Called with pool, server and why."""

RELAYS: Mapping[Mode, Relay] = {"tcp": relay_tcp.serve, "http": relay_http.serve}


def alpn_relays(frontend: Frontend) -> Mapping[str, Relay]:
    """The protocols that are offered to clients with TLS, the best first, and the relay of each."""
    if frontend.mode == "tcp":
        return dict.fromkeys(frontend.tls.alpn if frontend.tls else (), relay_tcp.serve)
    if frontend.http2 is None:
        return {"http/1.1": relay_http.serve}
    from balancer.relay import http2  # only here: it needs a library that most workers need not load

    return {"h2": http2.serve_http2, "http/1.1": relay_http.serve}


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
        self._on_errors = on_errors
        self.reactor = reactor
        self.slots = slots
        self.worker_index = worker_index
        self._worker = slots.worker(worker_index)
        self._relays = relays
        self._frontends: dict[str, _Running] = {}
        self._pools: dict[str, PoolService] = {}
        self._logs: AccessLogs | None = None
        self._material = Material()
        self._doors: dict[str, DoorContexts] = {}
        self._server_tls: dict[str, ServerTls] = {}

    def apply(
        self,
        config: BalancerConfig,
        listeners: Mapping[Endpoint, socket],
        material: Material | None = None,
        log_files: Mapping[str, int] | None = None,
        datagram_sockets: Mapping[Endpoint, socket] | None = None,
    ) -> None:
        """Begin to serve. There is a socket for each of config.listeners() and of config.datagram_listeners().

        `material` has the certificates; raises ssl.SSLError where they are not fit for use. `log_files` has descriptors
        of the files that access logs go to, by path; those that it lacks are opened here.
        """
        self._material = material or Material()
        self.slots.forget_open(self.worker_index)
        self._logs = AccessLogs(self.reactor, self.slots, config, log_files or {})
        self._pools = {name: self._make_pool(config, name) for name in config.pools}
        if self._memory is not None:
            self._memory.equip(config.pools, {name: pool.state for name, pool in self._pools.items()})
        link_pools(self._pools)
        sockets = {"udp": datagram_sockets or {}}
        self._frontends = {
            name: self._make_frontend(config, name, sockets.get(frontend.mode, listeners))
            for name, frontend in config.frontends.items()
        }
        for running in self._frontends.values():
            running.acceptor.start()
        self.heartbeat()

    def renew(self, material: Material) -> None:
        """Other certificates, for new connections. Raises ssl.SSLError; what came before it was renewed."""
        for name, door in self._doors.items():
            if (mine := material.frontends.get(name)) is not None and mine != self._material.frontends.get(name):
                door.renew(mine)
        for name, tls in self._server_tls.items():
            if (one := material.pools.get(name)) is not None and one != self._material.pools.get(name):
                tls.renew(one)
                self._pools[name].close_kept()
        self._material = material

    def set_standing(self, pool: str, server: str, standing: Standing) -> None:
        """What checks and people say of a server. Connections kept for reuse to one that takes no work are closed.

        So are those to where it was before, when it is elsewhere.
        """
        service = self._pools[pool]
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
        running = self._frontends[frontend]
        running.active = True
        running.service.draining = running.service.stopping

    def stand_by(self, frontend: str, *, lives_on: bool = False) -> None:
        """The frontend's VIP has left: no packet of its connections will find the client. It goes on listening.

        `lives_on`: by a handover that keeps the way to the clients, so connections go on until they end, at the latest
        until this is called again without it. Some may still wait to be accepted; each gets the answer to one request.
        """
        running = self._frontends[frontend]
        running.active = False
        if lives_on:
            running.service.drain()
            return
        if running.lives_on():
            running.acceptor.close_idle()
        running.service.draining = running.service.stopping
        running.acceptor.abort_all()

    async def drain(self, deadline_s: float) -> None:
        """Take no more connections and wait for the end of those that are open; after `deadline_s` abort them."""
        for running in self._frontends.values():
            running.acceptor.stop()
            running.service.drain(stopping=True)
            running.acceptor.close_idle()
        for pool in self._pools.values():
            pool.close_kept()
        with trio.move_on_after(deadline_s):
            await self._until_all_closed()
        for running in self._frontends.values():
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
        for running in self._frontends.values():
            running.acceptor.stop()
            running.acceptor.abort_all()
        for pool in self._pools.values():
            pool.close_kept()

    def heartbeat(self) -> None:
        """Say that this worker lives (call it every 250 ms or so); look for connections that nobody was woken for."""
        self._worker.set(HEARTBEAT_NS, time.monotonic_ns())
        self._worker.set(BUGS, self.reactor.bugs.count)
        if self._logs is not None:
            self._worker.set(LOG_LINES_DROPPED, self._logs.dropped)
        for running in self._frontends.values():
            running.acceptor.look()
        now = time.monotonic()
        for pool in self._pools.values():
            pool.state.tick(now)
        if self._memory is not None:
            self._memory.sweep(now)

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

    def _make_pool(self, config: BalancerConfig, name: str) -> PoolService:
        pool = config.pools[name]
        counters = {server: self._counters_of(config, name, server) for server in pool.servers}
        tls = None
        if pool.tls is not None:
            tls = self._server_tls[name] = ServerTls(pool.tls, self._material.pools.get(name, PoolMaterial()))
        state = PoolState(pool, self._connections_of(config, name))
        service = PoolService(name, pool, state, counters, config.files, tls)
        if state.is_limited:
            open_room(service, self.slots, self.worker_index, self.reactor)
        return service

    def _counters_of(self, config: BalancerConfig, pool: str, server: str) -> Counters:
        check = config.pools[pool].check
        if check is None or check.observe is None or self._on_errors is None:
            return self.slots.server(self.worker_index, pool, server)
        counters = self.slots.server(self.worker_index, pool, server, kind=ObservedCounters)
        # Each worker sees its part of the traffic, and of a row of errors.
        limit = -(-check.error_limit // self.slots.layout.workers)
        counters.observe(check.observe, Streak(limit, partial(self._on_errors, pool, server)))
        return counters

    def _connections_of(self, config: BalancerConfig, pool: str) -> Callable[[str], int]:
        """Open connections of a server of this pool, over all workers."""
        readers = {
            server: partial(self.slots.open_at, self.slots.open_indexes(pool, server))
            for server in config.pools[pool].servers
        }
        return lambda server: readers[server]()

    def _make_frontend(self, config: BalancerConfig, name: str, listeners: Mapping[Endpoint, socket]) -> _Running:
        frontend = config.frontends[name]
        service = FrontendService(
            name,
            frontend,
            reactor=self.reactor,
            counters=self.slots.frontend(self.worker_index, name),
            causes=self.slots.causes(self.worker_index, name),
            pools={pool: self._pools[pool] for pool in pools_of(frontend)},
            open_elsewhere=self._open_elsewhere(name),
            limiter=self.slots.limiter(self.worker_index, name, frontend.limits),
            files=config.files,
        )
        listening = [listeners[endpoint] for endpoint in frontend.listen]
        if frontend.mode == "udp":
            return _Running(service, DatagramRelay(service, listening, worker=self._worker))
        service.log = None if self._logs is None else self._logs.journal(name, frontend)
        relay, stream = self._relay_of(frontend), Stream
        if frontend.tls is not None:
            by_alpn = alpn_relays(frontend)
            material = self._material.frontends.get(name, FrontendMaterial())
            door = self._doors[name] = DoorContexts(frontend.tls, material, tuple(by_alpn))
            relay, stream = TlsRelay(door, relay, by_alpn if frontend.mode == "http" else {}), SecureStream
        if frontend.accept_proxy:
            relay = behind_proxies(relay, Networks(frontend.accept_proxy))
        return _Running(service, Acceptor(service, listening, relay=relay, worker=self._worker, stream=stream))

    def _open_elsewhere(self, frontend: str) -> Callable[[], int]:
        """Connections that the other workers have open; `int`, which makes a 0, where there are none."""
        others = self.slots.frontend_open_indexes(frontend, besides=self.worker_index)
        return partial(self.slots.open_at, others) if others else int

    def _relay_of(self, frontend: Frontend) -> Relay:
        if frontend.mode == "tcp" and frontend.routes:
            return SniRelay(frontend)
        if frontend.http2 is None or frontend.tls is not None:  # with TLS the two sides agree upon it
            return self._relays[frontend.mode]
        from balancer.relay import http2

        return http2.serve

    async def _until_all_closed(self) -> None:
        for running in self._frontends.values():
            await running.acceptor.until_empty()
