"""Both drivers: the reactor's coroutines run, trio's tasks run, and neither starves the other."""

from collections.abc import Callable

import pytest
import trio

from balancer.drivers import drive_from_trio, run_with_trio_as_guest
from balancer.reactor import Reactor
from balancer.task import Work
from balancer.testing import stream_pair


def under_trio(reactor: Reactor, main: Callable[[], Work[int]]) -> int:
    async def host() -> int:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(drive_from_trio, reactor)
            result = await main()
            nursery.cancel_scope.cancel()
        return result

    return trio.run(host)


def under_reactor(reactor: Reactor, main: Callable[[], Work[int]]) -> int:
    return run_with_trio_as_guest(reactor, main)


@pytest.fixture(params=[under_trio, under_reactor], ids=["trio task", "trio as guest"])
def drive(request: pytest.FixtureRequest) -> Callable[[Reactor, Callable[[], Work[int]]], int]:
    return request.param  # type: ignore[no-any-return]


@pytest.fixture
def real() -> Reactor:
    return Reactor()


async def count_to_end(reactor: Reactor, done: trio.Event, received: list[int]) -> None:
    one, other = stream_pair(reactor)

    async def send() -> None:
        await one.send_all(bytes(4_000_000))
        one.shutdown()

    reactor.fork(send())
    while data := await other.receive():
        received[0] += len(data)
    one.close()
    other.close()
    done.set()


def test_a_trio_task_starts_coroutines_and_is_told_by_them(
    real: Reactor, drive: Callable[[Reactor, Callable[[], Work[int]]], int]
) -> None:
    async def main() -> int:
        done, received = trio.Event(), [0]
        real.spawn(count_to_end(real, done, received))
        with trio.fail_after(60):
            await done.wait()
        await trio.lowlevel.checkpoint()
        return received[0]

    assert drive(real, main) == 4_000_000
    real.close()


def test_trio_runs_while_a_coroutine_never_rests(
    real: Reactor, drive: Callable[[Reactor, Callable[[], Work[int]]], int]
) -> None:
    async def spin() -> None:
        while True:
            await real.pause()

    async def main() -> int:
        spinning = real.spawn(spin())
        for _ in range(20):
            await trio.lowlevel.checkpoint()
        await trio.to_thread.run_sync(int)
        spinning.cancel()
        with trio.fail_after(60):
            while not spinning.done:
                await trio.lowlevel.checkpoint()
        return 1

    assert drive(real, main) == 1
    real.close()


def test_deadlines_pass_while_both_wait(
    real: Reactor, drive: Callable[[Reactor, Callable[[], Work[int]]], int]
) -> None:
    async def main() -> int:
        done = trio.Event()

        async def nap() -> None:
            await real.sleep_until(real.now + 0.02)
            done.set()

        real.spawn(nap())
        with trio.fail_after(60):
            await done.wait()
        return 1

    assert drive(real, main) == 1
    real.close()


def test_an_exception_of_main_rises(real: Reactor, drive: Callable[[Reactor, Callable[[], Work[int]]], int]) -> None:
    async def main() -> int:
        raise LookupError("mine")

    with pytest.raises((LookupError, BaseExceptionGroup)) as caught:
        drive(real, main)
    assert "mine" in repr(caught.value)
    real.close()
