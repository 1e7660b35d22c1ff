"""What comes and goes below a virtual router: links, interfaces, addresses, VIPs, sockets."""

from ipaddress import IPv4Interface

import trio

VIP = "192.0.2.10/32"


async def test_leaving_does_not_wait_for_ever_for_the_kernel(autojump_clock, pair):
    a, _ = pair
    a.node.vips.delay_s = 60
    before = trio.current_time()
    await a.runner.resign("maintenance")
    assert trio.current_time() - before < 1.0
    a.scope.cancel()
    await trio.sleep(1)


async def test_link_down_and_up(autojump_clock, pair):
    a, b = pair
    a.node.set_link(up=False)
    await trio.sleep(0.01)
    assert (a.state, a.vips) == ("Initialize", [])
    assert a.router.waiting_for == "interface eth0 to come up"
    await trio.sleep(1)
    assert b.state == "Active"
    a.node.set_link(up=True)
    await trio.sleep(1)
    assert (a.state, b.state) == ("Active", "Backup")


async def test_an_interface_is_waited_for(autojump_clock, start, machine, config):
    a = machine("a", None, config())
    a.node.set_index(0)
    a.node.set_link(up=False)
    await start(a)
    assert (a.state, a.router.waiting_for) == ("Initialize", "interface eth0 to exist")
    a.node.set_index(7)
    await trio.sleep(1)
    assert a.router.waiting_for == "interface eth0 to come up"
    a.node.set_link(up=True)
    await trio.sleep(1)
    assert a.router.waiting_for == "interface eth0 to have an IPv4 address"
    a.node.add_address("192.0.2.1/24")
    await trio.sleep(1)
    assert (a.state, a.router.waiting_for, a.vips) == ("Active", None, [VIP])
    assert [snapshot.waiting_for for _, snapshot in a.history[:2]] == [
        "interface eth0 to come up",
        "interface eth0 to have an IPv4 address",
    ]


async def test_a_vip_as_written_where_its_subnet_is_not_on_the_interface(autojump_clock, start, machine, config):
    a = machine("a", "198.51.100.1/24", config())
    await start(a)
    await trio.sleep(1)
    assert a.vips == ["192.0.2.10/24"]


async def test_an_interface_made_anew(autojump_clock, pair):
    a, b = pair
    a.node.set_index(0)
    await trio.sleep(1)
    assert (a.state, b.state) == ("Initialize", "Active")
    a.node.set_index(9)
    await trio.sleep(1)
    assert (a.state, b.state) == ("Active", "Backup")


async def test_an_interface_replaced_at_once(autojump_clock, pair):
    a, _ = pair
    a.node.set_index(9)
    await trio.sleep(0.01)
    assert a.state == "Backup"
    await trio.sleep(1)
    assert a.state == "Active"


async def test_the_primary_address_goes_and_another_comes(autojump_clock, pair):
    a, _ = pair
    a.node.remove_addresses()
    await trio.sleep(0.05)
    assert (a.state, a.vips) == ("Initialize", [])
    a.node.add_address("192.0.2.77/24")
    await trio.sleep(1)
    assert a.state == "Active"


async def test_a_vip_deleted_by_someone_else_is_put_back_at_once(autojump_clock, pair):
    a, _ = pair
    a.node.vips.delete("192.0.2.10")
    assert a.vips == []
    await trio.sleep(0.01)
    assert a.vips == [VIP]
    assert a.router.vips_restored == 1
    assert a.router.state == "Active"


async def test_a_refused_claim_is_tried_again(autojump_clock, pair, start, caplog):
    a, b = pair
    b.node.vips.refuse = "no"
    a.crash()
    await trio.sleep(0.5)
    assert (b.state, b.vips) == ("Active", [])
    b.node.vips.refuse = None
    await trio.sleep(0.3)
    assert b.vips == [VIP]
    assert "vip not changed" in [record.message for record in caplog.records]


async def test_a_claim_overtaken_by_a_release_leaves_nothing(autojump_clock, pair):
    a, b = pair
    a.crash()
    b.node.vips.delay_s = 0.2
    await trio.sleep(0.37)
    assert (b.state, b.vips) == ("Active", [])
    await b.runner.resign("changed its mind")
    await trio.sleep(1)
    assert b.vips == []


async def test_two_routers_of_one_interface_share_the_load(autojump_clock, start, machine, config):
    wan = {"name": "second", "vrid": 52, "addresses": (IPv4Interface("192.0.2.11/24"),)}
    a = machine("a", "192.0.2.1/24", config(priority=200), config(priority=100, **wan))
    b = machine("b", "192.0.2.2/24", config(priority=100), config(priority=200, **wan))
    await start(a, b)
    await trio.sleep(2)
    assert [router.state for router in a.runner.snapshot()] == ["Active", "Backup"]
    assert [router.state for router in b.runner.snapshot()] == ["Backup", "Active"]
    assert (a.vips, b.vips) == (["192.0.2.10/32"], ["192.0.2.11/32"])
    a.crash()
    await trio.sleep(1)
    assert sorted(b.vips) == ["192.0.2.10/32", "192.0.2.11/32"]


async def test_rule_41_the_group_is_joined_before_anything_is_sent(autojump_clock, start, lan, machine, config):
    a = machine("a", "192.0.2.1/24", config(priority=255))
    order = []
    opening, sending = a.node.open, lan.carry
    a.node.open = lambda interface, family: order.append("join") or opening(interface, family)
    lan.carry = lambda sender, datagram: order.append("send") or sending(sender, datagram)
    await start(a)
    assert order[:2] == ["join", "send"]


async def test_a_socket_that_cannot_be_opened_is_tried_again(autojump_clock, start, machine, config):
    a = machine("a", "192.0.2.1/24", config())
    opening = a.node.open

    def refuse(interface, family):
        raise OSError(105, "No buffer space available")

    a.node.open = refuse
    await start(a)
    await trio.sleep(0.5)
    assert a.router.waiting_for == "interface eth0 to take a VRRP socket (No buffer space available)"
    a.node.open = opening
    await trio.sleep(1)
    assert a.state in ("Backup", "Active")


async def test_a_machine_resets_nothing_by_hearing_of_its_interface_again(autojump_clock, pair):
    a, b = pair
    for _ in range(10):
        b.node.interface_changed()
        a.node.interface_changed()
        await trio.sleep(0.1)
    assert (len(a.transitions()), len(b.transitions())) == (2, 1)
