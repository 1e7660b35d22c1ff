"""What a pinger's records say: which pings were answered, when and by whom, and what a client lost meanwhile. Pure.

An outage: a run of pings, in the order they were sent, none of which was answered in time. It lasts from the sending of
the first of them until the first answer to any ping sent since. Pings that waited for the peer's hardware address are
answered all at once when it is known: late, not lost.
"""

import struct
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

IN_TIME_S = 0.005
"""A ping that takes longer was held up somewhere: on one machine an answer takes 0.1 ms."""
RECORD = struct.Struct("=IdB")
"""Number of the ping, instant (time.monotonic()), and the answer's TTL; 0: this is the sending."""


@dataclass(frozen=True, slots=True)
class Ping:
    """One echo request and its answer, if it had one. Instants are of time.monotonic()."""

    sent_at: float
    answered_at: float | None
    ttl: int
    """The answer's, which tells the nodes apart; 0 where there was none."""

    @property
    def in_time(self) -> bool:
        return self.answered_at is not None and self.answered_at - self.sent_at <= IN_TIME_S


class PingLog:
    """All pings of a pinger, from its output in pieces of any size."""

    def __init__(self) -> None:
        self._sent: list[float] = []
        self._answers: dict[int, tuple[float, int]] = {}
        self._rest = b""

    def take(self, data: bytes) -> None:
        """Take in what one read brought."""
        data = self._rest + data
        whole = len(data) - len(data) % RECORD.size
        self._rest = data[whole:]
        for number, at, ttl in RECORD.iter_unpack(data[:whole]):
            if ttl:
                self._answers.setdefault(number, (at, ttl))
            else:
                self._sent.append(at)

    def between(self, since: float, until: float) -> list[Ping]:
        """The pings sent in [since, until)."""
        first = next(self._newest_before(since), -1) + 1
        return [self._ping(number) for number in range(first, len(self._sent)) if self._sent[number] < until]

    def last(self, count: int) -> list[Ping]:
        """The newest pings, but for those that may still be answered in time."""
        newest = self._sent[-1] if self._sent else 0.0
        end = next(self._newest_before(newest - IN_TIME_S), -1) + 1
        return [self._ping(number) for number in range(max(0, end - count), end)]

    def _newest_before(self, at: float) -> Iterator[int]:
        return (number for number in range(len(self._sent) - 1, -1, -1) if self._sent[number] < at)

    def _ping(self, number: int) -> Ping:
        answered_at, ttl = self._answers.get(number, (None, 0))
        return Ping(self._sent[number], answered_at, ttl)


def lost(pings: Iterable[Ping]) -> int:
    """How many were never answered."""
    return sum(ping.answered_at is None for ping in pings)


def outage_s(pings: Sequence[Ping]) -> float | None:
    """How long the longest outage lasted; 0 where there was none, None where one had not ended with the last ping."""
    ends = [_first_answer_since(pings, start) for start in _starts(pings)]
    if None in (end for _, end in ends):
        return None
    return max((end - began for began, end in ends if end is not None), default=0.0)


def _starts(pings: Sequence[Ping]) -> Iterator[int]:
    for in_time, run in groupby(range(len(pings)), key=lambda number: pings[number].in_time):
        if not in_time:
            yield next(run)


def _first_answer_since(pings: Sequence[Ping], start: int) -> tuple[float, float | None]:
    answers = (ping.answered_at for ping in pings[start:] if ping.answered_at is not None)
    return pings[start].sent_at, min(answers, default=None)


def first_answer(pings: Iterable[Ping], ttl: int) -> float | None:
    """When the first answer with this TTL came."""
    return min((ping.answered_at for ping in pings if ping.ttl == ttl and ping.answered_at is not None), default=None)


def answerers(pings: Iterable[Ping]) -> list[int]:
    """Whose answers came, by TTL, in the order of the pings: one entry for each change."""
    return [ttl for ttl, _ in groupby(ping.ttl for ping in pings if ping.answered_at is not None)]
