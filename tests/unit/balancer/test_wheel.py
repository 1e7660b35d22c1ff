"""Deadlines are looked at in time, wherever they have moved meanwhile."""

from math import inf

import pytest

from balancer.wheel import TimerWheel


class Owner:
    def __init__(self, deadline: float) -> None:
        self.deadline = deadline
        self.filed_at = inf
        self.expired = 0

    def expire(self) -> None:
        self.expired += 1


@pytest.fixture
def wheel() -> TimerWheel:
    return TimerWheel()


def play(wheel: TimerWheel, until: float) -> None:
    """What a reactor does: sleep until the wheel wants to be asked, and ask it."""
    while wheel.next_at() <= until:
        wheel.expire(wheel.next_at())


def test_nothing_filed_nothing_due(wheel: TimerWheel) -> None:
    assert wheel.next_at() == inf


@pytest.mark.parametrize("deadline", [0.01, 0.05, 1.0, 15.99, 16.0, 40.0, 3600.0])
def test_expires_after_its_deadline_and_within_two_ticks(wheel: TimerWheel, deadline: float) -> None:
    owner = Owner(deadline)
    wheel.file(owner, 0.0)
    play(wheel, deadline - 0.001)
    assert owner.expired == 0
    play(wheel, deadline + 0.1001)
    assert owner.expired == 1
    assert wheel.next_at() == inf


def test_a_deadline_moved_later_is_a_plain_store(wheel: TimerWheel) -> None:
    owner = Owner(1.0)
    wheel.file(owner, 0.0)
    owner.deadline = 2.0
    play(wheel, 1.9)
    assert owner.expired == 0
    play(wheel, 2.2)
    assert owner.expired == 1


def test_a_deadline_moved_to_never_is_dropped(wheel: TimerWheel) -> None:
    owner = Owner(1.0)
    wheel.file(owner, 0.0)
    owner.deadline = inf
    play(wheel, 100.0)
    assert owner.expired == 0
    assert wheel.next_at() == inf


def test_a_deadline_moved_earlier_holds_once_filed_again(wheel: TimerWheel) -> None:
    owner = Owner(10.0)
    wheel.file(owner, 0.0)
    play(wheel, 0.5)
    owner.deadline = 1.0
    wheel.file(owner, 0.5)
    play(wheel, 1.2)
    assert owner.expired == 1


def test_a_removed_owner_does_not_expire(wheel: TimerWheel) -> None:
    young, old = Owner(1.0), Owner(1.0)
    wheel.file(old, 0.0)
    play(wheel, 0.5)
    wheel.file(young, 0.5)
    wheel.remove(old)
    wheel.remove(young)
    play(wheel, 10.0)
    assert (young.expired, old.expired) == (0, 0)


def test_an_owner_may_remove_another_of_the_same_tick(wheel: TimerWheel) -> None:
    one, other = Owner(1.0), Owner(1.0)
    one.expire = lambda: wheel.remove(other)  # type: ignore[method-assign]
    other.expire = lambda: wheel.remove(one)  # type: ignore[method-assign]
    wheel.file(one, 0.0)
    wheel.file(other, 0.0)
    play(wheel, 10.0)
    assert {one.filed_at, other.filed_at} == {inf}


def test_an_owner_that_files_itself_again_expires_again(wheel: TimerWheel) -> None:
    owner = Owner(1.0)

    def again() -> None:
        owner.expired += 1
        if owner.expired < 3:
            owner.deadline += 1.0
            wheel.file(owner, owner.deadline - 1.0)

    owner.expire = again  # type: ignore[method-assign]
    wheel.file(owner, 0.0)
    play(wheel, 10.0)
    assert owner.expired == 3
