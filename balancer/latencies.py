"""How long responses took, in buckets of a logarithmic scale that all processes agree on. Pure.

64 buckets, each a quarter wider than the one below: from 50 us to 51 s with an error of a tenth at most, in half a
kilobyte for each frontend and worker.
"""

from bisect import bisect
from collections.abc import Sequence
from typing import Final

BUCKETS: Final = 64
BOUNDS_S: Final = tuple(50e-6 * 1.25**exponent for exponent in range(BUCKETS - 1))
"""Where each bucket but the last one ends; the last has no end."""


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


def _within(bucket: int, share: float) -> float:
    low = BOUNDS_S[bucket - 1] if bucket else 0.0
    high = BOUNDS_S[min(bucket, len(BOUNDS_S) - 1)]
    return low + (high - low) * share
