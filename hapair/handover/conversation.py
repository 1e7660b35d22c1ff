"""Two nodes agree on a handover: one conversation at a time, either side of it. Pure: events in, effects out.

What a handover needs to know of this node (how its routers stand, how fit it is, whether the link is up) is told
whenever it changes, by LinkUp, LinkDown, RoutersReported and FitnessReported.
"""

import math
from collections.abc import Mapping, Sequence

from hapair.handover import giving as give
from hapair.handover import taking as take
from hapair.handover.events import (
    Effect,
    Event,
    FitnessReported,
    LinkDown,
    LinkUp,
    Moved,
    Progress,
    Received,
    Requested,
    RoutersReported,
    Send,
)
from hapair.handover.giving import Giving
from hapair.handover.messages import MOST_DRAIN_S, Ask, Cancel, Refuse, Taken
from hapair.handover.taking import Taking
from vrrp.config import VirtualRouterConfig

Effects = tuple[Effect, ...]


class Conversation:
    """`handle` events, carry out the effects in their order, come back at `deadline`."""

    def __init__(self, routers: Sequence[VirtualRouterConfig], *, drain_s: float) -> None:
        self.routers: Mapping[str, VirtualRouterConfig] = {router.name: router for router in routers}
        self.drain_s = min(drain_s, MOST_DRAIN_S)
        """How long connections may go on here after a handover."""
        self.peer: str | None = None
        """The peer's name, while the link is up."""
        self.reported = RoutersReported({})
        self.fitness = FitnessReported("it has just started", 0)
        self.giving: Giving | None = None
        self.taking: Taking | None = None

    def reconfigure(self, routers: Sequence[VirtualRouterConfig], *, drain_s: float) -> tuple[VirtualRouterConfig, ...]:
        """Go on with these virtual routers. All that are known then: those of a handover in progress as well."""
        before = self.routers if self.busy is not None else {}
        self.routers = {**before, **{router.name: router for router in routers}}
        self.drain_s = min(drain_s, MOST_DRAIN_S)
        return tuple(self.routers.values())

    @property
    def deadline(self) -> float:
        """The instant at which DeadlineReached is due; infinite where nothing is awaited."""
        deadlines = [one.deadline for one in (self.giving, self.taking) if one is not None]
        return min(deadlines, default=math.inf)

    @property
    def busy(self) -> str | None:
        """What is in progress, in words; None: nothing."""
        if self.giving is not None and self.giving.stage in ("draining", "cutting"):
            return f"it still has {self.giving.flows} connections of the last handover"
        if self.giving is not None:
            return "it is handing over itself"
        if self.taking is not None and self.taking.stage == "carrying":
            return f"it still forwards connections of the last handover to {self.taking.peer}"
        return "another handover is in progress" if self.taking is not None else None

    def handle(self, event: Event, now: float) -> Effects:
        """Take one event at the instant `now`; return what is to be done, in order."""
        match event:
            case LinkUp(peer=peer):
                self.peer = peer
            case LinkDown():
                effects = self._pass_on(event, now)
                self.peer = None
                return effects
            case RoutersReported():
                self.reported = event
            case FitnessReported():
                self.fitness = event
            case Requested():
                return self._request(event, now)
            case Received(message=Ask() as ask):
                return self._hear_ask(ask, now)
            case Received(message=Taken(id=id)) if self.giving is None or self.giving.id != id:
                return self._hear_stray(id)
        return self._pass_on(event, now)

    def _pass_on(self, event: Event, now: float) -> Effects:
        effects: list[Effect] = []
        if self.giving is not None:
            self.giving, todo = give.go_on(self.giving, event, now)
            effects += todo
        if self.taking is not None:
            self.taking, todo = take.go_on(self.taking, event, now, self.routers)
            effects += todo
        return tuple(effects)

    def _request(self, request: Requested, now: float) -> Effects:
        wanted = [name for name in self.routers if request.only is None or name in request.only]
        active = tuple(name for name in wanted if self.reported.state_of(name) == "Active")
        why = self._cannot_request(active)
        if why is not None:
            return (Moved(False, why),)
        assert self.peer is not None
        self.giving, effects = give.begin(
            Giving(
                id=request.id,
                reason=request.reason,
                peer=self.peer,
                routers=active,
                servers_up=self.fitness.servers_up,
                drain_s=self.drain_s,
                began_at=now,
                deadline=now + give.STEP_S,
            )
        )
        return effects

    def _cannot_request(self, active: Sequence[str]) -> str | None:
        if self.busy is not None:
            return self.busy.replace("it ", "this node ", 1)
        if not active:
            return "this node holds no VIP: there is nothing to hand over"
        return None if self.peer is not None else "the link to the peer is down: nobody can take over"

    def _hear_ask(self, ask: Ask, now: float) -> Effects:
        servers_up = self.fitness.servers_up
        why = self.busy or self.fitness.unfit or take.unwilling(ask, self.routers, self.reported, servers_up)
        if why is not None:
            return (Send(Refuse(ask.id, why)),)
        if self.peer is None:
            return ()  # the link broke behind the message
        self.taking = take.begin(self.peer, ask, now)
        return (Progress(f"{self.peer} asks this node to take over: {ask.reason}"),)

    def _hear_stray(self, id: str) -> Effects:
        """The peer took over what we had given up meanwhile. Who is Active still takes it back; who is not, is glad."""
        if any(self.reported.state_of(name) == "Active" for name in self.routers):
            return (Send(Cancel(id, "the handover had been given up")),)
        return ()
