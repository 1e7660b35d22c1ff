"""The side that gives, step by step, and each point at which something fails."""

from typing import Any

import pytest

from hapair.handover.events import (
    CutShort,
    DeadlineReached,
    Drained,
    FlowsListed,
    Held,
    HoldVips,
    LetGo,
    LinkDown,
    LinkUp,
    ListFlows,
    LiveOn,
    Moved,
    Progress,
    Received,
    Requested,
    Send,
    TellAnnouncer,
)
from hapair.handover.messages import Ask, Cancel, Done, Flows, Next, Refuse, Stations, Taken
from vrrp.events import HandedOver, HandOver

BOTH = ("lan", "wan")
LAST = b"\x0a\x00\x00\x32\x9c\x40\x0a\x00\x00\x01\x00\x50"
"""The flow from port 40000."""


def asking(giver: Any, *ports: int) -> Any:
    """Up to the question."""
    giver(Requested("07", "maintenance"))
    return giver(FlowsListed(tuple(giver.flow(port) for port in ports), giver.stations))


def taken(giver: Any) -> Any:
    return giver(Received(Taken("07", giver.others, None)))


def draining(giver: Any, *ports: int) -> Any:
    """Up to the release."""
    asking(giver)
    taken(giver)
    giver(Held())
    giver.now = 1000.25
    return giver(FlowsListed(tuple(giver.flow(port) for port in ports), giver.stations))


def test_first_of_all_the_flows_are_listed(giver: Any) -> None:
    assert giver(Requested("07", "maintenance")) == (Progress("asking pi-b to take over: maintenance"), ListFlows(BOTH))


def test_then_the_peer_is_asked_and_let_be(giver: Any) -> None:
    assert asking(giver, 40000) == (
        TellAnnouncer(BOTH, HandOver(1011.0)),
        Send(Ask("07", "maintenance", BOTH, giver.stations, 3, 5.0, 30.0)),
        Send(Flows("07", LAST, b"", last=True)),
    )


def test_the_next_page_goes_when_it_is_asked_for(giver: Any) -> None:
    effects = asking(giver, *range(1, 1501))
    pages = [page for page in giver.said(effects) if isinstance(page, Flows)]
    assert [page.last for page in pages] == [False]
    assert [page.last for page in giver.said(giver(Received(Next("07"))))] == [False]
    assert [page.last for page in giver.said(giver(Received(Next("07"))))] == [True]
    assert giver(Received(Next("07"))) == ()


def test_when_the_peer_has_the_vips_they_are_made_to_outlive_their_addresses(giver: Any) -> None:
    asking(giver)
    assert taken(giver) == (Progress("pi-b holds the VIPs"), HoldVips(BOTH, giver.others))
    assert giver(Held()) == (ListFlows(BOTH),)


def test_the_release_tells_workers_first_then_the_peer_then_the_announcer(giver: Any) -> None:
    words = "pi-b took over in 0.250 s; 1 connection goes on here, for 30 s at most"
    assert draining(giver, 40000) == (
        LiveOn(BOTH),
        Send(Flows("07", LAST, b"", last=True)),
        TellAnnouncer(BOTH, HandedOver("pi-b")),
        Moved(True, words, 1, 0.25),
    )


def test_only_flows_that_are_new_are_told_again(giver: Any) -> None:
    asking(giver, 39999)
    taken(giver)
    giver(Held())
    effects = giver(FlowsListed((giver.flow(39999), giver.flow(40000)), giver.stations))
    assert giver.said(effects) == [Flows("07", LAST, b"", last=True)]
    assert isinstance(effects[-1], Moved)
    assert effects[-1].flows == 2


def test_the_end_comes_with_the_end_of_the_last_flow(giver: Any) -> None:
    draining(giver, 40000)
    giver.report(lan="Backup", wan="Backup")
    giver.now = 1000.75
    assert giver.conversation.deadline == 1000.75
    assert giver(DeadlineReached()) == (ListFlows(BOTH, living=True),)
    assert giver(FlowsListed((giver.flow(40000),), giver.stations)) == ()
    giver.now = 1001.25
    giver(DeadlineReached())
    assert giver(FlowsListed((), giver.stations)) == (
        LiveOn(()),
        Send(Done("07")),
        LetGo(),
        Drained("the last connection has ended", 0),
    )
    assert giver.conversation.busy is None


def test_no_flow_is_no_end_before_the_addresses_have_left(giver: Any) -> None:
    draining(giver)
    giver(DeadlineReached())
    assert giver(FlowsListed((), giver.stations)) == ()


def test_at_the_deadline_what_is_open_is_cut(giver: Any) -> None:
    draining(giver, 40000, 40001)
    giver.now = 1030.25
    assert giver(DeadlineReached()) == (LiveOn(()),)
    assert giver(DeadlineReached()) == ()
    giver.now = 1030.75
    assert giver(DeadlineReached()) == (
        Send(Done("07")),
        LetGo(),
        Drained("30 s are over: 2 connections were cut", 2),
    )


def test_vips_that_come_back_while_connections_are_cut(giver: Any) -> None:
    draining(giver, 40000)
    giver.report(lan="Backup", wan="Backup")
    giver(CutShort("a second signal"))
    assert giver.report(lan="Active", wan="Backup") == (HoldVips(("wan",), giver.others), LiveOn(()))
    assert giver.report(lan="Active", wan="Active")[0] == LetGo()


def test_a_node_that_cannot_wait_cuts_them_too(giver: Any) -> None:
    draining(giver, 40000)
    assert giver(CutShort("a second signal")) == (LiveOn(()),)
    giver.now += 0.5
    assert giver(DeadlineReached())[-1] == Drained("a second signal: 1 connections were cut", 1)


def test_a_listing_that_fails_while_draining_is_no_end(giver: Any) -> None:
    draining(giver, 40000)
    giver.report(lan="Backup", wan="Backup")
    assert giver(FlowsListed((), giver.stations, "no memory")) == ()
    assert giver.conversation.busy == "it still has 1 connections of the last handover"


def test_a_broken_link_does_not_end_the_drain(giver: Any) -> None:
    draining(giver, 40000)
    assert giver(LinkDown("reset")) == ()
    assert giver(LinkUp("pi-b")) == ()
    assert giver.conversation.giving is not None


def test_when_the_peer_dies_after_it_took_over_nothing_stays_in_the_way_of_the_addresses(giver: Any) -> None:
    draining(giver, 40000)
    giver.report(lan="Backup", wan="Backup")
    giver(LinkDown("reset"))
    assert giver.report(lan="Active", wan="Active") == (
        LetGo(),
        LiveOn(()),
        Send(Done("07")),
        Drained("the VIPs are back", 0),
    )


def test_when_one_router_comes_back_the_others_drain_on(giver: Any) -> None:
    draining(giver, 40000)
    giver.report(lan="Backup", wan="Backup")
    assert giver.report(lan="Active", wan="Backup") == (HoldVips(("wan",), giver.others), LiveOn(("wan",)))
    assert giver(Held()) == ()
    assert giver.report(lan="Active", wan="Active")[0] == LetGo()


def test_a_report_from_before_the_release_is_no_return(giver: Any) -> None:
    draining(giver, 40000)
    assert giver.report(lan="Active", wan="Active") == ()
    assert giver.report(lan="Backup", wan="Active") == ()
    assert giver.report(lan="Backup", wan="Backup") == ()


GIVEN_UP = (TellAnnouncer(BOTH, HandOver(1000.0)), LetGo())


def test_a_refusal_is_passed_on_in_words(giver: Any) -> None:
    asking(giver)
    assert giver(Received(Refuse("07", "no worker serves"))) == (
        *GIVEN_UP,
        Moved(False, "the VIPs stay here: pi-b refuses: no worker serves"),
    )


@pytest.mark.parametrize("stage", ["counting", "asking", "keeping", "recounting"])
def test_until_the_release_a_broken_link_changes_nothing_here(giver: Any, stage: str) -> None:
    """Whether the peer has the VIPs too is then for VRRP to find out: here they have not left."""
    giver(Requested("07", "maintenance"))
    if stage != "counting":
        giver(FlowsListed((), giver.stations))
    if stage in ("keeping", "recounting"):
        taken(giver)
    if stage == "recounting":
        giver(Held())
    assert giver.conversation.giving.stage == stage
    assert giver(LinkDown("it closed")) == (
        *GIVEN_UP,
        Moved(False, "the VIPs stay here: the link to pi-b broke: it closed"),
    )
    assert giver.conversation.giving is None


def test_a_peer_that_does_not_answer_is_told_that_it_is_off(giver: Any) -> None:
    asking(giver)
    giver.now = 1005.0
    why = "pi-b did not take over within 5 s"
    assert giver(DeadlineReached()) == (
        Send(Cancel("07", why)),
        TellAnnouncer(BOTH, HandOver(1005.0)),
        LetGo(),
        Moved(False, f"the VIPs stay here: {why}"),
    )
    assert giver(Received(Taken("07", giver.others, None))) == (Send(Cancel("07", "the handover had been given up")),)


def test_a_machine_too_slow_to_list_its_flows_gives_up(giver: Any) -> None:
    giver(Requested("07", "maintenance"))
    giver.now = 1003.0
    why = "the VIPs stay here: this machine was too slow to list its connections"
    assert giver(DeadlineReached())[-1] == Moved(False, why)


def test_a_router_that_fails_meanwhile_is_not_handed_over(giver: Any) -> None:
    asking(giver)
    effects = giver.report(lan="Active", wan="Initialize")
    assert effects[0] == Send(Cancel("07", "virtual router wan is not Active here any more"))
    assert effects[-1] == Moved(False, "the VIPs stay here: virtual router wan is not Active here any more")


def test_a_second_signal_before_the_peer_took_over(giver: Any) -> None:
    asking(giver)
    assert giver(CutShort("a second signal"))[0] == Send(Cancel("07", "a second signal"))


def cut(why: str, took_s: float = 0.0) -> tuple[Any, ...]:
    words = f"pi-b took over in {took_s:.3f} s; open connections are cut: {why}"
    return (
        TellAnnouncer(BOTH, HandedOver("pi-b")),
        Send(Done("07")),
        LetGo(),
        Moved(True, words, 0, took_s),
    )


def test_a_peer_that_cannot_forward_gets_the_vips_all_the_same(giver: Any) -> None:
    asking(giver, 40000)
    assert giver(Received(Taken("07", Stations({}), "there is no nft"))) == cut("there is no nft")


def test_flows_that_cannot_be_listed_do_not_hinder_the_handover(giver: Any) -> None:
    giver(Requested("07", "maintenance"))
    giver(FlowsListed((), giver.stations, "sock_diag is missing"))
    assert taken(giver) == cut("sock_diag is missing")


def test_vips_that_cannot_be_kept_leave(giver: Any) -> None:
    asking(giver)
    taken(giver)
    assert giver(Held("ip refuses")) == cut("ip refuses")


def test_a_second_listing_that_fails(giver: Any) -> None:
    asking(giver)
    taken(giver)
    giver(Held())
    assert giver(FlowsListed((), giver.stations, "no memory")) == cut("no memory")


@pytest.mark.parametrize("held", [True, False])
def test_the_peer_is_not_kept_waiting_by_a_slow_machine(giver: Any, held: bool) -> None:
    asking(giver)
    taken(giver)
    if held:
        giver(Held())
    giver.now = 1003.0
    assert giver(DeadlineReached()) == cut("this machine was too slow to keep them", 3.0)


def test_a_deadline_that_is_not_reached_is_none(giver: Any) -> None:
    asking(giver)
    giver.now = 1004.9
    assert giver(DeadlineReached()) == ()


def test_what_belongs_to_another_handover_is_not_heard(giver: Any) -> None:
    asking(giver)
    assert giver(Received(Refuse("06", "late"))) == ()
    assert giver(Received(Next("06"))) == ()
    assert giver.conversation.giving.stage == "asking"
