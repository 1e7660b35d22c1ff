"""Prometheus' text format, version 0.0.4. Pure.

A sample whose value is not known is left out, and so is a metric without samples.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate
from typing import Final, Literal

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"

Labels = Mapping[str, str]
Value = float | int | bool | None


@dataclass(frozen=True, slots=True)
class Metric:
    """A name, what it means, and its samples: labels and value."""

    name: str
    kind: Literal["counter", "gauge"]
    help: str
    samples: Iterable[tuple[Labels, Value]]


@dataclass(frozen=True, slots=True)
class Histogram:
    """A name, what it means, the upper bounds of its classes but the last, and its samples: labels, counts, sum."""

    name: str
    help: str
    bounds: Sequence[float]
    samples: Iterable[tuple[Labels, Sequence[int], float]]
    """Counts are of each class alone, one more than there are bounds; where there are none nothing is known."""


def exposition(metrics: Iterable[Metric | Histogram]) -> bytes:
    """What is sent."""
    return "".join(
        line for metric in metrics for line in (_histogram(metric) if isinstance(metric, Histogram) else _lines(metric))
    ).encode()


def _histogram(histogram: Histogram) -> Iterator[str]:
    known = [sample for sample in histogram.samples if sample[1]]
    if known:
        yield f"# HELP {histogram.name} {histogram.help}\n# TYPE {histogram.name} histogram\n"
    for labels, counts, total in known:
        bounds = (*map(repr, histogram.bounds), "+Inf")
        for bound, count in zip(bounds, accumulate(counts), strict=True):
            yield f"{histogram.name}_bucket{_labels({**labels, 'le': bound})} {count}\n"
        yield f"{histogram.name}_sum{_labels(labels)} {_number(total)}\n"
        yield f"{histogram.name}_count{_labels(labels)} {sum(counts)}\n"


def _lines(metric: Metric) -> Iterator[str]:
    known = [(labels, value) for labels, value in metric.samples if value is not None]
    if known:
        yield f"# HELP {metric.name} {metric.help.replace(chr(92), chr(92) * 2).replace(chr(10), ' ')}\n"
        yield f"# TYPE {metric.name} {metric.kind}\n"
    for labels, value in known:
        yield f"{metric.name}{_labels(labels)} {_number(value)}\n"


def _labels(labels: Labels) -> str:
    return _written(tuple(labels.items()))


@lru_cache(maxsize=8192)
def _written(labels: tuple[tuple[str, str], ...]) -> str:
    """Remembered: the same few hundred are written again in each metric and each scrape, and are most of its cost."""
    inside = ",".join(f'{name}="{_escaped(value)}"' for name, value in labels)
    return f"{{{inside}}}" if inside else ""


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _number(value: float | int) -> str:
    if isinstance(value, float) and not value.is_integer():
        return repr(round(value, 6))
    return str(int(value))


def one_of(labels: Labels, name: str, states: Iterable[str], current: str) -> Iterator[tuple[Labels, int]]:
    """A sample for each state: 1 for the one that holds, 0 for the others."""
    for state in states:
        yield {**labels, name: state}, int(state == current)
