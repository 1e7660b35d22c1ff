"""Another configuration in every state: the exact effects and the exact next state.

Priority 100, every 100 cs, as in test_router.py; `now` is 1000 in every row.
"""

import math
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Interface, IPv6Interface

import pytest

from vrrp.advertisement import Advertisement
from vrrp.config import VirtualRouterConfig
from vrrp.events import (
    AdvertReceived,
    AnnounceVips,
    ClaimVips,
    DeadlineReached,
    GroupReady,
    InterfaceReady,
    Reconfigured,
    ReleaseVips,
    SendAdvertisement,
    StateChanged,
    VipsClaimed,
)
from vrrp.reconfiguration import groups_joined, made_anew
from vrrp.router import VirtualRouter
from vrrp.states import Active, Backup, Initialize

NOW = 1000.0
OURS, PEER = IPv4Address("192.0.2.5"), IPv4Address("192.0.2.6")
LAN = VirtualRouterConfig(name="lan", vrid=51, interface="eth0", addresses=(IPv4Interface("192.0.2.10/24"),))
BACKUP = Backup(1002.0, 100, "192.0.2.6 fell silent", active_router=PEER)
ACTIVE = Active(adver_at=1000.5, renew_at=1000.75, claimed=True)
TWO = (IPv4Interface("192.0.2.10/24"), IPv4Interface("192.0.2.11/24"))


def advert(priority):
    return AdvertReceived(
        Advertisement(vrid=51, priority=priority, max_advert_interval_cs=100, addresses=LAN.vips), PEER
    )


def router(state, **before):
    machine = VirtualRouter(replace(LAN, **before))
    machine.state, machine.address = state, OURS
    return machine


def reconfigured(machine, *, effective=None, **changes):
    config = replace(machine.config, **changes)
    return machine.handle(Reconfigured(config, config.priority if effective is None else effective), NOW)


def test_in_initialize_nothing_happens_until_the_interface_is_ready():
    machine = router(Initialize())
    assert reconfigured(machine, priority=200, advertisement_interval_cs=10, addresses=TWO) == ()
    assert machine.state == Initialize()
    assert (machine.priority, machine.lease_s) == (200, 1)
    machine.handle(InterfaceReady(OURS), NOW)
    assert machine.deadline == 1000.321875


def test_a_backup_router_goes_on_listening_as_it_did():
    machine = router(BACKUP)
    assert reconfigured(machine, priority=200, advertisement_interval_cs=10, addresses=TWO, preempt=False) == ()
    assert machine.state == BACKUP
    assert machine.priority == 200


def test_a_backup_router_whose_priority_was_raised_preempts_as_ever():
    machine = router(BACKUP)
    reconfigured(machine, priority=200)
    assert machine.handle(advert(150), NOW) == ()
    assert machine.handle(DeadlineReached(), 1002.0) == (
        SendAdvertisement(200),
        ClaimVips(4),
        StateChanged("Active", "192.0.2.6 has the lower priority 150"),
    )


def test_one_that_must_not_preempt_any_more_does_not():
    machine = router(BACKUP)
    reconfigured(machine, priority=200, preempt=False)
    machine.handle(advert(150), NOW)
    assert machine.deadline == 1003.21875


def test_preempt_delay_counts_from_when_the_lower_one_was_heard():
    machine = router(replace(BACKUP, lower_since=997.0), preempt_delay_s=60.0)
    reconfigured(machine, preempt_delay_s=2.0)
    machine.handle(advert(50), NOW)
    assert machine.deadline == 1002.0  # let be no more


def test_one_that_has_heard_nobody_goes_by_its_new_interval_once_the_old_one_is_over():
    machine = router(Backup(1002.0, 100, "no other router was heard"))
    reconfigured(machine, advertisement_interval_cs=10)
    assert machine.state == Backup(1002.0, 10, "no other router was heard")


@pytest.mark.parametrize(
    ("until", "before", "after", "then"),
    [
        pytest.param(1008.0, 10.0, 12.0, 1010.0, id="longer"),
        pytest.param(1008.0, 10.0, 0.0, 998.0, id="none"),
        pytest.param(990.0, 10.0, 60.0, 990.0, id="over"),
        pytest.param(-math.inf, 0.0, 60.0, -math.inf, id="there was none"),
    ],
)
def test_a_delay_that_runs_is_as_long_as_it_is_now(until, before, after, then):
    machine = router(
        replace(BACKUP, startup_until=until, unheard_until=until), startup_delay_s=before, hold_down_s=before
    )
    assert reconfigured(machine, startup_delay_s=after, hold_down_s=after) == ()
    assert (machine.state.startup_until, machine.state.unheard_until) == (then, then)


@pytest.mark.parametrize("changes", [{"group": "other"}, {"group": None}, {"witnessed": True}])
def test_who_waits_for_a_group_or_a_witness_asks_the_new_ones(changes):
    machine = router(replace(BACKUP, wants=True), group="both")
    reconfigured(machine, **changes)
    assert machine.handle(GroupReady(), NOW) == ()
    assert machine.state_name == "Backup"


def test_an_active_router_tells_its_new_priority_at_once_and_goes_on():
    machine = router(ACTIVE)
    assert reconfigured(machine, priority=50) == (SendAdvertisement(50),)
    assert machine.state == ACTIVE
    assert machine.handle(advert(100), NOW) == (
        SendAdvertisement(50),
        ReleaseVips(),
        StateChanged("Backup", "192.0.2.6 is Active with higher priority"),
    )


def test_the_effective_priority_may_be_another_one():
    machine = router(ACTIVE)
    assert reconfigured(machine, priority=200, effective=1) == (SendAdvertisement(1),)
    assert (machine.priority, machine.config.priority) == (1, 200)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"preempt": False, "preempt_delay_s": 5.0, "startup_delay_s": 5.0, "hold_down_s": 5.0},
        {"checksum": "rfc9568", "authentication": "required"},
        {"accept": False},
        {"peers": (PEER,), "source": OURS},
        {"group": "both"},
        {"rivals": 1},
        {"announce_every_s": None},
    ],
)
def test_what_an_active_router_has_nothing_to_do_for(changes):
    machine = router(ACTIVE)
    assert reconfigured(machine, **changes) == ()
    assert machine.state == ACTIVE


def test_a_vip_that_is_new_is_claimed_and_announced_while_the_others_stay():
    machine = router(ACTIVE)
    assert reconfigured(machine, addresses=TWO) == (SendAdvertisement(100), ClaimVips(4))
    assert machine.advertisement(100).addresses == (IPv4Address("192.0.2.10"), IPv4Address("192.0.2.11"))
    assert machine.state == Active(adver_at=1000.5, renew_at=1001.0, claimed=False)
    assert machine.handle(VipsClaimed(), NOW) == (AnnounceVips(),)


def test_a_vip_that_goes_needs_no_announcement():
    machine = router(ACTIVE, addresses=TWO)
    assert reconfigured(machine, addresses=TWO[:1]) == (SendAdvertisement(100), ClaimVips(4))
    assert machine.state == Active(adver_at=1000.5, renew_at=1001.0, claimed=True)
    assert machine.handle(VipsClaimed(), NOW) == ()


def test_excluded_addresses_are_claimed_and_not_told():
    machine = router(ACTIVE)
    assert reconfigured(machine, excluded_addresses=(IPv6Interface("2001:db8::10/64"),)) == (ClaimVips(4),)


def test_a_shorter_interval_is_told_at_once_and_kept_from_then_on():
    machine = router(ACTIVE)
    assert reconfigured(machine, advertisement_interval_cs=10) == (SendAdvertisement(100), ClaimVips(1))
    assert machine.state.adver_at == 1000.1
    assert machine.handle(DeadlineReached(), 1000.1) == (SendAdvertisement(100),)
    assert round(machine.state.adver_at, 6) == 1000.2


def test_a_longer_interval_is_told_four_times_at_the_old_pace():
    """Whoever missed the news waits for three old intervals."""
    machine = router(replace(ACTIVE, adver_at=1000.05, renew_at=math.inf), advertisement_interval_cs=10, priority=255)
    assert reconfigured(machine, advertisement_interval_cs=100) == (SendAdvertisement(255),)
    sent = []
    while machine.deadline < 1004:
        sent.append(round(machine.deadline, 3))
        assert machine.handle(DeadlineReached(), machine.deadline) == (SendAdvertisement(255),)
    assert sent == [1000.05, 1000.15, 1000.25, 1000.35, 1000.45, 1001.45, 1002.45, 1003.45]


def test_made_longer_twice_it_keeps_the_pace_of_the_shortest():
    machine = router(ACTIVE, advertisement_interval_cs=10)
    reconfigured(machine, advertisement_interval_cs=100)
    reconfigured(machine, advertisement_interval_cs=200)
    assert (machine.state.brisk_s, machine.state.brisk_until) == (0.1, 1000.4)


def test_nobody_is_isolated_for_a_shorter_interval():
    machine = router(replace(ACTIVE, in_touch_at=998.0), witnessed=True)
    reconfigured(machine, advertisement_interval_cs=10)
    assert machine.state.in_touch_at == NOW
    machine = router(ACTIVE)
    reconfigured(machine, witnessed=True)
    assert machine.state.in_touch_at == NOW


@pytest.mark.parametrize(
    ("pending", "before", "after", "then"),
    [
        pytest.param((), None, 30.0, (1030.0,), id="begins"),
        pytest.param((1001.0, 1005.0), None, 30.0, (1001.0, 1005.0, 1035.0), id="begins behind a claim's"),
        pytest.param((1005.0, 1035.0), 30.0, 2.0, (1005.0, 1007.0), id="other"),
        pytest.param((1020.0,), 30.0, None, (), id="ends"),
    ],
)
def test_announcements_that_repeat_themselves(pending, before, after, then):
    machine = router(replace(ACTIVE, announce_at=pending), announce_every_s=before)
    assert reconfigured(machine, announce_every_s=after) == ()
    assert machine.state.announce_at == then


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"vrid": 77}, ("vrid is 77 instead of 51",)),
        ({"interface": "eth1"}, ("interface is eth1 instead of eth0",)),
        ({"version": 2}, ("version is 2 instead of 3",)),
        ({"virtual_mac": True}, ("virtual_mac is true instead of false",)),
        (
            {"addresses": (IPv6Interface("fe80::10/64"),)},
            ("the addresses are IPv6 ones instead of IPv4",),
        ),
        ({"priority": 255}, ("it owns the addresses (priority 255)",)),
        ({"vrid": 77, "interface": "eth1"}, ("vrid is 77 instead of 51", "interface is eth1 instead of eth0")),
        (
            {
                **{"priority": 1, "advertisement_interval_cs": 10, "preempt": False, "group": "both", "accept": False},
                **{"addresses": TWO, "checksum": "rfc9568", "authentication": "required", "peers": (PEER,)},
            },
            (),
        ),
    ],
)
def test_what_makes_another_router(changes, words):
    assert made_anew(LAN, replace(LAN, **changes)) == words


def test_an_owner_that_is_none_any_more():
    owner = replace(LAN, priority=255)
    assert made_anew(owner, LAN) == ("it owns the addresses (priority 255) no more",)


def test_groups_that_were_joined():
    both, other = replace(LAN, group="both"), replace(LAN, group="other")
    assert groups_joined([(LAN, both), (both, both), (both, LAN), (other, both)]) == {"both"}
    assert groups_joined([(both, other)]) == {"other"}


def test_a_shorter_pace_than_silence_lasts_is_kept_until_that_is_over():
    machine = router(ACTIVE, advertisement_interval_cs=1)
    reconfigured(machine, advertisement_interval_cs=100)
    assert (machine.state.brisk_s, round(machine.state.brisk_until, 6)) == (0.01, 1000.06)
