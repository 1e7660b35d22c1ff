import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from hapair.messages import Obeyed, Order
from hapair.ordering import PATIENCE_S, Orders

LIST = Order(serial=0, what="list")


class Worker:
    def __init__(self, orders: Orders) -> None:
        self.heard: list[Order] = []
        self.orders = orders
        orders.greet(self, self.post)

    def post(self, message: object) -> None:
        assert isinstance(message, Order)
        self.heard.append(message)

    def answer(self, count: int) -> None:
        self.orders.heard(self, Obeyed(self.heard[-1].serial, count))


async def _counts(orders: Orders, told: list[list[int]]) -> None:
    told.append([one.count for one in await orders.give(LIST)])


async def test_all_workers_answer() -> None:
    orders = Orders()
    one, two = Worker(orders), Worker(orders)
    told: list[list[int]] = []
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_counts, orders, told)
        await wait_all_tasks_blocked()
        one.answer(1)
        await wait_all_tasks_blocked()
        assert told == []
        two.answer(2)
    assert told == [[1, 2]]
    assert [order.what for order in one.heard] == ["list"]


async def test_one_that_dies_answers_no_more() -> None:
    orders = Orders()
    one, two = Worker(orders), Worker(orders)
    told: list[list[int]] = []
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_counts, orders, told)
        await wait_all_tasks_blocked()
        orders.gone(one)
        two.answer(2)
    assert told == [[2]]
    orders.gone(two)
    assert await orders.give(LIST) == []


async def test_one_that_hangs_is_passed_over(autojump_clock: MockClock) -> None:
    orders = Orders()
    worker = Worker(orders)
    began_at = trio.current_time()
    assert await orders.give(LIST) == []
    assert trio.current_time() - began_at == PATIENCE_S
    worker.answer(1)  # too late: nobody waits for it


async def test_two_orders_at_once_are_told_apart() -> None:
    orders = Orders()
    worker = Worker(orders)
    told: list[list[int]] = []
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_counts, orders, told)
        nursery.start_soon(_counts, orders, told)
        await wait_all_tasks_blocked()
        for order in worker.heard:
            orders.heard(worker, Obeyed(order.serial, 7))
    assert told == [[7], [7]]
    assert len({order.serial for order in worker.heard}) == 2


async def test_a_worker_that_starts_is_told_what_holds() -> None:
    orders = Orders()
    pause = Order(serial=0, what="pause", frontend="web")
    orders.hold(lambda: [pause])
    assert Worker(orders).heard == [pause]


async def test_without_workers_it_is_done_at_once() -> None:
    assert await Orders().give(LIST) == []
