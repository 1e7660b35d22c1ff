"""Two and three nodes: who becomes Active, and what happens when one of them goes."""

import pytest
import trio

VIP = "192.0.2.10/32"


async def test_the_higher_priority_becomes_active(autojump_clock, pair):
    a, b = pair
    assert a.transitions() == [(0.0, "Backup"), (0.321875, "Active")]
    assert b.transitions() == [(0.0, "Backup")]
    assert (a.vips, b.vips) == ([VIP], [])
    assert a.router.last_reason == "no other router was heard"
    assert b.router.active_router == "192.0.2.1"


async def test_announced_five_times_then_after_one_and_five_seconds(autojump_clock, pair, lan):
    await trio.sleep(5)
    claimed_at = 0.321875 + 0.0005
    offsets = [round(at - claimed_at, 4) for at, _, _ in lan.frames]
    assert offsets == [0.0, 0.01, 0.03, 0.06, 0.1, 1.0, 5.0]


async def test_rule_37_nothing_is_announced_before_the_vip_is_there(autojump_clock, start, lan, machine, config):
    a = machine("a", "192.0.2.1/24", config(priority=255))
    a.node.vips.delay_s = 0.3
    await start(a)
    await trio.sleep(1)
    assert lan.packets[0][0] == 0.0
    assert lan.frames[0][0] == pytest.approx(0.3)


async def test_rule_22_an_owner_is_active_at_once_and_keeps_its_address(autojump_clock, start, machine, config):
    a = machine("a", "192.0.2.10/24", config(priority=255))
    await start(a)
    assert a.state == "Active"
    await trio.sleep(1)
    assert a.vips == []  # it was there all along, and stays as it is
    assert a.router.lease_s is None


async def test_crash_of_the_active(autojump_clock, pair):
    a, b = pair
    a.crash()
    crashed_at = trio.current_time()
    await trio.sleep(0.4)
    assert b.state == "Active"
    assert b.vips == [VIP]
    assert b.entered("Active") - crashed_at <= 0.3609375
    assert b.router.last_reason == "192.0.2.1 fell silent"
    await trio.sleep(1)
    assert a.vips == []  # the lease has ended


async def test_crash_of_the_backup_changes_nothing(autojump_clock, pair):
    a, b = pair
    b.crash()
    await trio.sleep(2)
    assert a.state == "Active"
    assert len(a.transitions()) == 2


async def test_resign_hands_over_within_skew_time(autojump_clock, pair, sent):
    a, b = pair
    resigned_at = trio.current_time()
    await a.runner.resign("maintenance")
    assert sent("a", resigned_at) == [0]
    assert (a.state, a.vips) == ("Initialize", [])
    assert a.router.waiting_for == "resume, after: maintenance"
    await trio.sleep(0.1)
    assert b.entered("Active") - resigned_at == pytest.approx(0.001 + 0.0609375, abs=1e-5)
    assert b.router.last_reason == "192.0.2.1 resigned"


async def test_a_resigned_router_stays_away_until_it_resumes(autojump_clock, pair):
    a, b = pair
    await a.runner.resign("maintenance")
    a.node.set_link(up=False)
    await trio.sleep(1)
    a.node.set_link(up=True)
    await trio.sleep(1)
    assert (a.state, b.state) == ("Initialize", "Active")
    a.runner.resume()
    assert a.state == "Backup"
    await trio.sleep(1)
    assert (a.state, b.state) == ("Active", "Backup")
    assert (a.vips, b.vips) == ([VIP], [])


async def test_cancelling_an_active_resigns_too(autojump_clock, pair, sent):
    a, b = pair
    cancelled_at = trio.current_time()
    a.scope.cancel()
    await trio.sleep(0.1)
    assert sent("a", cancelled_at) == [0]
    assert (a.vips, b.state) == ([], "Active")


async def test_rule_25_a_backup_leaves_without_a_word(autojump_clock, pair, sent):
    _, b = pair
    await b.runner.resign("maintenance")
    await trio.sleep(1)
    assert sent("b") == []


async def test_partition_and_heal(autojump_clock, pair, lan):
    a, b = pair
    lan.partition({"a"}, {"b"})
    await trio.sleep(1)
    assert (a.state, b.state) == ("Active", "Active")
    frames = len(lan.frames)
    lan.heal()
    healed_at = trio.current_time()
    await trio.sleep(0.11)
    assert (a.state, b.state) == ("Active", "Backup")
    assert (a.vips, b.vips) == ([VIP], [])
    assert b.router.last_reason == "192.0.2.1 is Active with higher priority"
    await trio.sleep(2)
    again = [at - healed_at for at, name, _ in lan.frames[frames:] if name == "a"]
    assert len(again) >= 4  # neighbours that learned b's MAC address unlearn it


async def test_one_way_deafness_keeps_the_higher_active(autojump_clock, pair, lan):
    a, b = pair
    lan.deaf = {"a"}
    await trio.sleep(3)
    assert [len(each.transitions()) for each in (a, b)] == [2, 1]


async def test_equal_priority_is_decided_by_address(autojump_clock, start, lan, machine, config):
    a = machine("a", "192.0.2.9/24", config())
    b = machine("b", "192.0.2.100/24", config())
    lan.partition({"a"}, {"b"})
    await start(a, b)
    await trio.sleep(1)
    assert (a.state, b.state) == ("Active", "Active")
    lan.heal()
    await trio.sleep(0.2)
    assert (a.state, b.state) == ("Backup", "Active")
    assert a.router.last_reason == "192.0.2.100 is Active with same priority and higher address"


async def test_preempt(autojump_clock, pair, start, machine, config):
    c = machine("c", "192.0.2.3/24", config(priority=250))
    await start(c)
    await trio.sleep(1)
    assert [machine.state for machine in (*pair, c)] == ["Backup", "Backup", "Active"]
    assert c.router.last_reason == "192.0.2.1 has the lower priority 200"


async def test_no_preempt(autojump_clock, pair, start, machine, config):
    c = machine("c", "192.0.2.3/24", config(priority=250, preempt=False))
    await start(c)
    await trio.sleep(1)
    assert [machine.state for machine in (*pair, c)] == ["Active", "Backup", "Backup"]


async def test_of_three_the_second_takes_over(autojump_clock, pair, start, machine, config):
    a, b = pair
    c = machine("c", "192.0.2.3/24", config(priority=150))
    await start(c)
    await trio.sleep(1)
    a.crash()
    await trio.sleep(1)
    assert (b.state, c.state) == ("Backup", "Active")
    assert b.transitions() == [(0.0, "Backup")]


async def test_a_deaf_backup_becomes_active_too_and_yields_once_it_hears(autojump_clock, pair, lan):
    a, b = pair
    lan.deaf = {"b"}
    await trio.sleep(3)
    assert (a.state, b.state) == ("Active", "Active")
    assert a.router.adverts_received > 20
    lan.deaf = set()
    await trio.sleep(0.11)
    assert (a.state, b.state) == ("Active", "Backup")


async def test_loss_of_every_fifth_advert_is_no_failover(autojump_clock, start, lan, machine, config):
    lan.loss = 0.2
    a = machine("a", "192.0.2.1/24", config(priority=200))
    b = machine("b", "192.0.2.2/24", config(priority=100))
    await start(a, b)
    await trio.sleep(2)
    actives = [state for _, state in b.transitions() if state == "Active"]
    assert len(actives) <= 1


async def test_set_priority_moves_the_vip(autojump_clock, pair):
    a, b = pair
    a.runner.set_priority("lan", 50)
    await trio.sleep(0.5)
    assert (a.state, b.state) == ("Backup", "Active")
    assert (a.router.priority, a.router.configured_priority) == (50, 200)
    a.runner.set_priority("lan", None)
    await trio.sleep(0.5)
    assert (a.state, b.state, a.router.priority) == ("Active", "Backup", 200)
