"""For tests of relays and services, of this library's users too: a clock to set, a reactor to run to a result, peers.

Connections are real ones on the loopback. Nothing sleeps: where only time could pass, the fake clock is moved on.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Mapping
from math import inf
from typing import Any, TypeVar

from balancer.config import BalancerConfig, Frontend, FrontendTimeouts, Mode, Pool, Server
from balancer.fieldtypes import Endpoint
from balancer.pool import PoolState
from balancer.reactor import Reactor
from balancer.secure import SecureStream
from balancer.service import FrontendService, PoolService, link_pools
from balancer.slots import Slots
from balancer.streams import Stream
from balancer.task import Task, Work
from balancer.waiting import open_room

T = TypeVar("T")

_LOOPBACK_SETTLES_S = 0.01


class FakeClock:
    """Seconds that pass only when told to. Give it to `Reactor(clock=...)`."""

    def __init__(self, now: float = 1000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


class _Main(Task[T]):
    """The task that `run` waits for."""

    __slots__ = ("raised",)

    def finish(self, error: BaseException | None) -> None:
        self.raised = error


def run(reactor: Reactor, work: Work[T], *, clock: FakeClock | None = None, patience_s: float = 20.0) -> T:
    """Give turns until `work` is done; its result or its exception. A fake clock jumps to the next deadline."""
    main = reactor.start(_Main(reactor, work))
    gives_up_at = time.monotonic() + patience_s
    while not main.done:
        if time.monotonic() > gives_up_at:
            raise TimeoutError(f"not done after {patience_s} s")
        worked = reactor.turn(_LOOPBACK_SETTLES_S)
        if clock is not None and not worked and reactor.wheel.next_at() != inf:
            clock.now = max(clock.now, reactor.wheel.next_at())
    assert isinstance(main, _Main)
    if main.raised is not None:
        raise main.raised
    return main._result  # type: ignore[return-value]


def settle(reactor: Reactor) -> None:
    """Give turns until nothing happens any more."""
    while reactor.turn(_LOOPBACK_SETTLES_S):
        pass


class ListeningPeer:
    """A server on the loopback whose connections a test accepts by hand."""

    def __init__(self, host: str = "127.0.0.1", *, backlog: int = 128) -> None:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.socket = socket.create_server((host, 0), family=family, backlog=backlog)
        self.socket.settimeout(60)
        self.endpoint = Endpoint(host, self.socket.getsockname()[1])

    def accept(self) -> socket.socket:
        """The next connection, blocking with a time limit."""
        accepted, _ = self.socket.accept()
        accepted.settimeout(60)
        return accepted

    def accept_stream(self, reactor: Reactor) -> Stream:
        """The next connection, for coroutines."""
        return stream_of(reactor, self.accept())

    def close(self) -> None:
        self.socket.close()


def stream_of(reactor: Reactor, connected: socket.socket) -> Stream:
    """A Stream that takes over an ordinary socket."""
    return Stream(reactor, *_taken(connected))


def secure_stream_of(reactor: Reactor, connected: socket.socket) -> SecureStream:
    """A SecureStream before its handshake that takes over an ordinary socket."""
    return SecureStream(reactor, *_taken(connected))


def _taken(connected: socket.socket) -> tuple[socket.SocketType, Any]:
    peername = connected.getpeername()
    taken = socket.SocketType(connected.family, socket.SOCK_STREAM, 0, connected.detach())
    taken.setblocking(False)
    return taken, peername


def socket_pair(host: str = "127.0.0.1") -> tuple[socket.socket, socket.socket]:
    """Two ends of one TCP connection, with a time limit on every call."""
    listening = ListeningPeer(host)
    one = socket.create_connection((host, listening.endpoint.port), 5)
    other = listening.accept()
    listening.close()
    return one, other


def stream_pair(reactor: Reactor, host: str = "127.0.0.1") -> tuple[Stream, Stream]:
    """Two ends of one TCP connection, both for coroutines."""
    one, other = socket_pair(host)
    return stream_of(reactor, one), stream_of(reactor, other)


def closed_endpoint(host: str = "127.0.0.1") -> Endpoint:
    """Where nobody listens."""
    listening = ListeningPeer(host)
    listening.close()
    return listening.endpoint


def config_for(
    servers: Mapping[str, Endpoint], *, mode: Mode = "tcp", listen: str = "127.0.0.1:1", **frontend: Any
) -> BalancerConfig:
    """One frontend `main` and one pool `pool`."""
    return BalancerConfig(
        frontends={
            "main": Frontend(
                **{
                    "listen": (Endpoint.parse_listen(listen),),
                    "mode": mode,
                    "pool": "pool",
                    "timeouts": FrontendTimeouts(),
                    **frontend,
                }
            )
        },
        pools={"pool": Pool(servers={name: Server(address=endpoint) for name, endpoint in servers.items()})},
    )


def service_for(reactor: Reactor, config: BalancerConfig, slots: Slots) -> FrontendService:
    """Frontend `main` of a configuration, to hand to a relay without an engine."""
    pools = {
        name: PoolService(
            name,
            pool,
            PoolState(pool, lambda server, name=name: slots.server_counts(name, server).open),  # type: ignore[misc]
            {server: slots.server(0, name, server) for server in pool.servers},
            config.files,
        )
        for name, pool in config.pools.items()
    }
    link_pools(pools)
    for service in pools.values():
        if service.state.is_limited:
            open_room(service, slots, 0, reactor)
    frontend = config.frontends["main"]
    return FrontendService(
        "main",
        frontend,
        reactor=reactor,
        counters=slots.frontend(0, "main"),
        causes=slots.causes(0, "main"),
        pools=pools,
        limiter=slots.limiter(0, "main", frontend.limits),
        files=config.files,
    )
