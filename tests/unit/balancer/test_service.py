"""What a relay is given."""

from collections.abc import Iterator

import pytest

from balancer.config import BalancerConfig, Frontend, Route
from balancer.fieldtypes import Endpoint
from balancer.reactor import Reactor
from balancer.service import FrontendService
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
    frontend = Frontend(listen=(Endpoint("127.0.0.1", 1),), routes=(Route(pool="pool", path="/v1/*"),))
    config = BalancerConfig(frontends={"main": frontend}, pools=config.pools)
    slots = Slots.create(config, 1)
    assert service_for(reactor, config, slots).default_pool is None
    slots.close()
