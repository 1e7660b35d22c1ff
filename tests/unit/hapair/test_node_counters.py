"""What people order of counters, and what is shown afterwards."""

from dataclasses import replace

import pytest
import trio

from hapair.messages import Obeyed, Order
from hapair.node_counters import NodeCounters
from hapair.ordering import Orders
from hapair.snapshot import NodeSnapshot
from tests.unit.hapair.admin.sample import NODE


class Ended:
    def __init__(self) -> None:
        self.forgotten = 0

    def forget_ended_maxima(self) -> None:
        self.forgotten += 1


class House:
    """One worker, which obeys at once, and a node whose frontends have served so many requests."""

    def __init__(self) -> None:
        self.requests = 10
        self.ordered: list[str] = []
        self.orders, self.ended = Orders(), Ended()
        self.orders.greet("worker", self._post)
        self.counters = NodeCounters(self.orders, lambda: self.ended, self.look)

    def _post(self, message: object) -> None:
        assert isinstance(message, Order)
        self.ordered.append(message.what)
        self.orders.heard("worker", Obeyed(message.serial))

    def look(self) -> NodeSnapshot:
        web = NODE.frontends[0]
        web = replace(web, counts=replace(web.counts, requests=self.requests))
        return self.counters.seen(replace(NODE, frontends=(web,)))

    @property
    def shown(self) -> int:
        return self.look().frontends[0].counts.requests


@pytest.fixture
def house() -> House:
    return House()


async def test_maxima_begin_anew_in_the_workers_and_totals_go_on(house: House) -> None:
    with trio.fail_after(5):
        await house.counters.forget_maxima()
    assert (house.ordered, house.ended.forgotten, house.shown) == (["forget_maxima"], 1, 10)


async def test_all_that_was_counted_begins_anew_each_time(house: House) -> None:
    assert house.shown == 10
    house.requests = 12
    with trio.fail_after(5):
        await house.counters.forget_counts()
    assert (house.ordered, house.ended.forgotten, house.shown) == (["forget_counts"], 1, 0)
    house.requests = 17
    assert house.shown == 5
    with trio.fail_after(5):
        await house.counters.forget_counts()
    house.requests = 18
    assert house.shown == 1
