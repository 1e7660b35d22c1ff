"""Tasks join, fail together, and are cancelled."""

import pytest

from balancer.failures import StreamFailure
from balancer.reactor import Reactor
from balancer.task import PARK, Cancelled
from balancer.testing import run, settle


async def answer(value: int) -> int:
    return value


async def fail(error: BaseException) -> None:
    raise error


async def park_for_ever() -> None:
    while True:
        await PARK


class Log:
    def __init__(self) -> None:
        self.lines: list[str] = []

    async def park(self, name: str) -> None:
        try:
            await park_for_ever()
        except BaseException as error:
            self.lines.append(f"{name}: {type(error).__name__}")
            raise


@pytest.fixture
def log() -> Log:
    return Log()


def test_join_gives_the_result(reactor: Reactor) -> None:
    async def main() -> int:
        return await reactor.fork(answer(7)).join()

    assert run(reactor, main()) == 7


def test_join_raises_what_the_fork_raised(reactor: Reactor) -> None:
    async def main() -> None:
        await reactor.fork(fail(ValueError("mine"))).join()

    with pytest.raises(ValueError, match="mine"):
        run(reactor, main())


def test_a_fork_is_cancelled_when_its_parent_ends(reactor: Reactor, log: Log) -> None:
    async def main() -> None:
        reactor.fork(log.park("fork"))
        await reactor.pause()

    run(reactor, main())
    settle(reactor)
    assert log.lines == ["fork: Cancelled"]


def test_a_fork_that_fails_after_its_parent_is_a_bug_and_is_counted(reactor: Reactor) -> None:
    async def stubborn() -> None:
        try:
            await park_for_ever()
        except Cancelled:
            raise ValueError("while cleaning up") from None

    async def main() -> None:
        reactor.fork(stubborn())
        await reactor.pause()

    run(reactor, main())
    settle(reactor)
    assert reactor.bugs.count == 1
    reactor.bugs.count = 0


def test_together_waits_for_both(reactor: Reactor) -> None:
    done = []

    async def work(name: str, pauses: int) -> None:
        for _ in range(pauses):
            await reactor.pause()
        done.append(name)

    run(reactor, reactor.together(work("first", 5), work("second", 1)))
    assert done == ["second", "first"]
    run(reactor, reactor.together(work("third", 1), work("fourth", 5)))
    assert done == ["second", "first", "third", "fourth"]


def test_together_the_failure_of_the_first_ends_the_second(reactor: Reactor, log: Log) -> None:
    with pytest.raises(ValueError, match="mine"):
        run(reactor, reactor.together(fail(ValueError("mine")), log.park("second")))


def test_together_the_failure_of_the_second_ends_the_first(reactor: Reactor, log: Log) -> None:
    with pytest.raises(ValueError, match="mine"):
        run(reactor, reactor.together(log.park("first"), fail(ValueError("mine"))))
    assert log.lines == ["first: ValueError"]


def test_together_the_first_is_done_when_the_second_fails(reactor: Reactor) -> None:
    async def fail_later() -> None:
        for _ in range(5):
            await reactor.pause()
        raise ValueError("mine")

    with pytest.raises(ValueError, match="mine"):
        run(reactor, reactor.together(answer(1), fail_later()))


def test_together_cancelled_ends_both(reactor: Reactor, log: Log) -> None:
    task = reactor.spawn(reactor.together(log.park("first"), log.park("second")))
    settle(reactor)
    task.cancel()
    settle(reactor)
    assert task.done
    assert log.lines == ["first: Cancelled", "second: Cancelled"]


def test_cancel_before_the_first_step(reactor: Reactor) -> None:
    task = reactor.spawn(answer(1))
    task.cancel()
    settle(reactor)
    assert task.done


def test_cancellation_is_not_displaced_by_a_later_interruption(reactor: Reactor, log: Log) -> None:
    task = reactor.spawn(log.park("task"))
    settle(reactor)
    task.cancel()
    task.interrupt(StreamFailure())
    settle(reactor)
    assert log.lines == ["task: Cancelled"]


def test_a_task_that_wakes_itself_with_its_last_act_has_ended(reactor: Reactor) -> None:
    ended = []

    async def last_words() -> None:
        reactor.current.wake()
        ended.append(reactor.current)

    reactor.spawn(last_words())
    settle(reactor)
    assert ended[0].done
    ended[0].wake()
    assert not reactor.ready
