"""What the drawings share: scales, and what to draw of thousands of requests. Pure."""

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from itertools import groupby

from hapair.lab.outage import quantile
from hapair.lab.records import Record

LATENCY_FLOOR_S, LATENCY_TOP_S = 0.0004, 0.4
LATENCY_TICKS = ((0.001, "1 ms"), (0.01, "10 ms"), (0.1, "100 ms"))


@dataclass(frozen=True, slots=True)
class Linear:
    """From values to coordinates, evenly."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        return round(self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start), 1)


@dataclass(frozen=True, slots=True)
class Logarithmic:
    """From values to coordinates, by their magnitude; values outside are drawn at the edge."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        held = min(max(value, self.low), self.high)
        share = math.log(held / self.low) / math.log(self.high / self.low)
        return round(self.start + share * (self.end - self.start), 1)


@dataclass(frozen=True, slots=True)
class Bin:
    """The probes sent within one slice of time."""

    at: float
    """Its middle."""
    low: float | None
    middle: float | None
    high: float | None
    """Latency of those that succeeded, seconds; None where none did."""
    failed: int
    node: str
    """The node that carried most of them."""


def bins(records: Sequence[Record], began_at: float, ended_at: float, count: int) -> list[Bin]:
    """The probes sorted into `count` slices of equal length; slices without probes are left out."""
    width = (ended_at - began_at) / count
    probes = sorted((record for record in records if record.kind == "probe"), key=lambda probe: probe.sent_at)
    slices = groupby(probes, key=lambda probe: int((probe.sent_at - began_at) / width))
    return [_bin(began_at + (number + 0.5) * width, list(group)) for number, group in slices if 0 <= number < count]


def _bin(at: float, probes: Sequence[Record]) -> Bin:
    good = [probe for probe in probes if probe.ok]
    took = [probe.took_s for probe in good]
    node = Counter(probe.node for probe in good).most_common(1)[0][0] if good else ""
    return Bin(at, min(took, default=None), quantile(took, 0.5), max(took, default=None), len(probes) - len(good), node)


def runs(found: Sequence[Bin]) -> Iterator[tuple[str, list[Bin]]]:
    """Neighbouring slices that the same node carried, and that node; slices in which all failed separate them."""
    for node, group in groupby(found, key=lambda one: one.node):
        if node:
            yield node, list(group)


def rates(
    records: Sequence[Record], began_at: float, ended_at: float, count: int, servers: Sequence[str]
) -> list[tuple[float, list[float]]]:
    """Answers a second in each of `count` slices: the slice's middle, and for each server its own and all before it."""
    width = (ended_at - began_at) / count
    answers = Counter((int((record.sent_at - began_at) / width), record.server) for record in records if record.ok)
    return [
        (
            began_at + (number + 0.5) * width,
            [sum(answers[number, server] for server in servers[: upto + 1]) / width for upto in range(len(servers))],
        )
        for number in range(count)
    ]


def line(points: Sequence[tuple[float, float]]) -> str:
    """The path through these points."""
    return "M" + "L".join(f"{x:g},{y:g}" for x, y in points)


def area(upper: Sequence[tuple[float, float]], lower: Sequence[tuple[float, float]]) -> str:
    """The outline of what lies between two lines."""
    return line([*upper, *reversed(lower)]) + "Z"


def text(x: float, y: float, words: str, style: str = "", anchor: str = "start") -> str:
    """Words at a place; `style` names CSS classes."""
    return f'<text x="{x:g}" y="{y:g}" class="{style}" text-anchor="{anchor}">{escape(words)}</text>'


def badge(x: float, y: float, number: int) -> str:
    """The number that stands for a fault in every drawing."""
    words = text(x, y + 3.6, str(number), "badge-number", "middle")
    return f'<circle cx="{x:g}" cy="{y:g}" r="8" class="badge"/>{words}'
