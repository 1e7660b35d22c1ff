"""Pairs and triples under seeded faults: see vrrp/simulation.py for what must hold.

As many events as HAPAIR_SIMULATED_EVENTS says: 10^5 by default; `make test-long` plays 10^8.
"""

import os
from concurrent.futures import ProcessPoolExecutor

import pytest

from vrrp.events import AdvertReceived, DeadlineReached, LoopLate, PeerLost
from vrrp.router import VirtualRouter
from vrrp.simulation import Simulation, Violated, random_plan, script
from vrrp.states import Active, Backup

EVENTS = int(os.environ.get("HAPAIR_SIMULATED_EVENTS", "100000"))
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
    """Pieces, one after another; in the long mode on every core."""
    if EVENTS <= 1_000_000:
        yield from map(play, range(0, 10_000_000, SEEDS_IN_A_PIECE))
        return
    with ProcessPoolExecutor() as pool:
        for first in range(0, 10_000_000, 20 * SEEDS_IN_A_PIECE):
            yield from pool.map(play, range(first, first + 20 * SEEDS_IN_A_PIECE, SEEDS_IN_A_PIECE))


@pytest.mark.timeout(0 if EVENTS > 1_000_000 else 120)
def test_invariants_hold():
    events = 0
    for played, broken in pieces():
        assert not broken, broken[0]
        events += played
        if events >= EVENTS:
            break
    print(f"{events} events")


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


@pytest.mark.parametrize(
    ("wrong", "what"),
    [
        pytest.param(Deaf, "goes on as Active", id="a paused router goes on"),
        pytest.param(Stubborn, "Active on the sides", id="two stay Active"),
        pytest.param(Lazy, "[0] routers are Active", id="nobody takes over"),
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
