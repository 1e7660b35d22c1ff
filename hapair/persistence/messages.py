"""What two nodes say to each other of clients and their servers. Pure: data only."""

from dataclasses import dataclass

from balancer.persistence.table import Entry


@dataclass(frozen=True, slots=True)
class PeerSources:
    """Clients of a pool. `used_at` of each is from the moment of sending on: how long ago it was, below zero."""

    number: int
    pool: str
    entries: tuple[Entry, ...]


@dataclass(frozen=True, slots=True)
class PeerSourcesTaken:
    """What came with this number, and before it, is known here."""

    number: int


@dataclass(frozen=True, slots=True)
class PeerForgetSources:
    """Forget this client of a pool; None: all."""

    pool: str
    client: str | None
