"""Queues under seeded storms: requests come and go, leave, servers flip, workers see it at different times.

The waiting rooms are the real ones, and so are the shared slots; only the clock is not. Whatever happens: each request
has one end, no server ever has more connections than it may, nothing is left counted, and who comes first to a worker
is served first there.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from random import Random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from balancer.causes import Cause
from balancer.config import BalancerConfig, Frontend, Pool, QueueSettings, Server
from balancer.fieldtypes import Endpoint
from balancer.pool import PoolState
from balancer.queue import IN_A_ROW
from balancer.reactor import Reactor
from balancer.service import PoolService
from balancer.slots import OPEN, Slots
from balancer.standing import Admin
from balancer.task import Task
from balancer.testing import FakeClock
from balancer.waiting import Unserved, open_room

STEP_S = 0.01
TIMEOUT_S = 2.0
SHARE = IN_A_ROW + 1


@dataclass(eq=False)
class Visit:
    """One request and what became of it."""

    number: int
    worker: int
    wanted: str | None
    came_at: float
    ends: list[str] = field(default_factory=list)
    served_at: float | None = None
    begun: bool = False
    task: Task[None] | None = None


class Storm:
    """So many workers before one pool of servers, each with so many places."""

    def __init__(self, seed: int, workers: int, places: list[int], **queue: Any) -> None:
        self.random = Random(seed)
        self.clock = FakeClock()
        servers = {
            f"s{n}": Server(address=Endpoint("192.0.2.1", 80), max_connections=count) for n, count in enumerate(places)
        }
        settings = {"timeout_s": TIMEOUT_S, "length": 50, "persistent_timeout_s": 1.0, **queue}
        pool = Pool(servers=servers, queue=QueueSettings(**settings))
        frontend = Frontend(listen=(Endpoint("127.0.0.1", 1),), pool="pool")
        config = BalancerConfig(frontends={"main": frontend}, pools={"pool": pool})
        self.places = dict(zip(servers, places, strict=True))
        self.slots = Slots.create(config, workers)
        self.reactors = [Reactor(clock=self.clock) for _ in range(workers)]
        self.pools = [self._pool(pool, index) for index in range(workers)]
        self.visits: list[Visit] = []
        self.given: list[Visit] = []

    def _pool(self, config: Pool, index: int) -> PoolService:
        slots = self.slots
        state = PoolState(config, lambda server: slots.server_counts("pool", server).open, chance=self.random.random)
        counters = {server: slots.server(index, "pool", server) for server in config.servers}
        pool = PoolService("pool", config, state, counters)
        open_room(pool, slots, index, self.reactors[index])
        return pool

    def come(self, worker: int, hold_s: float, wanted: str | None = None) -> Visit:
        visit = Visit(len(self.visits), worker, wanted, self.clock.now)
        self.visits.append(visit)
        visit.task = self.reactors[worker].spawn(self._visit(visit, hold_s))
        return visit

    async def _visit(self, visit: Visit, hold_s: float) -> None:
        pool, reactor = self.pools[visit.worker], self.reactors[visit.worker]
        room, wanted, visit.begun = pool.room, visit.wanted, True
        assert room is not None
        try:
            if wanted is not None and not pool.state.takes_persistent(wanted):
                wanted = None
            server = room.admit(None, (), wanted) or await room.wait(None, (), wanted=wanted)
        except Unserved as unserved:
            visit.ends.append("late" if unserved.cause is Cause.QUEUE_TIMEOUT else "refused")
            return
        except BaseException:
            visit.ends.append("left")
            raise
        visit.ends.append("none" if server is None else "served")
        if server is None:
            return
        visit.served_at = reactor.now
        self.given.append(visit)
        self.check()
        try:
            await reactor.sleep_until(reactor.now + hold_s)
        finally:
            pool.counters(server).add(OPEN, -1)

    def flip(self, server: str, *, up: bool, admin: Admin) -> None:
        """Workers are told at different times; here one after the other, with turns in between."""
        for index in self.random.sample(range(len(self.pools)), len(self.pools)):
            pool = self.pools[index]
            pool.state.set_health(server, up)
            pool.state.set_admin(server, admin)
            assert pool.room is not None
            pool.room.look_again()
            self.turn()

    def turn(self) -> None:
        for reactor in self.random.sample(self.reactors, len(self.reactors)):
            reactor.turn()
            self.check()

    def step(self) -> None:
        self.clock.now += STEP_S
        self.turn()

    def check(self) -> None:
        for server, places in self.places.items():
            assert self.slots.server_counts("pool", server).open <= places

    def finish(self, seconds: float) -> None:
        """Until all have ended; then nothing may be left."""
        for _ in range(round(seconds / STEP_S)):
            self.step()
        assert [len(visit.ends) for visit in self.visits] == [1] * len(self.visits)
        assert sum(self.slots.server_counts("pool", server).open for server in self.places) == 0
        for server in ("", *self.places):
            assert self.slots.queue_counts("pool", server).waiting == 0
        for reactor in self.reactors:
            assert reactor.bugs.count == 0
            reactor.close()
        self.slots.close()

    def ends(self) -> Counter[str]:
        return Counter(visit.ends[0] for visit in self.visits)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 1 << 30), st.integers(1, 3), st.lists(st.integers(1, 3), min_size=1, max_size=4))
def test_each_request_has_one_end_whatever_happens(seed: int, workers: int, places: list[int]) -> None:
    storm = Storm(seed, workers, places)
    random = storm.random
    for _ in range(200):
        for _ in range(random.choice((0, 0, 1, 3))):
            wanted = random.choice((None, None, *storm.places))
            storm.come(random.randrange(workers), random.choice((0.0, 0.02, 0.1, 0.3)), wanted)
        if random.random() < 0.05:
            server = random.choice(list(storm.places))
            admin: Admin = random.choice(("ready", "ready", "drain", "maint"))
            storm.flip(server, up=random.random() < 0.7, admin=admin)
        if storm.visits and random.random() < 0.1:
            leaver = random.choice(storm.visits)
            if leaver.begun and leaver.task is not None:
                leaver.task.cancel()
        storm.step()
    waited = [visit.served_at - visit.came_at for visit in storm.given if visit.served_at is not None]
    assert max(waited, default=0.0) <= TIMEOUT_S + 0.1
    storm.finish(TIMEOUT_S + 1.0)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 1 << 30), st.integers(1, 3))
def test_who_comes_first_to_a_worker_is_served_first_there(seed: int, workers: int) -> None:
    storm = Storm(seed, workers, [1, 2], length=1000)
    random = storm.random
    for _ in range(150):
        if random.random() < 0.6:
            storm.come(random.randrange(workers), random.choice((0.02, 0.05, 0.1)))
        storm.step()
    storm.finish(TIMEOUT_S + 1.0)
    for worker in range(workers):
        served_at = [visit.served_at for visit in storm.visits if visit.worker == worker and visit.served_at]
        assert served_at == sorted(served_at)


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 1 << 30), st.integers(2, 3))
def test_no_worker_starves_beside_a_busy_one(seed: int, workers: int) -> None:
    """One worker has somebody waiting all the time, and frees each place; what comes to others has its turn."""
    storm = Storm(seed, workers, [1], length=1000)
    random = storm.random
    for _ in range(10):
        storm.come(0, 0.04)
    for number in range(400):
        if number % 5 == 0:
            storm.come(0, 0.04)  # the wheel makes 0.05 of it: as much as the server can do
        if number % 40 == 0:
            storm.come(random.randrange(1, workers), 0.04)
        storm.step()
    storm.finish(TIMEOUT_S + 1.0)
    others = [visit for visit in storm.visits if visit.worker]
    assert len(others) == 10
    assert all(visit.ends == ["served"] for visit in others)


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 1 << 30))
def test_persistent_requests_come_first_and_the_others_have_their_share(seed: int) -> None:
    """More of either kind than one server can do: of four places three go to those who belong there."""
    storm = Storm(seed, 1, [1], length=1000, timeout_s=60.0, persistent_timeout_s=60.0)
    for _ in range(400):
        storm.come(0, 0.02, "s0")
        storm.come(0, 0.02)
        storm.step()
    served = "".join("p" if visit.wanted else "c" for visit in storm.given)
    assert "p" * SHARE not in served[SHARE:]
    assert "cc" not in served[SHARE:]
    for visit in storm.visits:
        if visit.task is not None:
            visit.task.cancel()
    storm.finish(1.0)
