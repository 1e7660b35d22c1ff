"""The states of a virtual router (RFC 9568 section 6.3). Pure.

Each carries its own deadlines: a stale timer cannot exist.
"""

import math
from dataclasses import dataclass

from vrrp.config import Address
from vrrp.events import StateName


@dataclass(frozen=True, slots=True)
class Initialize:
    """Waits for its interface."""

    @property
    def name(self) -> StateName:
        """As in the RFC."""
        return "Initialize"

    @property
    def deadline(self) -> float:
        """Nothing is awaited."""
        return math.inf


@dataclass(frozen=True, slots=True)
class Backup:
    """Watches the Active Router."""

    active_down_at: float
    active_adver_interval_cs: int
    """Learned from the Active Router; our own until it was heard."""
    cause: str
    """What it will mean, in words, when the deadline is reached."""
    active_router: Address | None = None
    """Who was heard as Active since this state was entered."""
    told: bool = False
    """The Active Router itself said that it leaves, or was seen to die: the deadline is not a guess from silence."""
    lower_since: float | None = None
    """Since when an Active Router of lower priority was heard; None: it was not."""
    startup_until: float = -math.inf
    unheard_until: float = -math.inf
    """Hold-down: ends earlier when anything at all is heard."""
    wants: bool = False
    """Would be Active, and waits for the rest of its group or for a witness."""

    @property
    def name(self) -> StateName:
        """As in the RFC."""
        return "Backup"

    @property
    def deadline(self) -> float:
        """When it becomes Active, if nothing happens before."""
        return max(self.active_down_at, self.startup_until, self.unheard_until)


@dataclass(frozen=True, slots=True)
class Active:
    """Holds the VIPs."""

    adver_at: float
    renew_at: float
    claimed: bool = False
    """The kernel has confirmed the VIPs: until then nothing is announced (RFC 9568 section 8.1.2)."""
    announce_at: tuple[float, ...] = ()
    handing_over_until: float = -math.inf
    """So long the peer may be Active beside us."""
    favoured_until: float = -math.inf
    """So long a higher priority of the peer, which asked us to take over, does not count."""
    in_touch_at: float = -math.inf
    """When the peer or a witness was heard last."""
    brisk_s: float = 0.0
    brisk_until: float = -math.inf
    """So long it advertises every `brisk_s`, though its interval is longer by now: all are to hear of that."""

    @property
    def name(self) -> StateName:
        """As in the RFC."""
        return "Active"

    @property
    def deadline(self) -> float:
        """The next beat."""
        return min(self.adver_at, self.renew_at, *self.announce_at[:1])


State = Initialize | Backup | Active
