"""Pools of hundreds of servers that fail, hang and come back as a seeded plan says, under a clock that jumps.

Two workers choose, one node checks, as in the program: checks and what follows from them are ours, the servers and the
network between are a model. What must hold, whatever happens: no request is lost or answered twice, nobody is chosen
who must not be, who dies is noticed in time, and who is back gets its share again.
"""

from collections import Counter
from dataclasses import dataclass, field, replace
from functools import partial
from random import Random
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from balancer.checks.probes import ProbeResult
from balancer.checks.runner import CheckRunner
from balancer.config import Check, Pool, Server
from balancer.fieldtypes import Endpoint
from balancer.observe import Streak
from balancer.policies import Request
from balancer.pool import PoolState
from balancer.serverstate import ServerState

SERVERS = 300
STEP_S = 0.1
STORM_S, CALM_S = 24.0, 16.0
REQUESTS_PER_STEP = 40
CHECK = Check(interval_s=2.0, fast_interval_s=0.5, timeout_s=1.0, rise=2, fall=3)
NOTICED_S = 2.0 * 1.05 + 3 * (0.5 * 1.05 + 1.0) + STEP_S
"""An interval, then `fall` probes that each may take their whole time."""
BACK_S = 2.0 * 1.05 + 2 * 0.5 * 1.05 + STEP_S


@dataclass
class Machine:
    """One server of the model."""

    state: str = "well"
    since: float = 0.0
    fragile: bool = False
    open: int = 0


@dataclass
class World:
    """Servers, requests, and what is counted of them."""

    random: Random
    pool: Pool
    machines: dict[str, Machine]
    ends: list[tuple[float, str]] = field(default_factory=list)
    begun: int = 0
    answered: Counter[int] = field(default_factory=Counter)
    failed: set[int] = field(default_factory=set)
    attempts: Counter[str] = field(default_factory=Counter)
    homes: dict[str, set[str]] = field(default_factory=dict)
    late: list[str] = field(default_factory=list)
    streaks: dict[str, Streak] = field(default_factory=dict)
    """By server, where real traffic is observed."""

    async def probe(self, pool: str, server: str, check: Check, endpoint: Endpoint, preamble: bytes) -> ProbeResult:
        machine = self.machines[server]
        if machine.state == "hangs":
            await trio.sleep(check.timeout_s)
            return ProbeResult(False, "timeout", check.timeout_s)
        await trio.sleep(0.001)
        return ProbeResult(machine.state == "well", machine.state, 0.001)

    def storm(self, now: float) -> None:
        """Some fail, some come back."""
        for name in self.random.sample(list(self.machines), 6):
            machine = self.machines[name]
            if machine.fragile:
                machine.state = self.random.choice(["well", "dead", "hangs", "answers 503"])
                machine.since = now

    def clear_up(self, now: float) -> None:
        for machine in self.machines.values():
            if machine.state != "well":
                machine.state, machine.since = "well", now

    def request(self, state: PoolState, now: float) -> None:
        """One request to its end: as many attempts as the pool allows."""
        number, self.begun = self.begun, self.begun + 1
        client = f"10.0.{self.random.randrange(8)}.{self.random.randrange(250)}"
        tried: list[str] = []
        while len(tried) <= self.pool.retries:
            server = state.choose(tried, Request(client, b"/" + client.encode()))
            if server is None:
                break
            self._check_choice(state, server, tried, now)
            machine = self.machines[server]
            self.attempts[server] += 1
            if machine.state == "well":
                machine.open += 1
                self.ends.append((now + self.random.expovariate(1 / 0.8), server))
                self.answered[number] += 1
                self.homes.setdefault(client, set()).add(server)
                if server in self.streaks:
                    self.streaks[server].succeed()
                return
            if server in self.streaks:
                self.streaks[server].fail("connection failed")
            tried.append(server)
        self.failed.add(number)

    def _check_choice(self, state: PoolState, server: str, tried: list[str], now: float) -> None:
        config, machine = self.pool.servers[server], self.machines[server]
        assert server not in tried
        assert state.standing(server).in_service
        assert config.max_connections is None or machine.open < config.max_connections
        if machine.state != "well" and now - machine.since > NOTICED_S:
            self.late.append(f"{server} {machine.state} for {now - machine.since:.1f} s")

    def end_some(self, now: float) -> None:
        for _, server in (done := [one for one in self.ends if one[0] <= now]):
            self.machines[server].open -= 1
        self.ends = [one for one in self.ends if one not in done]


def world_of(policy: Any, seed: int, check: Check = CHECK) -> World:
    random = Random(seed)
    servers = {
        f"s{number}": Server(
            address=Endpoint("192.0.2.1", 80),
            weight=random.choice([1, 1, 2]),
            max_connections=random.choice([None, None, 8]),
            backup=number >= SERVERS - 5,
        )
        for number in range(SERVERS)
    }
    machines = {name: Machine(fragile=random.random() < 0.6) for name in servers}
    return World(random, Pool(servers=servers, policy=policy, check=check), machines)


async def run(world: World) -> tuple[CheckRunner, list[PoolState], Counter[str]]:
    """A storm, then calm; and the attempts of the calm's second half."""
    workers = [
        PoolState(world.pool, lambda name: world.machines[name].open, chance=Random(worker).random)
        for worker in range(2)
    ]

    def changed(pool: str, server: str, before: ServerState, after: ServerState) -> None:
        for state in workers:
            state.set_standing(server, after.standing(trio.current_time()), trio.current_time())

    checks = CheckRunner({"web": world.pool}, changed, seed=5, probe=world.probe)
    check = world.pool.check
    if check is not None and check.observe is not None:
        told = checks.errors_observed
        world.streaks = {name: Streak(check.error_limit, partial(told, "web", name)) for name in world.machines}
    async with trio.open_nursery() as nursery:
        nursery.start_soon(checks.run)
        steps = round((STORM_S + CALM_S) / STEP_S)
        for step in range(steps):
            await trio.sleep(STEP_S)
            now = trio.current_time()
            world.end_some(now)
            if step * STEP_S < STORM_S:
                world.storm(now)
            elif step * STEP_S < STORM_S + STEP_S:
                world.clear_up(now)
            if step == steps - round(CALM_S / 2 / STEP_S):
                world.attempts.clear()
            for _ in range(REQUESTS_PER_STEP):
                world.request(world.random.choice(workers), now)
        nursery.cancel_scope.cancel()
    return checks, workers, world.attempts


OBSERVED = replace(CHECK, observe="layer4", error_limit=2, on_error="mark_down")


@pytest.mark.parametrize(
    ("policy", "check", "failed_at_most"),
    [
        ("round_robin", CHECK, 0.02),
        ("random", CHECK, 0.05),
        ("source_hash", CHECK, 0.02),
        # Who refuses connections has the fewest, and is asked first until a check has seen it: the fault of this policy
        # everywhere. To observe real traffic is the remedy.
        ("least_connections", CHECK, 0.25),
        ("least_connections", OBSERVED, 0.02),
    ],
)
async def test_a_pool_in_a_storm(autojump_clock: MockClock, policy: str, check: Check, failed_at_most: float) -> None:
    world = world_of(policy, 1, check)

    checks, workers, calm = await run(world)

    assert world.begun == 16_000
    assert set(world.answered.values()) == {1}
    assert len(world.answered) + len(world.failed) == world.begun
    assert set(world.answered) & world.failed == set()
    assert len(world.failed) <= world.begun * failed_at_most
    assert world.late == []
    assert all(one.up for one in checks.snapshot()["web"].values())
    assert all(state.standing(name).up for state in workers for name in world.machines)
    open_now = Counter(server for _, server in world.ends)
    assert {name: machine.open for name, machine in world.machines.items() if machine.open} == dict(open_now)
    _check_shares(world, policy, calm)


def _check_shares(world: World, policy: str, calm: Counter[str]) -> None:
    """In the calm everybody has its share again, and the backups nothing."""
    regular = {name: server for name, server in world.pool.servers.items() if not server.backup}
    assert set(calm) <= set(regular)
    if policy in ("round_robin", "least_connections"):
        per_weight = [calm[name] / server.weight for name, server in regular.items() if server.max_connections is None]
        assert min(per_weight) > 0.4 * sum(per_weight) / len(per_weight)
        assert set(calm) == set(regular)


async def test_who_never_failed_keeps_its_clients(autojump_clock: MockClock) -> None:
    """By a hash: a client of a server that was well all the time has been nowhere else."""
    world = world_of("source_hash", 3)
    for name in world.pool.servers:
        world.pool.servers[name] = Server(address=Endpoint("192.0.2.1", 80))  # type: ignore[index]
    fresh = PoolState(world.pool, lambda name: 0)
    clients = [f"10.0.{high}.{low}" for high in range(8) for low in range(250)]
    homes = {client: fresh.choose((), Request(client)) for client in clients}

    await run(world)

    steady = [client for client, home in homes.items() if not world.machines[str(home)].fragile]
    assert len(steady) > 500
    assert all(world.homes.get(client, {str(homes[client])}) == {str(homes[client])} for client in steady)
