"""The last hour, second by second, under a clock of ours."""

import math
import sys
from dataclasses import replace

import pytest

from balancer.latencies import BUCKETS, bucket_of
from hapair.admin.history import ALL, FIELDS, MOST_SERIES, SPAN, History, Series
from hapair.snapshot import NodeSnapshot
from tests.unit.hapair.admin.sample import NODE, NOTHING

WEB, DNS = NODE.frontends


def node(requests: int = 0, *, taken_s: tuple[float, ...] = (), **further: int) -> NodeSnapshot:
    """One frontend `web` with so many requests, and responses that took so long; and `dns`."""
    latencies = [0] * BUCKETS
    for one in taken_s:
        latencies[bucket_of(one)] += 1
    counts = replace(NOTHING, requests=requests, **further)
    web = replace(WEB, counts=counts, latencies=tuple(latencies))
    return replace(NODE, frontends=(web, replace(DNS, counts=replace(NOTHING, connections=2, open=1))))


def last(history: History, name: str) -> dict[str, float]:
    return dict(zip(FIELDS, history.series[name].last, strict=True))


def test_what_was_counted_within_a_second() -> None:
    history = History()
    history.sample(node(100), 10.0)
    news = {"connections": 4, "open": 3, "bytes_in": 50, "bytes_out": 900, "status_5xx": 2, "status_4xx": 6}
    history.sample(node(120, taken_s=(0.004,) * 9 + (0.3,), **news), 11.0)
    found = last(history, "web")
    assert (history.second, found.pop("p50_ms"), found.pop("p99_ms")) == (
        11,
        pytest.approx(4, rel=0.15),
        pytest.approx(300, rel=0.15),
    )
    assert found == {
        "requests_per_s": 20, "connections_per_s": 4, "open": 3, "bytes_in_per_s": 50, "bytes_out_per_s": 900,
        "errors_per_s": 2, "client_errors_per_s": 6,
    }  # fmt: skip
    assert last(history, ALL)["open"] == 4


def test_rates_are_by_the_second_whatever_lies_between_two_samples() -> None:
    history = History()
    history.sample(node(0), 10.9)
    history.sample(node(60), 12.4)
    assert last(history, "web")["requests_per_s"] == 40
    assert len(history.series["web"]) == 2
    assert list(history.series["web"].samples()[:: len(FIELDS)]) == [40, 40]


def test_two_samples_in_one_second_are_one() -> None:
    history = History()
    history.sample(node(0), 10.0)
    history.sample(node(5), 10.9)
    history.sample(node(9), 11.0)
    assert last(history, "web")["requests_per_s"] == 9


def test_of_a_long_silence_nothing_is_said() -> None:
    history = History()
    history.sample(node(0), 10.0)
    history.sample(node(100), 20.0)
    rates = list(history.series["web"].samples()[:: len(FIELDS)])
    assert [math.isnan(rate) for rate in rates] == [True] * 9 + [False]
    assert rates[-1] == 10


def test_without_responses_there_is_no_latency() -> None:
    history = History()
    history.sample(node(0), 10.0)
    history.sample(node(0), 11.0)
    assert math.isnan(last(history, "web")["p50_ms"])
    assert math.isnan(last(history, "dns")["p99_ms"])
    assert last(history, ALL)["requests_per_s"] == 0


def test_errors_of_other_modes_are_connections_that_came_to_no_good_end() -> None:
    history = History()
    history.sample(node(), 10.0)
    bad = replace(NOTHING, failed=1, timeouts=2, resets=3, dropped=4)
    history.sample(replace(NODE, frontends=(WEB, replace(DNS, counts=bad))), 11.0)
    assert last(history, "dns")["errors_per_s"] == 10


def test_counters_that_begin_anew_are_no_rate() -> None:
    history = History()
    history.sample(node(100, taken_s=(0.1, 0.1)), 10.0)
    history.sample(node(5, taken_s=(0.1,)), 11.0)
    assert last(history, "web")["requests_per_s"] == 0
    assert math.isnan(last(history, "web")["p50_ms"])


def test_a_frontend_that_comes_begins_and_one_that_goes_ends() -> None:
    history = History()
    history.sample(replace(NODE, frontends=(WEB,)), 10.0)
    history.sample(NODE, 11.0)
    assert last(history, "dns")["connections_per_s"] == 0
    history.sample(replace(NODE, frontends=(DNS,)), 12.0)
    assert set(history.series) == {ALL, "dns"}
    history.sample(replace(NODE, frontends=()), 13.0)
    assert last(history, ALL)["requests_per_s"] == 0


def test_an_hour_is_kept_the_oldest_first() -> None:
    series = Series()
    for number in range(SPAN + 5):
        series.add((float(number),) * len(FIELDS))
    samples = series.samples()
    assert len(samples) == SPAN * len(FIELDS)
    assert (samples[0], samples[len(FIELDS)], samples[-1]) == (5, 6, SPAN + 4)


def test_a_day_takes_no_more_than_an_hour() -> None:
    frontends = tuple(replace(WEB, name=f"web{number}") for number in range(3))
    history = History()
    for second in range(SPAN + 1):
        history.sample(replace(NODE, frontends=frontends), float(second))
    taken = sum(sys.getsizeof(one.samples()) for one in history.series.values())
    for second in range(SPAN + 1, 24 * SPAN, 60):
        history.sample(replace(NODE, frontends=frontends), float(second))
    assert sum(sys.getsizeof(one.samples()) for one in history.series.values()) == taken < 4 * 131_000


def test_so_many_frontends_have_a_series_and_all_are_in_the_sum() -> None:
    few = tuple(replace(WEB, name=f"f{number}", counts=NOTHING) for number in range(MOST_SERIES + 2))
    more = tuple(replace(one, counts=replace(NOTHING, requests=1)) for one in few)
    history = History()
    history.sample(replace(NODE, frontends=few), 10.0)
    history.sample(replace(NODE, frontends=more), 11.0)
    assert len(history.series) == MOST_SERIES + 1
    assert last(history, ALL)["requests_per_s"] == MOST_SERIES + 2
