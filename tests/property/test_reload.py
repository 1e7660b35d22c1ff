"""Whatever two files say, what `diff` finds makes one of the other, and a worker that goes on is as one that starts."""

import os
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from balancer.config import BalancerConfig, ClientLimits, Frontend, FrontendTimeouts, Pool, Server
from balancer.config_pools import Policy
from balancer.engine import Engine
from balancer.fieldtypes import Endpoint
from balancer.listener import open_listeners
from balancer.reactor import Reactor
from balancer.slots import Layout, Slots
from balancer.testing import settle
from hapair.config.types import HapairFile, PairSection
from hapair.reload.diff import apply, diff
from tests.peers.programs import free_port

PORTS = [free_port() for _ in range(4)]
NAMES = ("a", "b", "c")
POLICIES: tuple[Policy, ...] = ("round_robin", "least_connections", "first", "source_hash")
SERVERS = st.dictionaries(
    st.sampled_from(("one", "two", "three", "four")),
    st.builds(
        Server,
        address=st.builds(Endpoint, st.sampled_from(("192.0.2.1", "192.0.2.2")), st.sampled_from((80, 81))),
        weight=st.integers(0, 3),
        max_connections=st.sampled_from((None, 1, 5)),
        backup=st.booleans(),
    ),
    min_size=1,
)
POOLS = st.dictionaries(
    st.sampled_from(NAMES), st.builds(Pool, servers=SERVERS, policy=st.sampled_from(POLICIES)), min_size=1
)


@st.composite
def configs(draw: Any) -> BalancerConfig:
    pools = draw(POOLS)
    frontends = {}
    ports = draw(st.permutations(PORTS))
    for name in draw(st.sets(st.sampled_from(("x", "y", "z")))):
        listen = tuple(Endpoint("127.0.0.1", ports.pop()) for _ in range(1))
        frontends[name] = Frontend(
            listen=listen,
            pool=draw(st.sampled_from(sorted(pools))),
            mode=draw(st.sampled_from(("tcp", "http"))),
            timeouts=FrontendTimeouts(idle_s=draw(st.sampled_from((5.0, 50.0)))),
            limits=ClientLimits(connections=draw(st.sampled_from((None, 7)))),
        )
    return BalancerConfig(frontends=frontends, pools=pools, drain_s=draw(st.sampled_from((1.0, 9.0))))


def file_of(config: BalancerConfig) -> HapairFile:
    pair = PairSection(nodes={"a": "192.0.2.11"})
    return HapairFile(pair=pair, frontends=config.frontends, pools=config.pools, drain_s=config.drain_s)


@given(configs(), configs())
def test_the_changes_make_one_file_of_the_other(one: BalancerConfig, other: BalancerConfig) -> None:
    before, after = file_of(one), file_of(other)
    changes = diff(before, after)
    made = apply(before, changes)
    assert made == after
    assert [list(pool.servers) for pool in made.pools.values()] == [list(pool.servers) for pool in after.pools.values()]
    assert bool(changes) == (repr(before) != repr(after))
    assert all(str(change) for change in changes)


def seen(engine: Engine) -> Any:
    """What clients can notice of how an engine is configured."""
    frontends = {
        name: (running.service.config, running.service.pools.keys(), running.service.limiter is None)
        for name, running in engine._frontends.items()
    }
    listening = {name: len(running.acceptor._loops) for name, running in engine._frontends.items()}  # type: ignore[union-attr]
    pools = engine.snapshot().pools
    chosen = {name: pool.choose() for name, pool in engine._pools.items() if pool.config.policy == "first"}
    return frontends, listening, pools, chosen, sorted(map(str, engine._sockets))


@pytest.mark.parametrize("workers", [1, 2])
@given(steps=st.lists(configs(), min_size=2, max_size=4))
@settings(max_examples=40, deadline=None)
def test_after_reloads_a_worker_is_as_one_that_was_started_with_the_last_file(
    workers: int, steps: list[BalancerConfig]
) -> None:
    reactor = Reactor()
    slots = Slots.create(steps[0], workers)
    engine = Engine(reactor, Slots.attach(steps[0], workers, os.dup(slots.fd)), 0)
    listeners: dict[Endpoint, Any] = {}
    for step in steps:
        wanted = step.listeners()
        listeners = {one: sock for one, sock in listeners.items() if one in wanted}
        new = open_listeners([one for one in wanted if one not in listeners])
        listeners |= new
        others = None
        if Layout.of(step, workers) != slots.layout:
            made = Slots.create(step, workers)
            made.take_over(slots, workers=workers)
            slots.close()
            slots, others = made, Slots.attach(step, workers, os.dup(made.fd))
        engine.apply(step, new, slots=others)
        settle(reactor)
    reloaded = seen(engine)
    engine.close()
    settle(reactor)
    fresh = Engine(reactor, slots, 0)
    fresh.apply(steps[-1], listeners)
    settle(reactor)
    assert reloaded == seen(fresh)
    fresh.close()
    settle(reactor)
    for one in listeners.values():
        one.close()
    engine.slots.close()
    slots.close()
    reactor.close()
