"""A worker as the control process sees it: apply, health, activate, stand_by, drain, snapshot."""

import os
import socket
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest
import trio

from balancer.config import (
    BalancerConfig,
    ClientLimits,
    Frontend,
    Http2,
    PersistenceSettings,
    Pool,
    Server,
    SourceSettings,
)
from balancer.datagrams import open_datagram_sockets
from balancer.drivers import drive_from_trio
from balancer.engine import Engine, alpn_relays
from balancer.fieldtypes import Endpoint
from balancer.http2.frames import PING, PREFACE, frame, goaway, settings
from balancer.listener import open_listeners
from balancer.persistence.memory import Memory
from balancer.reactor import Reactor
from balancer.service import FrontendService
from balancer.slots import HEARTBEAT_NS, OPEN, Counts, Layout, Slots
from balancer.standing import Place, Standing
from balancer.streams import Stream
from balancer.testing import ListeningPeer, closed_endpoint, config_for, settle


async def echo(service: FrontendService, stream: Stream) -> None:
    """Like an http relay: idle until something comes, and after an answer the connection ends if we drain."""
    while True:
        stream.idle = True
        data = await stream.receive()
        stream.idle = False
        await stream.send_all(data)
        if not data or service.draining:
            return


def end_of(client: socket.socket) -> str:
    try:
        return "closed" if client.recv(1) == b"" else "open"
    except ConnectionResetError:
        return "reset"


class House:
    """One engine with a tcp frontend and an upstream server."""

    def __init__(self, **frontend: Any) -> None:
        self.server = ListeningPeer()
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.endpoint = Endpoint("127.0.0.1", probe.getsockname()[1])
        self.config: BalancerConfig = config_for(
            {"one": self.server.endpoint, "two": self.server.endpoint}, listen=str(self.endpoint), **frontend
        )
        self.listeners = open_listeners(self.config.listeners())
        self.slots = Slots.create(self.config, 2)
        self.reactor = Reactor()
        self.engine = Engine(self.reactor, Slots.attach(self.config, 2, os.dup(self.slots.fd)), 1)
        self.clients: list[socket.socket] = []

    def apply(self) -> None:
        self.engine.apply(self.config, self.listeners)
        settle(self.reactor)

    def connect(self) -> socket.socket:
        client = socket.create_connection(("127.0.0.1", self.endpoint.port), 5)
        self.clients.append(client)
        settle(self.reactor)
        return client

    def close(self) -> None:
        for client in self.clients:
            client.close()
        self.engine.close()
        settle(self.reactor)
        for listening in self.listeners.values():
            listening.close()
        self.server.close()
        self.reactor.close()
        if self.engine.slots is not self.slots:
            self.engine.slots.close()
        self.slots.close()


@pytest.fixture
def house() -> Iterator[House]:
    house = House()
    yield house
    house.close()


def test_apply_serves(house: House) -> None:
    house.apply()
    client = house.connect()
    server = house.server.accept()
    client.sendall(b"through")
    settle(house.reactor)
    assert server.recv(100) == b"through"
    server.close()


def test_what_all_workers_have_open_is_limited() -> None:
    house = House(max_connections=3, limits=ClientLimits(connections=2))
    other = house.slots.limiter(0, "main", house.config.frontends["main"].limits)
    assert other is not None
    assert other.connect("127.0.0.1", 1.0) is None
    house.slots.frontend(0, "main").opened()
    house.apply()
    house.connect()
    assert end_of(house.connect()) == "reset"
    other.disconnect("127.0.0.1")
    house.slots.frontend(0, "main").add(OPEN, 1)
    house.connect()
    assert house.engine.snapshot().frontends["main"].open_here == 1
    house.slots.frontend(0, "main").add(OPEN, -1)
    house.engine.heartbeat()
    settle(house.reactor)
    assert house.engine.snapshot().frontends["main"].open_here == 2
    house.close()


def test_frontends_share_the_room_of_their_node() -> None:
    house = House(max_connections=100)
    more = replace(house.config.frontends["main"], listen=(Endpoint("127.0.0.1", 0),))
    with socket.create_server(("127.0.0.1", 0)) as second:
        other = Endpoint("127.0.0.1", second.getsockname()[1])
        house.config = replace(
            house.config,
            frontends={**house.config.frontends, "more": replace(more, listen=(other,))},
            max_connections=3,
        )
        house.slots.close()
        house.engine.slots.close()
        house.slots = Slots.create(house.config, 2)
        house.engine = Engine(house.reactor, Slots.attach(house.config, 2, os.dup(house.slots.fd)), 1)
        second.setblocking(False)
        house.engine.apply(house.config, {**house.listeners, other: second})
        settle(house.reactor)
        house.slots.frontend(0, "more").add(OPEN, 1)  # the other worker has one
        first, server = house.connect(), house.server.accept()
        with socket.create_connection(("127.0.0.1", other.port), 5):
            settle(house.reactor)
            assert [house.slots.frontend_counts(name).open for name in ("main", "more")] == [1, 2]
            house.connect()  # waits: the node is full
            assert house.slots.frontend_counts("main").open == 1
            first.close()
            server.close()
            settle(house.reactor)
            assert house.slots.frontend_counts("main").connections == 2
            with socket.create_connection(("127.0.0.1", other.port), 5):
                settle(house.reactor)
                assert house.slots.frontend_counts("more").open == 2
                house.config = replace(house.config, max_connections=None)
                reloaded(house, house.config)
                assert house.slots.frontend_counts("more").open == 3
        house.close()


def test_apply_forgets_what_a_predecessor_had_open(house: House) -> None:
    house.slots.frontend(1, "main").opened()
    house.slots.frontend(0, "main").opened()
    house.apply()
    assert house.slots.frontend_counts("main").open == 1


def test_health_directs_new_connections(house: House) -> None:
    house.apply()
    house.engine.set_standing("pool", "one", Standing(up=False))
    for _ in range(3):
        house.connect()
    counts = house.engine.snapshot().servers
    assert (counts["pool", "one"].connections, counts["pool", "two"].connections) == (0, 3)
    house.engine.set_standing("pool", "one", Standing())
    for _ in range(2):
        house.connect()
    assert house.engine.snapshot().servers["pool", "one"].connections == 1


def test_stand_by_resets_what_is_open_and_goes_on_listening(house: House) -> None:
    house.apply()
    client = house.connect()
    house.engine.stand_by("main")
    settle(house.reactor)
    with pytest.raises(ConnectionResetError):
        client.recv(1)
    assert not house.engine.snapshot().frontends["main"].active
    house.engine.activate("main")
    house.connect()
    assert house.engine.snapshot().frontends["main"].active
    assert house.engine.snapshot().frontends["main"].open_here == 1


def test_after_a_handover_connections_live_on_until_the_deadline(house: House) -> None:
    house.engine = Engine(house.reactor, house.slots, 1, relays={"tcp": echo})
    house.apply()
    idle, busy, answered = house.connect(), house.connect(), house.connect()
    house.engine.stand_by("main", lives_on=True)
    settle(house.reactor)
    snapshot = house.engine.snapshot().frontends["main"]
    assert (snapshot.active, snapshot.draining, snapshot.open_here) == (False, True, 3)
    answered.sendall(b"request")
    settle(house.reactor)
    assert answered.recv(100) == b"request"
    assert answered.recv(100) == b""
    still_queued = house.connect()
    still_queued.sendall(b"late")
    settle(house.reactor)
    assert still_queued.recv(100) == b"late"
    next(iter(house.engine._frontends["main"].acceptor.connections)).stream.idle = False  # one of the two is busy
    house.engine.stand_by("main")
    settle(house.reactor)
    assert sorted(map(end_of, (idle, busy))) == ["closed", "reset"]
    assert not house.engine.snapshot().frontends["main"].draining


def test_a_vip_that_comes_back_finds_its_connections_and_ends_the_drain(house: House) -> None:
    house.apply()
    client = house.connect()
    server = house.server.accept()
    house.engine.stand_by("main", lives_on=True)
    house.engine.activate("main")
    client.sendall(b"through")
    settle(house.reactor)
    assert server.recv(100) == b"through"
    snapshot = house.engine.snapshot().frontends["main"]
    assert (snapshot.active, snapshot.draining, snapshot.open_here) == (True, False, 1)
    server.close()


async def test_a_worker_that_stops_goes_on_draining_whatever_becomes_of_its_vips(house: House) -> None:
    house.apply()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(drive_from_trio, house.reactor)
        await house.engine.drain(1.0)
        nursery.cancel_scope.cancel()
    house.engine.stand_by("main", lives_on=True)
    house.engine.activate("main")
    assert house.engine.snapshot().frontends["main"].draining


def test_snapshot(house: House) -> None:
    house.apply()
    house.connect()
    snapshot = house.engine.snapshot()
    assert snapshot.frontends["main"].counts == Counts(1, 1, *[0] * 14)
    assert snapshot.frontends["main"].draining is False
    assert [server.name for server in snapshot.pools["pool"].servers] == ["one", "two"]
    assert snapshot.bugs == 0


def test_the_heartbeat_is_written_for_this_worker(house: House) -> None:
    house.apply()
    assert house.slots.worker(1).get(HEARTBEAT_NS) > 0
    assert house.slots.worker(0).get(HEARTBEAT_NS) == 0


async def test_drain_waits_for_what_is_open(house: House) -> None:
    house.apply()
    client = house.connect()
    server = house.server.accept()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(drive_from_trio, house.reactor)
        client.close()
        server.close()
        with trio.fail_after(60):
            await house.engine.drain(3600.0)
        nursery.cancel_scope.cancel()
    assert house.slots.frontend_counts("main").open == 0


async def test_drain_aborts_at_its_deadline(house: House) -> None:
    house.apply()
    client = house.connect()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(drive_from_trio, house.reactor)
        await house.engine.drain(0.05)
        nursery.cancel_scope.cancel()
    with pytest.raises(ConnectionResetError):
        client.recv(1)
    assert house.engine.snapshot().frontends["main"].draining


async def test_drain_closes_idle_connections_and_lets_a_request_finish(house: House) -> None:
    house.engine = Engine(house.reactor, house.slots, 1, relays={"tcp": echo})
    house.apply()
    idle, busy = house.connect(), house.connect()
    busy.sendall(b"request")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(drive_from_trio, house.reactor)
        await house.engine.drain(5.0)
        nursery.cancel_scope.cancel()
    assert idle.recv(1) == b""
    assert busy.recv(100) == b"request"
    assert busy.recv(100) == b""


async def test_after_drain_connections_wait_in_the_queue(house: House) -> None:
    house.apply()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(drive_from_trio, house.reactor)
        await house.engine.drain(1.0)
        nursery.cancel_scope.cancel()
    house.connect()
    assert house.slots.frontend_counts("main").connections == 0


@pytest.mark.parametrize(("on_down", "end"), [("keep", "open"), ("close", "reset")])
def test_connections_to_a_server_that_goes_down_go_on_or_end(house: House, on_down: Any, end: str) -> None:
    pool = house.config.pools["pool"]
    servers = {"one": pool.servers["one"]}
    house.config = replace(house.config, pools={"pool": replace(pool, servers=servers, on_down=on_down)})
    house.slots = Slots.create(house.config, 2)
    house.engine = Engine(house.reactor, house.slots, 1)
    house.apply()
    client = house.connect()
    server = house.server.accept()

    house.engine.set_standing("pool", "one", Standing(admin="maint"))
    settle(house.reactor)

    if end == "open":
        server.sendall(b"still here")
        settle(house.reactor)
    assert end_of(client) == end
    server.close()


def test_connections_to_backups_end_when_another_server_is_back_where_the_pool_says_so(house: House) -> None:
    pool = house.config.pools["pool"]
    servers = {"one": pool.servers["one"], "two": replace(pool.servers["two"], backup=True)}
    house.config = replace(house.config, pools={"pool": replace(pool, servers=servers, on_up="close_backups")})
    house.apply()
    house.engine.set_standing("pool", "one", Standing(up=False))
    client = house.connect()
    assert house.engine.snapshot().servers["pool", "two"].open == 1

    house.engine.set_standing("pool", "one", Standing())
    settle(house.reactor)

    assert end_of(client) == "reset"


def test_a_heartbeat_lets_servers_warm_up(house: House) -> None:
    pool = house.config.pools["pool"]
    house.config = replace(house.config, pools={"pool": replace(pool, slow_start_s=10.0)})
    house.apply()
    house.engine.set_standing("pool", "one", Standing(age_s=9.99))
    one = house.engine.snapshot().pools["pool"].servers[0]
    assert (one.weight, one.throttle_percent) == (1, 94)

    house.engine.set_standing("pool", "two", Standing(age_s=11.0))
    house.engine.heartbeat()

    assert house.engine.snapshot().pools["pool"].servers[1].throttle_percent == 100


def test_http2_is_offered_first_where_it_is_configured() -> None:
    listen = (Endpoint("127.0.0.1", 1),)
    assert list(alpn_relays(Frontend(listen=listen, pool="pool"))) == ["http/1.1"]
    assert list(alpn_relays(Frontend(listen=listen, pool="pool", http2=Http2()))) == ["h2", "http/1.1"]


def test_connections_of_http2_are_told_of_a_drain(house: House) -> None:
    frontend = replace(house.config.frontends["main"], mode="http", http2=Http2())
    house.config = replace(house.config, frontends={"main": frontend})
    house.apply()
    client = house.connect()
    client.sendall(PREFACE + settings({}))
    settle(house.reactor)
    house.engine.stand_by("main", lives_on=True)
    settle(house.reactor)
    assert client.recv(1000).endswith(goaway(2**31 - 1, 0) + frame(PING, 0, 0, b"draining"))


def test_datagrams_beside_connections_at_the_same_address() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server, socket.socket() as probe:
        server.bind(("127.0.0.1", 0))
        server.settimeout(60)
        probe.bind(("127.0.0.1", 0))
        where = Endpoint(*probe.getsockname())
        plain = config_for(
            {"one": Endpoint(*server.getsockname()), "two": closed_endpoint()}, mode="udp", listen=str(where)
        )
        config = replace(plain, frontends={**plain.frontends, "tcp": replace(plain.frontends["main"], mode="tcp")})
        probe.close()
        listeners = open_listeners(config.listeners())
        datagrams = {each: one for each, (one,) in open_datagram_sockets(config.datagram_listeners(), 1).items()}
        slots, reactor = Slots.create(config, 1), Reactor()
        engine = Engine(reactor, slots, 0)
        engine.apply(config, listeners, datagram_sockets=datagrams)
        settle(reactor)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.sendto(b"x", (where.host, where.port))
            settle(reactor)
            assert server.recv(10) == b"x"
            assert engine.snapshot().frontends["main"].open_here == 1
            engine.set_standing("pool", "one", Standing(up=False))
            settle(reactor)
            assert slots.server_counts("pool", "one").open == 0
            client.sendto(b"y", (where.host, where.port))
            settle(reactor)
            engine.stand_by("main")
            assert engine.snapshot().frontends["main"].open_here == 0
        engine.set_standing("pool", "one", Standing())
        engine.close()
        settle(reactor)
        for one in (*listeners.values(), *datagrams.values()):
            one.close()
        reactor.close()
        slots.close()


def test_flows_return_from_backups_where_the_pool_says_so() -> None:
    with socket.socket(type=socket.SOCK_DGRAM) as one, socket.socket(type=socket.SOCK_DGRAM) as spare:
        for server in (one, spare):
            server.bind(("127.0.0.1", 0))
            server.settimeout(60)
        where = closed_endpoint()
        plain = config_for({"one": Endpoint(*one.getsockname())}, mode="udp", listen=str(where))
        servers = dict(plain.pools["pool"].servers)
        servers["spare"] = Server(address=Endpoint(*spare.getsockname()), backup=True)
        pool = replace(plain.pools["pool"], servers=servers, on_up="close_backups")
        config = replace(plain, pools={"pool": pool})
        datagrams = {each: ours for each, (ours,) in open_datagram_sockets(config.datagram_listeners(), 1).items()}
        slots, reactor = Slots.create(config, 1), Reactor()
        engine = Engine(reactor, slots, 0)
        engine.apply(config, {}, datagram_sockets=datagrams)
        engine.set_standing("pool", "one", Standing(up=False))
        with socket.socket(type=socket.SOCK_DGRAM) as client:
            for server in (spare, one):
                client.sendto(b"x", (where.host, where.port))
                settle(reactor)
                data, flow = server.recvfrom(10)
                server.sendto(data, flow)
                settle(reactor)
                engine.set_standing("pool", "one", Standing())
        engine.close()
        settle(reactor)
        for ours in datagrams.values():
            ours.close()
        reactor.close()
        slots.close()


@pytest.mark.parametrize(("on_down", "end"), [("keep", "open"), ("close", "reset")])
def test_a_server_that_moves_is_reached_where_it_is(house: House, on_down: Any, end: str) -> None:
    pool = house.config.pools["pool"]
    servers = {"one": pool.servers["one"]}
    house.config = replace(house.config, pools={"pool": replace(pool, servers=servers, on_down=on_down)})
    house.slots = Slots.create(house.config, 2)
    house.engine = Engine(house.reactor, house.slots, 1)
    house.apply()
    client, old = house.connect(), house.server.accept()

    elsewhere = socket.create_server(("127.0.0.1", 0))
    place = Place(Endpoint("127.0.0.1", elsewhere.getsockname()[1]))
    house.engine.set_standing("pool", "one", Standing(place=place))
    settle(house.reactor)
    if end == "open":
        old.sendall(b"still here")
        settle(house.reactor)
    assert end_of(client) == end

    house.connect()
    elsewhere.settimeout(60)
    elsewhere.accept()[0].close()
    elsewhere.close()
    old.close()


def test_requests_wait_from_the_moment_that_a_server_is_limited(house: House) -> None:
    house.apply()
    pool = house.engine._pools["pool"]
    assert pool.room is None
    house.engine.set_standing("pool", "one", Standing(max_connections=1))
    assert pool.room is not None
    house.engine.set_standing("pool", "two", Standing(admin="maint"))
    house.connect()
    accepted = house.server.accept()
    house.connect()
    assert house.slots.queue_counts("pool").waiting == 1
    house.engine.set_standing("pool", "two", Standing())
    settle(house.reactor)
    assert house.slots.queue_counts("pool").waiting == 0
    assert house.slots.server_counts("pool", "two").open == 1
    accepted.close()


def test_two_engines_keep_one_limit_and_nobody_is_forgotten() -> None:
    house = House()
    servers = {"one": replace(house.config.pools["pool"].servers["one"], max_connections=2)}
    house.config = replace(house.config, pools={"pool": replace(house.config.pools["pool"], servers=servers)})
    house.slots.close()
    house.slots = Slots.create(house.config, 2)
    reactors = [house.reactor, Reactor()]
    engines = [Engine(reactor, house.slots, index) for index, reactor in enumerate(reactors)]
    house.engine = engines[0]
    clients = []
    for turn in range(8):
        engine, reactor = engines[turn % 2], reactors[turn % 2]
        if turn < 2:
            engine.apply(house.config, house.listeners)
        client = socket.create_connection(("127.0.0.1", house.endpoint.port), 5)
        client.sendall(b"%d" % turn)
        client.settimeout(60)
        clients.append(client)
        settle(reactor)
    served: list[bytes] = []
    most = 0
    gives_up_at = time.monotonic() + 10
    while len(served) < 8:
        assert time.monotonic() < gives_up_at
        for reactor in reactors:
            reactor.turn(0.01)
        most = max(most, house.slots.server_counts("pool", "one").open)
        with suppress(BlockingIOError):
            house.server.socket.setblocking(False)
            accepted, _ = house.server.socket.accept()
            accepted.settimeout(60)
            for reactor in reactors:
                settle(reactor)
            served.append(accepted.recv(10))
            accepted.close()
            clients[int(served[-1])].close()
    assert sorted(served) == [b"%d" % turn for turn in range(8)]
    assert most == 2
    for client in clients:
        client.close()
    for engine, reactor in zip(engines, reactors, strict=True):
        engine.close()
        settle(reactor)
    reactors[1].close()
    house.close()


# -- a reload -------------------------------------------------------------------------------------------------------


def reloaded(house: House, config: BalancerConfig, **sockets: Any) -> None:
    """Apply another configuration, with new slots where names are others, as a node does it."""
    slots = None
    if Layout.of(config, 2) != house.slots.layout:
        made = Slots.create(config, 2)
        made.take_over(house.slots, workers=2)
        slots = Slots.attach(config, 2, os.dup(made.fd))
        house.slots.close()
        house.slots = made
    house.engine.apply(config, sockets.get("listeners", {}), slots=slots)
    settle(house.reactor)


def test_a_reload_leaves_connections_counters_and_health(house: House) -> None:
    house.apply()
    house.engine.set_standing("pool", "two", Standing(up=False))
    client = house.connect()
    server = house.server.accept()
    pool = house.config.pools["pool"]
    servers = {"three": Server(address=house.server.endpoint), **pool.servers}
    reloaded(house, replace(house.config, pools={"pool": replace(pool, servers=servers)}))
    client.sendall(b"goes on")
    settle(house.reactor)
    assert server.recv(100) == b"goes on"
    assert house.slots.frontend_counts("main").open == 1
    assert house.slots.frontend_counts("main").connections == 1
    usable = {one.name: one.usable for one in house.engine.snapshot().pools["pool"].servers}
    assert usable == {"three": True, "one": True, "two": False}
    server.close()
    client.close()
    settle(house.reactor)
    assert house.slots.frontend_counts("main").open == 0


def test_a_server_that_left_gets_nothing_new_and_keeps_its_connection(house: House) -> None:
    house.apply()
    client = house.connect()
    server = house.server.accept()
    other = ListeningPeer()
    pool = Pool(servers={"new": Server(address=other.endpoint)})
    reloaded(house, replace(house.config, pools={"pool": pool}))
    client.sendall(b"still here")
    settle(house.reactor)
    assert server.recv(100) == b"still here"
    house.connect()
    other.accept().close()
    server.close()
    other.close()


def test_a_pool_may_lose_its_last_server_and_get_another_that_waits_in_maint(house: House) -> None:
    house.apply()
    before = house.config.pools["pool"]
    reloaded(house, replace(house.config, pools={"pool": replace(before, servers={})}))
    assert end_of(house.connect()) == "closed"
    new = Server(address=house.server.endpoint, disabled=True)
    reloaded(house, replace(house.config, pools={"pool": replace(before, servers={"new": new})}))
    assert end_of(house.connect()) == "closed"
    house.engine.set_standing("pool", "new", Standing())
    house.connect()
    house.server.accept().close()


def test_a_listen_address_that_left_is_closed_and_its_connections_go_on(house: House) -> None:
    house.apply()
    client = house.connect()
    server = house.server.accept()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        there = Endpoint("127.0.0.1", probe.getsockname()[1])
    frontend = replace(house.config.frontends["main"], listen=(there,))
    config = replace(house.config, frontends={"main": frontend})
    opened = open_listeners(config.listeners())
    reloaded(house, config, listeners=opened)
    assert house.listeners[house.endpoint].fileno() == -1
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", house.endpoint.port), 5)
    socket.create_connection(("127.0.0.1", there.port), 5).close()
    house.listeners = {**house.listeners, **opened}
    client.sendall(b"still here")
    settle(house.reactor)
    assert server.recv(100) == b"still here"
    server.close()


def test_a_frontend_that_left_drains(house: House) -> None:
    house.apply()
    client = house.connect()
    server = house.server.accept()
    reloaded(house, replace(house.config, frontends={}))
    client.sendall(b"still here")
    settle(house.reactor)
    assert server.recv(100) == b"still here"
    house.engine._leaving[0].leaves_at = house.reactor.now  # as after `drain`
    house.engine.heartbeat()
    settle(house.reactor)
    assert end_of(client) == "reset"
    house.engine.heartbeat()
    assert house.engine._leaving == []
    server.close()


def test_one_frontend_takes_over_the_listener_of_another_without_a_gap(house: House) -> None:
    house.apply()
    config = replace(house.config, frontends={"renamed": house.config.frontends["main"]})
    reloaded(house, config)
    house.connect()
    house.server.accept().close()
    assert set(house.engine.snapshot().frontends) == {"renamed"}
    assert house.listeners[house.endpoint].fileno() != -1


def test_limits_count_those_who_were_let_in_before(house: House) -> None:
    house.apply()
    first = ClientLimits(connections=2)
    frontend = replace(house.config.frontends["main"], limits=first)
    reloaded(house, replace(house.config, frontends={"main": frontend}))
    house.connect()
    frontend = replace(frontend, limits=replace(first, connections=1))
    reloaded(house, replace(house.config, frontends={"main": frontend}))
    assert end_of(house.connect()) == "reset"
    house.clients[0].close()
    settle(house.reactor)
    house.connect()
    assert house.engine.snapshot().frontends["main"].open_here == 1


def test_a_successor_listens_and_this_worker_no_more(house: House) -> None:
    house.apply()
    client = house.connect()
    server = house.server.accept()
    house.engine.leave_sockets()
    settle(house.reactor)
    assert house.listeners[house.endpoint].fileno() == -1
    client.sendall(b"still here")
    settle(house.reactor)
    assert server.recv(100) == b"still here"
    server.close()


def test_who_waits_for_a_server_waits_on_over_a_reload_and_gets_one_that_is_new(house: House) -> None:
    house.apply()
    house.engine.set_standing("pool", "one", Standing(max_connections=1))
    house.engine.set_standing("pool", "two", Standing(admin="maint"))
    house.connect()
    accepted = [house.server.accept()]
    house.connect()
    assert house.slots.queue_counts("pool").waiting == 1
    pool = house.config.pools["pool"]
    later = replace(pool, queue=replace(pool.queue, timeout_s=50.0))
    reloaded(house, replace(house.config, pools={"pool": later}))
    assert house.slots.queue_counts("pool").waiting == 1
    servers = {**pool.servers, "three": Server(address=house.server.endpoint)}
    reloaded(house, replace(house.config, pools={"pool": replace(later, servers=servers)}))
    accepted.append(house.server.accept())
    assert house.slots.queue_counts("pool").waiting == 0
    assert house.slots.server_counts("pool", "three").open == 1
    assert house.slots.server_counts("pool", "one").open == 1
    for one in (*accepted, *house.clients):
        one.close()
    settle(house.reactor)
    assert house.slots.server_counts("pool", "one").open == 0


def test_clients_belong_to_servers_where_a_pool_says_so() -> None:
    house = House()
    sticky = PersistenceSettings(source=SourceSettings(expiry_s=60.0))
    pools = {"pool": replace(house.config.pools["pool"], persistence=sticky)}
    house.config = replace(house.config, pools=pools)
    memory = Memory(b"", lambda: house.reactor.now, lambda: 1e9)
    house.engine = Engine(house.reactor, house.slots, 1, memory=memory)
    house.apply()
    for _ in range(3):
        house.connect()
        house.server.accept().close()
        settle(house.reactor)
    assert house.slots.server_counts("pool", "one").connections == 3
    [client] = memory.tables["pool"].entries()
    assert (client.client, client.server) == ("127.0.0.1", "one")
    house.close()
