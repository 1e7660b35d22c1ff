"""How a server stands: what checks, agents and people say of it. Pure."""

from dataclasses import dataclass
from typing import Literal

from balancer.fieldtypes import Endpoint

Admin = Literal["ready", "drain", "maint"]
"""By an administrator. Drain: only work that belongs there by persistence. Maint: none at all, and no checks."""
WHOLE = 16
"""Sixteenths of its weight that a server has when it is warm."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a server is that its file knows by name, and what else SRV records say of it."""

    endpoint: Endpoint
    weight: int | None = None
    """None: the file's."""
    backup: bool = False
    """Other records come before it."""


@dataclass(frozen=True, slots=True)
class Standing:
    """What is said of one server. Health and admin state are kept apart: neither changes the other."""

    up: bool = True
    admin: Admin = "ready"
    weight: int | None = None
    """Instead of the one in the file, 0 to 256."""
    max_connections: int | None = None
    """Instead of the one in the file, while an agent asks for it."""
    resolved: bool = True
    """Its address is known. Else it is in MAINT, whatever its health and admin state."""
    place: Place | None = None
    """None: where the file says."""
    age_s: float | None = None
    """Since it came UP or was READY again, when this was said; None: it has been so from the start, and is warm."""

    @property
    def in_service(self) -> bool:
        """Whether new work may go to it, but for its weight."""
        return self.up and self.admin == "ready" and self.resolved

    @property
    def takes_persistent(self) -> bool:
        """Whether work that belongs to this server may go to it."""
        return self.up and self.admin != "maint" and self.resolved


def warmth(elapsed_s: float, slow_start_s: float) -> int:
    """Sixteenths of its weight that a server has so long after it came back; HAProxy's formula, in whole seconds."""
    whole_s = int(elapsed_s)
    if whole_s >= slow_start_s:
        return WHOLE
    if whole_s <= 0:
        return 1
    return min(WHOLE, int((WHOLE * whole_s + slow_start_s) // slow_start_s))


def warm_limit(limit: int, elapsed_s: float, slow_start_s: float) -> int:
    """Of `max_connections`, as many as a server may have so long after it came back."""
    if int(elapsed_s) >= slow_start_s:
        return limit
    return max(1, limit * int(100 * int(elapsed_s) // slow_start_s) // 100)


def shown_weight(weight: int, sixteenths: int) -> int:
    """The weight that a person is shown: rounded up."""
    return -(-weight * sixteenths // WHOLE)


def throttle_percent(weight: int, sixteenths: int) -> int:
    """How much of its weight a server has, as HAProxy shows it."""
    return (100 * weight * sixteenths + WHOLE - 1) // (WHOLE * weight) if weight else 100
