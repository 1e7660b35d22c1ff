"""Coroutines run, wait, join, fail and are cancelled; one that fails harms no other."""

import os
import select
import threading
from collections.abc import Iterator

import pytest

from balancer.failures import StreamFailure
from balancer.reactor import PARK, Cancelled, Reactor
from balancer.testing import FakeClock, run, settle, stream_pair


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


def test_a_wake_up_is_only_a_hint(reactor: Reactor) -> None:
    async def main() -> int:
        fork = reactor.fork(wait_for_it())
        for _ in range(3):
            reactor.current.wake()
            await PARK
        ready.append(True)
        return await fork.join()

    async def wait_for_it() -> int:
        while not ready:
            await reactor.pause()
        return 3

    ready: list[bool] = []
    assert run(reactor, main()) == 3


def test_sleep_ends_at_the_deadline(reactor: Reactor, clock: FakeClock) -> None:
    run(reactor, reactor.sleep_until(1030.0), clock=clock)
    assert 1030.0 <= clock.now < 1030.11


def test_a_cancelled_sleep_leaves_nothing_behind(reactor: Reactor) -> None:
    task = reactor.spawn(reactor.sleep_until(1030.0))
    settle(reactor)
    task.cancel()
    settle(reactor)
    reactor.wheel.expire(2000.0)
    assert task.done
    assert not reactor.ready


def test_a_bug_in_one_coroutine_is_reported_and_harms_no_other(
    reactor: Reactor, caplog: pytest.LogCaptureFixture
) -> None:
    task = reactor.spawn(fail(ZeroDivisionError("a bug")))
    assert run(reactor, answer(5)) == 5
    assert task.done
    assert reactor.bugs.count == 1
    assert "ZeroDivisionError: a bug" in caplog.text
    reactor.bugs.count = 0


def test_a_stream_failure_is_no_bug(reactor: Reactor) -> None:
    reactor.spawn(fail(StreamFailure()))
    settle(reactor)
    assert reactor.bugs.count == 0


def test_ctrl_c_is_for_the_driver(reactor: Reactor) -> None:
    reactor.spawn(fail(KeyboardInterrupt()))
    with pytest.raises(KeyboardInterrupt):
        settle(reactor)


class TickingClock:
    """Each look costs a millisecond."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        self.now += 0.001
        return self.now


def test_a_turn_ends_when_its_budget_is_spent() -> None:
    reactor = Reactor(clock=TickingClock())
    tasks = [reactor.spawn(answer(number)) for number in range(10)]
    reactor.turn()
    assert 1 <= sum(task.done for task in tasks) < 10
    settle(reactor)
    assert all(task.done for task in tasks)
    reactor.close()


def test_ring_ends_a_wait_from_another_thread() -> None:
    reactor = Reactor()
    ringing = threading.Timer(0.01, reactor.ring)
    ringing.start()
    reactor.turn(5.0)
    ringing.join()
    reactor.close()


def test_start_and_cancel_from_outside_end_a_wait(reactor: Reactor) -> None:
    """What another task of the same thread does (trio's, say) is seen by a driver that waits on the descriptor."""
    task = reactor.spawn(park_for_ever())
    assert select.select([reactor.fileno()], [], [], 0)[0]
    settle(reactor)
    task.cancel()
    assert select.select([reactor.fileno()], [], [], 0)[0]
    settle(reactor)


class Recorder:
    def __init__(self) -> None:
        self.masks: list[int] = []

    def on_events(self, mask: int) -> None:
        self.masks.append(mask)


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    ends = os.pipe()
    yield ends
    for fd in ends:
        os.close(fd)


def test_events_go_to_the_owner_until_it_is_forgotten(reactor: Reactor, pipe: tuple[int, int]) -> None:
    owner = Recorder()
    reactor.watch(pipe[0], owner)
    os.write(pipe[1], b"x")
    settle(reactor)
    assert owner.masks == [select.EPOLLIN]
    reactor.unwatch(pipe[0])
    os.write(pipe[1], b"x")
    settle(reactor)
    assert owner.masks == [select.EPOLLIN]


def test_a_descriptor_closed_in_a_turn_is_not_reused_within_it(reactor: Reactor) -> None:
    """Else an event for the old connection, later in the same batch, would reach the new one."""
    one, other = stream_pair(reactor)

    async def main() -> None:
        one.close()
        os.fstat(one.fd)
        await reactor.pause()

    run(reactor, main())
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(one.fd)
    other.close()
    settle(reactor)


def test_an_event_for_a_stream_closed_earlier_in_the_batch_is_dropped(reactor: Reactor) -> None:
    one, other = stream_pair(reactor)
    peers = [stream_pair(reactor) for _ in range(2)]

    async def close_the_others(mine: int) -> None:
        await peers[mine][0].receive()
        for pair in peers:
            pair[0].close()

    tasks = [reactor.spawn(close_the_others(number)) for number in range(2)]
    settle(reactor)
    for pair in peers:
        pair[1].try_send(b"x")
    settle(reactor)
    assert all(task.done for task in tasks)
    for stream in (one, other, *(pair[1] for pair in peers)):
        stream.close()
    settle(reactor)
