"""Timeouts and limits of a frontend."""

import pytest

from balancer.config_limits import FrontendTimeouts, HttpLimits


def test_there_is_a_rate_where_one_is_given() -> None:
    assert not FrontendTimeouts().has_rates
    assert FrontendTimeouts(upload_rate=500.0).has_rates
    assert FrontendTimeouts(download_rate=500.0).has_rates


def test_a_window_has_a_least_length() -> None:
    with pytest.raises(ValueError, match="rate_window must be at least 1s"):
        FrontendTimeouts(rate_window_s=0.5)


def test_limits_below_any_use() -> None:
    with pytest.raises(ValueError, match="head must be at least 1KiB, header_count 1 and target 64B"):
        HttpLimits(head_bytes=1023)
