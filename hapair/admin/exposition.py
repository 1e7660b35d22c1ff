"""Prometheus' text format, version 0.0.4. Pure.

A sample whose value is not known is left out, and so is a metric without samples.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
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


def exposition(metrics: Iterable[Metric]) -> bytes:
    """What is sent."""
    return "".join(line for metric in metrics for line in _lines(metric)).encode()


def _lines(metric: Metric) -> Iterator[str]:
    known = [(labels, value) for labels, value in metric.samples if value is not None]
    if known:
        yield f"# HELP {metric.name} {metric.help.replace(chr(92), chr(92) * 2).replace(chr(10), ' ')}\n"
        yield f"# TYPE {metric.name} {metric.kind}\n"
    for labels, value in known:
        yield f"{metric.name}{_labels(labels)} {_number(value)}\n"


def _labels(labels: Labels) -> str:
    inside = ",".join(f'{name}="{_escaped(value)}"' for name, value in labels.items())
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
