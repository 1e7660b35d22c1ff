"""An advertisement goes by the LAN and by the liveness link, and the two copies come in any order.

Priority 100, every 100 cs: Skew_Time 0.609375 s, Active_Down_Interval 3.609375 s. `now` is 1000 unless said otherwise.
"""

from ipaddress import IPv4Address, IPv4Interface

import pytest

from vrrp.advertisement import Advertisement
from vrrp.config import VirtualRouterConfig
from vrrp.events import AdvertReceived, DeadlineReached, PeerLost, PeerMet, ReleaseVips
from vrrp.router import VirtualRouter
from vrrp.states import Backup

NOW = 1000.0
PEER = IPv4Address("192.0.2.6")
THIRD = IPv4Address("192.0.2.7")
BACKUP = Backup(active_down_at=1002.0, active_adver_interval_cs=100, cause="192.0.2.6 fell silent", active_router=PEER)


def advert(priority, source=PEER):
    vips = (IPv4Address("192.0.2.10"),)
    return AdvertReceived(Advertisement(vrid=51, priority=priority, max_advert_interval_cs=100, addresses=vips), source)


def router(state, **changes):
    values = {"name": "lan", "vrid": 51, "interface": "eth0", "addresses": (IPv4Interface("192.0.2.10/24"),)}
    machine = VirtualRouter(VirtualRouterConfig(**(values | changes)))
    machine.handle(PeerMet(PEER), 0.0)
    machine.state, machine.address = state, IPv4Address("192.0.2.5")
    return machine


@pytest.mark.parametrize("left", [advert(0), PeerLost()])
def test_an_advert_from_before_its_sender_left_does_not_count(left):
    machine = router(BACKUP, rivals=1)
    machine.handle(left, NOW)
    machine.handle(DeadlineReached(), NOW)
    assert machine.handle(advert(200), 1000.049) == ()
    assert machine.state_name == "Active"
    assert ReleaseVips() in machine.handle(advert(200), 1000.051)


def test_nor_does_it_while_skew_time_is_waited_for():
    machine = router(BACKUP)
    machine.handle(advert(0), NOW)
    machine.handle(advert(200), 1000.01)
    assert machine.deadline == 1000.609375


def test_those_of_others_do():
    machine = router(BACKUP)
    machine.handle(advert(0), NOW)
    machine.handle(advert(200, THIRD), 1000.01)
    assert machine.deadline == 1003.619375


def test_never_longer_than_an_interval():
    machine = router(Backup(1002.0, 1, "192.0.2.6 fell silent", PEER), rivals=1, advertisement_interval_cs=1)
    machine.handle(advert(0), NOW)
    machine.handle(DeadlineReached(), NOW)
    assert ReleaseVips() in machine.handle(advert(200), 1000.011)
