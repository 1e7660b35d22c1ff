"""How one server of several is chosen. Pure.

A policy is told which servers stand for choice (`update`, whenever that changes) and is then asked once per request
(`choose`). It never learns why a server stands for choice or is refused: the pool decides that. To add a policy, write
a class with these two methods and enter it in POLICIES.
"""

from collections.abc import Callable, Container, Iterable, Mapping
from dataclasses import dataclass
from heapq import heapify, heappop, heappush, heapreplace
from itertools import count
from typing import Protocol

Connections = Callable[[str], int]
"""The open connections of the server of this name, over all workers."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A server that may be chosen. The weight is the effective one, at least 1."""

    name: str
    weight: int


class Policy(Protocol):
    """Chooses among the candidates of the last `update`."""

    def update(self, candidates: Iterable[Candidate]) -> None: ...

    def choose(self, refused: Container[str]) -> str | None:
        """A server that is not refused, or None where all are."""


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
        candidates = tuple(candidates)
        kept = {(name, step): due for due, _, name, step in self._turns}
        first_due = _first_turns(candidates)
        self._turns = []
        for order, candidate in enumerate(candidates):
            step = 1 / candidate.weight
            due = kept.get((candidate.name, step), self._now + first_due[candidate.name])
            self._turns.append((due, order, candidate.name, step))
        heapify(self._turns)

    def choose(self, refused: Container[str]) -> str | None:
        turns = self._turns
        skipped = []
        while turns and turns[0][2] in refused:
            skipped.append(heappop(turns))
        chosen = self._take_turn() if turns else None
        for turn in skipped:
            heappush(turns, turn)
        return chosen

    def _take_turn(self) -> str:
        due, order, name, step = self._turns[0]
        # A server that was refused for long comes back with one turn at once, not with all that it missed.
        self._now = max(self._now, due)
        heapreplace(self._turns, (self._now + step, order, name, step))
        return name


def _first_turns(candidates: tuple[Candidate, ...]) -> dict[str, float]:
    by_weight: dict[int, list[str]] = {}
    for candidate in candidates:
        by_weight.setdefault(candidate.weight, []).append(candidate.name)
    return {
        name: (rank + 0.5) / len(names) / weight
        for weight, names in by_weight.items()
        for rank, name in enumerate(names)
    }


class LeastConnections:
    """The fewest connections for its weight; among equals the one that was chosen longest ago.

    Other workers open and close connections too, so loads must be read afresh. Up to 15 servers all are read for
    every pick and the choice is exact. Larger pools read all of them once in n/8 picks and, in between, only those
    that look least loaded: a server that has become free is noticed that many picks later.
    """

    _READS_PER_PICK = 8

    def __init__(self, connections: Connections) -> None:
        self._connections = connections
        self._candidates: tuple[Candidate, ...] = ()
        self._chosen_at: dict[str, int] = {}
        self._picks = count(1)
        self._ranking: list[tuple[float, int, int, Candidate]] = []
        self._picks_until_reading = 0

    def update(self, candidates: Iterable[Candidate]) -> None:
        self._candidates = tuple(candidates)
        self._chosen_at = {each.name: self._chosen_at.get(each.name, 0) for each in self._candidates}
        self._picks_until_reading = 0

    def choose(self, refused: Container[str]) -> str | None:
        self._read_all_when_due()
        skipped = []
        chosen = None
        while self._ranking and chosen is None:
            load, since, order, candidate = self._ranking[0]
            if candidate.name in refused:
                skipped.append(heappop(self._ranking))
            elif (load_now := self._load(candidate)) > load:
                heapreplace(self._ranking, (load_now, since, order, candidate))
            else:
                chosen = self._take(candidate, load_now, order)
        for entry in skipped:
            heappush(self._ranking, entry)
        return chosen

    def _load(self, candidate: Candidate) -> float:
        return self._connections(candidate.name) / candidate.weight

    def _read_all_when_due(self) -> None:
        if self._picks_until_reading <= 0:
            chosen_at = self._chosen_at
            self._ranking = [
                (self._load(each), chosen_at[each.name], order, each) for order, each in enumerate(self._candidates)
            ]
            heapify(self._ranking)
            self._picks_until_reading = len(self._candidates) // self._READS_PER_PICK
        self._picks_until_reading -= 1

    def _take(self, candidate: Candidate, load: float, order: int) -> str:
        pick = next(self._picks)
        self._chosen_at[candidate.name] = pick
        # The connection that this pick is for has yet to be opened: count it already.
        heapreplace(self._ranking, (load + 1 / candidate.weight, pick, order, candidate))
        return candidate.name


POLICIES: Mapping[str, Callable[[Connections], Policy]] = {
    "round_robin": RoundRobin,
    "least_connections": LeastConnections,
}
