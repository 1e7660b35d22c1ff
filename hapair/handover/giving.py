"""The side that holds the VIPs and hands them over. Pure.

    counting -> asking -> keeping -> recounting -> draining (-> cutting) -> the end
                  |          |            |
                  refused, nobody answers, the link breaks: the VIPs stay, or plain VRRP decides

Until the peer has said that it holds the VIPs nothing has changed here, so that to give up is to do nothing.
"""

import math
from dataclasses import dataclass, replace
from typing import Literal

from hapair.handover.events import (
    CutShort,
    DeadlineReached,
    Drained,
    Effect,
    Event,
    FlowsListed,
    Held,
    HoldVips,
    LetGo,
    LinkDown,
    ListFlows,
    LiveOn,
    Moved,
    Progress,
    Received,
    RoutersReported,
    Send,
    TellAnnouncer,
)
from hapair.handover.messages import Ask, Cancel, Done, Flow, Flows, Next, Refuse, Stations, Taken, pages
from vrrp.events import HandedOver, HandOver

STEP_S = 3.0
"""How long one thing done on this machine may take."""
TAKE_S = 5.0
"""How long the peer may take from being asked to holding the VIPs."""
LOOK_EVERY_S = 0.5
CUT_S = 0.5
"""How long workers may take to reset what is open at the end, while there still is a way for the resets."""
NO_STATIONS = Stations({})

Effects = tuple[Effect, ...]
Stage = Literal["counting", "asking", "keeping", "recounting", "draining", "cutting"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Giving:
    """A handover to the peer."""

    id: str
    reason: str
    peer: str
    routers: tuple[str, ...]
    servers_up: int
    drain_s: float
    began_at: float
    deadline: float
    stage: Stage = "counting"
    obstacle: str | None = None
    """Why flows cannot live on."""
    rest: tuple[Flows, ...] = ()
    """Pages of flows that the taker has not asked for yet."""
    known: frozenset[Flow] = frozenset()
    """Flows that the taker has been told of."""
    taker: Stations = NO_STATIONS
    flows: int = 0
    """How many go on here, as counted last."""
    ends_at: float = math.inf
    left: frozenset[str] = frozenset()
    """While draining: routers that were seen not to be Active any more."""


def begin(giving: Giving) -> tuple[Giving, Effects]:
    """First of all: what is open."""
    return giving, (Progress(f"asking {giving.peer} to take over: {giving.reason}"), ListFlows(giving.routers))


def go_on(giving: Giving, event: Event, now: float) -> tuple[Giving | None, Effects]:
    """The handover after this event, None at its end; and what is to be done."""
    match giving.stage, event:
        case _, Received(message=Next(id=giving.id)) if giving.rest:
            return replace(giving, rest=giving.rest[1:]), (Send(giving.rest[0]),)
        case "draining" | "cutting", RoutersReported():
            return _see_routers(giving, event)
        case "draining", _:
            return _drain(giving, event, now)
        case "cutting", _:
            late = isinstance(event, DeadlineReached) and now >= giving.deadline
            return _end(giving) if late else (giving, ())
        case _, LinkDown(reason=reason):
            return _give_up(giving, f"the link to {giving.peer} broke: {reason}", now, tell=False)
        case _, CutShort(reason=reason):
            return _give_up(giving, reason, now)
        case "counting" | "asking", RoutersReported():
            return _stay_or_give_up(giving, event, now)
        case "counting", FlowsListed():
            return _ask(giving, event, now)
        case "asking", Received(message=Refuse(id=giving.id, reason=reason)):
            return _give_up(giving, f"{giving.peer} refuses: {reason}", now, tell=False)
        case "asking", Received(message=Taken(id=giving.id) as taken):
            return _keep(giving, taken, now)
        case "keeping", Held(obstacle=None):
            return replace(giving, stage="recounting", deadline=now + STEP_S), (ListFlows(giving.routers),)
        case "recounting", FlowsListed(flows=flows, obstacle=None):
            return _release(giving, flows, now)
        case "keeping" | "recounting", Held(obstacle=str(obstacle)) | FlowsListed(obstacle=str(obstacle)):
            return _release_all(replace(giving, obstacle=obstacle), now)
        case _, DeadlineReached() if now >= giving.deadline:
            return _be_late(giving, now)
    return giving, ()


def _stay_or_give_up(giving: Giving, routers: RoutersReported, now: float) -> tuple[Giving | None, Effects]:
    for name in giving.routers:
        if routers.state_of(name) != "Active":
            return _give_up(giving, f"virtual router {name} is not Active here any more", now)
    return giving, ()


def _ask(giving: Giving, listed: FlowsListed, now: float) -> tuple[Giving, Effects]:
    tolerated_until = now + TAKE_S + 2 * STEP_S
    stations, servers_up = listed.stations, giving.servers_up
    ask = Ask(giving.id, giving.reason, giving.routers, stations, servers_up, TAKE_S, giving.drain_s)
    first, *rest = pages(giving.id, listed.flows)
    asking = replace(
        giving,
        stage="asking",
        obstacle=listed.obstacle,
        rest=tuple(rest),
        known=frozenset(listed.flows),
        deadline=now + TAKE_S,
    )
    return asking, (
        TellAnnouncer(giving.routers, HandOver(tolerated_until)),
        Send(ask),
        Send(first),
    )


def _keep(giving: Giving, taken: Taken, now: float) -> tuple[Giving | None, Effects]:
    obstacle = giving.obstacle or taken.obstacle
    if obstacle is not None:
        return _release_all(replace(giving, obstacle=obstacle), now)
    keeping = replace(giving, stage="keeping", taker=taken.stations, deadline=now + STEP_S)
    return keeping, (Progress(f"{giving.peer} holds the VIPs"), HoldVips(giving.routers, taken.stations))


def _release(giving: Giving, flows: tuple[Flow, ...], now: float) -> tuple[Giving, Effects]:
    """The workers must know that connections live on before they hear that the VIPs have left."""
    took_s = now - giving.began_at
    lives_on = f"; {_connections(len(flows))} on here, for {giving.drain_s:.0f} s at most" if flows else ""
    words = f"{giving.peer} took over in {took_s:.3f} s{lives_on}"
    first, *rest = pages(giving.id, [flow for flow in flows if flow not in giving.known])
    draining = replace(
        giving,
        stage="draining",
        flows=len(flows),
        rest=tuple(rest),
        deadline=now + LOOK_EVERY_S,
        ends_at=now + giving.drain_s,
    )
    return draining, (
        LiveOn(giving.routers),
        Send(first),
        TellAnnouncer(giving.routers, HandedOver(giving.peer)),
        Moved(True, words, len(flows), took_s),
    )


def _release_all(giving: Giving, now: float) -> tuple[None, Effects]:
    """The peer holds the VIPs: it must not wait for us. Flows end here and now."""
    took_s = now - giving.began_at
    words = f"{giving.peer} took over in {took_s:.3f} s; open connections are cut: {giving.obstacle}"
    return None, (
        TellAnnouncer(giving.routers, HandedOver(giving.peer)),
        Send(Done(giving.id)),
        LetGo(),
        Moved(True, words, 0, took_s),
    )


def _be_late(giving: Giving, now: float) -> tuple[Giving | None, Effects]:
    if giving.stage in ("keeping", "recounting"):
        return _release_all(replace(giving, obstacle="this machine was too slow to keep them"), now)
    if giving.stage == "counting":
        return _give_up(giving, "this machine was too slow to list its connections", now)
    return _give_up(giving, f"{giving.peer} did not take over within {TAKE_S:.0f} s", now)


def _give_up(giving: Giving, why: str, now: float, *, tell: bool = True) -> tuple[None, Effects]:
    cancel = (Send(Cancel(giving.id, why)),) if tell else ()
    return None, (
        *cancel,
        TellAnnouncer(giving.routers, HandOver(now)),
        LetGo(),
        Moved(False, f"the VIPs stay here: {why}"),
    )


def _drain(giving: Giving, event: Event, now: float) -> tuple[Giving | None, Effects]:
    match event:
        case FlowsListed(flows=flows, obstacle=None):
            giving = replace(giving, flows=len(flows))
            if not flows and giving.left.issuperset(giving.routers):
                ended, effects = _end(giving)
                return ended, (LiveOn(()), *effects)
            return giving, ()
        case DeadlineReached() if now >= giving.ends_at:
            return _cut(giving, f"{giving.drain_s:.0f} s are over", now)
        case DeadlineReached() if now >= giving.deadline:
            next_look_at = min(now + LOOK_EVERY_S, giving.ends_at)
            return replace(giving, deadline=next_look_at), (ListFlows(giving.routers, living=True),)
        case CutShort(reason=reason):
            return _cut(giving, reason, now)
    return giving, ()


def _cut(giving: Giving, why: str, now: float) -> tuple[Giving, Effects]:
    """The workers reset what is open; routes and rules stay for a moment, so that the clients hear of it."""
    cutting = replace(giving, stage="cutting", reason=why, deadline=now + CUT_S)
    return cutting, (LiveOn(()),)


def _see_routers(giving: Giving, routers: RoutersReported) -> tuple[Giving | None, Effects]:
    """A router that left and is Active again has its addresses back: no route, and no way to the peer, may stay."""
    back = {name for name in giving.left if routers.state_of(name) == "Active"}
    remaining = tuple(name for name in giving.routers if name not in back)
    left = frozenset(name for name in remaining if name in giving.left or routers.state_of(name) != "Active")
    if not back:
        return replace(giving, left=left), ()
    if remaining:
        living = remaining if giving.stage == "draining" else ()
        return replace(giving, routers=remaining, left=left), (HoldVips(remaining, giving.taker), LiveOn(living))
    return None, (LetGo(), LiveOn(()), Send(Done(giving.id)), Drained("the VIPs are back", 0))


def _end(giving: Giving) -> tuple[None, Effects]:
    if giving.stage == "cutting":
        ended = Drained(f"{giving.reason}: {giving.flows} connections were cut", giving.flows)
    else:
        ended = Drained("the last connection has ended", 0)
    return None, (Send(Done(giving.id)), LetGo(), ended)


def _connections(count: int) -> str:
    return "1 connection goes" if count == 1 else f"{count} connections go"
