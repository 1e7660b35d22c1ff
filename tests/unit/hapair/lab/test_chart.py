"""Scales and slices."""

from hapair.lab.chart import Bin, Linear, Logarithmic, area, badge, bins, line, rates, runs, text
from hapair.lab.records import Record


def probe(sent_at: float, took_s: float, node: str = "a", error: str | None = None) -> Record:
    return Record("probe", sent_at, took_s, error, "web1", "" if error else node)


def test_scales() -> None:
    linear = Linear(10.0, 20.0, 0.0, 100.0)
    assert [linear(10.0), linear(12.5), linear(20.0)] == [0.0, 25.0, 100.0]
    upward = Logarithmic(0.001, 1.0, 300.0, 0.0)
    assert [upward(0.001), upward(0.01), upward(0.1), upward(1.0)] == [300.0, 200.0, 100.0, 0.0]
    assert [upward(0.0), upward(9.0)] == [300.0, 0.0]


def test_probes_are_sorted_into_slices() -> None:
    records = [probe(0.1, 0.25), probe(0.2, 0.5), probe(0.3, 1.0), probe(3.5, 1.0, error="timeout"), probe(4.0, 1.0)]
    assert bins(records, 0.0, 4.0, 4) == [
        Bin(at=0.5, low=0.25, middle=0.5, high=1.0, failed=0, node="a"),
        Bin(at=3.5, low=None, middle=None, high=None, failed=1, node=""),
    ]


def test_runs_end_where_the_node_changes_or_all_failed() -> None:
    a, b, none = (Bin(0.0, 1.0, 1.0, 1.0, 0, node) for node in ("a", "b", ""))
    assert list(runs([a, a, none, a, b])) == [("a", [a, a]), ("a", [a]), ("b", [b])]


def test_rates_are_stacked() -> None:
    records = [
        Record("stream", at, 0.1, None, server, "a") for at, server in ((0.1, "x"), (0.2, "y"), (0.3, "y"), (1.1, "x"))
    ]
    assert rates(records, 0.0, 1.0, 2, ["x", "y"]) == [(0.25, [2.0, 6.0]), (0.75, [0.0, 0.0])]


def test_drawing() -> None:
    assert line([(0.0, 1.0), (2.5, 3.0)]) == "M0,1L2.5,3"
    assert area([(0.0, 1.0), (2.0, 1.0)], [(0.0, 5.0), (2.0, 5.0)]) == "M0,1L2,1L2,5L0,5Z"
    assert text(1.0, 2.0, "a < b", "tick", "end") == '<text x="1" y="2" class="tick" text-anchor="end">a &lt; b</text>'
    assert badge(8.0, 10.0, 3).startswith('<circle cx="8" cy="10" r="8" class="badge"/>')
