"""Turns, smoothly by weight. Pure."""

from collections.abc import Container, Iterable
from heapq import heapify, heappop, heappush, heapreplace

from balancer.policies.base import Candidate, Connections, Request


class RoundRobin:
    """Smooth weighted turns: each server is due every 1/weight of a round, servers of equal weight evenly apart.

    Any run of as many picks as all weights together gives each server exactly its weight. A pick costs one heap
    operation whatever the weights, and a change of the servers only their number; a table of all turns of a round
    would have to be built anew at each flip, 256 entries per server.
    """

    def __init__(self, connections: Connections) -> None:
        self._turns: list[tuple[float, int, str, float]] = []
        self._now = 0.0

    def update(self, candidates: Iterable[Candidate]) -> None:
        """Servers that stay keep their turn: or else frequent flips would favour the first of the list."""
        candidates = tuple(each for each in candidates if each.weight > 0)
        kept = {(name, step): due for due, _, name, step in self._turns}
        first_due = _first_turns(candidates)
        self._turns = []
        for order, candidate in enumerate(candidates):
            step = 1 / candidate.weight
            due = kept.get((candidate.name, step), self._now + first_due[candidate.name])
            self._turns.append((due, order, candidate.name, step))
        heapify(self._turns)

    def choose(self, refused: Container[str], request: Request | None = None) -> str | None:
        turns = self._turns
        skipped = None
        while turns:
            due, order, name, step = turns[0]
            if name not in refused:
                # A server that was refused for long comes back with one turn at once, not with all that it missed.
                if due > self._now:
                    self._now = due
                heapreplace(turns, (self._now + step, order, name, step))
                break
            skipped = skipped or []
            skipped.append(heappop(turns))
        else:
            name = None
        for turn in skipped or ():
            heappush(turns, turn)
        return name


def _first_turns(candidates: tuple[Candidate, ...]) -> dict[str, float]:
    by_weight: dict[float, list[str]] = {}
    for candidate in candidates:
        by_weight.setdefault(candidate.weight, []).append(candidate.name)
    return {
        name: (rank + 0.5) / len(names) / weight
        for weight, names in by_weight.items()
        for rank, name in enumerate(names)
    }
