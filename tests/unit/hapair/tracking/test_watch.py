"""Rise, fall, and when a router has to hear of it."""

from hapair.tracking.watch import Finding, Watch, next_at
from vrrp.tracking import Tracked

GOOD, BAD = Finding(True, "well"), Finding(False, "ill")


def after(watch: Watch, *findings: Finding) -> Watch:
    for i, finding in enumerate(findings):
        watch = watch.after(finding, 100.0 + i)
    return watch


def gate() -> Watch:
    return Watch.initial("script dns", rise=2, fall=3, weight=None)


def test_before_the_first_finding_it_is_not_well() -> None:
    assert gate().tracked == Tracked("script dns", False, "not looked at yet", None)
    assert (gate().since, gate().reason) == (None, "not looked at yet")


def test_the_first_finding_decides() -> None:
    assert after(gate(), GOOD).tracked == Tracked("script dns", True, "well", None)
    assert after(gate(), BAD).tracked == Tracked("script dns", False, "ill", None)
    assert after(gate(), GOOD).since == 100.0


def test_fall_times_in_a_row_make_it_ill_and_rise_times_well_again() -> None:
    assert after(gate(), GOOD, BAD, BAD).tracked.ok
    ill = after(gate(), GOOD, BAD, BAD, BAD)
    assert (ill.tracked, ill.since) == (Tracked("script dns", False, "ill", None), 103.0)
    assert not after(ill, GOOD).tracked.ok
    assert after(ill, GOOD, GOOD).tracked.ok


def test_one_pass_forgives_the_failures_before_it() -> None:
    assert after(gate(), GOOD, BAD, BAD, GOOD, BAD, BAD).tracked.ok


def test_another_reason_alone_is_shown_and_not_told() -> None:
    first = after(gate(), Finding(True, "load 1"))
    second = first.after(Finding(True, "load 2"), 200.0)
    assert second.tracked == first.tracked
    assert (second.reason, second.since) == ("load 2", 100.0)


def test_a_number_weighs_what_it_says() -> None:
    watch = Watch.initial("file load", rise=1, fall=1, weight=None)
    lower = after(watch, Finding(False, "the file says -20", weight=-20))
    assert lower.tracked == Tracked("file load", False, "the file says -20", -20)
    lowest = lower.after(Finding(False, "the file says -30", weight=-30), 300.0)
    assert lowest.tracked == Tracked("file load", False, "the file says -30", -30)
    assert lowest.since == 300.0
    closed = lowest.after(Finding(False, "the file says -254", is_gate=True), 400.0)
    assert closed.tracked == Tracked("file load", False, "the file says -254", None)


def test_the_next_look_counts_from_the_start_of_the_last() -> None:
    assert next_at(10.0, 1.0, 10.2) == 11.0
    assert next_at(10.0, 1.0, 12.5) == 12.5
