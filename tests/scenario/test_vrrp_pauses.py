"""A process that stood still, or a machine that slept: it may send nothing before it has looked at the clock."""

import trio

VIP = "192.0.2.10/32"


async def test_a_paused_active_releases_before_it_sends(autojump_clock, pair, lan, sent):
    a, b = pair
    a.node.freeze()
    await trio.sleep(1.5)
    assert (b.state, b.vips, a.vips) == ("Active", [VIP], [])
    a.node.thaw()
    woke_at = trio.current_time()
    await trio.sleep(0.05)
    assert a.state == "Backup"
    assert a.router.last_reason.startswith("it had been paused for 1.")
    assert sent("a", woke_at) == []
    assert [at for at, name, _ in lan.frames if name == "a" and at >= woke_at] == []
    assert a.router.lateness_max_ms > 1000
    await trio.sleep(1)
    assert (a.state, b.state) == ("Active", "Backup")


async def test_a_suspended_active_is_shown_by_boottime(autojump_clock, pair, sent):
    a, _ = pair
    await trio.sleep(0.05)
    a.node.clock.suspended_s = 30.0
    suspended_at = trio.current_time()
    await trio.sleep(0.2)
    assert a.state == "Backup"
    assert a.router.last_reason.startswith("it had been paused for 30.0")
    assert sent("a", suspended_at) == []


async def test_a_slow_tick_within_bounds_is_no_reason_to_yield(autojump_clock, pair):
    a, _ = pair
    a.node.freeze()
    await trio.sleep(0.2)
    a.node.thaw()
    await trio.sleep(1)
    assert a.state == "Active"
    assert len(a.transitions()) == 2


async def test_a_paused_backup_reads_what_is_queued_before_it_judges(autojump_clock, pair, sent):
    a, b = pair
    b.node.freeze()
    await trio.sleep(2)
    b.node.thaw()
    await trio.sleep(1)
    assert b.transitions() == [(0.0, "Backup")]
    assert sent("b") == []
    assert a.router.adverts_received == 0


async def test_a_briefly_late_backup_drains_its_queue_first(autojump_clock, pair):
    _, b = pair
    b.node.freeze()
    await trio.sleep(0.5)  # past its deadline, but by less than Active_Down_Interval
    b.node.thaw()
    await trio.sleep(1)
    assert b.transitions() == [(0.0, "Backup")]
