"""Gates: a router takes part while all of them are open. Who resigned does not take the VIPs back on its own."""

import trio

from vrrp.testing import FakeLan

VIP = "192.0.2.10/32"


async def test_closed_it_resigns_and_stays_away(autojump_clock, pair, sent):
    a, b = pair
    a.runner.set_gate("lan", "workers", "no worker serves")
    assert (a.state, a.router.waiting_for) == ("Initialize", "resume, after: no worker serves")
    assert sent("a", 2.0) == [0]
    await trio.sleep(3)
    assert (a.state, a.vips, b.state, b.vips) == ("Initialize", [], "Active", [VIP])


async def test_opened_it_is_backup_until_the_peer_fails(autojump_clock, pair):
    a, b = pair
    a.runner.set_gate("lan", "workers", "no worker serves")
    await trio.sleep(1)
    a.runner.set_gate("lan", "workers", None)
    await trio.sleep(3)
    assert (a.state, a.router.stays_backup, b.state) == ("Backup", True, "Active")
    b.crash()
    await trio.sleep(1)
    assert (a.state, a.router.stays_backup) == ("Active", False)


async def test_opened_it_preempts_where_it_was_not_to_stay(autojump_clock, pair):
    a, b = pair
    a.runner.set_gate("lan", "workers", "no worker serves", stay=False)
    await trio.sleep(1)
    a.runner.set_gate("lan", "workers", None)
    await trio.sleep(1)
    assert (a.state, b.state) == ("Active", "Backup")


async def test_opened_it_preempts_when_it_is_told_to(autojump_clock, pair):
    a, b = pair
    a.runner.set_gate("lan", "workers", "no worker serves")
    await trio.sleep(1)
    a.runner.set_gate("lan", "workers", None)
    await trio.sleep(1)
    a.runner.stay_backup(stay=False)
    await trio.sleep(1)
    assert (a.state, b.state) == ("Active", "Backup")


async def test_all_of_several_must_be_open(autojump_clock, pair):
    a, _ = pair
    a.runner.set_gate("lan", "workers", "no worker serves", stay=False)
    a.runner.set_gate("lan", "uplink", "eth1 is down", stay=False)
    assert a.router.waiting_for == "resume, after: no worker serves; eth1 is down"
    a.runner.set_gate("lan", "workers", None)
    await trio.sleep(1)
    assert (a.state, a.router.waiting_for) == ("Initialize", "resume, after: eth1 is down")
    a.runner.set_gate("lan", "uplink", None)
    assert (a.state, a.router.waiting_for) == ("Backup", None)


async def test_a_closed_backup_leaves_without_a_word(autojump_clock, pair, sent):
    a, b = pair
    b.runner.set_gate("lan", "workers", "no worker serves")
    a.crash()
    await trio.sleep(1)
    assert (b.state, sent("b")) == ("Initialize", [])
    b.runner.set_gate("lan", "workers", None)
    await trio.sleep(1)
    assert b.state == "Active"


async def test_an_interface_that_comes_back_opens_no_gate(autojump_clock, pair):
    a, _ = pair
    a.runner.set_gate("lan", "workers", "no worker serves")
    a.node.set_link(up=False)
    await trio.sleep(1)
    a.node.set_link(up=True)
    await trio.sleep(1)
    assert a.state == "Initialize"
    a.node.set_link(up=False)
    await trio.sleep(1)
    a.runner.set_gate("lan", "workers", None)
    assert (a.state, a.router.waiting_for) == ("Initialize", "interface eth0 to come up")


async def test_one_of_two_routers(autojump_clock, start, machine, config):
    a = machine("a", "192.0.2.1/24", config(), config(name="other", vrid=52))
    await start(a)
    a.runner.set_gate("other", "workers", "no worker serves")
    await trio.sleep(1)
    assert a.states == ["Active", "Initialize"]


async def test_a_tracked_interface_is_a_gate(autojump_clock, start, machine, config):
    """The runner tells of every interface that it is told of; who watches one closes the gate."""

    def watch(interface):
        if interface.name == "eth1":
            a.runner.set_gate("lan", "eth1", None if interface.up else "eth1 is down", stay=False)

    a = machine("a", "192.0.2.1/24", config(priority=200), watch=watch)
    b = machine("b", "192.0.2.2/24", config(priority=100))
    a.node.plug(FakeLan(), "eth1", "198.51.100.1/24")
    await start(a, b)
    await trio.sleep(2)
    a.node.set_link(up=False, interface="eth1")
    await trio.sleep(0.1)
    assert (a.state, a.router.waiting_for) == ("Initialize", "resume, after: eth1 is down")
    assert b.state == "Active"
    a.node.set_link(up=True, interface="eth1")
    await trio.sleep(1)
    assert (a.state, b.state) == ("Active", "Backup")
