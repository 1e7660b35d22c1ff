"""VRRPv2 pairs (RFC 3768). Whole seconds; Skew_Time 0.609375 s with priority 100; Master_Down_Interval 3.609375 s with
100 and 3.21875 s with 200, at an interval of a second."""

from ipaddress import IPv4Interface

import pytest
import trio


@pytest.fixture
def config2(config):
    return lambda **changes: config(**({"version": 2, "advertisement_interval_cs": 100} | changes))


@pytest.fixture
async def pair2(start, machine, config2):
    """`pair2(changes_of_a, changes_of_b)`, after ten seconds."""

    async def make(changes_of_a=None, changes_of_b=None):
        a = machine("a", "192.0.2.1/24", config2(**({"priority": 200} | (changes_of_a or {}))))
        b = machine("b", "192.0.2.2/24", config2(**({"priority": 100} | (changes_of_b or {}))))
        await start(a, b)
        await trio.sleep(10)
        return a, b

    return make


async def test_the_higher_priority_becomes_active(autojump_clock, pair2, lan):
    a, b = await pair2()
    assert a.transitions() == [(0.0, "Backup"), (3.21875, "Active")]
    assert b.transitions() == [(0.0, "Backup")]
    assert lan.packets[0][2].hex() == "2133c801000154bfc000020a0000000000000000"


async def test_skew_time_does_not_depend_on_the_interval(autojump_clock, pair2):
    a, b = await pair2({"advertisement_interval_cs": 200}, {"advertisement_interval_cs": 200})
    await a.runner.resign("maintenance")
    await trio.sleep(1)
    assert b.entered("Active") == pytest.approx(10.610375, abs=1e-6)


async def test_a_crash_is_missed(autojump_clock, pair2):
    a, b = await pair2()
    a.crash()
    await trio.sleep(4)
    assert b.entered("Active") == pytest.approx(9.21875 + 0.001 + 3.609375, abs=1e-6)


async def test_rule_18_v2_another_interval_is_dropped(autojump_clock, pair2):
    a, b = await pair2({}, {"advertisement_interval_cs": 200})
    assert (a.state, b.state) == ("Active", "Active")
    assert a.router.adverts_rejected["interval"] > 0
    assert b.router.adverts_rejected["interval"] == 7


async def test_rule_19_v2_another_list_is_dropped(autojump_clock, pair2):
    a, b = await pair2({}, {"addresses": (IPv4Interface("192.0.2.11/24"),)})
    assert (a.state, b.state) == ("Active", "Active")
    assert b.router.adverts_rejected == {"addresses": 7}


async def test_rule_19_v2_but_not_from_the_owner(autojump_clock, pair2):
    a, b = await pair2({"priority": 255}, {"addresses": (IPv4Interface("192.0.2.11/24"),)})
    assert (a.state, b.state) == ("Active", "Backup")
    assert b.router.adverts_rejected == {}


async def test_rule_44_the_same_password(autojump_clock, pair2):
    a, b = await pair2({"password": "secret12"}, {"password": "secret12"})
    assert (a.state, b.state) == ("Active", "Backup")
    assert (a.router.adverts_rejected, b.router.adverts_rejected) == ({}, {})


@pytest.mark.parametrize("other", ["secret13", None])
async def test_rule_44_another_password_or_none_is_dropped(autojump_clock, pair2, other):
    a, b = await pair2({"password": "secret12"}, {"password": other})
    assert (a.state, b.state) == ("Active", "Active")
    assert b.router.adverts_rejected == {"authentication": 7}


async def test_rule_8_the_versions_do_not_hear_each_other(autojump_clock, pair2):
    a, b = await pair2({}, {"version": 3})
    assert (a.state, b.state) == ("Active", "Active")
    assert b.router.adverts_rejected == {"version": 7}
