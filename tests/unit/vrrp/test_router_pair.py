"""What a virtual router does beyond RFC 9568: a pair of two, witnesses, handover, groups, hold-down, VRRPv2's silence.

Priority 100, every 100 cs: Skew_Time 0.609375 s, Active_Down_Interval 3.609375 s. `now` is 1000 unless said otherwise.
"""

import math
from ipaddress import IPv4Address, IPv4Interface

import pytest

from vrrp.advertisement import Advertisement
from vrrp.config import VirtualRouterConfig
from vrrp.events import (
    AdvertReceived,
    AnnounceAgain,
    AnnounceVips,
    AskWitness,
    ClaimVips,
    DeadlineReached,
    GroupLeft,
    GroupReady,
    HandedOver,
    HandOver,
    HoldBack,
    InterfaceReady,
    LanHeard,
    LoopLate,
    PeerHeard,
    PeerLost,
    PeerMet,
    ReleaseVips,
    SendAdvertisement,
    Shutdown,
    StateChanged,
    StayBackup,
    TakeOver,
    VipsClaimed,
    WantsActive,
    WitnessAnswered,
)
from vrrp.group import is_ready
from vrrp.router import VirtualRouter
from vrrp.states import Active, Backup, Initialize

NOW = 1000.0
OURS = IPv4Address("192.0.2.5")
PEER = IPv4Address("192.0.2.6")
THIRD = IPv4Address("192.0.2.7")

BACKUP = Backup(active_down_at=1002.0, active_adver_interval_cs=100, cause="192.0.2.6 fell silent", active_router=PEER)
DOWN = Backup(active_down_at=1000.0, active_adver_interval_cs=100, cause="192.0.2.6 fell silent")
ACTIVE = Active(adver_at=1000.5, renew_at=1000.75, claimed=True, announce_at=(1004.0,), in_touch_at=999.9)
DUE = Active(adver_at=1000.0, renew_at=1000.75, claimed=True, in_touch_at=999.0)
BECOMES_ACTIVE = (SendAdvertisement(100), ClaimVips(4))


def config(**changes):
    values = {"name": "lan", "vrid": 51, "interface": "eth0", "addresses": (IPv4Interface("192.0.2.10/24"),)}
    return VirtualRouterConfig(**(values | changes))


def advert(priority, source=PEER):
    vips = (IPv4Address("192.0.2.10"),)
    return AdvertReceived(Advertisement(vrid=51, priority=priority, max_advert_interval_cs=100, addresses=vips), source)


def router(state, *, met=True, **changes):
    machine = VirtualRouter(config(**changes))
    if met:
        machine.handle(PeerMet(PEER), 0.0)
    machine.state, machine.address = state, OURS
    return machine


class TestPairOfTwo:
    """Of two routers only one can take over: nobody has to wait for Skew_Time."""

    def test_priority_0_is_taken_over_at_once(self):
        machine = router(BACKUP, rivals=1)
        machine.handle(advert(0), NOW)
        assert machine.deadline == 1000.0
        became = (*BECOMES_ACTIVE, StateChanged("Active", "192.0.2.6 resigned"))
        assert machine.handle(DeadlineReached(), NOW) == became

    @pytest.mark.parametrize(
        ("met", "rivals"),
        [
            pytest.param(False, 1, id="no liveness link yet: it may be keepalived"),
            pytest.param(True, None, id="unknown how many there are"),
            pytest.param(True, 2, id="three"),
        ],
    )
    def test_otherwise_skew_time_is_waited_for(self, met, rivals):
        machine = router(BACKUP, met=met, rivals=rivals)
        machine.handle(advert(0), NOW)
        assert machine.deadline == 1000.609375

    def test_a_third_router_that_was_heard_makes_it_wait(self):
        machine = router(BACKUP, rivals=1)
        machine.handle(advert(150, THIRD), NOW)
        machine.handle(advert(0), NOW)
        assert machine.deadline == 1000.609375

    def test_three_missed_advertisements_are_enough(self):
        machine = router(BACKUP, rivals=1)
        machine.handle(advert(150), NOW)
        assert machine.deadline == 1003.0

    def test_an_active_router_may_be_late_by_no_more_than_its_peer_then_waits(self):
        machine = router(ACTIVE, rivals=1)
        assert machine.handle(LoopLate(2.0), NOW) == ()
        assert machine.handle(LoopLate(2.01), NOW)[0] == ReleaseVips()

    def test_of_three_skew_time_is_waited_for_after_silence(self):
        machine = router(BACKUP, rivals=1)
        machine.handle(advert(150, THIRD), NOW)
        assert machine.deadline == 1003.609375

    def test_death_of_the_active_peer_counts_as_its_resignation(self):
        machine = router(BACKUP, rivals=1)
        machine.handle(PeerLost(), NOW)
        assert machine.deadline == 1000.0
        effects = machine.handle(DeadlineReached(), NOW)
        assert effects[-1] == StateChanged("Active", "192.0.2.6 died: its liveness link closed")

    def test_death_of_a_peer_that_was_not_active_changes_nothing(self):
        machine = router(Backup(1002.0, 100, "no other router was heard"), rivals=1)
        assert machine.handle(PeerLost(), NOW) == ()
        assert machine.deadline == 1002.0

    def test_death_of_the_peer_means_nothing_where_a_third_is_active(self):
        machine = router(Backup(1002.0, 100, "192.0.2.7 fell silent", THIRD), rivals=2)
        machine.handle(PeerLost(), NOW)
        assert machine.deadline == 1002.0

    def test_an_active_router_does_not_care(self):
        machine = router(ACTIVE, rivals=1)
        assert machine.handle(PeerLost(), NOW) == ()
        assert machine.state == ACTIVE

    def test_a_peer_about_to_be_preempted_dies(self):
        machine = router(BACKUP, rivals=1)
        machine.handle(advert(50), NOW)
        machine.handle(PeerLost(), NOW)
        assert machine.deadline == 1000.0


def test_one_that_is_to_hold_back_preempts_once_it_need_not_but_takes_over_from_the_dead_at_any_time():
    machine = router(BACKUP)
    machine.handle(HoldBack(True), NOW)
    machine.handle(advert(50), NOW)
    assert machine.deadline == 1003.609375
    machine.handle(HoldBack(False), 1000.5)
    machine.handle(advert(50), 1001.0)
    assert machine.deadline == 1003.609375  # the timer goes on: it is not set anew
    machine.handle(HoldBack(True), 1001.0)
    assert machine.handle(DeadlineReached(), 1003.7)[:2] == BECOMES_ACTIVE
    assert machine.state_name == "Active"


class TestStayBackup:
    """After a handover or a resignation the VIPs do not come back on their own."""

    def test_it_lets_a_lower_active_router_be(self):
        machine = router(BACKUP)
        machine.handle(StayBackup(True), NOW)
        machine.handle(advert(50), NOW)
        assert machine.deadline == 1003.609375

    def test_until_it_is_told_to(self):
        machine = router(BACKUP)
        machine.handle(StayBackup(True), NOW)
        machine.handle(StayBackup(False), NOW)
        machine.handle(advert(50), NOW)
        assert machine.deadline == 1002.0

    def test_until_it_was_active_again(self):
        machine = router(DOWN)
        machine.handle(StayBackup(True), NOW)
        machine.handle(DeadlineReached(), NOW)
        assert machine.state_name == "Active"
        assert not machine.stays_backup

    def test_of_an_active_router_means_nothing(self):
        machine = router(ACTIVE)
        machine.handle(StayBackup(True), NOW)
        assert not machine.stays_backup

    @pytest.mark.parametrize(("state", "stays"), [(ACTIVE, True), (BACKUP, False), (Initialize(), False)])
    def test_who_resigned_while_active_stays(self, state, stays):
        machine = router(state)
        machine.handle(Shutdown("no worker serves", stay=True), NOW)
        assert machine.stays_backup == stays

    def test_an_owner_preempts_always(self):
        machine = router(BACKUP, priority=255)
        machine.handle(StayBackup(True), NOW)
        machine.handle(advert(50), NOW)
        assert machine.deadline == 1002.0


class TestPreemptDelay:
    """A lower Active Router is let be for a while."""

    def test_its_adverts_count_until_the_delay_is_over(self):
        machine = router(BACKUP, preempt_delay_s=5.0)
        machine.handle(advert(50), 1000.0)
        assert machine.deadline == 1003.609375
        machine.handle(advert(50), 1004.0)
        assert machine.deadline == 1007.609375
        machine.handle(advert(50), 1005.0)
        assert machine.deadline == 1007.609375

    def test_a_higher_one_in_between_ends_it(self):
        machine = router(BACKUP, preempt_delay_s=5.0)
        machine.handle(advert(50), 1000.0)
        machine.handle(advert(200), 1004.0)
        machine.handle(advert(50), 1005.0)
        assert machine.deadline == 1008.609375


class TestStart:
    """startup_delay and hold-down."""

    def test_startup_delay_comes_before_everything(self):
        machine = router(Initialize(), startup_delay_s=10.0)
        machine.handle(InterfaceReady(OURS), NOW)
        machine.handle(advert(0), NOW)
        assert machine.deadline == 1010.0
        assert machine.handle(DeadlineReached(), 1004.0) == ()

    def test_hold_down_ends_by_itself(self):
        machine = router(Initialize(), hold_down_s=30.0)
        machine.handle(InterfaceReady(OURS), NOW)
        assert machine.handle(DeadlineReached(), 1004.0) == ()
        assert machine.handle(DeadlineReached(), 1030.0)[-1] == StateChanged("Active", "no other router was heard")

    @pytest.mark.parametrize("event", [LanHeard(), PeerHeard(), PeerMet(PEER), WitnessAnswered(), advert(200)])
    def test_hold_down_ends_when_anything_is_heard(self, event):
        machine = router(Initialize(), hold_down_s=30.0)
        machine.handle(InterfaceReady(OURS), NOW)
        machine.handle(event, NOW)
        assert machine.deadline == 1003.609375

    def test_neither_by_default(self):
        machine = router(Initialize())
        machine.handle(InterfaceReady(OURS), NOW)
        assert machine.deadline == 1003.609375


class TestWitness:
    """Who hears neither the peer nor a witness is not Active."""

    def test_silence_asks_the_witness_before_it_is_believed(self):
        machine = router(DOWN, witnessed=True)
        assert machine.handle(DeadlineReached(), NOW) == (AskWitness(),)
        assert machine.deadline == 1001.0
        assert machine.handle(WitnessAnswered(), 1000.002) == (
            *BECOMES_ACTIVE,
            StateChanged("Active", "192.0.2.6 fell silent, and a witness answers"),
        )

    def test_it_asks_again_and_again(self):
        machine = router(DOWN, witnessed=True)
        machine.handle(DeadlineReached(), NOW)
        assert machine.handle(DeadlineReached(), 1001.0) == (AskWitness(),)
        assert machine.state_name == "Backup"

    def test_an_answer_that_was_not_waited_for_means_nothing(self):
        machine = router(BACKUP, witnessed=True)
        assert machine.handle(WitnessAnswered(), NOW) == ()
        assert machine.state == BACKUP

    def test_an_advertisement_meanwhile_ends_the_question(self):
        machine = router(DOWN, witnessed=True)
        machine.handle(DeadlineReached(), NOW)
        machine.handle(advert(200), NOW)
        assert machine.handle(WitnessAnswered(), NOW) == ()

    def test_a_resignation_needs_no_witness(self):
        machine = router(BACKUP, witnessed=True, rivals=1)
        machine.handle(advert(0), NOW)
        assert machine.handle(DeadlineReached(), NOW)[:2] == BECOMES_ACTIVE

    def test_active_asks_with_each_advertisement(self):
        machine = router(DUE, witnessed=True)
        assert machine.handle(DeadlineReached(), NOW) == (SendAdvertisement(100), AskWitness())

    def test_active_that_hears_the_peer_does_not_ask(self):
        machine = router(DUE, witnessed=True)
        machine.handle(PeerHeard(), 999.9)
        assert machine.handle(DeadlineReached(), NOW) == (SendAdvertisement(100),)

    def test_active_that_hears_nobody_releases(self):
        machine = router(Active(1000.0, 1000.75, claimed=True, in_touch_at=996.3), witnessed=True)
        assert machine.handle(DeadlineReached(), NOW) == (
            SendAdvertisement(0),
            ReleaseVips(),
            StateChanged("Backup", "it hears neither the peer nor a witness"),
        )

    def test_an_answer_keeps_it_active(self):
        machine = router(Active(1000.0, 1000.75, claimed=True, in_touch_at=996.3), witnessed=True)
        machine.handle(WitnessAnswered(), 999.0)
        machine.handle(DeadlineReached(), NOW)
        assert machine.state_name == "Active"

    def test_without_a_witness_silence_is_believed(self):
        machine = router(Active(1000.0, 1000.75, claimed=True, in_touch_at=0.0))
        assert machine.handle(DeadlineReached(), NOW) == (SendAdvertisement(100),)


class TestHandover:
    """Make before break."""

    def test_the_old_one_lets_the_new_one_be(self):
        machine = router(ACTIVE)
        machine.handle(HandOver(1005.0), NOW)
        assert machine.handle(advert(50), NOW) == ()
        assert machine.state_name == "Active"

    def test_also_one_whose_priority_is_the_higher_one(self):
        machine = router(ACTIVE)
        machine.handle(HandOver(1005.0), NOW)
        assert machine.handle(advert(200), NOW) == ()
        assert machine.state_name == "Active"
        machine.handle(advert(200), 1005.0)
        assert machine.state_name == "Backup"

    def test_but_nobody_else_and_not_for_ever(self):
        machine = router(ACTIVE)
        machine.handle(HandOver(1005.0), NOW)
        assert SendAdvertisement(100) in machine.handle(advert(50, THIRD), NOW)
        assert SendAdvertisement(100) in machine.handle(advert(50), 1005.0)

    def test_the_old_one_releases_without_a_resignation_and_stays_backup(self):
        machine = router(ACTIVE)
        effects = machine.handle(HandedOver("pi-b"), NOW)
        assert effects == (ReleaseVips(), StateChanged("Backup", "handed over to pi-b"))
        machine.handle(advert(50), NOW)
        assert machine.deadline == 1003.609375

    def test_the_old_one_takes_back_what_a_dead_new_one_held(self):
        machine = router(ACTIVE, rivals=1)
        machine.handle(HandedOver("pi-b"), NOW)
        machine.handle(PeerLost(), NOW)
        assert machine.handle(DeadlineReached(), NOW)[:2] == BECOMES_ACTIVE

    def test_the_new_one_claims_at_once(self):
        machine = router(BACKUP)
        effects = machine.handle(TakeOver(1005.0, "pi-a hands over"), NOW)
        assert effects == (*BECOMES_ACTIVE, StateChanged("Active", "pi-a hands over"))

    def test_the_new_one_does_not_mind_the_higher_priority_of_the_old(self):
        machine = router(BACKUP)
        machine.handle(TakeOver(1005.0, "pi-a hands over"), NOW)
        assert machine.handle(advert(200), NOW) == ()
        assert machine.state_name == "Active"

    def test_but_that_of_anybody_else_and_not_for_ever(self):
        for event, now in ((advert(200, THIRD), NOW), (advert(200), 1005.0)):
            machine = router(BACKUP)
            machine.handle(TakeOver(1005.0, "pi-a hands over"), NOW)
            assert ReleaseVips() in machine.handle(event, now)

    def test_who_is_active_already_takes_nothing_over(self):
        machine = router(ACTIVE)
        assert machine.handle(TakeOver(1005.0, "pi-a hands over"), NOW) == ()


class TestGroup:
    """Virtual routers that move together."""

    def test_a_member_asks_before_it_becomes_active(self):
        machine = router(DOWN, group="both")
        assert machine.handle(DeadlineReached(), NOW) == (WantsActive(),)
        assert machine.state_name == "Backup"
        effects = machine.handle(GroupReady(), NOW)
        assert effects == (*BECOMES_ACTIVE, StateChanged("Active", "192.0.2.6 fell silent"))

    def test_it_goes_on_asking(self):
        machine = router(DOWN, group="both")
        machine.handle(DeadlineReached(), NOW)
        assert machine.handle(DeadlineReached(), 1001.0) == (WantsActive(),)

    def test_who_has_heard_an_active_router_since_is_not_made_active(self):
        machine = router(DOWN, group="both")
        machine.handle(DeadlineReached(), NOW)
        machine.handle(advert(200), NOW)
        assert machine.handle(GroupReady(), NOW) == ()

    def test_a_member_that_leaves_takes_the_others_along(self):
        machine = router(ACTIVE, group="both")
        assert machine.handle(GroupLeft("lan of group both left: link down"), NOW) == (
            SendAdvertisement(0),
            ReleaseVips(),
            StateChanged("Backup", "lan of group both left: link down"),
        )

    def test_an_owner_in_a_group_waits_for_it(self):
        machine = router(Initialize(), group="both", priority=255)
        machine.handle(InterfaceReady(OURS), NOW)
        assert machine.state_name == "Backup"

    def test_a_witness_is_asked_first(self):
        machine = router(DOWN, group="both", witnessed=True)
        assert machine.handle(DeadlineReached(), NOW) == (AskWitness(),)
        assert machine.handle(WitnessAnswered(), NOW) == (WantsActive(),)

    @pytest.mark.parametrize(
        ("other", "ready"),
        [
            pytest.param(ACTIVE, True, id="active"),
            pytest.param(Backup(1000.0, 100, "", wants=True), True, id="wants to be"),
            pytest.param(BACKUP, False, id="hears an active router"),
            pytest.param(Initialize(), False, id="has no interface"),
        ],
    )
    def test_ready_is_the_group_whose_members_all_are(self, other, ready):
        wants = router(Backup(1000.0, 100, "", wants=True), group="both")
        assert is_ready([wants, router(other, group="both")]) is ready


class TestVersion2:
    """RFC 3768."""

    def test_rule_34_v2_a_lower_advertisement_is_discarded_in_silence(self):
        machine = router(ACTIVE, version=2)
        assert machine.handle(advert(50), NOW) == (AnnounceVips(),)

    def test_rule_32_v2_a_resignation_is_answered(self):
        machine = router(ACTIVE, version=2)
        assert SendAdvertisement(100) in machine.handle(advert(0), NOW)

    def test_rule_27_v2_skew_time_is_a_part_of_one_second(self):
        machine = router(BACKUP, version=2, advertisement_interval_cs=500, met=False)
        machine.handle(advert(0), NOW)
        assert machine.deadline == 1000.609375

    def test_rule_23_v2_master_down_interval(self):
        machine = router(Initialize(), version=2, advertisement_interval_cs=500)
        machine.handle(InterfaceReady(OURS), NOW)
        assert machine.deadline == 1015.609375


def test_announced_again_on_demand():
    machine = router(ACTIVE)
    assert machine.handle(AnnounceAgain(), NOW) == (AnnounceVips(),)
    assert machine.state.announce_at == (1000.01, 1000.03, 1000.06, 1000.1, 1001.0, 1005.0)


def test_announced_again_and_again_where_asked_for():
    machine = router(Active(1000.5, math.inf), announce_every_s=60.0)
    machine.handle(VipsClaimed(), NOW)
    assert machine.state.announce_at[-2:] == (1005.0, 1065.0)
    machine.state = Active(2000.0, math.inf, claimed=True, announce_at=(1065.0,))
    machine.handle(DeadlineReached(), 1065.0)
    assert machine.state.announce_at == (1125.0,)


def test_a_paused_backup_forgets_what_it_was_told():
    machine = router(BACKUP, rivals=1)
    machine.handle(advert(0), NOW)
    machine.handle(LoopLate(10.0), NOW)
    assert machine.deadline == 1003.0
