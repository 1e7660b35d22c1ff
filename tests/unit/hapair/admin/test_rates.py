"""Per second, the most at once, since when."""

from dataclasses import replace

import pytest

from hapair.admin.rates import NO_TIMES, Pace, PoolHistory, Rates, Times, counts_of
from hapair.snapshot import NodeSnapshot
from tests.unit.hapair.admin.sample import FRONTEND_COUNTS, NODE, SERVER_COUNTS, WEB2

WEB = ("frontend", "web")


def with_counts(**changes: int) -> NodeSnapshot:
    web, dns = NODE.frontends
    return replace(NODE, frontends=(replace(web, counts=replace(FRONTEND_COUNTS, **changes)), dns))


def test_what_happened_between_two_samples_is_a_rate() -> None:
    rates = Rates()
    rates.sample(NODE, 100.0)
    assert rates.paces[WEB] == Pace(open_max=3)
    rates.sample(with_counts(connections=60, requests=220, open=9), 102.0)
    assert rates.paces[WEB] == Pace(9, 10, 10, 50, 50, 102.0, Times(0.0, 0.0, 0.0), 9)
    rates.sample(with_counts(connections=61, requests=222, open=2), 103.0)
    assert rates.paces[WEB] == Pace(9, 1, 10, 2, 50, 103.0, Times(0.0, 0.0, 0.0), 6)
    rates.sample(with_counts(connections=61, requests=222, open=2), 104.0)
    assert rates.paces[WEB] == Pace(9, 0, 10, 0, 50, 103.0, Times(0.0, 0.0, 0.0), 4)


def test_how_long_it_took_is_averaged_over_about_1024_requests() -> None:
    none = replace(NODE.frontends[0].counts, requests=0, connections=0)
    two = replace(none, requests=2, connections=1, connect_us=1000, latency_us=9000, total_us=20_000)
    times = NO_TIMES.after(none, two)
    assert times == Times(0.5, 4.0, 10.0)
    later = replace(two, requests=1026, latency_us=two.latency_us + 1024 * 8000, total_us=two.total_us + 1024 * 30_000)
    later_times = times.after(two, later)
    assert (later_times.connect_ms, later_times.response_ms, later_times.total_ms) == (
        pytest.approx(0.184, abs=0.001),
        pytest.approx(6.529, abs=0.001),
        pytest.approx(22.64, abs=0.01),
    )
    assert later_times.after(later, later) == later_times


def test_in_mode_tcp_connections_are_what_takes_time() -> None:
    none = replace(NODE.frontends[0].counts, requests=0, connections=0)
    assert NO_TIMES.after(none, replace(none, connections=4, connect_us=2000, total_us=80_000)) == Times(0.5, 0.0, 20.0)


def test_samples_that_lie_too_close_are_passed_over() -> None:
    rates = Rates()
    rates.sample(NODE, 100.0)
    rates.sample(with_counts(connections=60), 100.4)
    assert rates.paces[WEB].connections_per_s == 0


def test_maxima_can_be_forgotten() -> None:
    rates = Rates()
    rates.sample(NODE, 100.0)
    rates.sample(with_counts(connections=60, requests=220, open=9), 102.0)
    rates.sample(with_counts(connections=60, requests=220, open=2), 103.0)
    rates.forget_maxima()
    assert rates.paces[WEB] == Pace(2, 0, 0, 0, 0, 102.0, Times(0.0, 0.0, 0.0), 6)


def test_a_pool_is_down_while_none_of_its_servers_is_up() -> None:
    rates = Rates()
    rates.sample(NODE, 100.0)
    (pool,) = NODE.pools
    down = replace(NODE, pools=(replace(pool, servers=(WEB2,)),))
    rates.sample(down, 110.0)
    assert rates.pools["web"].down_s(115.0) == 5.0
    rates.sample(NODE, 120.0)
    rates.sample(down, 130.0)
    assert rates.pools["web"] == PoolHistory(up=False, changed_at=130.0, downs=2, down_before_s=10.0)
    assert rates.pools["web"].down_s(131.0) == 11.0


def test_a_pool_counts_what_its_servers_count() -> None:
    assert counts_of(NODE)["pool", "web"] == SERVER_COUNTS


def test_how_many_connections_it_takes_follows_from_how_long_they_were_busy() -> None:
    rates = Rates()
    rates.sample(NODE, 100.0)
    rates.sample(with_counts(open=0, requests=130, total_us=2_600_000), 101.0)
    assert rates.paces[WEB].needed == 3
    rates.sample(with_counts(open=0, requests=130, total_us=2_600_000), 102.0)
    assert rates.paces[WEB].needed == 2
    rates.sample(with_counts(open=0, requests=130, total_us=2_600_000), 103.0)
    rates.sample(with_counts(open=0, requests=130, total_us=2_600_000), 104.0)
    assert rates.paces[WEB].needed == 1


def test_counters_that_began_anew_are_no_rate() -> None:
    rates = Rates()
    rates.sample(with_counts(connections=60, requests=220), 100.0)
    rates.sample(with_counts(connections=0, requests=0), 101.0)
    pace = rates.paces[WEB]
    assert (pace.connections_per_s, pace.requests_per_s, pace.last_work_at) == (0, 0, None)
