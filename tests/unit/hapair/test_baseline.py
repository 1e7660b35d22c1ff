"""Counters reckoned from a later moment than the start."""

from dataclasses import replace

from hapair.baseline import baseline_of, reckoned
from tests.unit.hapair.admin.sample import NODE

WEB, DNS = NODE.frontends
(POOL,) = NODE.pools
WEB1 = POOL.servers[0]


def test_what_was_counted_before_does_not_count() -> None:
    web = replace(WEB, latencies=(5, 7))
    since = baseline_of(replace(NODE, frontends=(web, DNS)))
    later = replace(
        web,
        counts=replace(WEB.counts, requests=WEB.counts.requests + 4, open=9),
        causes={**WEB.causes, "denied": 5, "no_server": 1},
        latencies=(6, 7),
    )
    server = replace(WEB1, counts=replace(WEB1.counts, bytes_in=WEB1.counts.bytes_in + 30), failed_checks=3, downs=1)
    node = reckoned(
        replace(NODE, frontends=(later, DNS), pools=(replace(POOL, servers=(server, *POOL.servers[1:])),)), since
    )
    shown = node.frontends[0]
    assert (shown.counts.requests, shown.counts.connections, shown.counts.open) == (4, 0, 9)
    assert (shown.causes, shown.latencies) == ({"denied": 3, "no_server": 1}, (1, 0))
    first = node.pools[0].servers[0]
    assert (first.counts.bytes_in, first.counts.requests, first.failed_checks, first.downs) == (30, 0, 2, 1)
    assert (first.name, first.health, first.down_s) == (WEB1.name, WEB1.health, WEB1.down_s)


def test_who_was_not_there_then_counts_from_the_start() -> None:
    since = baseline_of(replace(NODE, frontends=(DNS,), pools=()))
    node = reckoned(NODE, since)
    assert node.frontends[0] == WEB
    assert node.pools == NODE.pools


def test_who_went_and_comes_again_begins_anew() -> None:
    since = baseline_of(NODE)
    assert since.among(NODE) is since
    without = since.among(replace(NODE, frontends=(DNS,), pools=()))
    assert (set(without.frontends), set(without.servers)) == ({"dns"}, set())
    assert reckoned(NODE, without).frontends[0] == WEB
