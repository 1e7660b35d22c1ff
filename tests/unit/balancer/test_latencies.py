"""Buckets of latencies, and what share of responses took how long."""

import pytest

from balancer.latencies import BOUNDS_S, BUCKETS, bucket_of, quantile_s


def test_buckets_reach_from_50_microseconds_to_51_seconds() -> None:
    assert (len(BOUNDS_S), BUCKETS) == (63, 64)
    assert (round(BOUNDS_S[0], 7), round(BOUNDS_S[-1], 1)) == (0.00005, 51.0)


@pytest.mark.parametrize(
    ("latency_s", "bucket"), [(0.0, 0), (0.0000499, 0), (0.00005, 1), (0.001, 14), (1.0, 45), (50.0, 62), (3600.0, 63)]
)
def test_a_latency_has_its_bucket(latency_s: float, bucket: int) -> None:
    assert bucket_of(latency_s) == bucket


def counts(*latencies_s: float) -> list[int]:
    found = [0] * BUCKETS
    for latency_s in latencies_s:
        found[bucket_of(latency_s)] += 1
    return found


def test_quantiles_are_right_to_a_tenth() -> None:
    taken = counts(*[0.002] * 98, 0.5, 0.5)
    assert quantile_s(taken, 0.5) == pytest.approx(0.002, rel=0.12)
    assert quantile_s(taken, 0.98) == pytest.approx(0.002, rel=0.12)
    assert quantile_s(taken, 0.99) == pytest.approx(0.5, rel=0.12)


def test_of_nothing_there_is_no_quantile() -> None:
    assert quantile_s([0] * BUCKETS, 0.5) is None


def test_beyond_the_last_bound_it_is_the_last_bound() -> None:
    assert quantile_s(counts(3600.0), 0.99) == BOUNDS_S[-1]


def test_within_the_first_bucket_it_begins_at_nothing() -> None:
    assert quantile_s(counts(0.00001, 0.00001), 0.5) == pytest.approx(0.000025)
