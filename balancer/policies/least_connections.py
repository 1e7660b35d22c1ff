"""The least loaded server. Pure."""

from collections.abc import Container, Iterable
from heapq import heapify, heappop, heappush, heapreplace
from itertools import count

from balancer.policies.base import Candidate, Connections, Request


class LeastConnections:
    """The fewest connections for its weight; among equals the one that was chosen longest ago.

    Other workers open and close connections too, so loads must be read afresh. Up to 15 servers all are read for
    every pick and the choice is exact. Larger pools read all of them once in n/8 picks and, in between, only those
    that look least loaded: a server that has become free is noticed that many picks later.
    """

    _READS_PER_PICK = 8

    def __init__(self, connections: Connections) -> None:
        self._connections = connections
        self._servers: list[tuple[int, str, float]] = []
        self._chosen_at: dict[str, int] = {}
        self._picks = count(1)
        self._ranking: list[tuple[float, int, int, str, float]] = []
        self._picks_until_reading = 0

    def update(self, candidates: Iterable[Candidate]) -> None:
        self._servers = [(order, each.name, each.weight) for order, each in enumerate(candidates) if each.weight > 0]
        self._chosen_at = {name: self._chosen_at.get(name, 0) for _, name, _ in self._servers}
        self._picks_until_reading = 0

    def choose(self, refused: Container[str], request: Request | None = None) -> str | None:
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
