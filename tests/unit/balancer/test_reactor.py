"""Turns, sleeps, events, descriptors; and one coroutine that fails harms no other."""

import os
import select
import threading
from collections.abc import Iterator

import pytest

from balancer.failures import StreamFailure
from balancer.reactor import Reactor
from balancer.task import PARK
from balancer.testing import FakeClock, run, settle, stream_pair


async def answer(value: int) -> int:
    return value


async def fail(error: BaseException) -> None:
    raise error


async def park_for_ever() -> None:
    while True:
        await PARK


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


def test_what_is_unsettled_is_settled_once_at_the_end_of_the_turn(reactor: Reactor) -> None:
    log = []

    class Ledger:
        def settle(self) -> None:
            log.append("settled")

    async def work() -> None:
        reactor.unsettled.append(Ledger())
        log.append("worked")

    reactor.spawn(work())
    settle(reactor)
    reactor.turn()
    assert log == ["worked", "settled"]
