from random import Random

import pytest

from balancer.checks.schedule import first_probe_at, interval_s, next_probe_at
from balancer.config import Check
from balancer.health import Health

NEW = Health.initial(rise=2, fall=3)
UP = NEW.after(True, reason="", now=0.0)
FAILING = UP.after(False, reason="", now=0.0)
DOWN = NEW.after(False, reason="", now=0.0)
RISING = DOWN.after(True, reason="", now=0.0)


@pytest.mark.parametrize(("health", "expected"), [(NEW, 0.5), (UP, 2.0), (FAILING, 0.5), (DOWN, 10.0), (RISING, 0.5)])
def test_fast_while_a_flip_is_under_way_slow_while_down(health: Health, expected: float) -> None:
    check = Check(interval_s=2.0, fast_interval_s=0.5, down_interval_s=10.0)

    assert interval_s(check, health) == expected


@pytest.mark.parametrize("health", [NEW, UP, FAILING, DOWN, RISING])
def test_intervals_that_are_not_given_are_the_ordinary_one(health: Health) -> None:
    assert interval_s(Check(interval_s=3.0), health) == 3.0


def test_first_probes_lie_evenly_apart() -> None:
    check = Check(interval_s=2.0)

    assert [first_probe_at(check, position, 4, now=100.0) for position in range(4)] == [100.0, 100.5, 101.0, 101.5]


def test_the_first_probe_comes_within_the_fast_interval() -> None:
    check = Check(interval_s=60.0, fast_interval_s=1.0)

    assert first_probe_at(check, 1, 2, now=0.0) == 0.5


def test_the_next_probe_is_an_interval_after_the_last_with_a_little_jitter() -> None:
    random = Random(1)
    due = [next_probe_at(Check(interval_s=10.0), UP, 100.0, random) for _ in range(200)]

    assert 109.5 <= min(due) < 109.6
    assert 110.4 < max(due) <= 110.5


def test_the_same_seed_makes_the_same_schedule() -> None:
    check = Check(interval_s=10.0)

    assert next_probe_at(check, UP, 0.0, Random(7)) == next_probe_at(check, UP, 0.0, Random(7))
