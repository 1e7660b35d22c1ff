"""How late adverts were sent, counted in classes: cheap enough for each advert. Pure."""

from bisect import bisect_left

BOUNDS_S = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0)
"""The upper bound of each class but the last, which has none. An advert is late by less than a millisecond on a quiet
machine; by the advertisement interval, 0.1 s where nothing else is said, it costs the peer one of its three."""


class Lateness:
    """The adverts of one virtual router."""

    __slots__ = ("counts", "sum_s")

    def __init__(self) -> None:
        self.counts = [0] * (len(BOUNDS_S) + 1)
        """For each of BOUNDS_S those that were later than the bound before and no later than this; then the rest."""
        self.sum_s = 0.0

    def add(self, late_s: float) -> None:
        """One advert; one that was early is not late."""
        late_s = max(0.0, late_s)
        self.counts[bisect_left(BOUNDS_S, late_s)] += 1
        self.sum_s += late_s
