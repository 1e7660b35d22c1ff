"""Unexpected exceptions are all counted, and one a second is logged."""

import logging

import pytest

from balancer.bugs import BugReporter
from balancer.testing import FakeClock


def test_counts_all_and_logs_one_a_second(caplog: pytest.LogCaptureFixture) -> None:
    clock = FakeClock()
    bugs = BugReporter(clock)
    with caplog.at_level(logging.ERROR, "balancer.bugs"):
        for _ in range(5):
            bugs.report(ZeroDivisionError("first"))
        clock.now += 1.0
        bugs.report(ZeroDivisionError("second"))
    assert bugs.count == 6
    assert [record.not_logged for record in caplog.records] == [0, 4]  # type: ignore[attr-defined]
    assert "ZeroDivisionError: first" in caplog.text
