"""What an engine is made of is made anew at a reload, but for what requests hold."""

import os
from collections.abc import Iterator
from dataclasses import replace
from ssl import SSLError

import pytest

from balancer.config import BalancerConfig, CertificateFiles, Check, FrontendTls, Pool, Server
from balancer.fieldtypes import Endpoint
from balancer.observe import ObservedCounters
from balancer.parts import OpenNow, Parts
from balancer.reactor import Reactor
from balancer.slots import CONNECTIONS, OPEN, Counters, Slots
from balancer.testing import config_for
from balancer.tls.material import Bundle, FrontendMaterial, Material

HERE = Endpoint("192.0.2.1", 80)
CONFIG = config_for({"one": HERE, "two": HERE})


@pytest.fixture
def slots() -> Iterator[Slots]:
    slots = Slots.create(CONFIG, 2)
    yield slots
    slots.close()


def test_counters_are_the_same_as_before_and_move_with_what_they_count(reactor: Reactor, slots: Slots) -> None:
    parts = Parts(reactor, Slots.attach(CONFIG, 2, os.dup(slots.fd)), 1)
    pool = parts.pool(CONFIG, "pool")
    counters = pool.counters("one")
    counters.opened()
    bigger = replace(CONFIG, pools={"another": CONFIG.pools["pool"], **CONFIG.pools})
    others = Slots.create(bigger, 3)
    duplicate = Slots.attach(bigger, 3, os.dup(others.fd))
    parts.move(duplicate)
    assert parts.pool(bigger, "pool", pool).counters("one") is counters
    counters.opened()
    assert others.server_counts("pool", "one").open == 2
    assert slots.server_counts("pool", "one").open == 1
    pool.become(parts.pool(bigger, "pool", pool), 1.0)
    assert pool.choose() in ("one", "two")
    duplicate.close()
    others.close()


def test_a_server_that_left_is_counted_by_who_still_has_connections_to_it(reactor: Reactor, slots: Slots) -> None:
    parts = Parts(reactor, slots, 0)
    pool = parts.pool(CONFIG, "pool")
    pool.counters("two").add(OPEN)
    smaller = config_for({"one": HERE})
    pool.become(parts.pool(smaller, "pool", pool), 1.0)
    assert {pool.choose() for _ in range(4)} == {"one"}
    assert pool.endpoint("two") == HERE
    pool.become(parts.pool(smaller, "pool", pool), 100.0)
    assert pool.counters("two").get(OPEN) == 1
    pool.counters("two").add(OPEN, -1)
    pool.become(parts.pool(smaller, "pool", pool), 101.0)
    with pytest.raises(KeyError):
        pool.counters("two")


def test_a_server_that_is_observed_from_now_on_has_counters_that_look(reactor: Reactor, slots: Slots) -> None:
    told: list[str] = []
    parts = Parts(reactor, slots, 0, on_errors=lambda pool, server, reason: told.append(server))
    plain = parts.pool(CONFIG, "pool")
    assert type(plain.counters("one")) is Counters
    watched = replace(CONFIG.pools["pool"], check=Check(observe="layer4", error_limit=2))
    observing = replace(CONFIG, pools={"pool": watched})
    pool = parts.pool(observing, "pool", plain)
    assert type(pool.counters("one")) is ObservedCounters
    pool.counters("one").add(CONNECTIONS)
    assert slots.server_counts("pool", "one").connections == 1


def test_what_is_open_is_asked_by_name() -> None:
    now = OpenNow()
    now.readers["one"] = lambda: 3
    assert now("one") == 3


def test_certificates_that_are_no_good_are_said_before_anything_is_changed(reactor: Reactor, slots: Slots) -> None:
    tls = FrontendTls(certificates=(CertificateFiles(certificate="a.pem"),))
    config = config_for({"one": HERE}, tls=tls)
    broken = Material(frontends={"main": FrontendMaterial(bundles=(Bundle(names=(), pem=b"no"),))})
    with pytest.raises(SSLError):
        Parts(reactor, slots, 0).secrets.after(config, broken, Material())


def test_of_what_is_gone_nothing_is_kept(reactor: Reactor, slots: Slots) -> None:
    parts = Parts(reactor, slots, 0)
    before = parts.pool(CONFIG, "pool").counters("one")
    parts.forget(BalancerConfig(frontends={}, pools={"other": Pool(servers={"x": Server(address=HERE)})}))
    assert parts._open_now == {}
    assert parts.pool(CONFIG, "pool").counters("one") is before  # its place in the slots is still there
