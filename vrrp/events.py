"""What goes into a virtual router (events) and what comes out of it (effects, in the order to carry them out). Pure."""

from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import Literal

from vrrp.advertisement import Advertisement

StateName = Literal["Initialize", "Backup", "Active"]


@dataclass(frozen=True, slots=True)
class InterfaceReady:
    """The interface can send and receive, with `address` as its primary address: Startup. Later: a new address."""

    address: IPv4Address


@dataclass(frozen=True, slots=True)
class InterfaceLost:
    """The interface cannot send any more."""

    reason: str


@dataclass(frozen=True, slots=True)
class Shutdown:
    """Leave in good order."""

    reason: str


@dataclass(frozen=True, slots=True)
class AdvertReceived:
    """A valid advertisement of this virtual router, from another router."""

    advertisement: Advertisement
    source: IPv4Address


@dataclass(frozen=True, slots=True)
class DeadlineReached:
    """The router's deadline has passed, and every advertisement that arrived before was handed over."""


@dataclass(frozen=True, slots=True)
class LoopLate:
    """The loop runs `by_s` later than it meant to, by the clock that shows more. Handed over before anything else."""

    by_s: float


@dataclass(frozen=True, slots=True)
class PriorityChanged:
    """The effective priority is another one from now on."""

    priority: int


@dataclass(frozen=True, slots=True)
class VipsClaimed:
    """The kernel holds the VIPs, or holds them for another lease."""


@dataclass(frozen=True, slots=True)
class ClaimFailed:
    """The kernel refused at least one VIP."""


@dataclass(frozen=True, slots=True)
class VipsRemoved:
    """VIPs that were claimed are gone from the interface, and we did not remove them."""


Event = (
    InterfaceReady
    | InterfaceLost
    | Shutdown
    | AdvertReceived
    | DeadlineReached
    | LoopLate
    | PriorityChanged
    | VipsClaimed
    | ClaimFailed
    | VipsRemoved
)


@dataclass(frozen=True, slots=True)
class SendAdvertisement:
    """Multicast an advertisement with this priority."""

    priority: int


@dataclass(frozen=True, slots=True)
class ClaimVips:
    """Put the VIPs on the interface, or renew them, for `lease_s` seconds; None: for good."""

    lease_s: int | None


@dataclass(frozen=True, slots=True)
class ReleaseVips:
    """Take the VIPs off the interface."""


@dataclass(frozen=True, slots=True)
class AnnounceVips:
    """Send one gratuitous ARP for each VIP."""


@dataclass(frozen=True, slots=True)
class StateChanged:
    """Always the last effect of a transition: what the router now is, and why, in words."""

    state: StateName
    reason: str


Effect = SendAdvertisement | ClaimVips | ReleaseVips | AnnounceVips | StateChanged
