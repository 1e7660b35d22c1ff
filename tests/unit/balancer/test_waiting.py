"""The waiting rooms of two workers for one pool: places, times, and what each tells the other."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from balancer.causes import Cause
from balancer.config import BalancerConfig, Frontend, Pool, QueueSettings, Server
from balancer.fieldtypes import Endpoint
from balancer.observe import ObservedCounters, Streak
from balancer.pool import PoolState
from balancer.reactor import Reactor
from balancer.service import PoolService
from balancer.slots import CONNECTIONS, FAILED, OPEN, Slots
from balancer.task import Task
from balancer.testing import FakeClock, settle
from balancer.waiting import Unserved, WaitingRoom, open_room


class Worker:
    """One worker's side of the pool."""

    def __init__(self, config: BalancerConfig, slots: Slots, index: int, clock: FakeClock) -> None:
        self.reactor = Reactor(clock=clock)
        pool = config.pools["pool"]
        self.state = PoolState(pool, lambda server: slots.server_counts("pool", server).open)
        counters = {server: slots.server(index, "pool", server) for server in pool.servers}
        self.pool = PoolService("pool", pool, self.state, counters)
        open_room(self.pool, slots, index, self.reactor)
        self.got: list[Any] = []

    @property
    def room(self) -> WaitingRoom:
        assert self.pool.room is not None
        return self.pool.room

    def come(self, name: str = "", wanted: str | None = None) -> Task[None]:
        """A request that takes a place, or waits for one."""

        async def client() -> None:
            try:
                server = self.room.admit(None, (), wanted) or await self.room.wait(None, (), wanted=wanted)
            except Unserved as unserved:
                self.got.append((name, unserved.cause))
            else:
                self.got.append((name, server))

        task = self.reactor.spawn(client())
        settle(self.reactor)
        return task

    def go(self, server: str) -> None:
        """A connection ends."""
        self.pool.counters(server).add(OPEN, -1)
        settle(self.reactor)


class House:
    """Two of them."""

    def __init__(self, clock: FakeClock, servers: dict[str, Any], **queue: Any) -> None:
        pool = Pool(
            servers={name: Server(address=Endpoint("192.0.2.1", 80), **more) for name, more in servers.items()},
            policy="first",
            queue=QueueSettings(**queue),
        )
        frontend = Frontend(listen=(Endpoint("127.0.0.1", 1),), pool="pool")
        self.config = BalancerConfig(frontends={"main": frontend}, pools={"pool": pool})
        self.clock = clock
        self.slots = Slots.create(self.config, 2)
        self.one, self.two = (Worker(self.config, self.slots, index, clock) for index in (0, 1))

    def open(self, server: str) -> int:
        return self.slots.server_counts("pool", server).open

    def pass_time(self, seconds: float) -> None:
        """A tick of the wheel at a time."""
        for _ in range(round(seconds / 0.05)):
            self.clock.now += 0.05
            settle(self.one.reactor)
            settle(self.two.reactor)

    def close(self) -> None:
        for worker in (self.one, self.two):
            worker.reactor.close()
            assert worker.reactor.bugs.count == 0
        self.slots.close()


@pytest.fixture
def house(clock: FakeClock) -> Iterator[House]:
    house = House(clock, {"a": {"max_connections": 2}})
    yield house
    house.close()


def test_a_limit_holds_over_all_workers(house: House) -> None:
    house.one.come("1")
    house.two.come("2")
    house.one.come("3")
    house.two.come("4")
    assert (house.one.got, house.two.got) == ([("1", "a")], [("2", "a")])
    assert (house.open("a"), house.slots.queue_counts("pool").waiting) == (2, 2)
    house.one.go("a")
    assert house.one.got[1:] == [("3", "a")]
    house.two.go("a")
    assert house.two.got[1:] == [("4", "a")]
    assert (house.open("a"), house.slots.queue_counts("pool").waiting) == (2, 0)


def test_of_two_that_take_the_last_place_at_the_same_time_neither_keeps_it(house: House) -> None:
    house.one.come("1")
    counted = house.slots.server(1, "pool", "a")
    counted.add(OPEN)
    assert not house.one.room.take("a")
    assert house.open("a") == 2
    counted.add(OPEN, -1)
    assert house.one.room.take("a")


def test_a_place_that_another_worker_frees_is_found_with_the_next_tick(house: House) -> None:
    for _ in range(2):
        house.one.come("1")
    house.two.come("2")
    house.one.go("a")
    assert house.two.got == []
    house.pass_time(0.1)
    assert house.two.got == [("2", "a")]


def test_a_place_is_left_to_a_worker_where_somebody_has_waited_for_longer(house: House) -> None:
    for _ in range(2):
        house.one.come("1")
    house.two.come("2")
    house.pass_time(0.2)
    house.one.come("3")
    house.one.go("a")
    assert len(house.one.got) == 2
    house.pass_time(0.1)
    assert (house.one.got[2:], house.two.got) == ([], [("2", "a")])
    house.one.go("a")
    assert house.one.got[2:] == [("3", "a")]


def test_who_comes_now_does_not_overtake_those_who_wait_for_long_elsewhere(house: House) -> None:
    house.one.come("1")
    house.two.come("2")
    house.two.come("3")
    house.pass_time(0.2)
    house.slots.server(0, "pool", "a").add(OPEN, -1)  # a place that nobody was told of yet
    assert house.one.room.admit(None) is None
    house.pass_time(0.1)
    assert house.two.got == [("2", "a"), ("3", "a")]


def test_who_waits_for_too_long_and_who_is_too_many(clock: FakeClock) -> None:
    house = House(clock, {"a": {"max_connections": 1}}, timeout_s=2.0, length=2)
    for worker, name in ((house.one, "1"), (house.two, "2"), (house.one, "3"), (house.two, "4")):
        worker.come(name)
    assert house.two.got == [("4", Cause.QUEUE_TOO_LONG)]
    house.pass_time(2.1)
    assert house.two.got[1:] == [("2", Cause.QUEUE_TIMEOUT)]
    assert house.one.got == [("1", "a"), ("3", Cause.QUEUE_TIMEOUT)]
    counts = house.slots.queue_counts("pool")
    assert (counts.waiting, counts.waiting_max, counts.waited) == (0, 2, 2)
    assert (counts.late, counts.refused, counts.left) == (2, 1, 0)
    house.close()


def test_lines_of_servers_are_told_of_as_well(clock: FakeClock) -> None:
    house = House(clock, {"a": {"max_connections": 1, "max_queue": 2}, "b": {"max_connections": 1}})
    for worker, name in ((house.one, "1"), (house.one, "2"), (house.two, "3")):
        worker.come(name, wanted="a")
    assert house.slots.queue_counts("pool", "a").waiting == 2
    assert not house.one.room.may_wait_for("a")
    assert house.one.room.may_wait_for("b")
    house.pass_time(0.2)
    house.one.go("a")
    house.pass_time(0.1)
    assert (house.one.got, house.two.got) == ([("1", "a"), ("2", "a")], [])
    house.one.go("a")
    house.pass_time(0.1)
    assert house.two.got == [("3", "a")]
    counts = house.slots.queue_counts("pool", "a")
    assert (counts.waiting, counts.waiting_max, counts.waited) == (0, 2, 2)
    house.close()


def test_one_that_is_lost_hands_its_line_to_the_others(clock: FakeClock) -> None:
    house = House(clock, {"a": {"max_connections": 1}, "b": {"max_connections": 1}})
    for name in ("1", "2"):
        house.one.come(name, wanted="a")
    house.one.state.set_admin("a", "maint")
    house.one.room.look_again()
    settle(house.one.reactor)
    assert house.one.got == [("1", "a"), ("2", "b")]
    house.one.come("3")
    house.one.state.set_health("b", False)
    house.one.room.look_again()
    settle(house.one.reactor)
    assert house.one.got[2:] == [("3", None)]
    house.close()


def test_one_that_leaves_with_a_place_in_hand_gives_it_back(house: House) -> None:
    house.one.come("1")
    house.one.come("2")
    leaving, next_one = house.one.come("3"), house.one.come("4")
    house.one.pool.counters("a").add(OPEN, -1)
    leaving.cancel()
    settle(house.one.reactor)
    assert house.one.got[2:] == [("4", "a")]
    assert (house.open("a"), next_one.done) == (2, True)
    assert house.slots.queue_counts("pool").left == 1


def test_averages_are_of_all_that_were_given_a_server(house: House) -> None:
    for name in "123":
        house.one.come(name)
    house.pass_time(1.0)
    house.one.go("a")
    counts = house.slots.queue_counts("pool")
    assert counts.average_ms == pytest.approx(1000 / 3, abs=20)
    assert house.slots.queue_counts("pool", "a").average_ms == counts.average_ms
    house.one.go("a")
    house.one.come("4")
    assert house.slots.queue_counts("pool").average_ms == pytest.approx(1000 / 4, abs=20)


def test_a_connection_that_is_counted_itself_shares_the_place(house: House) -> None:
    house.one.come("1")
    house.one.pool.counters("a").add(OPEN)
    house.one.room.share("a")
    assert house.open("a") == 1


def test_servers_that_are_observed_go_on_to_be(clock: FakeClock) -> None:
    house = House(clock, {"a": {"max_connections": 1}})
    told: list[str] = []
    observed = house.slots.server(0, "pool", "a", kind=ObservedCounters)
    observed.observe("layer4", Streak(2, told.append))
    observed.add(FAILED)
    house.one.pool.all_counters["a"] = observed
    open_room(house.one.pool, house.slots, 0, house.one.reactor)
    house.one.come("1")
    house.one.come("2")
    house.one.pool.counters("a").add(FAILED)
    assert told == ["2 errors in a row, the last: connection failed"]
    house.one.pool.counters("a").add(CONNECTIONS)
    house.one.go("a")
    assert house.one.got == [("1", "a"), ("2", "a")]
    house.close()
