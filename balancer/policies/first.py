"""The first server of the list that can take work. Pure."""

from collections.abc import Container, Iterable

from balancer.policies.base import Candidate, Connections, Request


class First:
    """Fills one server after the other, so that those at the end of the list can be switched off; needs limits."""

    def __init__(self, connections: Connections) -> None:
        self._names: list[str] = []

    def update(self, candidates: Iterable[Candidate]) -> None:
        self._names = [each.name for each in candidates if each.weight > 0]

    def choose(self, refused: Container[str], request: Request | None = None) -> str | None:
        for name in self._names:
            if name not in refused:
                return name
        return None
