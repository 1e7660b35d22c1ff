"""Pairs whose VIPs are IPv6 addresses, and routers that carry both families along."""

from ipaddress import IPv4Interface, IPv6Interface

import pytest
import trio

LINK_LOCAL, GLOBAL = "fe80::200:5eff:fe00:233", "2001:db8::10"
VIPS = (IPv6Interface(f"{LINK_LOCAL}/64"), IPv6Interface(f"{GLOBAL}/64"))
HELD = ["fe80::200:5eff:fe00:233/128", "2001:db8::10/64"]


@pytest.fixture
async def pair6(start, machine, config):
    a = machine("a", "fe80::1/64", config(priority=200, addresses=VIPS))
    b = machine("b", "fe80::2/64", config(priority=100, addresses=VIPS))
    await start(a, b)
    await trio.sleep(2)
    return a, b


async def test_the_higher_priority_becomes_active(autojump_clock, pair6):
    a, b = pair6
    assert a.transitions() == [(0.0, "Backup"), (0.321875, "Active")]
    assert b.transitions() == [(0.0, "Backup")]
    assert (a.vips, b.vips) == (HELD, [])
    assert (b.router.active_router, b.router.unusual_checksums) == ("fe80::1", 0)


async def test_rule_6_the_link_local_address_stands_first(autojump_clock, pair6, lan):
    (_, _, payload) = lan.packets[0]
    assert payload[:6].hex() == "3133c802000a"
    assert payload[8:].hex() == "fe8000000000000002005efffe000233" + "20010db8000000000000000000000010"


async def test_rule_36_each_address_is_announced_to_all_nodes(autojump_clock, pair6, lan):
    announced = [frame for at, _, frame in lan.frames if round(at, 6) == 0.322375]
    assert [frame[:6].hex() for frame in announced] == ["333300000001"] * 2
    assert [frame[54:55].hex() for frame in announced] == ["88"] * 2  # ICMPv6 type 136
    assert [frame[62:78].hex() for frame in announced] == [
        "fe8000000000000002005efffe000233",
        "20010db8000000000000000000000010",
    ]


async def test_a_crash_is_missed(autojump_clock, pair6):
    a, b = pair6
    a.crash()
    await trio.sleep(0.4)
    # The last advertisement went at 1.921875; the LAN takes 1 ms, Active_Down_Interval 360.9 ms.
    assert b.transitions()[-1] == (pytest.approx(2.2838125, abs=1e-6), "Active")
    assert b.vips == HELD


async def test_a_resignation_takes_skew_time(autojump_clock, pair6, sent):
    a, b = pair6
    await a.runner.resign("maintenance")
    await trio.sleep(0.1)
    assert sent("a", 2.0) == [0]
    assert b.entered("Active") == pytest.approx(2.0619375, abs=1e-6)


async def test_rule_15_a_list_that_begins_otherwise_is_dropped(autojump_clock, pair6, stranger):
    a, b = pair6
    stranger("3133ff01000a000020010db8000000000000000000000010", source="fe80::66", destination="ff02::12")
    await trio.sleep(1)
    assert [each.router.adverts_rejected for each in pair6] == [{"link_local": 1}] * 2
    assert (a.state, b.state) == ("Active", "Backup")


async def test_an_interface_without_a_link_local_address_is_waited_for(autojump_clock, start, machine, config):
    a = machine("a", "2001:db8::1/64", config(addresses=VIPS))
    await start(a)
    assert a.router.waiting_for == "interface eth0 to have a link-local IPv6 address"
    a.node.add_address("fe80::1/64")
    await trio.sleep(1)
    assert (a.state, a.vips) == ("Active", ["fe80::200:5eff:fe00:233/128", "2001:db8::10/128"])


async def test_excluded_addresses_of_the_other_family_move_along(autojump_clock, start, machine, config, lan):
    a = machine("a", "192.0.2.1/24", config(excluded_addresses=(IPv6Interface("2001:db8::10/64"),)))
    await start(a)
    await trio.sleep(0.37)
    assert a.vips == ["192.0.2.10/32", "2001:db8::10/64"]
    assert [payload[8:].hex() for _, _, payload in lan.packets] == ["c000020a"]
    assert [frame[12:14].hex() for _, _, frame in lan.frames[:2]] == ["0806", "86dd"]


async def test_one_number_for_both_families_of_one_interface(autojump_clock, start, machine, config):
    """RFC 9568 section 5.2.3: the two are different virtual routers."""
    both = (config(priority=200), config(priority=100, name="lan6", addresses=VIPS))
    turned = (config(priority=100), config(priority=200, name="lan6", addresses=VIPS))
    a, b = machine("a", "192.0.2.1/24", *both), machine("b", "192.0.2.2/24", *turned)
    for number, each in enumerate((a, b), 1):
        each.node.add_address(f"fe80::{number}/64")
    await start(a, b)
    await trio.sleep(2)
    assert (a.states, b.states) == (["Active", "Backup"], ["Backup", "Active"])
    assert [router.adverts_rejected for router in (*a.runner.snapshot(), *b.runner.snapshot())] == [{}] * 4


async def test_rule_2_and_35_the_virtual_mac_address_is_sent_from_and_announced(
    autojump_clock, start, machine, config, lan
):
    v4 = (IPv4Interface("192.0.2.10/24"),)
    machines = []
    for name, priority in (("a", 200), ("b", 100)):
        routers = [
            config(name=f"lan{family}", priority=priority, addresses=vips, virtual_mac=True)
            for family, vips in ((4, v4), (6, VIPS))
        ]
        machines.append(machine(name, f"192.0.2.{priority}/24", *routers))
        machines[-1].node.add_address(f"fe80::{priority}/64")
    a, b = machines
    await start(a, b)
    await trio.sleep(2)
    assert (a.states, b.states) == (["Active"] * 2, ["Backup"] * 2)
    sources = {(frame[12:14].hex(), frame[6:12].hex()) for _, name, frame in lan.frames if name == "a"}
    assert sources == {("0800", "00005e000133"), ("0806", "00005e000133"), ("86dd", "00005e000233")}
    arp = next(frame for _, _, frame in lan.frames if frame[12:14].hex() == "0806")
    assert arp[22:28].hex() == "00005e000133"
