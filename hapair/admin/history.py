"""The last hour in samples of a second: what all frontends together did, and each by itself. Pure.

A ring of four-byte numbers for each series, made whole at once: what it takes does not grow with time. `now` is on any
one clock, in seconds; sample and second go together. A second that was missed between two samples has what the counters
did in both; where nothing was heard for longer it has NaN, and so have latencies where there was no response.
"""

from array import array
from collections.abc import Iterable
from math import nan
from typing import Final

from balancer.latencies import quantile_s
from balancer.slots import Counts
from hapair.snapshot import FrontendView, NodeSnapshot

SPAN: Final = 3600
"""Samples that are kept."""
MOST_SERIES: Final = 64
"""Frontends that are followed each by itself: the first ones of the file. A series takes 130 KB."""
FIELDS: Final = (
    "requests_per_s",
    "connections_per_s",
    "open",
    "bytes_in_per_s",
    "bytes_out_per_s",
    "errors_per_s",
    "client_errors_per_s",
    "p50_ms",
    "p99_ms",
)
"""What a sample has. Errors are responses 5xx, or connections that came to no good end; of clients: responses 4xx."""
ALL: Final = ""
"""The series of all frontends together."""
_LONGEST_GAP_S: Final = 5
Sample = tuple[float, ...]
_NOTHING: Final[Sample] = (nan,) * len(FIELDS)
_Latencies = tuple[int, ...]


class Series:
    """A ring of samples, one for each second up to the last."""

    __slots__ = ("_cells", "_count", "_next", "last")

    def __init__(self) -> None:
        self._cells = array("f", bytes(4 * SPAN * len(FIELDS)))
        self._next = 0
        self._count = 0
        self.last: Sample = _NOTHING

    def add(self, sample: Sample) -> None:
        width = len(FIELDS)
        self._cells[self._next * width : (self._next + 1) * width] = array("f", sample)
        self._next = (self._next + 1) % SPAN
        self._count = min(SPAN, self._count + 1)
        self.last = sample

    def __len__(self) -> int:
        return self._count

    def samples(self) -> "array[float]":
        """All of them one after the other, the oldest first."""
        width = len(FIELDS)
        if self._count < SPAN:
            return self._cells[: self._count * width]
        return self._cells[self._next * width :] + self._cells[: self._next * width]


class History:
    """Fed with a snapshot a second."""

    def __init__(self) -> None:
        self.series: dict[str, Series] = {ALL: Series()}
        """By frontend, and ALL."""
        self.second: int | None = None
        """Of the last sample in each."""
        self._sampled_at = 0.0
        self._known: dict[str, tuple[Counts, _Latencies]] = {}

    def sample(self, node: NodeSnapshot, now: float) -> None:
        """Take note; a second sample within the same second is passed over."""
        second = int(now)
        if self.second is not None and second <= self.second:
            return
        known = {one.name: (one.counts, one.latencies) for one in node.frontends}
        if self.second is not None:
            self._add(node.frontends, second - self.second, now - self._sampled_at)
        self._known, self.second, self._sampled_at = known, second, now

    def _add(self, frontends: Iterable[FrontendView], seconds: int, elapsed_s: float) -> None:
        """`seconds`: how many go by what was counted since the last sample."""
        news = {one.name: self._news(one) for one in frontends}
        samples = {name: _sample(*new, elapsed_s) for name, new in list(news.items())[:MOST_SERIES]}
        samples[ALL] = _sample(*_together(news.values()), elapsed_s)
        for gone in self.series.keys() - samples.keys():
            del self.series[gone]
        for name, sample in samples.items():
            if name not in self.series:
                self.series[name] = Series()
            series = self.series[name]
            for missed in range(min(seconds, SPAN) - 1, -1, -1):
                series.add(sample if missed < 1 or seconds <= _LONGEST_GAP_S else _NOTHING)

    def _news(self, frontend: FrontendView) -> "_New":
        """What was counted since the last sample; nothing of a frontend that was not there."""
        counts, latencies = self._known.get(frontend.name, (frontend.counts, frontend.latencies))
        return _difference(frontend, counts, latencies)


_New = tuple[tuple[int, ...], _Latencies]
"""The fields up to `client_errors_per_s`, as counted; and how many responses fell into each bucket."""


def _difference(frontend: FrontendView, before: Counts, latencies: _Latencies) -> _New:
    after = frontend.counts
    counted = (
        after.requests - before.requests,
        after.connections - before.connections,
        after.open,
        after.bytes_in - before.bytes_in,
        after.bytes_out - before.bytes_out,
        _errors(frontend.mode, after) - _errors(frontend.mode, before),
        after.status_4xx - before.status_4xx,
    )
    return counted, tuple(max(0, now - then) for now, then in zip(frontend.latencies, latencies, strict=False))


def _errors(mode: str, counts: Counts) -> int:
    if mode == "http":
        return counts.status_5xx
    return counts.failed + counts.timeouts + counts.resets + counts.dropped


def _together(news: Iterable[_New]) -> _New:
    found = list(news)
    counted = tuple(map(sum, zip(*(one for one, _ in found), strict=True))) or (0,) * (len(FIELDS) - 2)
    return counted, tuple(map(sum, zip(*(latencies for _, latencies in found if latencies), strict=True)))


_OPEN: Final = FIELDS.index("open")


def _sample(counted: tuple[int, ...], latencies: _Latencies, elapsed_s: float) -> Sample:
    rates = [max(0, count) / elapsed_s for count in counted]
    rates[_OPEN] = float(counted[_OPEN])
    return (*rates, *(_ms(quantile_s(latencies, share)) for share in (0.5, 0.99)))


def _ms(span_s: float | None) -> float:
    return nan if span_s is None else span_s * 1000
