"""What can be seen of a running virtual router. Pure; plain fields, so that it can be sent as JSON."""

from dataclasses import dataclass

from vrrp.events import StateName


@dataclass(frozen=True, slots=True, kw_only=True)
class RouterSnapshot:
    """One virtual router at one moment. Counters count from the start of the runner."""

    name: str
    vrid: int
    interface: str
    version: int
    """Of VRRP: 2 or 3."""
    group: str | None
    state: StateName
    priority: int
    """The effective one."""
    configured_priority: int
    stays_backup: bool
    """It does not preempt, whatever the configuration says, until it has been Active again or is told to."""
    since_monotonic: float
    """When the state was entered, on CLOCK_MONOTONIC."""
    waiting_for: str | None
    """In Initialize: what must happen first, for example `interface eth0 to exist`."""
    vips: tuple[str, ...]
    vips_held: tuple[str, ...]
    """As they are on the interface, with prefix lengths."""
    lease_s: int | None
    """None: the addresses are the router's own."""
    lease_renewed_at: float | None
    """On CLOCK_MONOTONIC."""
    active_router: str | None
    """Where the last accepted advertisement came from."""
    transitions: int
    adverts_sent: int
    adverts_received: int
    """Accepted ones."""
    adverts_rejected: dict[str, int]
    """By reason; see `vrrp.advertisement.RejectReason`."""
    adverts_unsigned: int
    """Accepted though they bore no signature."""
    unusual_checksums: int
    """Accepted advertisements whose checksum has the form that we do not send."""
    send_errors: int
    vips_restored: int
    """How often somebody else removed a VIP of ours and it was put back."""
    lateness_max_ms: float
    last_reason: str
    """Why the last transition happened."""
    lateness_counts: tuple[int, ...] = ()
    """How late adverts were sent: see vrrp.lateness.BOUNDS_S."""
    lateness_sum_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class FenceSnapshot:
    """What keeps a dead announcer's kernel from answering for its VIPs (vrrp.linux.fence)."""

    obstacle: str | None
    """Why there is none, in words; None: it stands."""
    restored: int
    """How often somebody else flushed it and it was put back."""
