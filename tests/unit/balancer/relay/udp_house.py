"""A frontend in mode udp with its servers and clients, all in one thread, for tests."""

from __future__ import annotations

import socket
from dataclasses import replace
from typing import Any

from balancer.causes import Cause
from balancer.config import BalancerConfig, Pool
from balancer.datagrams import open_datagram_sockets
from balancer.fieldtypes import Endpoint
from balancer.reactor import Reactor
from balancer.relay.udp import DatagramRelay
from balancer.slots import Counts, Slots
from balancer.testing import FakeClock, config_for, service_for, settle

DATAGRAM = socket.SOCK_DGRAM


def udp_socket(host: str = "127.0.0.1") -> socket.socket:
    one = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, DATAGRAM)
    one.bind((host, 0))
    one.setblocking(False)
    return one


def closed_port() -> Endpoint:
    with udp_socket() as one:
        return Endpoint(*one.getsockname())


class House:
    """A frontend in mode udp, servers `one`, `two`, ... and clients, all in one thread."""

    def __init__(self, reactor: Reactor, clock: FakeClock, *, host: str = "127.0.0.1", servers: int = 1) -> None:
        self.reactor, self.clock = reactor, clock
        with udp_socket(host if host not in ("::", "0.0.0.0") else "127.0.0.1") as probe:
            self.endpoint = Endpoint(host, probe.getsockname()[1])
        self.servers = [udp_socket("::1" if host == "::1" else "127.0.0.1") for _ in range(servers)]
        self.endpoints = {
            name: Endpoint(*one.getsockname()[:2]) for name, one in zip(("one", "two"), self.servers, strict=False)
        }
        self.clients: list[socket.socket] = []
        self.relay: DatagramRelay

    def start(self, pool: dict[str, Any] | None = None, *, elsewhere: int = 0, **frontend: Any) -> House:
        plain = config_for(self.endpoints, mode="udp", listen=str(self.endpoint), **frontend)
        pools: dict[str, Pool] = {"pool": replace(plain.pools["pool"], **(pool or {}))}
        config = BalancerConfig(frontends=plain.frontends, pools=pools)
        self.slots = Slots.create(config, 1)
        self.service = service_for(self.reactor, config, self.slots)
        self.service.open_elsewhere = lambda: elsewhere
        self.opened = open_datagram_sockets(config.datagram_listeners(), 1)
        listening = [one for (one,) in self.opened.values()]
        self.relay = DatagramRelay(self.service, listening, worker=self.slots.worker(0))
        self.relay.start()
        settle(self.reactor)
        return self

    def client(self, host: str = "127.0.0.1") -> socket.socket:
        self.clients.append(udp_socket(host))
        return self.clients[-1]

    def ask(self, client: socket.socket, data: bytes, host: str | None = None) -> None:
        client.sendto(data, (host or self.endpoint.host, self.endpoint.port))
        settle(self.reactor)

    def heard(self, number: int = 0) -> list[bytes]:
        return [data for data, _ in self.received(number)]

    def received(self, number: int = 0) -> list[tuple[bytes, Any]]:
        """What a server has got since it was asked last."""
        found = []
        try:
            while True:
                found.append(self.servers[number].recvfrom(65_535))
        except BlockingIOError:
            return found

    def reply(self, data: bytes, to: Any, number: int = 0) -> None:
        self.servers[number].sendto(data, to)
        settle(self.reactor)

    def answer(self, number: int = 0) -> int:
        """The server answers all that it has got, in capitals; to how many."""
        received = self.received(number)
        for data, address in received:
            self.reply(data.upper(), address, number)
        return len(received)

    def pass_time(self, seconds: float) -> None:
        self.clock.now += seconds
        settle(self.reactor)

    def counts(self) -> Counts:
        settle(self.reactor)
        return self.slots.frontend_counts("main")

    def causes(self) -> dict[Cause, int]:
        return self.slots.cause_counts("main")

    def close(self) -> None:
        self.relay.stop()
        self.relay.abort_all()
        settle(self.reactor)
        for one in (*self.clients, *self.servers, *(one for (one,) in self.opened.values())):
            one.close()
        assert self.counts().open == 0
        assert all(
            self.slots.server_counts("pool", name).open == 0 for name in self.service.pools["pool"].config.servers
        )
        self.slots.close()


def said(client: socket.socket) -> bytes | None:
    try:
        return client.recv(65_535)
    except BlockingIOError:
        return None
