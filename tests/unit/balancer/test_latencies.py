"""Buckets of latencies, and what share of responses took how long."""

from itertools import pairwise

import pytest

from balancer.latencies import BOUNDS_S, BUCKETS, COARSE_S, about_s, bucket_of, coarse, quantile_s


def test_buckets_reach_from_50_microseconds_to_80_seconds() -> None:
    assert (len(BOUNDS_S), BUCKETS) == (63, 64)
    assert BOUNDS_S[:5] == (0.00005, 0.000063, 0.00008, 0.0001, 0.000125)
    assert BOUNDS_S[-1] == 80.0
    assert max(upper / lower for lower, upper in pairwise(BOUNDS_S)) == pytest.approx(1.28)


def test_few_buckets_end_at_round_numbers() -> None:
    assert COARSE_S == (
        0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1,
        2.5, 5, 10, 25, 50,
    )  # fmt: skip
    assert coarse(counts(0.00001, 0.00009, 0.0003, 0.0004, 60.0, 3600.0)) == (1, 1, 0, 2, *[0] * 15, 2)
    assert about_s(counts(0.1, 0.1)) == pytest.approx(0.2, rel=0.13)
    assert about_s([0] * BUCKETS) == 0


@pytest.mark.parametrize(
    ("latency_s", "bucket"),
    [(0.0, 0), (0.0000499, 0), (0.00005, 1), (0.001, 14), (1.0, 44), (50.0, 61), (79.0, 62), (3600.0, 63)],
)
def test_a_latency_has_its_bucket(latency_s: float, bucket: int) -> None:
    assert bucket_of(latency_s) == bucket


def counts(*latencies_s: float) -> list[int]:
    found = [0] * BUCKETS
    for latency_s in latencies_s:
        found[bucket_of(latency_s)] += 1
    return found


def test_quantiles_are_right_to_within_a_bucket() -> None:
    taken = counts(*[0.0022] * 98, 0.55, 0.55)
    assert quantile_s(taken, 0.5) == pytest.approx(0.0022, rel=0.15)
    assert quantile_s(taken, 0.98) == pytest.approx(0.0022, rel=0.15)
    assert quantile_s(taken, 0.99) == pytest.approx(0.55, rel=0.15)


def test_of_nothing_there_is_no_quantile() -> None:
    assert quantile_s([0] * BUCKETS, 0.5) is None


def test_beyond_the_last_bound_it_is_the_last_bound() -> None:
    assert quantile_s(counts(3600.0), 0.99) == BOUNDS_S[-1]


def test_within_the_first_bucket_it_begins_at_nothing() -> None:
    assert quantile_s(counts(0.00001, 0.00001), 0.5) == pytest.approx(0.000025)
