"""What is waited for before a router becomes Active: hold-down, startup_delay, preempt_delay."""

import pytest
import trio

from vrrp.testing import FakeNode


class TestHoldDown:
    """A port that has just come up may be mute for long: who has heard nothing at all does not believe the silence."""

    async def test_on_a_silent_lan_it_waits_until_it_is_over(self, autojump_clock, start, machine, config):
        a = machine("a", "192.0.2.1/24", config(hold_down_s=30.0))
        await start(a)
        await trio.sleep(40)
        assert a.transitions() == [(0.0, "Backup"), (30.0, "Active")]

    async def test_any_packet_ends_it(self, autojump_clock, start, machine, config, lan):
        a = machine("a", "192.0.2.1/24", config(hold_down_s=30.0))
        other = FakeNode(lan, "x", "192.0.2.66/24")
        await start(a)
        await trio.sleep(5.02)
        other.ports.frames.send(other.interface, bytes(60))
        await trio.sleep(1)
        # The kernel's count is looked at every 50 ms; the packet came at 5.021.
        assert a.entered("Active") == pytest.approx(5.05, abs=0.03)

    async def test_an_advertisement_ends_it_and_counts(self, autojump_clock, pair, start, machine, config):
        c = machine("c", "192.0.2.3/24", config(priority=250, hold_down_s=30.0))
        await start(c)
        await trio.sleep(1)
        assert c.state == "Active"
        assert c.entered("Active") == pytest.approx(2.30234375, abs=1e-6)

    async def test_begins_anew_when_the_link_comes_back(self, autojump_clock, start, machine, config):
        a = machine("a", "192.0.2.1/24", config(hold_down_s=3.0))
        await start(a)
        await trio.sleep(5)
        a.node.set_link(up=False)
        await trio.sleep(1)
        a.node.set_link(up=True)
        await trio.sleep(2.5)
        assert a.state == "Backup"
        await trio.sleep(1)
        assert a.entered("Active") == pytest.approx(9.0, abs=1e-6)


class TestStartupDelay:
    async def test_it_is_not_active_before_whatever_happens(self, autojump_clock, pair, start, machine, config):
        a, b = pair
        c = machine("c", "192.0.2.3/24", config(priority=250, startup_delay_s=10.0))
        await start(c)
        await trio.sleep(5)
        assert [each.state for each in (a, b, c)] == ["Active", "Backup", "Backup"]
        await trio.sleep(6)
        assert c.entered("Active") == 12.0

    async def test_it_does_not_lengthen_what_is_longer(self, autojump_clock, start, machine, config):
        a = machine("a", "192.0.2.1/24", config(startup_delay_s=0.1))
        await start(a)
        await trio.sleep(1)
        assert a.transitions() == [(0.0, "Backup"), (0.360938, "Active")]


async def test_preempt_delay(autojump_clock, pair, start, machine, config):
    a, _ = pair
    c = machine("c", "192.0.2.3/24", config(priority=250, preempt_delay_s=5.0))
    await start(c)
    await trio.sleep(8)
    assert (a.state, c.state) == ("Backup", "Active")
    # First heard at 2.022875; let be until 7.022875, when the last one counted was that of 6.922875.
    assert c.entered("Active") == pytest.approx(6.922875 + 0.30234375, abs=0.11)


async def test_preempt_delay_is_not_for_a_dead_router(autojump_clock, pair, start, machine, config):
    a, b = pair
    c = machine("c", "192.0.2.3/24", config(priority=250, preempt_delay_s=60.0))
    await start(c)
    await trio.sleep(2)
    a.crash()
    await trio.sleep(1)
    assert c.entered("Active") == pytest.approx(3.921875 + 0.001 + 0.30234375, abs=1e-6)
    assert b.state == "Backup"
