"""The state machine: one row per transition, with the exact effects in order and the exact next state.

Priority 100, every 100 cs: Skew_Time 0.609375 s, Active_Down_Interval 3.609375 s, lease 4 s renewed every second.
`now` is 1000 in every row; the state was entered before it.
"""

import math
from ipaddress import IPv4Address, IPv4Interface

import pytest

from vrrp.advertisement import Advertisement
from vrrp.config import VirtualRouterConfig
from vrrp.events import (
    AdvertReceived,
    AnnounceVips,
    ClaimFailed,
    ClaimVips,
    DeadlineReached,
    InterfaceLost,
    InterfaceReady,
    LoopLate,
    PriorityChanged,
    ReleaseVips,
    SendAdvertisement,
    Shutdown,
    StateChanged,
    VipsClaimed,
    VipsRemoved,
)
from vrrp.router import Active, Backup, Initialize, VirtualRouter

NOW = 1000.0
OURS = IPv4Address("192.0.2.5")
PEER = IPv4Address("192.0.2.6")
LOWER_ADDRESS = IPv4Address("192.0.2.4")
VIP = IPv4Address("192.0.2.10")


def config(**changes):
    values = {"name": "lan", "vrid": 51, "interface": "eth0", "addresses": (IPv4Interface("192.0.2.10/24"),)}
    return VirtualRouterConfig(**(values | changes))


def advert(priority, source=PEER, *, interval_cs=100):
    return AdvertReceived(
        Advertisement(vrid=51, priority=priority, max_advert_interval_cs=interval_cs, addresses=(VIP,)), source
    )


def router(state, **changes):
    machine = VirtualRouter(config(**changes))
    machine.state, machine.address = state, OURS
    return machine


INITIALIZE = Initialize()
BACKUP = Backup(active_down_at=1002.0, active_adver_interval_cs=100, cause="no other router was heard")
DOWN = Backup(active_down_at=1000.0, active_adver_interval_cs=100, cause="192.0.2.6 fell silent")
FAST = Backup(active_down_at=1002.0, active_adver_interval_cs=10, cause="192.0.2.6 fell silent")
CLAIMING = Active(adver_at=1000.5, renew_at=1000.75)
ACTIVE = Active(adver_at=1000.5, renew_at=1000.75, claimed=True, announce_at=(1004.0,))
DUE = Active(adver_at=1000.0, renew_at=1000.75, claimed=True)

SILENT = "192.0.2.6 fell silent"

# Beyond the RFC: who yields while Active says so, that the winner announces its VIPs again.
LAST_WORD = SendAdvertisement(100)

ROWS = [
    # -- Initialize -------------------------------------------------------------------------------------------------
    pytest.param(
        {"priority": 255},
        INITIALIZE,
        InterfaceReady(OURS),
        (SendAdvertisement(255), ClaimVips(None), StateChanged("Active", "the addresses are its own (priority 255)")),
        Active(adver_at=1001.0, renew_at=math.inf, in_touch_at=1000.0),
        id="rule-22/initialize/startup/owner",
    ),
    pytest.param(
        {},
        INITIALIZE,
        InterfaceReady(OURS),
        (StateChanged("Backup", "eth0 is ready with 192.0.2.5"),),
        Backup(1003.609375, 100, "no other router was heard"),
        id="rule-23/initialize/startup",
    ),
    pytest.param(
        {"advertisement_interval_cs": 10},
        INITIALIZE,
        InterfaceReady(OURS),
        (StateChanged("Backup", "eth0 is ready with 192.0.2.5"),),
        Backup(1000.3609375, 10, "no other router was heard"),
        id="rule-23/initialize/startup/own interval",
    ),
    pytest.param({}, INITIALIZE, advert(200), (), INITIALIZE, id="initialize/advert"),
    pytest.param({}, INITIALIZE, Shutdown("asked to"), (), INITIALIZE, id="initialize/shutdown"),
    pytest.param({}, INITIALIZE, InterfaceLost("gone"), (), INITIALIZE, id="initialize/interface-lost"),
    pytest.param({}, INITIALIZE, DeadlineReached(), (), INITIALIZE, id="initialize/deadline"),
    pytest.param({}, INITIALIZE, LoopLate(60.0), (), INITIALIZE, id="initialize/late"),
    pytest.param({}, INITIALIZE, VipsClaimed(), (), INITIALIZE, id="initialize/claimed"),
    # -- Backup -----------------------------------------------------------------------------------------------------
    pytest.param(
        {},
        BACKUP,
        Shutdown("asked to"),
        (StateChanged("Initialize", "asked to"),),
        INITIALIZE,
        id="rule-25/backup/shutdown: no advertisement",
    ),
    pytest.param(
        {},
        BACKUP,
        InterfaceLost("link down"),
        (StateChanged("Initialize", "link down"),),
        INITIALIZE,
        id="backup/interface-lost",
    ),
    pytest.param(
        {},
        DOWN,
        DeadlineReached(),
        (SendAdvertisement(100), ClaimVips(4), StateChanged("Active", SILENT)),
        Active(adver_at=1001.0, renew_at=1001.0, in_touch_at=1000.0),
        id="rule-26/backup/deadline",
    ),
    pytest.param(
        {},
        Backup(1000.0, 10, SILENT),
        DeadlineReached(),
        (SendAdvertisement(100), ClaimVips(4), StateChanged("Active", SILENT)),
        Active(adver_at=1001.0, renew_at=1001.0, in_touch_at=1000.0),
        id="rule-26/backup/deadline/own interval, not the learned one",
    ),
    pytest.param({}, BACKUP, DeadlineReached(), (), BACKUP, id="backup/deadline/not yet"),
    pytest.param(
        {},
        BACKUP,
        advert(0),
        (),
        Backup(1000.609375, 100, "192.0.2.6 resigned", told=True),
        id="rule-27/backup/advert/priority-0",
    ),
    pytest.param(
        {},
        FAST,
        advert(0),
        (),
        Backup(1000.0609375, 10, "192.0.2.6 resigned", told=True),
        id="rule-27/backup/advert/priority-0/skew of the learned interval",
    ),
    pytest.param(
        {}, BACKUP, advert(200), (), Backup(1003.609375, 100, SILENT, PEER), id="rule-28/backup/advert/higher-priority"
    ),
    pytest.param(
        {}, BACKUP, advert(100), (), Backup(1003.609375, 100, SILENT, PEER), id="rule-28/backup/advert/equal-priority"
    ),
    pytest.param(
        {},
        BACKUP,
        advert(200, interval_cs=10),
        (),
        Backup(1000.3609375, 10, SILENT, PEER),
        id="rule-18+28/backup/advert/other interval is learned, not dropped",
    ),
    pytest.param(
        {"preempt": False},
        BACKUP,
        advert(50),
        (),
        Backup(1003.609375, 100, SILENT, PEER, lower_since=1000.0),
        id="rule-28/backup/advert/lower-priority/no-preempt",
    ),
    pytest.param(
        {},
        BACKUP,
        advert(50),
        (),
        Backup(1002.0, 100, "192.0.2.6 has the lower priority 50", PEER, lower_since=1000.0),
        id="rule-29/backup/advert/lower-priority/preempt",
    ),
    pytest.param(
        {"priority": 255, "preempt": False},
        BACKUP,
        advert(254),
        (),
        Backup(1002.0, 100, "192.0.2.6 has the lower priority 254", PEER, lower_since=1000.0),
        id="rule-29/backup/advert/owner preempts always",
    ),
    pytest.param({}, BACKUP, LoopLate(3.6), (), BACKUP, id="backup/late/less than Active_Down_Interval"),
    pytest.param(
        {},
        DOWN,
        LoopLate(5.0),
        (),
        Backup(1003.609375, 100, "silence, after a pause of 5.00 s of our own"),
        id="backup/late/listens anew",
    ),
    pytest.param({}, BACKUP, InterfaceReady(PEER), (), BACKUP, id="backup/new address"),
    pytest.param({}, BACKUP, VipsClaimed(), (), BACKUP, id="backup/claimed: an old report"),
    pytest.param({}, BACKUP, ClaimFailed(), (), BACKUP, id="backup/claim failed: an old report"),
    pytest.param({}, BACKUP, VipsRemoved(), (), BACKUP, id="rule-24/backup/vips removed: not put back"),
    # -- Active -----------------------------------------------------------------------------------------------------
    pytest.param(
        {},
        ACTIVE,
        Shutdown("asked to"),
        (SendAdvertisement(0), ReleaseVips(), StateChanged("Initialize", "asked to")),
        INITIALIZE,
        id="rule-30/active/shutdown",
    ),
    pytest.param(
        {},
        ACTIVE,
        InterfaceLost("link down"),
        (ReleaseVips(), StateChanged("Initialize", "link down")),
        INITIALIZE,
        id="active/interface-lost",
    ),
    pytest.param(
        {},
        DUE,
        DeadlineReached(),
        (SendAdvertisement(100),),
        Active(adver_at=1001.0, renew_at=1000.75, claimed=True),
        id="rule-31/active/deadline",
    ),
    pytest.param(
        {},
        Active(adver_at=999.75, renew_at=1000.75, claimed=True),
        DeadlineReached(),
        (SendAdvertisement(100),),
        Active(adver_at=1000.75, renew_at=1000.75, claimed=True),
        id="rule-31/active/deadline/a little late: the beat is kept",
    ),
    pytest.param(
        {},
        Active(adver_at=997.5, renew_at=1000.75, claimed=True),
        DeadlineReached(),
        (SendAdvertisement(100),),
        Active(adver_at=1001.0, renew_at=1000.75, claimed=True),
        id="rule-31/active/deadline/missed beats are not caught up",
    ),
    pytest.param({}, ACTIVE, DeadlineReached(), (), ACTIVE, id="active/deadline/not yet"),
    pytest.param(
        {},
        Active(adver_at=1000.5, renew_at=1000.0, claimed=True),
        DeadlineReached(),
        (ClaimVips(4),),
        Active(adver_at=1000.5, renew_at=1001.0, claimed=True),
        id="active/deadline/lease renewed",
    ),
    pytest.param(
        {},
        Active(adver_at=1000.5, renew_at=1000.75, claimed=True, announce_at=(999.99, 1000.0, 1000.1)),
        DeadlineReached(),
        (AnnounceVips(),),
        Active(adver_at=1000.5, renew_at=1000.75, claimed=True, announce_at=(1000.1,)),
        id="active/deadline/announced",
    ),
    pytest.param(
        {},
        Active(adver_at=1000.0, renew_at=1000.0, claimed=True, announce_at=(1000.0,)),
        DeadlineReached(),
        (SendAdvertisement(100), ClaimVips(4), AnnounceVips()),
        Active(adver_at=1001.0, renew_at=1001.0, claimed=True),
        id="active/deadline/all at once",
    ),
    pytest.param(
        {},
        ACTIVE,
        advert(0),
        (SendAdvertisement(100), AnnounceVips()),
        Active(adver_at=1001.0, renew_at=1000.75, claimed=True, announce_at=(1000.05, 1000.2, 1001.0)),
        id="rule-32/active/advert/priority-0",
    ),
    pytest.param(
        {},
        ACTIVE,
        advert(101),
        (LAST_WORD, ReleaseVips(), StateChanged("Backup", "192.0.2.6 is Active with higher priority")),
        Backup(1003.609375, 100, SILENT, PEER),
        id="rule-33/active/advert/higher-priority",
    ),
    pytest.param(
        {},
        ACTIVE,
        advert(101, interval_cs=10),
        (LAST_WORD, ReleaseVips(), StateChanged("Backup", "192.0.2.6 is Active with higher priority")),
        Backup(1000.3609375, 10, SILENT, PEER),
        id="rule-33/active/advert/higher-priority/interval learned",
    ),
    pytest.param(
        {},
        ACTIVE,
        advert(100),
        (LAST_WORD, ReleaseVips(), StateChanged("Backup", "192.0.2.6 is Active with same priority and higher address")),
        Backup(1003.609375, 100, SILENT, PEER),
        id="rule-33/active/advert/equal-priority/higher address",
    ),
    pytest.param(
        {},
        ACTIVE,
        advert(100, IPv4Address("200.0.0.1")),
        (LAST_WORD, ReleaseVips(), StateChanged("Backup", "200.0.0.1 is Active with same priority and higher address")),
        Backup(1003.609375, 100, "200.0.0.1 fell silent", IPv4Address("200.0.0.1")),
        id="rule-33/active/advert/equal-priority/addresses are unsigned",
    ),
    pytest.param(
        {"priority": 255},
        ACTIVE,
        advert(255),
        (
            SendAdvertisement(255),
            ReleaseVips(),
            StateChanged("Backup", "192.0.2.6 is Active with same priority and higher address"),
        ),
        Backup(1003.00390625, 100, SILENT, PEER),
        id="rule-20/active/advert/two owners: the election decides",
    ),
    pytest.param(
        {},
        ACTIVE,
        advert(100, LOWER_ADDRESS),
        (SendAdvertisement(100), AnnounceVips()),
        Active(1000.5, 1000.75, claimed=True, announce_at=(1000.05, 1000.2, 1001.0)),
        id="rule-34/active/advert/equal-priority/lower address",
    ),
    pytest.param(
        {},
        ACTIVE,
        advert(99),
        (SendAdvertisement(100), AnnounceVips()),
        Active(1000.5, 1000.75, claimed=True, announce_at=(1000.05, 1000.2, 1001.0)),
        id="rule-34/active/advert/lower-priority: answered, and the VIPs announced again",
    ),
    pytest.param(
        {},
        Active(1000.5, 1000.75, claimed=True, announce_at=(1000.03, 1000.2)),
        advert(99),
        (SendAdvertisement(100),),
        Active(1000.5, 1000.75, claimed=True, announce_at=(1000.03, 1000.05, 1000.2, 1001.0)),
        id="rule-34/active/advert/lower-priority/about to announce anyway",
    ),
    pytest.param(
        {},
        CLAIMING,
        advert(99),
        (SendAdvertisement(100),),
        CLAIMING,
        id="rule-37/active/advert/lower-priority/nothing announced before the claim",
    ),
    pytest.param(
        {"preempt": False},
        ACTIVE,
        advert(99),
        (SendAdvertisement(100), AnnounceVips()),
        Active(1000.5, 1000.75, claimed=True, announce_at=(1000.05, 1000.2, 1001.0)),
        id="rule-34/active/advert/lower-priority/no-preempt makes no difference",
    ),
    pytest.param({}, ACTIVE, LoopLate(2.6), (), ACTIVE, id="active/late/tolerated"),
    pytest.param(
        {},
        ACTIVE,
        LoopLate(2.7),
        (ReleaseVips(), StateChanged("Backup", "it had been paused for 2.70 s")),
        Backup(1003.609375, 100, "silence, after it had been paused for 2.70 s"),
        id="active/late/Active_Down_Interval since the last advertisement",
    ),
    pytest.param(
        {},
        CLAIMING,
        VipsClaimed(),
        (AnnounceVips(),),
        Active(1000.5, 1000.75, True, (1000.01, 1000.03, 1000.06, 1000.1, 1001.0, 1005.0)),
        id="rule-37/active/claimed: announced only now",
    ),
    pytest.param({}, ACTIVE, VipsClaimed(), (), ACTIVE, id="active/claimed/a renewal"),
    pytest.param(
        {},
        Active(1000.5, 1010.0, claimed=True),
        ClaimFailed(),
        (),
        Active(1000.5, 1001.0, claimed=False),
        id="active/claim failed: tried again soon",
    ),
    pytest.param(
        {"priority": 255},
        Active(1000.5, math.inf),
        ClaimFailed(),
        (),
        Active(1000.5, 1001.0),
        id="active/claim failed/owner",
    ),
    pytest.param(
        {},
        ACTIVE,
        VipsRemoved(),
        (ClaimVips(4),),
        Active(1000.5, 1000.75),
        id="active/vips removed: put back at once",
    ),
    pytest.param({}, CLAIMING, VipsRemoved(), (), CLAIMING, id="active/vips removed/being claimed already"),
    pytest.param({}, ACTIVE, InterfaceReady(PEER), (), ACTIVE, id="active/new address"),
]


@pytest.mark.parametrize(("changes", "state", "event", "effects", "next_state"), ROWS)
def test_transition(changes, state, event, effects, next_state):
    machine = router(state, **changes)
    assert machine.handle(event, NOW) == effects
    assert machine.state == next_state


@pytest.mark.parametrize(
    ("state", "deadline"),
    [
        pytest.param(INITIALIZE, math.inf, id="initialize"),
        pytest.param(BACKUP, 1002.0, id="backup"),
        pytest.param(Active(1001.0, 1002.0), 1001.0, id="active/advertise"),
        pytest.param(Active(1001.0, 1000.5), 1000.5, id="active/renew"),
        pytest.param(Active(1001.0, 1000.5, True, (1000.1, 1005.0)), 1000.1, id="active/announce"),
    ],
)
def test_deadline_is_that_of_the_state(state, deadline):
    assert router(state).deadline == deadline


@pytest.mark.parametrize(("state", "name"), [(INITIALIZE, "Initialize"), (BACKUP, "Backup"), (ACTIVE, "Active")])
def test_state_names_are_those_of_the_rfc(state, name):
    assert router(state).state_name == name


def test_rule_3_and_4_what_it_says_of_itself():
    machine = VirtualRouter(config(priority=150, advertisement_interval_cs=25))
    assert machine.advertisement(0) == Advertisement(
        vrid=51, priority=0, max_advert_interval_cs=25, addresses=(IPv4Address("192.0.2.10"),)
    )


def test_rule_16_addresses_are_all_of_one_family():
    assert all(isinstance(address, IPv4Address) for address in VirtualRouter(config()).advertisement(100).addresses)


def test_rule_21_a_received_advertisement_is_never_passed_on():
    for state in (INITIALIZE, BACKUP, ACTIVE):
        for priority in (0, 50, 100, 200):
            effects = router(state).handle(advert(priority), NOW)
            assert SendAdvertisement(priority) not in effects or priority == 100


def test_rule_24_and_39_a_backup_neither_claims_nor_announces():
    for event in (
        advert(0),
        advert(50),
        advert(200),
        VipsClaimed(),
        VipsRemoved(),
        LoopLate(9.0),
        InterfaceReady(PEER),
    ):
        assert not {ClaimVips(4), AnnounceVips()} & set(router(BACKUP).handle(event, NOW))


class TestPriority:
    """The effective priority."""

    def test_of_an_active_router_is_told_at_once(self):
        machine = router(ACTIVE)
        assert machine.handle(PriorityChanged(50), NOW) == (SendAdvertisement(50),)
        assert machine.state == ACTIVE

    def test_of_a_backup_counts_from_the_next_advertisement(self):
        machine = router(BACKUP)
        assert machine.handle(PriorityChanged(200), NOW) == ()
        assert machine.state == BACKUP
        machine.handle(advert(150), NOW)
        assert machine.state == Backup(1002.0, 100, "192.0.2.6 has the lower priority 150", PEER, lower_since=1000.0)

    def test_unchanged_is_not_told(self):
        assert router(ACTIVE).handle(PriorityChanged(100), NOW) == ()

    def test_lowered_loses_the_election(self):
        machine = router(ACTIVE)
        machine.handle(PriorityChanged(50), NOW)
        assert ReleaseVips() in machine.handle(advert(60), NOW)

    def test_an_owner_that_is_lowered_starts_as_backup(self):
        machine = router(INITIALIZE, priority=255)
        machine.handle(PriorityChanged(10), NOW)
        machine.handle(InterfaceReady(OURS), NOW)
        assert machine.state_name == "Backup"


def test_a_new_address_breaks_ties():
    machine = router(ACTIVE)
    machine.handle(InterfaceReady(IPv4Address("192.0.2.200")), NOW)
    machine.handle(advert(100), NOW)
    assert machine.state_name == "Active"


def test_the_lease_follows_the_configured_priority():
    machine = VirtualRouter(config(priority=200, advertisement_interval_cs=10))
    assert machine.lease_s == 1
    assert VirtualRouter(config(priority=255)).lease_s is None
