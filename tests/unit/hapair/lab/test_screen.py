"""The live view."""

import io

from rich.console import Console

from hapair.lab.demo import Result
from hapair.lab.records import Record
from hapair.lab.screen import conclude, results, role_of, sparkline


def shown(renderable: object) -> str:
    console = Console(file=io.StringIO(), width=140)
    console.print(renderable)
    return console.file.getvalue()  # type: ignore[attr-defined]


def test_what_a_node_is() -> None:
    assert role_of(True, "well").plain == "● ACTIVE, holds the VIP"
    assert role_of(False, "well").plain == "○ standby"
    assert role_of(True, "frozen").plain == "✗ frozen, VIP still on it"
    assert role_of(False, "dead").plain == "✗ dead, VIP gone"


def test_a_sparkline_of_half_seconds_newest_last() -> None:
    records = [Record("probe", at, 0.01, None, "", "") for at in (98.6, 98.7, 99.6, 99.7, 99.8, 99.9)]
    assert sparkline(records, 100.0).strip() == "▄ █"
    assert len(sparkline(records, 100.0)) == 60
    assert sparkline(records, 100.0, failed=True).strip() == ""


def test_what_is_still_to_come_is_in_the_table(good: Result) -> None:
    text = shown(results(good.trials[:1]))
    assert "352 ms" in text
    assert "Network cable pulled" in text


def test_the_end(bad: Result) -> None:
    console = Console(file=io.StringIO(), width=140)
    conclude(console, bad)
    assert "1 of 2 takeovers happened, 1 stale VIP left" in console.file.getvalue()  # type: ignore[attr-defined]
