"""How persistence stands, as a part of the status (hapair/snapshot.py). Pure: data only."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class PersistenceView:
    """Of a pool whose clients come back to their server."""

    pool: str
    cookie: str | None
    """The name of its cookie."""
    cookies: Mapping[str, int]
    """By what was met: accepted, forged, stale, moved (another server answered), set."""
    size: int | None
    """Clients that its table has room for; None: it has none."""
    used: int
    evicted: int
    """Clients that were forgotten for want of room."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PersistencePeerView:
    """Tables of clients, told to the peer."""

    up: bool
    waiting: int
    lag_s: float
    """From when something was learned here to when the peer had it."""
    resyncs: int
