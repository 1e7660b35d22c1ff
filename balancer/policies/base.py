"""What a policy is told and asked. Pure.

A policy is told how the servers stand (`update`, whenever that changes) and is then asked once per request (`choose`).
It never learns why a server may not be chosen, or is refused: the pool decides that.
"""

from collections.abc import Callable, Container, Iterable
from dataclasses import dataclass
from typing import NamedTuple, Protocol

Connections = Callable[[str], int]
"""The open connections of the server of this name, over all workers."""
Chance = Callable[[], float]
"""A random number from 0 to 1, without 1."""


class Request(NamedTuple):
    """What a request is chosen by; made only for the policies that read it."""

    client: str
    """The client's IP address."""
    target: bytes = b""
    """In origin-form; empty where requests are not read (mode tcp)."""
    fields: bytes = b""
    """The field lines, beginning with the LF that ends the request line and ending with CR LF."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A server and its weight as it is now; with 0 it may not be chosen."""

    name: str
    weight: float
    full_weight: float = 0.0
    """What its weight would be if nothing lowered it: it were UP, READY and warm. Never below `weight`."""


class Policy(Protocol):
    """Chooses among the candidates of the last `update`."""

    def update(self, candidates: Iterable[Candidate]) -> None: ...

    def choose(self, refused: Container[str], request: Request | None = None) -> str | None:
        """A server that may be chosen and is not refused, or None where there is none."""
