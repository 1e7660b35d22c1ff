"""The side that is asked to become Active, and forwards the other's flows to it until they have ended. Pure.

    hearing -> installing -> claiming -> waiting -> carrying -> the end

Flows are forwarded before the VIPs come, so that none of their packets meets a kernel that does not know them. When the
giver dies half-way, plain VRRP decides who is Active; what is forwarded to a dead machine is let go of soon, so that
its clients are told by a reset.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from hapair.handover.events import (
    DeadlineReached,
    Effect,
    Event,
    Forward,
    Forwarding,
    LetGo,
    LinkDown,
    LinkUp,
    Progress,
    Received,
    RoutersReported,
    Send,
    TellAnnouncer,
)
from hapair.handover.messages import Ask, Cancel, Done, Flow, Flows, Next, Refuse, Stations, Taken
from vrrp.config import VirtualRouterConfig
from vrrp.events import HandedOver, TakeOver

HEAR_S = 3.0
"""How long the giver may take to send its flows."""
INSTALL_S = 6.0
FAVOUR_S = 3.0
"""How long beyond `take_s` the giver, still Active and perhaps of higher priority, is let be."""
RELEASE_S = 10.0
"""How long it may take to release the VIPs and to send its flows again."""
MARGIN_S = 5.0
"""Forwarding goes on for this much longer than the giver's flows may."""
LINK_GRACE_S = 3.0
"""How long the link may be broken before the giver counts as dead."""
MOST_FLOWS = 500_000
NO_STATIONS = Stations({})

Effects = tuple[Effect, ...]
Stage = Literal["hearing", "installing", "claiming", "waiting", "carrying"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Taking:
    """A handover from the peer."""

    peer: str
    ask: Ask
    deadline: float
    stage: Stage = "hearing"
    flows: tuple[Flow, ...] = ()
    obstacle: str | None = None
    """Why flows are not forwarded."""
    stations: Stations = NO_STATIONS
    """Our own."""
    ends_at: float = 0.0
    """While carrying: the latest end."""


def unwilling(
    ask: Ask, routers: Mapping[str, VirtualRouterConfig], reported: RoutersReported, servers_up: int
) -> str | None:
    """Why these virtual routers cannot move here, in words for the person at the giver; None: they can."""
    if not ask.routers:
        return "no virtual router is named"
    for name in ask.routers:
        if name not in routers:
            return f"it has no virtual router {name}"
        if reported.state_of(name) != "Backup":
            return f"its virtual router {name} is {reported.state_of(name)}, not Backup"
        if name not in ask.stations.macs and ask.stations.macs:
            return f"the MAC address of {name} was not said"
    if servers_up < ask.servers_up:
        return f"it finds {servers_up} servers UP, not {ask.servers_up}"
    return None


def begin(peer: str, ask: Ask, now: float) -> Taking:
    """The flows are still to come."""
    return Taking(peer=peer, ask=ask, deadline=now + HEAR_S)


def go_on(
    taking: Taking, event: Event, now: float, routers: Mapping[str, VirtualRouterConfig]
) -> tuple[Taking | None, Effects]:
    """The handover after this event, None at its end; and what is to be done."""
    match taking.stage, event:
        case _, Received(message=Cancel(id=taking.ask.id, reason=reason)):
            return _undo(taking, reason)
        case "hearing" | "installing" | "claiming", LinkDown():
            return None, (LetGo(),)
        case _, LinkDown():
            return replace(taking, deadline=min(taking.deadline, now + LINK_GRACE_S)), ()
        case "hearing" | "waiting", Received(message=Flows(id=taking.ask.id) as page):
            return _hear(taking, page, now, routers)
        case "installing", Forwarding():
            return _claim(taking, event, now)
        case "claiming", RoutersReported() if all(event.is_settled(name) for name in taking.ask.routers):
            return _settle(taking, now)
        case "waiting" | "carrying", RoutersReported():
            return _see_routers(taking, event)
        case "carrying", LinkUp():
            return replace(taking, deadline=taking.ends_at), ()
        case "waiting" | "carrying", Received(message=Done(id=taking.ask.id)):
            return None, (LetGo(), Progress(f"no connection of {taking.peer} is carried any more"))
        case _, DeadlineReached() if now >= taking.deadline:
            return _be_late(taking)
    return taking, ()


def _hear(
    taking: Taking, page: Flows, now: float, routers: Mapping[str, VirtualRouterConfig]
) -> tuple[Taking | None, Effects]:
    vips = {vip for name in taking.ask.routers for vip in routers[name].all_vips}
    flows = page.unpack()
    stranger = next((flow for flow in flows if flow.vip not in vips), None)
    if stranger is not None:
        return _refuse(taking, f"{stranger.vip} is no VIP of {', '.join(taking.ask.routers)}")
    if len(taking.flows) + len(flows) > 2 * MOST_FLOWS:
        return _refuse(taking, f"more than {MOST_FLOWS} connections")
    taking = replace(taking, flows=taking.flows + flows)
    if not page.last:
        return replace(taking, deadline=now + HEAR_S), (Send(Next(taking.ask.id)),)
    first = taking.stage == "hearing"
    forward = Forward(taking.ask.routers, taking.ask.stations, taking.flows, shielded=first)
    if first:
        return replace(taking, stage="installing", deadline=now + INSTALL_S), (forward,)
    ends_at = now + taking.ask.drain_s + MARGIN_S
    return replace(taking, stage="carrying", deadline=ends_at, ends_at=ends_at), (forward,)


def _claim(taking: Taking, forwarding: Forwarding, now: float) -> tuple[Taking, Effects]:
    """Without forwarding too: a handover that cuts connections is still one that loses no VIP."""
    claiming = replace(
        taking,
        stage="claiming",
        obstacle=forwarding.obstacle,
        stations=forwarding.stations,
        deadline=now + taking.ask.take_s,
    )
    until = now + taking.ask.take_s + FAVOUR_S
    reason = f"{taking.peer} hands over: {taking.ask.reason}"
    return claiming, (TellAnnouncer(taking.ask.routers, TakeOver(until, reason)),)


def _settle(taking: Taking, now: float) -> tuple[Taking, Effects]:
    taken = Taken(taking.ask.id, taking.stations, taking.obstacle)
    return replace(taking, stage="waiting", deadline=now + RELEASE_S), (Send(taken),)


def _see_routers(taking: Taking, routers: RoutersReported) -> tuple[Taking | None, Effects]:
    if any(routers.state_of(name) == "Active" for name in taking.ask.routers):
        return taking, ()
    return None, (LetGo(), Progress("the VIPs have left again"))


def _be_late(taking: Taking) -> tuple[None, Effects]:
    match taking.stage:
        case "hearing":
            return _refuse(taking, "its list of connections did not come")
        case "installing":
            return _refuse(taking, "this machine was too slow to forward connections")
        case "claiming":
            undo = TellAnnouncer(taking.ask.routers, HandedOver(taking.peer))
            refuse = Refuse(taking.ask.id, f"it did not get the VIPs within {taking.ask.take_s:.0f} s")
            return None, (undo, Send(refuse), LetGo())
        case "waiting":
            return None, (LetGo(), Progress(f"{taking.peer} did not say that it released the VIPs"))
        case "carrying":
            return None, (LetGo(), Progress(f"{taking.peer} did not say that its connections ended"))


def _refuse(taking: Taking, why: str) -> tuple[None, Effects]:
    return None, (Send(Refuse(taking.ask.id, why)), LetGo())


def _undo(taking: Taking, reason: str) -> tuple[Taking | None, Effects]:
    """The giver gave up and is Active still: back to Backup."""
    said = Progress(f"{taking.peer} called the handover off: {reason}")
    match taking.stage:
        case "hearing" | "installing":
            return None, (LetGo(), said)
        case "claiming" | "waiting":
            return None, (TellAnnouncer(taking.ask.routers, HandedOver(taking.peer)), LetGo(), said)
    return taking, ()
