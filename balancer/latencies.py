"""How long responses took, in buckets of a logarithmic scale that all processes agree on. Pure.

64 buckets, each about a quarter wider than the one below: from 50 us to 80 s, right to within a bucket, in
half a kilobyte for each frontend and worker. Their bounds are preferred numbers, ten to a decade (ISO 3, series R10).
"""

from bisect import bisect
from collections.abc import Sequence
from itertools import pairwise
from typing import Final

BUCKETS: Final = 64
_PREFERRED: Final = ("1", "1.25", "1.6", "2", "2.5", "3.15", "4", "5", "6.3", "8")
BOUNDS_S: Final = tuple(float(f"{one}e{power}") for power in range(-5, 2) for one in _PREFERRED)[7:]
"""Where each bucket but the last one ends; the last has no end."""
_COARSE: Final = tuple(place for place in range(len(BOUNDS_S)) if (place + 7) % 10 in (0, 4, 7))
COARSE_S: Final = tuple(BOUNDS_S[place] for place in _COARSE)
"""Three to a decade: 50 us, 100 us, 250 us, ... 50 s."""


def bucket_of(latency_s: float) -> int:
    """Its place among the buckets."""
    return bisect(BOUNDS_S, latency_s)


def quantile_s(counts: Sequence[int], share: float) -> float | None:
    """The span that `share` of the responses did not exceed, guessed within its bucket; None: there were none.

    `counts` has one number for each bucket. What lies beyond the last bound is said to be of the last bound.
    """
    wanted = share * sum(counts)
    below = 0
    for bucket, count in enumerate(counts):
        if count and below + count >= wanted:
            return _within(bucket, (wanted - below) / count)
        below += count
    return None


def coarse(counts: Sequence[int]) -> tuple[int, ...]:
    """The same in few buckets, which end at COARSE_S; the last has no end."""
    starts = (0, *(place + 1 for place in _COARSE), len(counts))
    return tuple(sum(counts[start:end]) for start, end in pairwise(starts))


def about_s(counts: Sequence[int]) -> float:
    """All of them added up, as well as the buckets tell: each is taken to be in the middle of its own."""
    return sum(count * _within(bucket, 0.5) for bucket, count in enumerate(counts) if count)


def _within(bucket: int, share: float) -> float:
    low = BOUNDS_S[bucket - 1] if bucket else 0.0
    high = BOUNDS_S[min(bucket, len(BOUNDS_S) - 1)]
    return low + (high - low) * share
