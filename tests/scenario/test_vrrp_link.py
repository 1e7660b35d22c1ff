"""A pair with a liveness link: what it tells, and that its silence tells nothing."""

import pytest
import trio

VIP = "192.0.2.10/32"


async def test_a_crash_of_the_active_is_seen_by_its_end(autojump_clock, linked):
    a, b, _ = linked
    assert a.crash() == 2.0
    await trio.sleep(0.01)
    assert (b.entered("Active"), b.vips) == (2.002, [VIP])
    assert b.router.last_reason == "192.0.2.1 died: its liveness link closed"


async def test_a_crash_of_the_backup_changes_nothing(autojump_clock, linked):
    a, b, _ = linked
    b.crash()
    await trio.sleep(2)
    assert len(a.transitions()) == 2


async def test_silence_of_the_link_alone_changes_nothing(autojump_clock, linked):
    a, b, link = linked
    link.silent = True
    await trio.sleep(5)
    assert [len(each.transitions()) for each in (a, b)] == [2, 1]


async def test_silence_of_the_lan_alone_changes_nothing(autojump_clock, linked, lan):
    a, b, _ = linked
    lan.partition({"a"}, {"b"})
    await trio.sleep(5)
    assert [len(each.transitions()) for each in (a, b)] == [2, 1]
    received = b.router.adverts_received
    await trio.sleep(1)
    assert b.router.adverts_received - received == 10  # by the link


async def test_silence_of_both_is_believed(autojump_clock, linked, lan):
    a, b, link = linked
    lan.partition({"a"}, {"b"})
    link.silent = True
    await trio.sleep(1)
    # The last advertisement went at 1.921875, and took 2 ms by the link.
    assert b.entered("Active") == pytest.approx(2.223875, abs=1e-6)
    assert a.state == "Active"


async def test_a_crash_while_the_link_is_silent_is_missed_by_the_timer(autojump_clock, linked):
    a, b, link = linked
    link.silent = True
    a.crash()
    await trio.sleep(1)
    assert b.entered("Active") == pytest.approx(2.223875, abs=1e-6)


async def test_of_a_pair_that_has_met_priority_0_is_taken_over_at_once(autojump_clock, linked, sent):
    a, b, _ = linked
    await a.runner.resign("maintenance")
    await trio.sleep(0.01)
    assert sent("a", 2.0) == [0]
    assert b.entered("Active") == 2.001


async def test_a_pair_that_has_not_met_waits_for_skew_time(autojump_clock, start, joined, config):
    a, b, link = joined(config(priority=200, rivals=1), config(priority=100, rivals=1))
    link.silent = True
    await start(a, b)
    await trio.sleep(2)
    await a.runner.resign("maintenance")
    await trio.sleep(0.1)
    assert b.entered("Active") == pytest.approx(2.0619375, abs=1e-6)


async def test_a_third_router_makes_skew_time_count_again(autojump_clock, linked, start, machine, config):
    a, b, _ = linked
    c = machine("c", "192.0.2.3/24", config(priority=250))
    await start(c)
    await trio.sleep(1)
    await c.runner.resign("maintenance")
    await trio.sleep(0.2)
    # Skew_Time is 0.021875 s with priority 200.
    assert a.entered("Active") == pytest.approx(3.022875, abs=1e-6)
    assert b.transitions() == [(0.0, "Backup")]


async def test_who_comes_back_takes_over_again(autojump_clock, linked):
    a, b, _ = linked
    await a.runner.resign("maintenance")
    await trio.sleep(1)
    a.runner.resume()
    await trio.sleep(1)
    assert (a.state, b.state) == ("Active", "Backup")
    assert (a.vips, b.vips) == ([VIP], [])


async def test_a_frozen_active_is_missed_by_the_timer_and_yields_on_waking(autojump_clock, linked, sent):
    a, b, _ = linked
    a.node.freeze()
    await trio.sleep(1.5)
    assert (b.state, b.vips, a.vips) == ("Active", [VIP], [])
    assert b.entered("Active") == pytest.approx(2.223875, abs=1e-6)
    a.node.thaw()
    await trio.sleep(0.05)
    assert (a.state, sent("a", 3.5)) == ("Backup", [])


@pytest.mark.parametrize("link_first", [False, True])
async def test_an_old_advertisement_that_comes_late_does_not_undo_a_takeover(autojump_clock, linked, lan, link_first):
    """Of what the Active Router said last, the LAN and the link bring each a copy, in any order."""
    a, b, link = linked
    await trio.sleep(0.0218)
    lan.delay_s, link.delay_s = (0.005, 0.001) if link_first else (0.001, 0.005)
    await trio.sleep(0.0002)  # its advertisement of 2.021875 is on its way
    if link_first:
        a.crash()
    else:
        await a.runner.resign("maintenance")
    await trio.sleep(1)
    assert [state for _, state in b.transitions()] == ["Backup", "Active"]
