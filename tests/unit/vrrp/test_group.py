"""When a group may become Active: all of its members at once, or none. The rest is in tests/scenario."""

from ipaddress import IPv4Interface

import pytest

from vrrp.config import VirtualRouterConfig
from vrrp.group import is_ready
from vrrp.router import VirtualRouter
from vrrp.states import Active, Backup, Initialize

WANTS = Backup(1000.0, 100, "no other router was heard", wants=True)
HEARS = Backup(1000.0, 100, "192.0.2.6 fell silent")
ACTIVE = Active(1000.0, 1000.0)


def member(state):
    addresses = (IPv4Interface("192.0.2.10/24"),)
    machine = VirtualRouter(VirtualRouterConfig(name="lan", vrid=51, interface="eth0", addresses=addresses, group="g"))
    machine.state = state
    return machine


@pytest.mark.parametrize(
    ("states", "ready"),
    [
        pytest.param([WANTS], True, id="one that wants"),
        pytest.param([WANTS, WANTS, WANTS], True, id="all want"),
        pytest.param([WANTS, ACTIVE], True, id="the other is Active already"),
        pytest.param([WANTS, HEARS], False, id="the other hears an Active Router"),
        pytest.param([WANTS, Initialize()], False, id="the other has no interface"),
        pytest.param([ACTIVE, HEARS, WANTS], False, id="one of three does not"),
    ],
)
def test_ready(states, ready):
    assert is_ready([member(state) for state in states]) is ready
