"""Two nodes between a LAN and a WAN: the virtual routers of both sides are of one group, and move together."""

from ipaddress import IPv4Interface

import pytest
import trio

from vrrp.events import HandedOver, HandOver, TakeOver
from vrrp.testing import FakeLan, FakeNode
from vrrp.testing_link import FakeLink

LAN_VIP, WAN_VIP = "192.0.2.10/32", "198.51.100.10/32"
WAN = {"name": "wan", "vrid": 52, "interface": "eth1", "addresses": (IPv4Interface("198.51.100.10/24"),)}


@pytest.fixture
def wan():
    return FakeLan()


@pytest.fixture
async def group(start, machine, config, lan, wan, nursery):
    """A is Active on both sides, for two seconds. There is a liveness link; by `link.silent` it can be taken away."""
    nodes = []
    for number, name in enumerate("ab", 1):
        nodes.append(FakeNode(lan, name, f"192.0.2.{number}/24"))
        nodes[-1].plug(wan, "eth1", f"198.51.100.{number}/24")
    link = FakeLink(*nodes)
    a, b = (
        machine(
            node,
            config(priority=priority, group="both", rivals=1),
            config(priority=priority, group="both", rivals=1, **WAN),
            peer=link.end(node),
        )
        for node, priority in zip(nodes, (200, 100), strict=True)
    )
    link.join(a.runner, b.runner)
    nursery.start_soon(link.run)
    await start(a, b)
    await trio.sleep(2)
    assert (a.states, b.states) == (["Active"] * 2, ["Backup"] * 2)
    return a, b, link


async def test_both_become_active_at_once(autojump_clock, group):
    a, _, _ = group
    assert a.transitions("lan") == a.transitions("wan") == [(0.0, "Backup"), (0.321875, "Active")]
    assert a.vips == [LAN_VIP, WAN_VIP]


@pytest.mark.parametrize(("interface", "name", "other"), [("eth0", "lan", "wan"), ("eth1", "wan", "lan")])
async def test_a_pulled_cable_moves_both(autojump_clock, group, interface, name, other):
    a, b, _ = group
    a.node.set_link(up=False, interface=interface)
    await trio.sleep(0.4)
    routers = {router.name: router for router in a.runner.snapshot()}
    assert (routers[name].state, routers[other].state) == ("Initialize", "Backup")
    assert routers[other].last_reason == (f"{name} of group both left: waits for interface {interface} to come up")
    assert (a.vips, b.states) == ([], ["Active"] * 2)
    # One side was told (priority 0), the other silent since 1.921875, when the link took 2 ms: both wait for the later.
    assert b.entered("Active", "lan") == b.entered("Active", "wan") == pytest.approx(2.223875, abs=1e-6)
    a.node.set_link(up=True, interface=interface)
    await trio.sleep(1)
    assert (a.states, b.states) == (["Active"] * 2, ["Backup"] * 2)
    assert (a.vips, b.vips) == ([LAN_VIP, WAN_VIP], [])
    assert a.entered("Active", "lan") == a.entered("Active", "wan")


async def test_silence_on_one_side_alone_is_no_reason(autojump_clock, group, lan):
    a, b, link = group
    link.silent = True  # it would carry the advertisements of the other side
    lan.partition({"a"}, {"b"})
    await trio.sleep(3)
    assert (a.states, b.states) == (["Active"] * 2, ["Backup"] * 2)
    assert [len(b.transitions(name)) for name in ("lan", "wan")] == [1, 1]


async def test_silence_on_both_sides_is(autojump_clock, group, lan, wan):
    a, b, link = group
    link.silent = True
    lan.partition({"a"}, {"b"})
    wan.partition({"a"}, {"b"})
    await trio.sleep(1)
    assert b.states == ["Active"] * 2
    lan.heal()
    await trio.sleep(0.11)
    # The loser of one side leaves the other side too, though it hears nobody there.
    assert (a.states, b.states) == (["Active"] * 2, ["Backup"] * 2)


async def test_a_crash_moves_both_by_the_link(autojump_clock, group):
    a, b, _ = group
    assert a.crash() == 2.0
    await trio.sleep(0.01)
    assert b.entered("Active", "lan") == b.entered("Active", "wan") == 2.002


async def test_handover_of_a_group(autojump_clock, group, sent):
    a, b, _ = group
    both = ["lan", "wan"]
    a.runner.tell(both, HandOver(until=7.0))
    b.runner.tell(both, TakeOver(until=7.0, reason="a hands over"))
    await trio.sleep(0.01)
    assert (a.states, b.states) == (["Active"] * 2, ["Active"] * 2)
    handed_over_at = trio.current_time()
    a.runner.tell(both, HandedOver("b"))
    assert [router.last_reason for router in a.runner.snapshot()] == ["handed over to b"] * 2
    await trio.sleep(10)
    assert (a.states, b.states) == (["Backup"] * 2, ["Active"] * 2)
    assert [router.stays_backup for router in a.runner.snapshot()] == [True, True]
    assert sent("a", handed_over_at) == []
    assert [len(a.transitions(name)) for name in both] == [3, 3]


async def test_a_resignation_of_the_whole_node_stays(autojump_clock, group):
    a, b, _ = group
    await a.runner.resign("maintenance", stay=True)
    a.runner.resume()
    await trio.sleep(3)
    assert (a.states, b.states) == (["Backup"] * 2, ["Active"] * 2)
    assert [router.stays_backup for router in a.runner.snapshot()] == [True, True]


async def test_a_gate_of_one_member_holds_both_back(autojump_clock, group):
    a, b, _ = group
    a.runner.set_gate("wan", "uplink", "eth2 is down", stay=False)
    await trio.sleep(1)
    assert (a.states, b.states) == (["Backup", "Initialize"], ["Active"] * 2)
    a.runner.set_gate("wan", "uplink", None)
    await trio.sleep(1)
    assert (a.states, b.states) == (["Active"] * 2, ["Backup"] * 2)
