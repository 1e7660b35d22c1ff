"""Idle time and minimum rate of one direction."""

import random
from math import inf

from balancer.pace import Pace


def test_who_is_not_waited_for_is_never_late() -> None:
    pace = Pace(60.0, 100.0, 20.0)
    assert pace.late_at == inf
    pace.begin(5.0)
    pace.end(10.0, 1)
    assert pace.late_at == inf


def test_without_a_rate_only_idle_time_counts() -> None:
    pace = Pace(60.0)
    pace.begin(1000.0)
    assert (pace.late_at, pace.too_slow) == (1060.0, False)
    pace.progress(1059.0, 1)
    assert pace.late_at == 1119.0


def test_a_byte_now_and_then_uses_up_the_reserve() -> None:
    pace = Pace(60.0, 100.0, 20.0)
    pace.begin(1000.0)
    assert (pace.late_at, pace.too_slow) == (1020.0, True)
    pace.progress(1010.0, 1)
    assert round(pace.late_at, 2) == 1020.01
    pace.progress(1020.0, 1)
    assert round(pace.late_at, 2) == 1020.02


def test_no_progress_gives_no_more_time() -> None:
    pace = Pace(60.0, 100.0, 20.0)
    pace.begin(1000.0)
    pace.progress(1019.0, 0)
    assert pace.late_at == 1020.0


def test_the_reserve_never_exceeds_the_window() -> None:
    pace = Pace(60.0, 100.0, 20.0)
    pace.begin(1000.0)
    pace.end(1000.0, 1_000_000)
    pace.begin(2000.0)
    assert pace.late_at == 2020.0


def test_who_keeps_the_rate_is_never_late_and_who_does_not_is_within_its_reserve() -> None:
    rng = random.Random(7)
    for _ in range(300):
        rate, window_s = rng.choice((10.0, 1000.0)), rng.uniform(1.0, 30.0)
        steady, slow = Pace(1e9, rate, window_s), Pace(1e9, rate, window_s)
        now, alive = 0.0, True
        for _ in range(60):
            step_s = rng.uniform(0.01, window_s * 0.9)
            steady.begin(now)
            assert steady.late_at > now + step_s
            steady.end(now + step_s, int(rate * step_s) + 1)
            slow.begin(now)
            alive = alive and slow.late_at > now + step_s
            slow.end(now + step_s, int(rate * step_s * 0.5))
            now += step_s
            assert not alive or now <= 2 * window_s
        assert not alive or now <= 2 * window_s
