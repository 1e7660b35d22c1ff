"""What a client's records say about a span of time: outages, failures, rates. Pure.

An outage, as the client sees it: a run of probes, in the order they were sent, that all failed. It lasts from the
sending of the first of them until the first probe sent after them that succeeded has its whole answer.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from hapair.lab.records import Record


@dataclass(frozen=True, slots=True)
class Outage:
    """A run of failed probes."""

    began_at: float
    ended_at: float | None
    """None: no probe had succeeded again when the records end."""
    failed: int

    @property
    def lasted_s(self) -> float | None:
        return None if self.ended_at is None else self.ended_at - self.began_at


def outages(records: Iterable[Record]) -> Iterator[Outage]:
    """Every outage among these records, in order of time."""
    probes = sorted((record for record in records if record.kind == "probe"), key=lambda probe: probe.sent_at)
    began_at, failed = 0.0, 0
    for ok, group in groupby(probes, key=lambda probe: probe.ok):
        run = list(group)
        if not ok:
            began_at, failed = run[0].sent_at, len(run)
        elif failed:
            yield Outage(began_at, run[0].done_at, failed)
            failed = 0
    if failed:
        yield Outage(began_at, None, failed)


def longest(found: Iterable[Outage]) -> Outage | None:
    """The outage that lasted longest; one without an end is longer than any other. None where there was none."""
    return max(found, key=lambda outage: float("inf") if outage.lasted_s is None else outage.lasted_s, default=None)


def within(records: Iterable[Record], since: float, until: float) -> list[Record]:
    """The records of requests sent in [since, until)."""
    return [record for record in records if since <= record.sent_at < until]


@dataclass(frozen=True, slots=True)
class Tally:
    """Requests counted."""

    requests: int
    failed: int
    per_server: dict[str, int]
    """Answers by web server."""
    per_node: dict[str, int]
    """Answers by the node that carried them."""
    errors: dict[str, int]
    """Failures by reason."""


def tally(records: Sequence[Record]) -> Tally:
    """Count these records."""
    good = [record for record in records if record.ok]
    return Tally(
        requests=len(records),
        failed=len(records) - len(good),
        per_server=_count(record.server for record in good),
        per_node=_count(record.node for record in good),
        errors=_count(record.error for record in records if record.error is not None),
    )


def _count(words: Iterable[str]) -> dict[str, int]:
    return dict(sorted(Counter(words).items()))


def quantile(values: Iterable[float], share: float) -> float | None:
    """The value below which this share (0 to 1) of the values lies; None where there are none."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else None
