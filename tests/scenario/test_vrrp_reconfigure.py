"""Other configurations for nodes that run: what goes on, what moves, and what is on the wire meanwhile."""

from dataclasses import replace
from ipaddress import IPv4Interface, IPv6Interface

import pytest
import trio

from vrrp.authentication import Signer, Verifier
from vrrp.recording import introduce, record, replay
from vrrp.testing import FakeLan, FakeNode
from vrrp.tracking import Standing

TWO = (IPv4Interface("192.0.2.10/24"), IPv4Interface("192.0.2.11/24"))
OTHER = {"name": "other", "vrid": 52, "addresses": (IPv4Interface("192.0.2.20/24"),)}
WAN = {"name": "wan", "vrid": 53, "interface": "eth1", "addresses": (IPv4Interface("198.51.100.10/24"),)}
KEY = bytes(range(32))


def gaps(lan, name, since):
    """How long nobody heard an advert of a node, each time; from `since` until now."""
    at = [since, *(sent_at for sent_at, sender, _ in lan.packets if sender == name and sent_at > since)]
    return [round(after - before, 6) for before, after in zip(at, [*at[1:], trio.current_time()], strict=True)]


def transitions_since(machine, since, name="lan"):
    return [state for at, state in machine.transitions(name) if at > since]


async def test_rule_18_and_19_everything_else_changes_with_no_pause_and_no_move(autojump_clock, pair, lan, config):
    a, b = pair
    since = trio.current_time()
    change = {"preempt": False, "preempt_delay_s": 3.0, "checksum": "rfc9568", "accept": False, "announce_every_s": 5.0}
    for machine, priority in ((a, 150), (b, 120)):
        await trio.sleep(0.033)
        await machine.runner.reconfigure([config(priority=priority, addresses=TWO, **change)])
    await trio.sleep(1)
    assert (a.state, b.state) == ("Active", "Backup")
    assert transitions_since(a, since) == transitions_since(b, since) == []
    assert max(gaps(lan, "a", since)) == 0.1
    assert a.router.priority == 150
    assert a.vips == ["192.0.2.10/32", "192.0.2.11/32"]
    assert lan.packets[-1][2][:4].hex() == "31339602"  # priority 150, two addresses


async def test_a_priority_below_the_peers_is_preempted_by_the_usual_rules(autojump_clock, pair, config):
    a, b = pair
    since = trio.current_time()
    await a.runner.reconfigure([config(priority=50)])
    await trio.sleep(0.5)
    assert (a.state, b.state) == ("Backup", "Active")
    assert transitions_since(a, since) == ["Backup"]
    await a.runner.reconfigure([config(priority=200)])
    await trio.sleep(0.5)
    assert (a.state, b.state) == ("Active", "Backup")


@pytest.mark.parametrize("linked_too", [False, True])
@pytest.mark.parametrize(("before_cs", "after_cs"), [(10, 100), (100, 10), (10, 1)])
async def test_rule_18_another_interval_moves_nothing_whoever_has_it_first(
    autojump_clock, request, joined, start, lan, config, before_cs, after_cs, linked_too
):
    rivals = 1 if linked_too else None
    first = config(priority=200, advertisement_interval_cs=before_cs, rivals=rivals)
    second = config(priority=100, advertisement_interval_cs=before_cs, rivals=rivals)
    a, b, link = joined(first, second)
    link.silent = not linked_too
    await start(a, b)
    await trio.sleep(10)
    since = trio.current_time()
    for machine, other in ((b, second), (a, first)):
        await machine.runner.reconfigure([replace(other, advertisement_interval_cs=after_cs)])
        await trio.sleep(10.007)
    assert (a.state, b.state) == ("Active", "Backup")
    assert transitions_since(a, since) == transitions_since(b, since) == []
    assert max(gaps(lan, "a", since)) <= max(before_cs, after_cs) / 100
    a.crash()
    died_at = trio.current_time()
    await trio.sleep(10)
    assert b.state == "Active"
    assert b.entered("Active") - died_at < 0.04 * after_cs


async def test_news_of_a_longer_interval_may_get_lost(autojump_clock, pair, lan, config):
    a, b = pair
    since = trio.current_time()
    lan.loss = 1.0
    await a.runner.reconfigure([config(priority=200, advertisement_interval_cs=100)])
    await trio.sleep(0.15)
    lan.loss = 0.0
    await trio.sleep(10)
    assert transitions_since(a, since) == transitions_since(b, since) == []


async def test_a_vip_comes_and_one_goes_and_the_other_never_flickers(autojump_clock, pair, lan, config, nursery):
    a, b = pair
    seen = set()

    async def look():
        while True:
            seen.add("192.0.2.10/32" in a.vips)
            await trio.sleep(0.0001)

    async with trio.open_nursery() as looking:
        looking.start_soon(look)
        await a.runner.reconfigure([config(priority=200, addresses=TWO)])
        await trio.sleep(0.002)
        assert a.vips == ["192.0.2.10/32", "192.0.2.11/32"]
        assert lan.frames[-1][2][28:32] == IPv4Interface("192.0.2.11/24").ip.packed  # announced
        await trio.sleep(1)
        await a.runner.reconfigure([config(priority=200)])
        await trio.sleep(0.002)
        assert a.vips == ["192.0.2.10/32"]
        await trio.sleep(1)
        looking.cancel_scope.cancel()
    assert seen == {True}
    assert a.router.vips_restored == 0
    assert b.vips == []
    assert (a.state, b.state) == ("Active", "Backup")


async def test_rule_19_the_peer_that_has_not_reloaded_yet_holds_what_its_file_says(autojump_clock, pair, config):
    a, b = pair
    await a.runner.reconfigure([config(priority=200, addresses=TWO)])
    await trio.sleep(1)
    assert (a.state, b.state) == ("Active", "Backup")
    assert b.router.adverts_rejected == {}
    a.crash()
    await trio.sleep(1)
    assert b.vips == ["192.0.2.10/32"]
    await b.runner.reconfigure([config(priority=100, addresses=TWO)])
    await trio.sleep(0.002)
    assert b.vips == ["192.0.2.10/32", "192.0.2.11/32"]


async def test_a_vip_may_go_from_one_router_to_another(autojump_clock, start, machine, config):
    a = machine("a", "192.0.2.1/24", config(addresses=TWO), config(**OTHER))
    await start(a)
    await trio.sleep(2)
    moved = (*OTHER["addresses"], TWO[1])
    await a.runner.reconfigure([config(), config(**(OTHER | {"addresses": moved}))])
    await trio.sleep(0.3)
    assert sorted(a.vips) == ["192.0.2.10/32", "192.0.2.11/32", "192.0.2.20/32"]


async def test_a_router_that_is_new_starts_and_one_that_goes_says_so(autojump_clock, pair, lan, config, sent):
    a, b = pair
    since = trio.current_time()
    for machine, priority in ((a, 200), (b, 100)):
        await machine.runner.reconfigure([config(priority=priority), config(priority=priority, **OTHER)])
    await trio.sleep(2)
    assert (a.states, b.states) == (["Active"] * 2, ["Backup"] * 2)
    assert a.vips == ["192.0.2.10/32", "192.0.2.20/32"]
    before = trio.current_time()
    await a.runner.reconfigure([config(priority=200)])
    assert a.vips == ["192.0.2.10/32"]
    assert [payload[1:3] for at, sender, payload in lan.packets if sender == "a" and at >= before] == [b"\x34\0"]
    await trio.sleep(0.1)
    assert b.states == ["Backup", "Active"]
    await b.runner.reconfigure([config(priority=100)])
    assert (a.states, b.states, b.vips) == (["Active"], ["Backup"], [])
    assert transitions_since(a, since) == transitions_since(b, since) == []
    assert max(gap for gap in gaps(lan, "a", since)) <= 0.1


async def test_a_router_on_another_interface_gets_a_socket_of_its_own_and_takes_it_along(
    autojump_clock, start, machine, config
):
    a = machine("a", "192.0.2.1/24", config())
    a.node.plug(FakeLan(), "eth1", "198.51.100.1/24")
    await start(a)
    await a.runner.reconfigure([config(**WAN), config()])
    await trio.sleep(2)
    assert [snapshot.name for snapshot in a.runner.snapshot()] == ["wan", "lan"]
    assert a.states == ["Active"] * 2
    assert len(a.node.card("eth1").sockets) == 1
    await a.runner.reconfigure([config()])
    assert (a.states, a.node.card("eth1").sockets) == (["Active"], [])
    await a.runner.reconfigure([])
    assert (a.runner.snapshot(), a.vips) == ((), [])
    await a.runner.reconfigure([config()])
    await trio.sleep(2)
    assert a.states == ["Active"]


async def test_a_new_router_waits_for_an_interface_that_is_not_there(autojump_clock, start, machine, config):
    a = machine("a", "192.0.2.1/24", config())
    await start(a)
    await a.runner.reconfigure([config(), config(**WAN)])
    assert a.runner.snapshot()[1].waiting_for == "interface eth1 to exist"
    a.node.plug(FakeLan(), "eth1", "198.51.100.1/24")
    await trio.sleep(2)
    assert a.states == ["Active"] * 2


async def test_another_number_is_another_router(autojump_clock, linked, lan, config):
    """As a node does it: the peer takes over first, and nothing else of it moves."""
    a, b, _ = linked
    before = trio.current_time()
    await a.runner.reconfigure([config(priority=200, vrid=77, rivals=1)])
    assert (a.state, a.vips) == ("Backup", [])
    assert [payload[1:3] for at, sender, payload in lan.packets if sender == "a" and at >= before] == [b"\x33\0"]
    await trio.sleep(0.1)
    assert b.state == "Active"


async def test_a_router_made_anew_stays_backup_as_it_did(autojump_clock, pair, config):
    a, _ = pair
    await a.runner.resign("maintenance", stay=True)
    a.runner.resume()
    assert a.router.stays_backup
    await a.runner.reconfigure([config(priority=200, vrid=77)])
    assert a.router.stays_backup


async def test_a_node_that_has_resigned_stays_out_with_its_new_routers_too(autojump_clock, pair, config):
    a, b = pair
    await a.runner.resign("in maintenance")
    await a.runner.reconfigure([config(priority=250), config(priority=250, **OTHER)])
    await trio.sleep(2)
    assert (a.states, b.state) == (["Initialize"] * 2, "Active")
    a.runner.resume()
    await trio.sleep(2)
    assert a.states == ["Active"] * 2


async def test_standings_come_with_the_configuration(autojump_clock, pair, config):
    a, b = pair
    standings = {"lan": Standing(220, None), "other": Standing(90, "script x: it failed")}
    await a.runner.reconfigure([config(priority=200), config(**OTHER)], standings=lambda: standings)
    assert [(one.priority, one.waiting_for) for one in a.runner.snapshot()] == [
        (220, None),
        (90, "resume, after: script x: it failed"),
    ]
    await a.runner.reconfigure([config(priority=200)], standings=lambda: {"lan": Standing(200, "file y: it is there")})
    assert a.state == "Initialize"
    await trio.sleep(1)
    assert b.state == "Active"


async def test_signatures_are_rolled_out_by_way_of_permissive_the_standby_first(autojump_clock, pair, lan):
    a, b = pair
    for number, machine in enumerate(pair):
        machine.runner._signer = Signer(KEY, 7 + number)
    since = trio.current_time()
    for mode in ("permissive", "required"):
        for machine in (b, a):
            other = replace(machine.runner._routers["lan"].config, authentication=mode)
            await machine.runner.reconfigure([other], verifiers={"lan": Verifier(KEY, mode)})
            await trio.sleep(1)
    assert transitions_since(a, since) == transitions_since(b, since) == []
    assert b.router.adverts_rejected == {}
    assert len(lan.packets[-1][2]) == 12 + 52


async def test_from_multicast_to_unicast(autojump_clock, linked):
    """Meanwhile the two hear each other by the link alone."""
    a, b, _ = linked
    since = trio.current_time()
    own = {"a": "192.0.2.1", "b": "192.0.2.2"}
    for machine, other in ((a, "b"), (b, "a")):
        peers = (IPv4Interface(own[other]).ip,)
        source = IPv4Interface(own[machine.node.name]).ip
        config_now = machine.runner._routers["lan"].config
        await machine.runner.reconfigure([replace(config_now, peers=peers, source=source)])
        await trio.sleep(1)
    assert (a.state, b.state) == ("Active", "Backup")
    assert transitions_since(a, since) == transitions_since(b, since) == []


async def test_two_routers_that_are_grouped_while_both_are_here_stay(autojump_clock, start, machine, config):
    a = machine("a", "192.0.2.1/24", config(), config(**OTHER))
    await start(a)
    await trio.sleep(2)
    since = trio.current_time()
    await a.runner.reconfigure([config(group="both"), config(group="both", **OTHER)])
    await trio.sleep(2)
    assert (a.states, transitions_since(a, since), transitions_since(a, since, "other")) == (["Active"] * 2, [], [])


async def test_a_group_of_routers_that_are_split_comes_together(autojump_clock, start, machine, config):
    a = machine("a", "192.0.2.1/24", config(priority=200), config(priority=50, **OTHER))
    b = machine("b", "192.0.2.2/24", config(priority=100), config(priority=100, **OTHER))
    await start(a, b)
    await trio.sleep(2)
    assert (a.states, b.states) == (["Active", "Backup"], ["Backup", "Active"])
    await a.runner.reconfigure([config(priority=200, group="both"), config(priority=200, group="both", **OTHER)])
    await trio.sleep(0.2)
    assert (a.states, b.states) == (["Backup"] * 2, ["Active"] * 2)
    assert a.runner.snapshot()[0].last_reason == "other, now of the same group both, is not Active"
    await b.runner.reconfigure([config(priority=100, group="both"), config(priority=100, group="both", **OTHER)])
    await trio.sleep(2)
    assert (a.states, b.states) == (["Active"] * 2, ["Backup"] * 2)


async def test_a_new_member_of_a_group_joins_it_where_it_is(autojump_clock, start, machine, config):
    six = {"name": "six", "addresses": (IPv6Interface("fe80::10/64"),), "vrid": 52, "group": "both"}
    nodes = [machine("a", "192.0.2.1/24", config(priority=200, group="both"))]
    nodes.append(machine("b", "192.0.2.2/24", config(priority=100, group="both")))
    for number, one in enumerate(nodes, 1):
        one.node.add_address(f"fe80::{number}/64")
    await start(*nodes)
    await trio.sleep(2)
    since = trio.current_time()
    for one, priority in zip(reversed(nodes), (100, 200), strict=True):
        await one.runner.reconfigure([config(priority=priority, group="both"), config(priority=priority, **six)])
        await trio.sleep(1)
    a, b = nodes
    assert (a.states, b.states) == (["Active"] * 2, ["Backup"] * 2)
    assert transitions_since(a, since) == transitions_since(b, since) == []
    assert a.node.vips.expected == [("lan", "six")]


async def test_an_interface_that_is_lost_meanwhile_is_lost(autojump_clock, pair, config):
    a, b = pair
    a.node.set_link(up=False)
    await a.runner.reconfigure([config(priority=200, addresses=TWO), config(**OTHER)])
    await trio.sleep(1)
    assert (a.states, a.vips, b.state) == (["Initialize"] * 2, [], "Active")


async def test_what_does_not_go_together_changes_nothing(autojump_clock, pair, config):
    a, _ = pair
    with pytest.raises(ValueError, match="both have vrid 51"):
        await a.runner.reconfigure([config(), config(name="again", addresses=TWO[1:])])
    assert (a.states, a.node.vips.expected) == (["Active"], [])


async def test_a_kernel_that_does_not_let_go_is_not_waited_for(autojump_clock, pair, config):
    a, _ = pair
    a.node.vips.delay_s = 10.0
    before = trio.current_time()
    await a.runner.reconfigure([config(priority=200, vrid=77)])
    assert trio.current_time() - before == pytest.approx(10.9)  # its own limit, then the fence of the new one
    a.node.vips.delay_s = 0.0005
    await trio.sleep(2)
    assert (a.state, a.vips) == ("Active", ["192.0.2.10/32"])


async def test_a_recording_with_other_configurations_plays_again(autojump_clock, start, machine, config):
    lines = []
    a = machine(
        *("a", "192.0.2.1/24", config()),
        introduce=lambda config: lines.append(introduce(config)),
        record=lambda *entry: lines.append(record(*entry)),
    )
    await start(a)
    await trio.sleep(1)
    await a.runner.reconfigure([config(advertisement_interval_cs=20, addresses=TWO), config(**OTHER)])
    await trio.sleep(2)
    await a.runner.reconfigure([config(vrid=77)])
    await trio.sleep(2)
    assert a.states == ["Active"]
    assert replay(lines) > 50


async def test_a_router_that_comes_later_knows_the_peer(autojump_clock, linked, config):
    """So that of two only one can take over, with no Skew_Time."""
    a, b, _ = linked
    for machine, priority in ((a, 200), (b, 100)):
        await machine.runner.reconfigure(
            [config(priority=priority, rivals=1), config(priority=priority, rivals=1, **OTHER)]
        )
    await trio.sleep(2)
    died_at = a.crash()
    await trio.sleep(1)
    assert b.states == ["Active"] * 2
    assert round(b.entered("Active", "other") - died_at, 6) == 0.002


def test_a_node_is_told_of_what_is_plugged_in_later():
    node = FakeNode(FakeLan(), "a", None)
    assert node.current("eth1").index == 0
    node.plug(FakeLan(), "eth1", "198.51.100.1/24")
    assert node.current("eth1").index == 3
