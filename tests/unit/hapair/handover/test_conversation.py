"""One conversation at a time: who may begin one, two that begin at once, and a whole one between two nodes."""

import math
from collections.abc import Callable
from typing import Any

import pytest

from hapair.handover.events import (
    DeadlineReached,
    Effect,
    Event,
    FlowsListed,
    Forward,
    Forwarding,
    Held,
    HoldVips,
    LinkDown,
    LinkUp,
    ListFlows,
    Moved,
    Received,
    Requested,
    Send,
    TellAnnouncer,
)
from hapair.handover.messages import Ask, Cancel, Done, Refuse, Stations, Taken
from vrrp.events import HandedOver, TakeOver


class Pair:
    """Two nodes; each effect is carried out at once, each message goes at once unless the test says otherwise."""

    def __init__(self, one: Any, other: Any) -> None:
        self.sides = {"pi-a": one, "pi-b": other}
        self.done: list[tuple[str, Effect]] = []
        self.lost: Callable[[object], bool] = lambda _: False

    def tell(self, name: str, event: Event) -> None:
        for effect in self.sides[name](event):
            self.done.append((name, effect))
            self._carry_out(name, effect)

    def _carry_out(self, name: str, effect: Effect) -> None:
        side = self.sides[name]
        match effect:
            case Send(message=message) if not self.lost(message):
                self.tell("pi-b" if name == "pi-a" else "pi-a", Received(message))
            case ListFlows(living=living):
                self.tell(name, FlowsListed(() if living else (side.flow(40000),), side.stations))
            case Forward():
                self.tell(name, Forwarding(side.stations))
            case HoldVips():
                self.tell(name, Held())
            case TellAnnouncer(event=TakeOver()):
                self.become(name, "Active")
            case TellAnnouncer(event=HandedOver()):
                self.become(name, "Backup")

    def become(self, name: str, state: str) -> None:
        for effect in self.sides[name].report(lan=state, wan=state):
            self.done.append((name, effect))
            self._carry_out(name, effect)

    def pass_time(self, name: str, seconds: float) -> None:
        self.sides[name].now += seconds
        self.tell(name, DeadlineReached())

    def kinds(self) -> list[str]:
        return [f"{name} {type(getattr(effect, 'message', effect)).__name__}" for name, effect in self.done]

    def states(self) -> list[str]:
        return [side.conversation.reported.state_of("lan") for side in self.sides.values()]


@pytest.fixture
def pair(giver: Any, taker: Any) -> Pair:
    return Pair(giver, taker)


def test_a_whole_handover(pair: Pair) -> None:
    pair.tell("pi-a", Requested("07", "maintenance"))
    assert pair.states() == ["Backup", "Active"]
    pair.pass_time("pi-a", 0.5)
    assert [side.conversation.busy for side in pair.sides.values()] == [None, None]
    assert [kind for kind in pair.kinds() if "Progress" not in kind] == [
        "pi-a ListFlows",
        "pi-a TellAnnouncer",
        "pi-a Ask",
        "pi-a Flows",
        "pi-b Forward",
        "pi-b TellAnnouncer",
        "pi-b Taken",
        "pi-a HoldVips",
        "pi-a ListFlows",
        "pi-a LiveOn",
        "pi-a Flows",
        "pi-b Forward",
        "pi-a TellAnnouncer",
        "pi-a Moved",
        "pi-a ListFlows",
        "pi-a LiveOn",
        "pi-a Done",
        "pi-b LetGo",
        "pi-a LetGo",
        "pi-a Drained",
    ]


def test_and_back_again(pair: Pair) -> None:
    pair.tell("pi-a", Requested("07", "maintenance"))
    pair.pass_time("pi-a", 0.5)
    pair.tell("pi-b", Requested("08", "maintenance is over"))
    assert pair.states() == ["Active", "Backup"]


@pytest.mark.parametrize("kind", [Ask, Taken, Refuse, Cancel, Done])
def test_whatever_message_is_lost_exactly_one_is_active_in_the_end(pair: Pair, kind: type) -> None:
    """The link loses messages only when it breaks; each machine must come to rest all the same."""
    pair.lost = lambda message: isinstance(message, kind)
    pair.tell("pi-a", Requested("07", "maintenance"))
    for _ in range(100):
        pair.pass_time("pi-a", 0.5)
        pair.pass_time("pi-b", 0.5)
    assert [side.conversation.busy for side in pair.sides.values()] == [None, None]
    expected = {Taken: ["Active", "Backup"], Ask: ["Active", "Backup"]}.get(kind, ["Backup", "Active"])
    assert pair.states() == expected


def test_two_that_ask_at_once_refuse_each_other(make_side: Any) -> None:
    """Each is Active for one of two virtual routers."""
    one, other = make_side("Backup", "pi-b"), make_side("Backup", "pi-a")
    one.report(lan="Active", wan="Backup")
    other.report(lan="Backup", wan="Active")
    asks = []
    for side, id in ((one, "07"), (other, "08")):
        side(Requested(id, "maintenance"))
        asks.append(side.said(side(FlowsListed((), side.stations)))[0])
    refusal = "it is handing over itself"
    assert one.said(one(Received(asks[1]))) == [Refuse("08", refusal)]
    assert other.said(other(Received(asks[0]))) == [Refuse("07", refusal)]
    assert one(Received(Refuse("07", refusal)))[-1] == Moved(
        False, "the VIPs stay here: pi-b refuses: it is handing over itself"
    )
    assert other(Received(Refuse("08", refusal)))[-1] == Moved(
        False, "the VIPs stay here: pi-a refuses: it is handing over itself"
    )
    assert (one.conversation.deadline, other.conversation.deadline) == (math.inf, math.inf)


def test_only_what_is_active_here_is_handed_over(giver: Any) -> None:
    giver.report(lan="Active", wan="Backup")
    assert giver(Requested("07", "maintenance"))[-1] == ListFlows(("lan",))


def test_some_of_it_may_be_asked_for(giver: Any) -> None:
    assert giver(Requested("07", "a reload", frozenset({"wan"})))[-1] == ListFlows(("wan",))


def test_without_vips_there_is_nothing_to_hand_over(taker: Any) -> None:
    assert taker(Requested("07", "")) == (Moved(False, "this node holds no VIP: there is nothing to hand over"),)


def test_without_the_link_nobody_can_be_asked(giver: Any) -> None:
    giver(LinkDown("reset"))
    assert giver(Requested("07", "")) == (Moved(False, "the link to the peer is down: nobody can take over"),)
    giver(LinkUp("pi-b"))
    assert giver(Requested("07", ""))[-1] == ListFlows(("lan", "wan"))


def test_one_at_a_time(giver: Any) -> None:
    giver(Requested("07", ""))
    assert giver(Requested("08", "")) == (Moved(False, "this node is handing over itself"),)


def test_while_connections_of_the_last_one_go_on_there_is_no_other(pair: Pair) -> None:
    pair.tell("pi-a", Requested("07", "maintenance"))
    giver, taker = pair.sides.values()
    ask = Ask("08", "", ("lan",), Stations({"lan": "02:00:00:00:00:0b"}), 3, 5.0, 30.0)
    assert giver(Received(ask)) == (Send(Refuse("08", "it still has 1 connections of the last handover")),)
    words = "this node still forwards connections of the last handover to pi-a"
    assert taker(Requested("08", "")) == (Moved(False, words),)


def test_one_that_is_not_active_any_more_does_not_want_back_what_was_taken_late(taker: Any) -> None:
    assert taker(Received(Taken("06", taker.others, None))) == ()


def test_a_message_from_behind_a_broken_link_begins_nothing(taker: Any) -> None:
    taker(LinkDown("reset"))
    ask = Ask("07", "", ("lan",), taker.others, 3, 5.0, 30.0)
    assert taker(Received(ask)) == ()
    assert taker.conversation.taking is None


def test_a_node_that_has_just_started_is_not_ready(make_side: Any) -> None:
    from hapair.handover.conversation import Conversation

    conversation = Conversation((), drain_s=30.0)
    conversation.handle(LinkUp("pi-a"), 0.0)
    ask = Ask("07", "", ("lan",), Stations({}), 0, 5.0, 30.0)
    assert conversation.handle(Received(ask), 0.0) == (Send(Refuse("07", "it has just started")),)
