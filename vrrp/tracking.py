"""What a virtual router's standing depends on: interfaces, checks, files. Pure.

A gate says whether the router takes part at all. A weight moves its priority, as keepalived's does: a positive one is
added while all is well, a negative one while it is not.
"""

from collections.abc import Iterable
from dataclasses import dataclass

HIGHEST, LOWEST = 254, 1


@dataclass(frozen=True, slots=True)
class Tracked:
    """One thing that is watched, as it is now."""

    name: str
    ok: bool
    reason: str
    weight: int | None = None
    """None: a gate."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InterfaceTrack:
    """An interface, beside its own, that a virtual router's standing depends on."""

    name: str
    """What it is called in the configuration, and so in reasons."""
    interface: str
    weight: int | None = None
    """None: a gate."""


@dataclass(frozen=True, slots=True)
class Standing:
    """What follows for the router."""

    priority: int
    closed: str | None
    """Why it takes no part; None: it does."""


def standing(configured_priority: int, tracked: Iterable[Tracked]) -> Standing:
    """The effective priority, from 1 to 254, and whether a gate is closed. An owner's priority (255) stays as it is."""
    tracked = tuple(tracked)
    closed = [f"{one.name}: {one.reason}" for one in tracked if one.weight is None and not one.ok]
    moved = configured_priority + sum(_moved_by(one) for one in tracked)
    priority = configured_priority if configured_priority > HIGHEST else min(HIGHEST, max(LOWEST, moved))
    return Standing(priority, "; ".join(closed) or None)


def _moved_by(one: Tracked) -> int:
    if one.weight is None:
        return 0
    return one.weight if one.ok == (one.weight > 0) else 0
