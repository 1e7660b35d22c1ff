"""The side that takes, step by step, and each point at which something fails."""

from typing import Any

import pytest

from hapair.handover.events import (
    DeadlineReached,
    FitnessReported,
    Forward,
    Forwarding,
    LetGo,
    LinkDown,
    LinkUp,
    Progress,
    Received,
    Send,
    TellAnnouncer,
)
from hapair.handover.messages import Ask, Cancel, Done, Flows, Next, Refuse, Stations, Taken, pages
from vrrp.events import HandedOver, TakeOver

BOTH = ("lan", "wan")


def ask(taker: Any, **changes: Any) -> Any:
    """What pi-a asks."""
    values = {
        "id": "07",
        "reason": "maintenance",
        "routers": BOTH,
        "stations": taker.others,
        "servers_up": 3,
        "take_s": 5.0,
        "drain_s": 30.0,
    }
    return taker(Received(Ask(**(values | changes))))


def send_flows(taker: Any, *ports: int) -> Any:
    effects = ()
    for page in pages("07", [taker.flow(port) for port in ports]):
        effects = taker(Received(page))
    return effects


def claiming(taker: Any, obstacle: str | None = None) -> Any:
    ask(taker)
    send_flows(taker, 40000)
    return taker(Forwarding(taker.stations, obstacle))


def waiting(taker: Any) -> Any:
    claiming(taker)
    return taker.report(lan="Active", wan="Active")


def carrying(taker: Any) -> Any:
    waiting(taker)
    return send_flows(taker, 40001)


def test_the_flows_are_forwarded_before_the_vips_come(taker: Any) -> None:
    assert ask(taker) == (Progress("pi-a asks this node to take over: maintenance"),)
    assert send_flows(taker, 40000) == (Forward(BOTH, taker.others, (taker.flow(40000),), shielded=True),)
    assert taker(Forwarding(taker.stations)) == (TellAnnouncer(BOTH, TakeOver(1008.0, "pi-a hands over: maintenance")),)


def test_pages_are_asked_for_one_by_one(taker: Any) -> None:
    ask(taker)
    first, second = pages("07", [taker.flow(port) for port in range(1, 1001)])
    assert taker(Received(first)) == (Send(Next("07")),)
    (forward,) = taker(Received(second))
    assert len(forward.flows) == 1000


def test_the_peer_hears_when_every_vip_is_here_and_announced(taker: Any) -> None:
    claiming(taker)
    assert taker.report(lan="Active", wan="Backup") == ()
    assert taker.report(lan="Active", wan="Active") == (Send(Taken("07", taker.stations, None)),)


def test_flows_of_the_last_moment_are_added_and_the_shield_is_lowered(taker: Any) -> None:
    waiting(taker)
    flows = (taker.flow(40000), taker.flow(40001))
    assert send_flows(taker, 40001) == (Forward(BOTH, taker.others, flows, shielded=False),)
    assert taker(Forwarding(taker.stations)) == ()


def test_the_end(taker: Any) -> None:
    carrying(taker)
    assert taker(Received(Done("07"))) == (LetGo(), Progress("no connection of pi-a is carried any more"))
    assert taker.conversation.busy is None


def test_without_nft_it_takes_over_and_says_so(taker: Any) -> None:
    assert isinstance(claiming(taker, "there is no nft")[0], TellAnnouncer)
    assert taker.report(lan="Active", wan="Active") == (Send(Taken("07", taker.stations, "there is no nft")),)
    assert taker(Received(Done("07")))[0] == LetGo()


def test_it_refuses_while_it_is_not_fit(taker: Any) -> None:
    taker(FitnessReported("no worker serves", 3))
    assert ask(taker) == (Send(Refuse("07", "no worker serves")),)


def test_it_refuses_with_fewer_servers_in_reach(taker: Any) -> None:
    taker(FitnessReported(None, 1))
    assert ask(taker) == (Send(Refuse("07", "it finds 1 servers UP, not 3")),)


def test_it_refuses_what_is_not_backup(taker: Any) -> None:
    taker.report(lan="Backup", wan="Initialize")
    assert ask(taker) == (Send(Refuse("07", "its virtual router wan is Initialize, not Backup")),)
    taker.report(lan="Backup")
    assert ask(taker) == (Send(Refuse("07", "its virtual router wan is Initialize, not Backup")),)


def test_it_refuses_what_it_does_not_know(taker: Any) -> None:
    assert ask(taker, routers=("dmz",)) == (Send(Refuse("07", "it has no virtual router dmz")),)
    assert ask(taker, routers=()) == (Send(Refuse("07", "no virtual router is named")),)
    lan_only = Stations({"lan": "02:00:00:00:00:0b"})
    assert ask(taker, stations=lan_only) == (Send(Refuse("07", "the MAC address of wan was not said")),)


def test_a_flow_to_a_strange_address_is_refused(taker: Any) -> None:
    ask(taker, routers=("lan",))
    (page,) = pages("07", [taker.flow(40000, "10.1.0.1")])
    assert taker(Received(page)) == (Send(Refuse("07", "10.1.0.1 is no VIP of lan")), LetGo())
    assert taker.conversation.taking is None


def test_flows_without_end_are_refused(taker: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hapair.handover.taking.MOST_FLOWS", 1)
    ask(taker)
    assert send_flows(taker, 1, 2, 3) == (Send(Refuse("07", "more than 1 connections")), LetGo())


@pytest.mark.parametrize("stage", ["hearing", "installing", "claiming"])
def test_when_the_link_breaks_before_the_vips_are_here_plain_vrrp_decides(taker: Any, stage: str) -> None:
    ask(taker)
    if stage != "hearing":
        send_flows(taker, 40000)
    if stage == "claiming":
        taker(Forwarding(taker.stations))
    assert taker.conversation.taking.stage == stage
    assert taker(LinkDown("reset")) == (LetGo(),)
    assert taker.conversation.taking is None


@pytest.mark.parametrize("reach", [waiting, carrying])
def test_what_is_forwarded_to_a_dead_machine_is_let_go_of(taker: Any, reach: Any) -> None:
    reach(taker)
    assert taker(LinkDown("reset")) == ()
    taker.now = 1003.0
    assert taker(DeadlineReached())[0] == LetGo()


def test_a_link_that_comes_back_was_no_death(taker: Any) -> None:
    carrying(taker)
    taker(LinkDown("reset"))
    taker.now = 1002.0
    taker(LinkUp("pi-a"))
    taker.now = 1034.9
    assert taker(DeadlineReached()) == ()
    taker.now = 1035.0
    assert taker(DeadlineReached()) == (LetGo(), Progress("pi-a did not say that its connections ended"))


def test_flows_that_do_not_come_end_the_wait(taker: Any) -> None:
    ask(taker)
    taker.now = 1003.0
    assert taker(DeadlineReached()) == (Send(Refuse("07", "its list of connections did not come")), LetGo())


def test_rules_that_take_too_long(taker: Any) -> None:
    ask(taker)
    send_flows(taker)
    taker.now = 1006.0
    why = "this machine was too slow to forward connections"
    assert taker(DeadlineReached()) == (Send(Refuse("07", why)), LetGo())


def test_vips_that_do_not_come_are_given_back(taker: Any) -> None:
    claiming(taker)
    taker.report(lan="Active", wan="Backup")
    taker.now = 1005.0
    assert taker(DeadlineReached()) == (
        TellAnnouncer(BOTH, HandedOver("pi-a")),
        Send(Refuse("07", "it did not get the VIPs within 5 s")),
        LetGo(),
    )


def test_a_giver_that_never_says_that_it_released_leaves_the_vips_to_vrrp(taker: Any) -> None:
    waiting(taker)
    taker.now = 1010.0
    assert taker(DeadlineReached()) == (LetGo(), Progress("pi-a did not say that it released the VIPs"))


@pytest.mark.parametrize("reach", [claiming, waiting])
def test_a_giver_that_calls_it_off_gets_the_vips_back(taker: Any, reach: Any) -> None:
    reach(taker)
    assert taker(Received(Cancel("07", "too late"))) == (
        TellAnnouncer(BOTH, HandedOver("pi-a")),
        LetGo(),
        Progress("pi-a called the handover off: too late"),
    )


def test_called_off_before_anything_was_done(taker: Any) -> None:
    ask(taker)
    assert taker(Received(Cancel("07", "too late")))[0] == LetGo()


def test_called_off_after_the_release_it_is_too_late(taker: Any) -> None:
    carrying(taker)
    assert taker(Received(Cancel("07", "too late"))) == ()
    assert taker.conversation.taking is not None


@pytest.mark.parametrize("reach", [waiting, carrying])
def test_when_the_vips_leave_again_nothing_is_forwarded_any_more(taker: Any, reach: Any) -> None:
    reach(taker)
    assert taker.report(lan="Active", wan="Backup") == ()
    assert taker.report(lan="Backup", wan="Backup") == (LetGo(), Progress("the VIPs have left again"))


def test_what_belongs_to_another_handover_is_not_heard(taker: Any) -> None:
    waiting(taker)
    for message in (Done("06"), Cancel("06", ""), Flows("06", b"", b"", last=True)):
        assert taker(Received(message)) == ()
    assert taker.conversation.taking.stage == "waiting"
