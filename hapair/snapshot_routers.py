"""What is shown of virtual routers, and of what they depend on. Pure: the announcer's reports and the node fill it."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackedView:
    """Something that a virtual router's standing depends on."""

    name: str
    ok: bool
    weight: int | None
    """None: a gate."""
    reason: str
    since_s: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkView:
    """The liveness link to the peer's announcer."""

    peer: str
    peer_address: str
    up: bool
    since_s: float
    lost: int
    last_cause: str | None
    last_detail: str | None
    waiting_for: str | None
    rejected: Mapping[str, int]
    round_trip_ms: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FenceView:
    """What keeps this machine from answering for VIPs that it does not hold."""

    obstacle: str | None
    """Why there is none; None: it stands."""
    restored: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RouterView:
    """A virtual router on this node."""

    name: str
    vrid: int
    interface: str
    version: int
    group: str | None
    state: str
    """Initialize, Backup or Active."""
    since_s: float | None
    """How long it has been in this state; None while the announcer is restarted."""
    reason: str
    waiting_for: str | None
    priority: int
    configured_priority: int
    stays_backup: bool
    """It does not preempt until it is told to, or has been Active again."""
    tracked: tuple[TrackedView, ...]
    vips: tuple[str, ...]
    vips_held: tuple[str, ...]
    lease_s: int | None
    lease_age_s: float | None
    active_router: str | None
    transitions: int
    adverts_sent: int
    adverts_received: int
    adverts_rejected: Mapping[str, int]
    adverts_unsigned: int
    unusual_checksums: int
    vips_restored: int
    lateness_max_ms: float
    lateness_counts: tuple[int, ...] = ()
    """How late adverts were sent, in the classes of vrrp.lateness.BOUNDS_S and one more for all that were later."""
    lateness_sum_s: float = 0.0
