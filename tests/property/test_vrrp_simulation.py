"""Pairs and triples under seeded faults: see vrrp/simulation.py for what must hold.

As many events as HAPAIR_SIMULATED_EVENTS says: 10^5 by default; `make test-long` plays 10^8.
"""

import os
import time
from collections import deque
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing
from dataclasses import replace

import pytest

from vrrp.events import AdvertReceived, DeadlineReached, LoopLate, PeerLost, Reconfigured
from vrrp.router import VirtualRouter
from vrrp.simulation import Simulation, Violated, random_plan, script
from vrrp.states import Active, Backup

EVENTS = int(os.environ.get("HAPAIR_SIMULATED_EVENTS", "100000"))
LONG = EVENTS > 1_000_000
SEEDS_IN_A_PIECE = 50


def play(first_seed):
    """Events of a piece's seeds, and what broke."""
    events, broken = 0, []
    for seed in range(first_seed, first_seed + SEEDS_IN_A_PIECE):
        try:
            events += Simulation(random_plan(seed)).run()
        except Violated as violated:
            broken.append(f"seed {seed}: {violated}")
    return events, broken


def pieces():
    """Pieces, one after another; in the long mode on every core, no more than a few ahead of who takes them."""
    firsts = range(0, 100_000_000, SEEDS_IN_A_PIECE)
    if not LONG:
        yield from map(play, firsts)
        return
    with ProcessPoolExecutor() as pool:
        coming = iter(firsts)
        ahead = deque(pool.submit(play, next(coming)) for _ in range(4 * (os.cpu_count() or 1)))
        try:
            while True:
                yield ahead.popleft().result()
                ahead.append(pool.submit(play, next(coming)))
        finally:
            pool.shutdown(cancel_futures=True)


class Progress:
    """Every ten seconds of the long mode: how far, how fast, how long still."""

    def __init__(self):
        self.began = self.said = time.monotonic()

    def __call__(self, events):
        now = time.monotonic()
        if not LONG or (now < self.said + 10 and events < EVENTS):
            return
        self.said = now
        rate = events / (now - self.began)
        left_s = max(0.0, EVENTS - events) / rate
        print(f"{events:>12,} of {EVENTS:,} events, {rate:,.0f} a second, {left_s / 60:.0f} min left", flush=True)


@pytest.mark.timeout(0 if LONG else 120)
def test_invariants_hold():
    events, tell = 0, Progress()
    with closing(pieces()) as played:
        for more, broken in played:
            assert not broken, broken[0]
            events += more
            tell(events)
            if events >= EVENTS:
                break
    assert events >= EVENTS


class Deaf(VirtualRouter):
    """Never hears of its own pauses."""

    def handle(self, event, now):
        return () if isinstance(event, LoopLate) else super().handle(event, now)


class Stubborn(VirtualRouter):
    """Active once, Active for ever."""

    def handle(self, event, now):
        if isinstance(self.state, Active) and isinstance(event, AdvertReceived):
            return ()
        return super().handle(event, now)


class Lazy(VirtualRouter):
    """Never takes over."""

    def handle(self, event, now):
        if isinstance(self.state, Backup) and isinstance(event, DeadlineReached | PeerLost):
            self._watch(now, 100, "whatever")
            return ()
        return super().handle(event, now)


class Restless(VirtualRouter):
    """Gives up now and then, for no reason at all."""

    turns = 0

    def handle(self, event, now):
        Restless.turns += 1
        if isinstance(self.state, Active) and Restless.turns % 1000 == 0:
            return self._yield(now, 10, "boredom")
        return super().handle(event, now)


class Fresh(VirtualRouter):
    """Begins anew with another configuration."""

    def handle(self, event, now):
        if isinstance(self.state, Active) and isinstance(event, Reconfigured):
            super().handle(event, now)
            return self._yield(now, 10, "other values")
        return super().handle(event, now)


class Slow(VirtualRouter):
    """Goes by a longer interval before anybody can have heard of it."""

    def handle(self, event, now):
        effects = super().handle(event, now)
        if isinstance(self.state, Active) and isinstance(event, Reconfigured):
            self.state = replace(self.state, adver_at=now + self._interval, brisk_until=now)
        return effects


@pytest.mark.parametrize(
    ("wrong", "what"),
    [
        pytest.param(Deaf, "goes on as Active", id="a paused router goes on"),
        pytest.param(Stubborn, "Active on the sides", id="two stay Active"),
        pytest.param(Lazy, "[0] routers are Active", id="nobody takes over"),
        pytest.param(Fresh, "was Active and is Backup, for a configuration", id="a reload moves it"),
        pytest.param(Slow, "advertises later, for a configuration", id="a reload makes adverts pause"),
        pytest.param(Restless, "moved without a cause", id="it oscillates"),
    ],
)
def test_a_wrong_machine_is_found_out(wrong, what):
    said = []
    for seed in range(60):
        try:
            Simulation(random_plan(seed), wrong).run()
        except Violated as violated:
            said.append(str(violated))
    assert any(what in one for one in said)


def test_the_script_plays_the_same_run_again():
    plan = random_plan(7)
    first = Simulation(plan)
    first.run()
    names = {}
    source = script(plan).replace("Simulation(Plan(", "again = Simulation(Plan(").removesuffix(".run()")
    exec(source, names)
    names["again"].run()
    assert names["again"].history == first.history
    assert len(first.history) > 10
