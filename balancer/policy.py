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
        self._servers: list[tuple[int, str, int]] = []
        self._chosen_at: dict[str, int] = {}
        self._picks = count(1)
        self._ranking: list[tuple[float, int, int, str, int]] = []
        self._picks_until_reading = 0

    def update(self, candidates: Iterable[Candidate]) -> None:
        self._servers = [(order, each.name, each.weight) for order, each in enumerate(candidates)]
        self._chosen_at = {name: self._chosen_at.get(name, 0) for _, name, _ in self._servers}
        self._picks_until_reading = 0

    def choose(self, refused: Container[str]) -> str | None:
        self._picks_until_reading -= 1
        if self._picks_until_reading < 0:
            self._read_all()
        ranking = self._ranking
        skipped = []
        chosen = None
        while ranking and chosen is None:
            load, since, order, name, weight = ranking[0]
            if name in refused:
                skipped.append(heappop(ranking))
            elif (load_now := self._connections(name) / weight) > load:
                heapreplace(ranking, (load_now, since, order, name, weight))
            else:
                chosen = self._take(load_now)
        for entry in skipped:
            heappush(ranking, entry)
        return chosen

    def _read_all(self) -> None:
        connections, chosen_at = self._connections, self._chosen_at
        self._ranking = [
            (connections(name) / weight, chosen_at[name], order, name, weight) for order, name, weight in self._servers
        ]
        heapify(self._ranking)
        self._picks_until_reading = max(0, len(self._servers) // self._READS_PER_PICK - 1)

    def _take(self, load: float) -> str:
        _, _, order, name, weight = self._ranking[0]
        pick = self._chosen_at[name] = next(self._picks)
        # The connection that this pick is for has yet to be opened: count it already.
        heapreplace(self._ranking, (load + 1 / weight, pick, order, name, weight))
        return name


POLICIES: Mapping[str, Callable[[Connections], Policy]] = {
    "round_robin": RoundRobin,
    "least_connections": LeastConnections,
}
