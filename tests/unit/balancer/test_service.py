"""What a relay is given."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from balancer.config import BalancerConfig, Frontend, Pool, PoolTimeouts, Route, Server
from balancer.fieldtypes import Endpoint
from balancer.reactor import Reactor
from balancer.service import FrontendService, PoolService
from balancer.slots import OPEN, Slots
from balancer.testing import config_for, service_for, settle, stream_pair
from balancer.upstream import Upstream

SERVERS = {"one": Endpoint("192.0.2.1", 80), "two": Endpoint("192.0.2.2", 80)}


@pytest.fixture
def service(reactor: Reactor) -> Iterator[FrontendService]:
    config = config_for(SERVERS)
    slots = Slots.create(config, 1)
    yield service_for(reactor, config, slots)
    slots.close()


def test_a_pool_chooses_names_and_counts(service: FrontendService) -> None:
    pool = service.pools["pool"]
    assert service.default_pool is pool
    assert {pool.choose(), pool.choose()} == {"one", "two"}
    assert pool.choose(("one",)) == "two"
    assert pool.choose(("one", "two")) is None
    assert pool.endpoint("two") == Endpoint("192.0.2.2", 80)
    pool.counters("two").add(OPEN)
    assert pool.counters("two").get(OPEN) == 1
    assert pool.counters("one").get(OPEN) == 0


@pytest.mark.parametrize(("connect_s", "rest_s"), [(5.0, 1.0), (0.2, 0.2)])
def test_how_often_and_how_soon_there_is_another_attempt(reactor: Reactor, connect_s: float, rest_s: float) -> None:
    config = config_for(SERVERS)
    pool = replace(config.pools["pool"], retries=1, timeouts=PoolTimeouts(connect_s=connect_s))
    slots = Slots.create(config, 1)
    running = service_for(reactor, replace(config, pools={"pool": pool}), slots).pools["pool"]
    assert running.may_try(["one"])
    assert not running.may_try(["one", "two"])
    assert running.rest_s == rest_s
    slots.close()


def test_kept_connections_are_closed_for_one_server_or_all(service: FrontendService, reactor: Reactor) -> None:
    pool = service.pools["pool"]
    pairs = {server: stream_pair(reactor) for server in SERVERS}
    settle(reactor)
    for server, (kept, _) in pairs.items():
        pool.kept[server].keep(Upstream(pool.kept[server], server, pool.counters(server), kept))
    pool.close_kept("one")
    assert (pairs["one"][0].closed, pairs["two"][0].closed) == (True, False)
    pool.close_kept()
    assert pairs["two"][0].closed
    for _, far in pairs.values():
        far.close()
    settle(reactor)


def test_a_frontend_of_routes_alone_has_no_default_pool(reactor: Reactor) -> None:
    config = config_for(SERVERS)
    frontend = Frontend(listen=(Endpoint("127.0.0.1", 1),), routes=(Route(pool="pool", path=("/v1/*",)),))
    config = BalancerConfig(frontends={"main": frontend}, pools=config.pools)
    slots = Slots.create(config, 1)
    assert service_for(reactor, config, slots).default_pool is None
    slots.close()


def chain(reactor: Reactor) -> tuple[Slots, dict[str, PoolService]]:
    """Pools a, b and c; a falls back on b, b on c."""
    pools = {
        name: Pool(servers={f"{name}1": Server(address=Endpoint("192.0.2.1", 80))}, fallback=other, policy=policy)
        for name, other, policy in (("a", "b", "round_robin"), ("b", "c", "round_robin"), ("c", None, "source_hash"))
    }
    config = BalancerConfig(frontends={"main": Frontend(listen=(Endpoint("127.0.0.1", 1),), pool="a")}, pools=pools)
    slots = Slots.create(config, 1)
    return slots, service_for(reactor, config, slots).pools


def test_pools_fall_back_in_order_and_know_whether_the_last_one_reads_requests(reactor: Reactor) -> None:
    slots, pools = chain(reactor)
    slots.close()

    b = pools["a"].fallback
    assert b is not None
    assert b.fallback is not None
    assert (pools["a"].name, b.name, b.fallback.name, b.fallback.fallback) == ("a", "b", "c", None)
    assert (pools["a"].reads_request, b.reads_request) == (True, True)


def test_only_a_pool_that_may_have_to_end_connections_remembers_them(reactor: Reactor) -> None:
    servers = {name: Server(address=endpoint) for name, endpoint in SERVERS.items()}
    pools = {"keep": Pool(servers=servers), "pool": Pool(servers=servers, on_down="close")}
    config = BalancerConfig(frontends={"main": Frontend(listen=(Endpoint("127.0.0.1", 1),), pool="pool")}, pools=pools)
    slots = Slots.create(config, 1)
    services = service_for(reactor, config, slots).pools
    (one, far), (two, far_two), (three, far_three) = stream_pair(reactor), stream_pair(reactor), stream_pair(reactor)
    services["pool"].connected("one", one)
    services["pool"].connected("two", two)
    services["keep"].connected("one", three)

    services["pool"].abort_connections("one")
    services["keep"].abort_connections("one")

    assert [stream.closed for stream in (one, two, three)] == [True, False, False]
    for stream in (two, three, far, far_two, far_three):
        stream.close()
    settle(reactor)
    slots.close()


def test_connections_that_have_ended_are_forgotten(reactor: Reactor) -> None:
    servers = {name: Server(address=endpoint) for name, endpoint in SERVERS.items()}
    config = BalancerConfig(
        frontends={"main": Frontend(listen=(Endpoint("127.0.0.1", 1),), pool="pool")},
        pools={"pool": Pool(servers=servers, on_up="close_backups")},
    )
    slots = Slots.create(config, 1)
    pool = service_for(reactor, config, slots).pools["pool"]
    for _ in range(40):
        near, far = stream_pair(reactor)
        pool.connected("one", near)
        near.close()
        far.close()
        settle(reactor)

    assert pool.remembered("one") < 20
    slots.close()


def test_who_has_to_be_told_of_a_drain_is_told(reactor: Reactor) -> None:
    config = config_for(SERVERS)
    slots = Slots.create(config, 1)
    service, told = service_for(reactor, config, slots), []
    service.told_of_drain.add(lambda: told.append((service.draining, service.stopping)))
    service.drain()
    service.drain(stopping=True)
    service.drain()
    assert told == [(True, False), (True, True), (True, True)]
    slots.close()


def test_a_connection_to_where_a_server_was_is_never_used_again(service: FrontendService, reactor: Reactor) -> None:
    pool = service.pools["pool"]
    (idle, far), (busy, far_too) = stream_pair(reactor), stream_pair(reactor)
    settle(reactor)
    used = Upstream(pool.kept["one"], "one", pool.counters("one"), busy)
    pool.kept["one"].keep(Upstream(pool.kept["one"], "one", pool.counters("one"), idle))

    pool.counters("one").add(OPEN)
    pool.server_moved("one")
    used.reusable = True
    used.end()

    assert idle.closed
    assert pool.moves == 1
    assert pool.kept["one"].take() is None
    far.close()
    far_too.close()
    settle(reactor)
