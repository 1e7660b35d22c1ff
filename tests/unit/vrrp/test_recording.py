"""A recording plays through the same machine."""

from ipaddress import IPv4Address, IPv4Interface

import pytest

from vrrp.advertisement import Advertisement
from vrrp.config import VirtualRouterConfig
from vrrp.events import AdvertReceived, ClaimVips, DeadlineReached, InterfaceReady, SendAdvertisement, StateChanged
from vrrp.recording import Diverged, introduce, record, replay

LAN = VirtualRouterConfig(
    name="lan", vrid=51, interface="eth0", addresses=(IPv4Interface("192.0.2.10/24"),), hold_down_s=0.5
)
READY = record(
    "lan",
    1000.0,
    InterfaceReady(IPv4Address("192.0.2.5")),
    (StateChanged("Backup", "eth0 is ready with 192.0.2.5"),),
)
HEARD = record(
    "lan",
    1001.0,
    AdvertReceived(
        Advertisement(vrid=51, priority=200, max_advert_interval_cs=100, addresses=(IPv4Address("192.0.2.10"),)),
        IPv4Address("192.0.2.6"),
    ),
    (),
)
DOWN = record(
    "lan",
    1004.7,
    DeadlineReached(),
    (SendAdvertisement(100), ClaimVips(4), StateChanged("Active", "192.0.2.6 fell silent")),
)


def test_a_recording_is_played_again():
    assert replay([introduce(LAN), READY, HEARD, DOWN]) == 3


def test_an_event_as_it_is_written():
    assert record("lan", 1004.7, DeadlineReached(), (SendAdvertisement(100),)) == (
        '{"router": "lan", "at": 1004.7, "event": {"type": "DeadlineReached"}, '
        '"effects": [{"type": "SendAdvertisement", "priority": 100}]}'
    )


def test_a_machine_that_does_otherwise_is_found():
    with pytest.raises(Diverged, match="line 3: DeadlineReached"):
        replay([introduce(LAN), READY, DOWN])


@pytest.mark.parametrize(
    "line",
    [
        "",
        "[]",
        "{}",
        '{"router": "wan", "at": 1.0, "event": {"type": "DeadlineReached"}, "effects": []}',
        '{"router": "lan", "at": 1.0, "event": {"type": "Surprise"}, "effects": []}',
        '{"router": "lan", "at": 1.0, "event": {"type": "LoopLate"}, "effects": []}',
    ],
)
def test_what_is_no_recording_says_so(line):
    with pytest.raises(ValueError, match="line 2 is not of a recording"):
        replay([introduce(LAN), line])
