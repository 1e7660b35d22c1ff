"""The power of two choices: of two servers drawn at random, by weight, the less loaded. Pure: chance is passed in."""

from bisect import bisect_right
from collections.abc import Container, Iterable
from itertools import accumulate

from balancer.policies.base import Candidate, Chance, Connections, Request

_DRAWS = 8


class TwoChoices:
    """Nearly as even as least connections, with two loads read for a pick; many balancers do not fall into step."""

    def __init__(self, connections: Connections, chance: Chance) -> None:
        self._connections = connections
        self._chance = chance
        self._names: list[str] = []
        self._weights: dict[str, float] = {}
        self._bounds: list[float] = []

    def update(self, candidates: Iterable[Candidate]) -> None:
        self._weights = {each.name: each.weight for each in candidates if each.weight > 0}
        self._names = list(self._weights)
        self._bounds = list(accumulate(self._weights.values()))

    def choose(self, refused: Container[str], request: Request | None = None) -> str | None:
        if not self._names:
            return None
        one, other = self._draw(), self._draw()
        if one in refused or other in refused:
            return self._among_the_rest(refused)
        return one if one == other or self._load(one) <= self._load(other) else other

    def _draw(self) -> str:
        bounds = self._bounds
        # The last place is for a product that was rounded up to the sum itself.
        return self._names[min(bisect_right(bounds, self._chance() * bounds[-1]), len(bounds) - 1)]

    def _load(self, name: str) -> float:
        return self._connections(name) / self._weights[name]

    def _among_the_rest(self, refused: Container[str]) -> str | None:
        """Two that are not refused; where most are, the least loaded of all the others."""
        drawn = [name for name in (self._draw() for _ in range(_DRAWS)) if name not in refused][:2]
        left = drawn if len(drawn) == 2 else [name for name in self._names if name not in refused]
        return min(left, key=self._load, default=None)
