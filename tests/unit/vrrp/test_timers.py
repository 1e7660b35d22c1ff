"""Spans, worked out by hand."""

import pytest

from vrrp.timers import active_down_interval, advertisement_interval, lease_length, lease_renewal, skew_time


@pytest.mark.parametrize(
    ("priority", "interval_cs", "seconds"),
    [
        pytest.param(100, 100, 0.609375, id="default"),
        pytest.param(254, 100, 0.0078125, id="highest"),
        pytest.param(1, 100, 0.99609375, id="lowest"),
        pytest.param(255, 100, 0.00390625, id="owner"),
        pytest.param(100, 10, 0.0609375, id="100ms"),
        pytest.param(192, 4095, 10.2375, id="slowest"),
    ],
)
def test_skew_time(priority, interval_cs, seconds):
    assert skew_time(priority, interval_cs) == seconds


@pytest.mark.parametrize(
    ("priority", "interval_cs", "seconds"),
    [
        pytest.param(100, 100, 3.609375, id="default"),
        pytest.param(200, 100, 3.21875, id="higher is sooner"),
        pytest.param(100, 10, 0.3609375, id="100ms"),
        pytest.param(100, 1, 0.03609375, id="10ms"),
    ],
)
def test_active_down_interval(priority, interval_cs, seconds):
    assert active_down_interval(priority, interval_cs) == seconds


@pytest.mark.parametrize(
    ("priority", "interval_cs", "seconds"),
    [
        pytest.param(100, 1, 1, id="never less than a second"),
        pytest.param(100, 10, 1, id="100ms"),
        pytest.param(200, 30, 1, id="just under a second"),
        pytest.param(1, 100, 4, id="just under four"),
        pytest.param(100, 100, 4, id="default"),
        pytest.param(255, 4095, 124, id="slowest"),
    ],
)
def test_lease_is_the_active_down_interval_in_whole_seconds(priority, interval_cs, seconds):
    assert lease_length(priority, interval_cs) == seconds


def test_lease_is_not_rounded_up_from_a_whole_number():
    # 3 * 64 + (256 - 192) * 64 / 256 = 208 centiseconds; with priority 0, 4 * 100 are 4 s to the last digit.
    assert lease_length(192, 64) == 3
    assert lease_length(0, 100) == 4


def test_a_quarter_of_the_lease_between_renewals():
    assert lease_renewal(1) == 0.25
    assert lease_renewal(4) == 1.0


def test_interval_in_seconds():
    assert advertisement_interval(1) == 0.01
    assert advertisement_interval(4095) == 40.95


@pytest.mark.parametrize(
    ("priority", "interval_cs", "seconds"),
    [
        pytest.param(100, 100, 0.609375, id="default"),
        pytest.param(100, 500, 0.609375, id="whatever the interval is"),
        pytest.param(254, 25500, 0.0078125, id="highest"),
    ],
)
def test_rule_27_v2_skew_time_is_a_part_of_one_second(priority, interval_cs, seconds):
    assert skew_time(priority, interval_cs, version=2) == seconds


def test_version_2_has_its_own_spans():
    assert active_down_interval(100, 500, version=2) == 15.609375
    assert lease_length(100, 500, version=2) == 16
    assert lease_length(100, 500) == 19


def test_without_rivals_three_missed_advertisements_are_enough():
    assert active_down_interval(100, 10, skewed=False) == 0.3
    assert active_down_interval(100, 100, version=2, skewed=False) == 3.0


@pytest.mark.parametrize(("interval_cs", "seconds"), [(1, 0.05), (2, 0.06)])
def test_without_skew_a_pause_of_a_busy_machine_is_no_silence(interval_cs, seconds):
    assert active_down_interval(100, interval_cs, skewed=False) == seconds
