"""What the demonstration makes of what it saw."""

from hapair.lab.addresses import Change
from hapair.lab.demo import Result, Span, spans


def test_spans_in_which_an_address_was_held() -> None:
    changes = [Change(1.0, "v", True), Change(2.0, "v", False), Change(4.0, "v", True)]
    assert spans("pi-a", changes, 9.0) == [Span("pi-a", 1.0, 2.0), Span("pi-a", 4.0, 9.0)]
    assert spans("pi-a", [], 9.0) == []


def test_it_passed_where_all_three_trials_did(good: Result, bad: Result) -> None:
    assert good.passed
    assert not bad.passed
