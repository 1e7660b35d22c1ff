"""What goes into a virtual router (events) and what comes out of it (effects, in the order to carry them out). Pure."""

from dataclasses import dataclass
from typing import Literal

from vrrp.advertisement import Advertisement
from vrrp.config import Address, VirtualRouterConfig

StateName = Literal["Initialize", "Backup", "Active"]


@dataclass(frozen=True, slots=True)
class InterfaceReady:
    """The interface can send and receive, with `address` as its primary address: Startup. Later: a new address."""

    address: Address


@dataclass(frozen=True, slots=True)
class InterfaceLost:
    """The interface cannot send any more."""

    reason: str


@dataclass(frozen=True, slots=True)
class Shutdown:
    """Leave in good order. `stay`: where it was Active, do not preempt once back (see StayBackup)."""

    reason: str
    stay: bool = False


@dataclass(frozen=True, slots=True)
class AdvertReceived:
    """A valid advertisement of this virtual router, from another router; it may have come by the liveness link."""

    advertisement: Advertisement
    source: Address


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
class Reconfigured:
    """Go on with another configuration, which is still that of this virtual router: see `reconfiguration.made_anew`.

    `priority`: the effective one from now on.
    """

    config: VirtualRouterConfig
    priority: int


@dataclass(frozen=True, slots=True)
class StayBackup:
    """Do not take over from a living Active Router of lower priority, until Active again; False: preempt as configured.

    After a handover, a maintenance, a resignation: the VIPs do not move back on their own.
    """

    stay: bool


@dataclass(frozen=True, slots=True)
class HoldBack:
    """Like StayBackup, for as long as it lasts: something is yet to be learned from the Active Router."""

    hold: bool


@dataclass(frozen=True, slots=True)
class LanHeard:
    """The interface has received something, whatever it was: the LAN carries our packets, or those of others."""


@dataclass(frozen=True, slots=True)
class PeerMet:
    """The liveness link to the peer is up. `address`: where the peer's advertisements of this router come from."""

    address: Address


@dataclass(frozen=True, slots=True)
class PeerHeard:
    """The peer gave a sign of life on the liveness link."""


@dataclass(frozen=True, slots=True)
class PeerLost:
    """The liveness link ended as it does when the process at its other end dies: end-of-file or reset, not silence."""


@dataclass(frozen=True, slots=True)
class WitnessAnswered:
    """A witness has answered."""


@dataclass(frozen=True, slots=True)
class HandOver:
    """The peer is about to take over: let it, until `until`, and go on until HandedOver."""

    until: float


@dataclass(frozen=True, slots=True)
class HandedOver:
    """The peer holds the VIPs and has announced them."""

    peer: str


@dataclass(frozen=True, slots=True)
class TakeOver:
    """The Active peer asks us to become Active; until `until` its own, higher priority does not count."""

    until: float
    reason: str


@dataclass(frozen=True, slots=True)
class GroupReady:
    """Every member of the group wants to be Active, or is."""


@dataclass(frozen=True, slots=True)
class GroupLeft:
    """Another member of the group is no longer Active. `stay`: that one does not preempt, so nor does this one."""

    reason: str
    stay: bool = False


@dataclass(frozen=True, slots=True)
class VipsClaimed:
    """The kernel holds the VIPs, or holds them for another lease."""


@dataclass(frozen=True, slots=True)
class ClaimFailed:
    """The kernel refused at least one VIP."""


@dataclass(frozen=True, slots=True)
class VipsRemoved:
    """VIPs that were claimed are gone from the interface, and we did not remove them."""


@dataclass(frozen=True, slots=True)
class AnnounceAgain:
    """Somebody asks for the announcements of a fresh claim."""


Event = (
    InterfaceReady
    | InterfaceLost
    | Shutdown
    | AdvertReceived
    | DeadlineReached
    | LoopLate
    | PriorityChanged
    | Reconfigured
    | StayBackup
    | HoldBack
    | LanHeard
    | PeerMet
    | PeerHeard
    | PeerLost
    | WitnessAnswered
    | HandOver
    | HandedOver
    | TakeOver
    | GroupReady
    | GroupLeft
    | VipsClaimed
    | ClaimFailed
    | VipsRemoved
    | AnnounceAgain
)


@dataclass(frozen=True, slots=True)
class SendAdvertisement:
    """Send an advertisement with this priority."""

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
    """Send one gratuitous ARP, or unsolicited neighbour advertisement, for each VIP."""


@dataclass(frozen=True, slots=True)
class AskWitness:
    """Ask every witness; each answer comes back as WitnessAnswered."""


@dataclass(frozen=True, slots=True)
class WantsActive:
    """A member of a group would become Active now: GroupReady lets it, once the others would too."""


@dataclass(frozen=True, slots=True)
class StateChanged:
    """Always the last effect of a transition: what the router now is, and why, in words."""

    state: StateName
    reason: str


Effect = SendAdvertisement | ClaimVips | ReleaseVips | AnnounceVips | AskWitness | WantsActive | StateChanged
