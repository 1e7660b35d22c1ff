"""The least loaded server. Pure."""

from collections.abc import Container, Iterable
from heapq import heapify, heappop, heappush, heapreplace
from math import inf

from balancer.policies.base import Candidate, Connections, Request


class LeastConnections:
    """The fewest connections for its weight; among equals the one that was chosen longest ago.

    Other workers open and close connections too, so loads must be read afresh. Up to SMALL servers all are read for
    every pick and the choice is exact. Larger pools read all of them once in n/5 picks and, in between, only those
    that look least loaded: a server that has become free is noticed that many picks later.
    """

    SMALL = 15
    _READS_PER_PICK = 5

    def __init__(self, connections: Connections) -> None:
        self._connections = connections
        self._servers: list[tuple[int, str, float]] = []
        self._chosen_at: dict[str, int] = {}
        self._picks = 0
        self._ranking: list[tuple[float, int, int, str, float]] = []
        self._picks_until_reading = 0

    def update(self, candidates: Iterable[Candidate]) -> None:
        self._servers = [(order, each.name, each.weight) for order, each in enumerate(candidates) if each.weight > 0]
        self._chosen_at = {name: self._chosen_at.get(name, 0) for _, name, _ in self._servers}
        self._picks_until_reading = 0

    def choose(self, refused: Container[str], request: Request | None = None) -> str | None:
        if len(self._servers) <= self.SMALL:
            return self._least_of_few(refused)
        self._picks_until_reading -= 1
        if self._picks_until_reading < 0:
            self._read_all()
        ranking = self._ranking
        load, _, order, name, weight = ranking[0]
        load_now = self._connections(name) / weight
        if load_now > load or name in refused:
            return self._further_down(refused)
        self._picks = pick = self._picks + 1
        self._chosen_at[name] = pick
        # The connection that this pick is for has yet to be opened: count it already.
        heapreplace(ranking, (load_now + 1 / weight, pick, order, name, weight))
        return name

    def _least_of_few(self, refused: Container[str]) -> str | None:
        connections, chosen_at = self._connections, self._chosen_at
        chosen, least, since = None, inf, 0
        for _, name, weight in self._servers:
            load = connections(name) / weight
            if (load < least or (load == least and chosen_at[name] < since)) and name not in refused:
                chosen, least, since = name, load, chosen_at[name]
        if chosen is not None:
            self._picks = chosen_at[chosen] = self._picks + 1
        return chosen

    def _further_down(self, refused: Container[str]) -> str | None:
        """The first of the ranking is refused, or has more connections than when it was last looked at."""
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
                chosen = name
                self._picks = self._chosen_at[name] = self._picks + 1
                heapreplace(ranking, (load_now + 1 / weight, self._picks, order, name, weight))
        for entry in skipped:
            heappush(ranking, entry)
        return chosen

    def _read_all(self) -> None:
        connections, chosen_at = self._connections, self._chosen_at
        self._ranking = [
            (connections(name) / weight, chosen_at[name], order, name, weight) for order, name, weight in self._servers
        ]
        heapify(self._ranking)
        self._picks_until_reading = len(self._servers) // self._READS_PER_PICK - 1
