"""Makes the parts of a worker: pools and frontends as they are configured, each with its counters."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import chain
from socket import socket

from balancer.acceptor import Acceptor
from balancer.accesslog.logs import AccessLogs
from balancer.config import BalancerConfig, Frontend, Mode, pools_of
from balancer.networks import Networks
from balancer.node_room import NodeRoom
from balancer.observe import ObservedCounters, Streak
from balancer.pool import PoolState
from balancer.reactor import Reactor
from balancer.relay import http as relay_http
from balancer.relay import tcp as relay_tcp
from balancer.relay.proxied import behind_proxies
from balancer.relay.sni import SniRelay
from balancer.relay.tls import TlsRelay
from balancer.relay.udp import DatagramRelay
from balancer.secure import SecureStream
from balancer.service import FrontendService, PoolService, Relay
from balancer.slots import CAUSES_RECORDS, OPEN, Counters, Slots
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


_KINDS = 4
"""Of counters of one server that requests may hold at the same time: observed or not, telling a queue or not."""


class OpenNow:
    """The open connections of the servers of a pool, over all workers: what its policy asks."""

    __slots__ = ("readers",)

    def __init__(self) -> None:
        self.readers: dict[str, Callable[[], int]] = {}

    def __call__(self, server: str) -> int:
        return self.readers[server]()


@dataclass(slots=True)
class Secrets:
    """The TLS contexts of frontends and pools. Kept while their configuration is: clients resume their sessions."""

    doors: dict[str, tuple[Frontend, DoorContexts]] = field(default_factory=dict)
    servers: dict[str, tuple[object, ServerTls]] = field(default_factory=dict)

    def after(self, config: BalancerConfig, material: Material, before: Material) -> Secrets:
        """Those of another configuration. Raises ssl.SSLError where the material is not fit for use."""
        after = Secrets()
        for name, frontend in config.frontends.items():
            if frontend.tls is not None:
                mine = material.frontends.get(name, FrontendMaterial())
                door = self._door(name, frontend, mine, before.frontends.get(name))
                after.doors[name] = frontend, door
        for name, pool in config.pools.items():
            if pool.tls is not None:
                one, known = material.pools.get(name, PoolMaterial()), self.servers.get(name)
                same = known is not None and known[0] == pool.tls and one == before.pools.get(name)
                after.servers[name] = pool.tls, known[1] if known and same else ServerTls(pool.tls, one)
        return after

    def _door(
        self, name: str, frontend: Frontend, material: FrontendMaterial, before: FrontendMaterial | None
    ) -> DoorContexts:
        assert frontend.tls is not None
        known, alpn = self.doors.get(name), tuple(alpn_relays(frontend))
        if known is None or known[0].tls != frontend.tls or tuple(alpn_relays(known[0])) != alpn:
            return DoorContexts(frontend.tls, material, alpn)
        if material != before:
            known[1].renew(material)
        return known[1]


class Parts:
    """Makes them for one worker. Counters are made once: they may move to other slots, and requests hold them."""

    def __init__(
        self,
        reactor: Reactor,
        slots: Slots,
        worker_index: int,
        relays: Mapping[Mode, Relay] = RELAYS,
        on_errors: OnErrors | None = None,
    ) -> None:
        self.reactor = reactor
        self.slots = slots
        self.worker_index = worker_index
        self.worker = slots.worker(worker_index)
        self.secrets = Secrets()
        self._relays = relays
        self._on_errors = on_errors
        self._open_now: dict[str, OpenNow] = {}
        self._servers: dict[tuple[str, str], list[Counters]] = {}
        """The last is used; requests that began before may hold others."""
        self._frontends: dict[str, tuple[Counters, Counters]] = {}
        """What it counts, and causes."""

    def move(self, slots: Slots) -> None:
        """Count in other slots from now on, but for what has no place there."""
        before, self.slots, index = self.slots, slots, self.worker_index
        self.worker.move(slots.worker(index))
        for name in slots.layout.frontends.keys() & self._frontends.keys():
            counters, causes = self._frontends[name]
            counters.move(slots.frontend(index, name))
            causes.move(slots.causes(index, name), CAUSES_RECORDS)
        for pair in slots.layout.servers.keys() & self._servers.keys():
            for counters in self._servers[pair]:
                counters.move(slots.server(index, *pair))
        before.let_go()

    def note(self, pools: Mapping[str, PoolService]) -> None:
        """Requests of these pools may hold counters that were put in the place of those that were made here."""
        for name, pool in pools.items():
            for server, counters in pool.all_counters.items():
                known = self._servers.setdefault((name, server), [])
                if all(one is not counters for one in known):
                    known[:] = [*known[1 - _KINDS :], counters]

    def forget(self, config: BalancerConfig) -> None:
        """Of what is not configured any more, no counters are made again."""
        layout = self.slots.layout
        self._frontends = {name: one for name, one in self._frontends.items() if name in config.frontends}
        self._servers = {pair: known for pair, known in self._servers.items() if pair in layout.servers}
        self._open_now = {name: one for name, one in self._open_now.items() if name in config.pools}

    def pool(self, config: BalancerConfig, name: str, before: PoolService | None = None) -> PoolService:
        """A pool; one that `before` may become shares its counters and what is known of its servers."""
        pool = config.pools[name]
        counters = {server: self._counters_of(config, name, server, before) for server in pool.servers}
        open_now = self._open_now.setdefault(name, OpenNow())
        for server in open_now.readers.keys() - pool.servers.keys():
            known = None if before is None else before.known_counters(server)
            open_now.readers[server] = int if known is None else partial(known.get, OPEN)
        for server in pool.servers:
            open_now.readers[server] = partial(self.slots.open_at, self.slots.open_indexes(name, server))
        tls = self.secrets.servers.get(name)
        state = PoolState(pool, open_now) if before is None else before.state
        made = PoolService(name, pool, state, counters, config.files, None if tls is None else tls[1])
        if before is None and state.is_limited:
            open_room(made, self.slots, self.worker_index, self.reactor)
        return made

    def _counters_of(
        self, config: BalancerConfig, pool: str, server: str, before: PoolService | None = None
    ) -> Counters:
        check, known = config.pools[pool].check, self._servers.setdefault((pool, server), [])
        observed = check is not None and check.observe is not None and self._on_errors is not None
        kind = ObservedCounters if observed else Counters
        if not known or isinstance(known[-1], ObservedCounters) != observed:
            made = self.slots.server(self.worker_index, pool, server, kind=kind)
            known[:] = [*known[1 - _KINDS :], made if before is None else before.noticed(made)]
        counters = known[-1]
        if isinstance(counters, ObservedCounters):
            assert check is not None
            assert check.observe is not None
            assert self._on_errors is not None
            # Each worker sees its part of the traffic, and of a row of errors.
            limit = -(-check.error_limit // self.slots.layout.workers)
            counters.observe(check.observe, Streak(limit, partial(self._on_errors, pool, server)))
        return counters

    def frontend(
        self, config: BalancerConfig, name: str, pools: Mapping[str, PoolService], logs: AccessLogs
    ) -> FrontendService:
        """What a frontend's relays are given."""
        frontend, index = config.frontends[name], self.worker_index
        if name not in self._frontends:
            self._frontends[name] = self.slots.frontend(index, name), self.slots.causes(index, name)
        counters, causes = self._frontends[name]
        service = FrontendService(
            name,
            frontend,
            reactor=self.reactor,
            counters=counters,
            causes=causes,
            pools={pool: pools[pool] for pool in pools_of(frontend)},
            open_elsewhere=self._open_elsewhere(name),
            limiter=self.slots.limiter(index, name, frontend.limits),
            files=config.files,
        )
        if frontend.mode != "udp":
            service.log = logs.journal(name, frontend)
        return service

    def acceptor(self, service: FrontendService, listening: Sequence[socket]) -> Acceptor | DatagramRelay:
        """Who takes what comes to a frontend."""
        frontend = service.config
        if frontend.mode == "udp":
            return DatagramRelay(service, listening, worker=self.worker)
        relay, stream = self._relay_of(frontend), Stream
        if frontend.tls is not None:
            door, by_alpn = self.secrets.doors[service.name][1], alpn_relays(frontend)
            relay, stream = TlsRelay(door, relay, by_alpn if frontend.mode == "http" else {}), SecureStream
        if frontend.accept_proxy:
            relay = behind_proxies(relay, Networks(frontend.accept_proxy))
        return Acceptor(service, listening, relay=relay, worker=self.worker, stream=stream)

    def share_room(self, service: FrontendService, config: BalancerConfig) -> None:
        """Have a frontend take no more connections than the node may have, where that has a limit."""
        name, slots, here = service.name, self.slots, self.worker_index
        elsewhere = self._open_elsewhere(name)
        service.open_elsewhere = elsewhere
        if config.max_connections is not None:
            streams = [one for one, frontend in config.frontends.items() if frontend.mode != "udp"]
            besides = {one: here if one == name else None for one in streams}
            indexes = [slots.frontend_open_indexes(one, besides=worker) for one, worker in besides.items()]
            others = partial(slots.open_at, tuple(chain.from_iterable(indexes)))
            service.open_elsewhere = NodeRoom(service, config.max_connections, elsewhere=elsewhere, others=others)

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
