"""Counts together, and counts since."""

from dataclasses import fields, replace

from balancer import counts
from balancer.counts import COUNTED, Counts, added, counted_since

NOTHING = Counts(*[0] * COUNTED)


def test_the_fields_are_in_the_order_of_the_slots() -> None:
    names = [one.name for one in fields(Counts)]
    assert names[counts.CONNECT_US_MAX] == "connect_us_max"
    assert names[counts.KEPT : counts.KEPT_PROVEN + 1] == ["kept", "kept_proven"]
    assert names[counts.CLIENT_ABORTS : counts.SERVER_ABORTS + 1] == ["client_aborts", "server_aborts"]
    assert names[counts.GZIP_IN : counts.GZIPPED + 1] == ["gzip_in", "gzip_out", "gzip_bypassed", "gzipped"]
    assert names[counts.ANSWERED_HERE :] == ["answered_here", "internal_errors"]


def test_totals_add_up_and_of_maxima_the_greatest_counts() -> None:
    one = replace(NOTHING, open=1, requests=10, kept=2, response_us_max=70, total_us_max=90)
    other = replace(NOTHING, open=2, requests=20, kept=3, response_us_max=80, total_us_max=85)
    expected = replace(NOTHING, open=3, requests=30, kept=5, response_us_max=80, total_us_max=90)
    assert added(one, other) == expected
    assert added() == NOTHING


def test_since_a_moment_only_what_adds_up_is_less() -> None:
    before = replace(NOTHING, open=4, requests=10, status_2xx=9, connect_us_max=50, kept=1)
    now_is = replace(NOTHING, open=3, requests=25, status_2xx=4, connect_us_max=60, kept=2)
    assert counted_since(before, now_is) == replace(NOTHING, open=3, requests=15, connect_us_max=60, kept=2)
