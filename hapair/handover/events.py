"""What goes into the conversation about a handover (events) and what comes out (effects, to be done in order). Pure.

Whoever carries the effects out answers those that say so with an event.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from hapair.handover.messages import Flow, Message, Stations
from vrrp.events import HandedOver, HandOver, StateName, TakeOver


@dataclass(frozen=True, slots=True)
class Requested:
    """Hand over what is Active here. `id` is a fresh one."""

    id: str
    reason: str
    only: frozenset[str] | None = None
    """Of these virtual routers; None: of all."""


@dataclass(frozen=True, slots=True)
class Received:
    """The peer said this."""

    message: Message


@dataclass(frozen=True, slots=True)
class LinkUp:
    """The announcers' link to the peer is up."""

    peer: str


@dataclass(frozen=True, slots=True)
class LinkDown:
    """It is not, any more."""

    reason: str


@dataclass(frozen=True, slots=True)
class Standing:
    """One virtual router here. `settled`: Active, with its VIPs held and announced."""

    state: StateName
    settled: bool


@dataclass(frozen=True, slots=True)
class RoutersReported:
    """How they stand. One that is not named does not run."""

    routers: Mapping[str, Standing]

    def state_of(self, router: str) -> StateName:
        """Initialize where it does not run."""
        standing = self.routers.get(router)
        return "Initialize" if standing is None else standing.state

    def is_settled(self, router: str) -> bool:
        """Whether it is Active, with its VIPs held and announced."""
        standing = self.routers.get(router)
        return standing is not None and standing.settled


@dataclass(frozen=True, slots=True)
class FitnessReported:
    """How fit this node is. `unfit`: why it should not serve; None: it can."""

    unfit: str | None
    servers_up: int


@dataclass(frozen=True, slots=True)
class FlowsListed:
    """After ListFlows. `stations`: our own."""

    flows: tuple[Flow, ...]
    stations: Stations
    obstacle: str | None = None


@dataclass(frozen=True, slots=True)
class Forwarding:
    """After Forward: flows are forwarded from now on, or there is an obstacle. `stations`: our own."""

    stations: Stations
    obstacle: str | None = None


@dataclass(frozen=True, slots=True)
class Held:
    """After HoldVips: the VIPs would outlive their addresses here, or there is an obstacle."""

    obstacle: str | None = None


@dataclass(frozen=True, slots=True)
class DeadlineReached:
    """The conversation's deadline has passed."""


@dataclass(frozen=True, slots=True)
class CutShort:
    """This node cannot wait for the end of its flows any longer."""

    reason: str


Event = (
    Requested
    | Received
    | LinkUp
    | LinkDown
    | RoutersReported
    | FitnessReported
    | FlowsListed
    | Forwarding
    | Held
    | DeadlineReached
    | CutShort
)


@dataclass(frozen=True, slots=True)
class Send:
    """Send the message to the peer."""

    message: Message


@dataclass(frozen=True, slots=True)
class ListFlows:
    """List the flows to the VIPs of these routers; FlowsListed answers. `living`: those that somebody here works on."""

    routers: tuple[str, ...]
    living: bool = False


@dataclass(frozen=True, slots=True)
class Forward:
    """Forward exactly these flows to the peer's stations. Forwarding answers."""

    routers: tuple[str, ...]
    stations: Stations
    flows: tuple[Flow, ...]
    shielded: bool


@dataclass(frozen=True, slots=True)
class HoldVips:
    """Keep the VIPs of these routers, and no others, as local routes; new connections go to the peer. Held answers."""

    routers: tuple[str, ...]
    stations: Stations


@dataclass(frozen=True, slots=True)
class LetGo:
    """Remove every rule and route of a handover."""


@dataclass(frozen=True, slots=True)
class TellAnnouncer:
    """Hand this event to each of these virtual routers."""

    routers: tuple[str, ...]
    event: HandOver | TakeOver | HandedOver


@dataclass(frozen=True, slots=True)
class LiveOn:
    """Connections to the VIPs of exactly these routers live on when the VIPs leave; those of others do not."""

    routers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Progress:
    """For whoever asked for the handover."""

    words: str


@dataclass(frozen=True, slots=True)
class Moved:
    """The VIPs are with the peer, or they are not, and why. `flows` are carried on from here until they end."""

    ok: bool
    words: str
    flows: int = 0
    took_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Drained:
    """The end: no flow is carried any more. `cut`: so many had not ended."""

    words: str
    cut: int


Effect = Send | ListFlows | Forward | HoldVips | LetGo | TellAnnouncer | LiveOn | Progress | Moved | Drained
