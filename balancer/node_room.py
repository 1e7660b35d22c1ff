"""A limit of connections for all frontends of a node together. Pure.

It costs nothing where there is none: a frontend of a node with a limit is told of more connections elsewhere than
there are, so that its own limit is reached when the node's is.
"""

from collections.abc import Callable
from typing import Protocol


class Limited(Protocol):
    """What has `max_connections`: balancer.config.Frontend."""

    @property
    def max_connections(self) -> int: ...


class Service(Protocol):
    """balancer.service.FrontendService."""

    @property
    def config(self) -> Limited: ...


class NodeRoom:
    """Takes the place of `open_elsewhere` of a frontend."""

    __slots__ = ("_elsewhere", "_limit", "_others", "_service")

    def __init__(
        self, service: Service, limit: int, *, elsewhere: Callable[[], int], others: Callable[[], int]
    ) -> None:
        """`elsewhere`: connections of this frontend in other workers; `others`: all but those of this one here."""
        self._service = service
        self._limit = limit
        self._elsewhere = elsewhere
        self._others = others

    def __call__(self) -> int:
        """As many as leave the frontend no more room than the node has."""
        return max(self._elsewhere(), self._service.config.max_connections - self._limit + self._others())
