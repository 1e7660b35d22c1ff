"""The fakes keep the promises of what they stand for."""

import math
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Interface

import pytest
import trio

from vrrp.advertisement import Datagram
from vrrp.frames import advert_frame
from vrrp.ports import AddressOrder
from vrrp.testing import FakeLan, FakeNode, FakeWitness

SOURCE = IPv4Address("192.0.2.1")
GROUP = IPv4Address("224.0.0.18")


@pytest.fixture
def lan():
    return FakeLan(delay_s=0.01)


def node(lan, name):
    made = FakeNode(lan, name, "192.0.2.1/24")
    return made, made.open(made.interface, 4)


def order(*addresses, serial=1, lease_s=1, not_after=math.inf):
    return AddressOrder(
        router="lan",
        serial=serial,
        interface="eth0",
        index=2,
        addresses=tuple(map(IPv4Interface, addresses)),
        lease_s=lease_s,
        virtual_mac=None,
        accept=True,
        not_after=not_after,
    )


async def test_a_packet_arrives_late_and_not_at_its_sender(autojump_clock, lan):
    (_, one), (_, other) = node(lan, "a"), node(lan, "b")
    began = trio.current_time()
    one.send(b"hello", source=SOURCE, destination=GROUP)
    assert other.receive() is None
    await other.wait_readable()
    assert trio.current_time() - began == pytest.approx(0.01)
    assert (other.receive().payload, one.receive(), other.receive()) == (b"hello", None, None)


async def test_partition_and_loss(autojump_clock, lan):
    (_, one), (_, other), (_, third) = node(lan, "a"), node(lan, "b"), node(lan, "c")
    lan.partition({"a", "c"}, {"b"})
    one.send(b"1", source=SOURCE, destination=GROUP)
    lan.heal()
    lan.loss = 1.0
    one.send(b"2", source=SOURCE, destination=GROUP)
    await trio.sleep(1)
    assert other.receive() is None
    assert third.receive().payload == b"1"
    assert third.receive() is None


async def test_jitter_keeps_packets_in_the_order_of_their_arrival(autojump_clock, lan):
    lan.jitter_s = 1.0
    (_, one), (_, other) = node(lan, "a"), node(lan, "b")
    for number in range(10):
        one.send(bytes([number]), source=SOURCE, destination=GROUP)
    arrived = []
    while len(arrived) < 10:
        await other.wait_readable()
        arrived.append(other.receive().payload[0])
    assert sorted(arrived) == list(range(10))
    assert arrived != list(range(10))


async def test_a_closed_socket_wakes_its_reader(autojump_clock, lan):
    made, sock = node(lan, "a")

    async def close():
        await trio.sleep(1)
        sock.close()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(close)
        with pytest.raises(trio.ClosedResourceError):
            await sock.wait_readable()
    assert made.lan is lan


async def test_an_interface_that_is_gone_takes_no_socket(autojump_clock, lan):
    made, _ = node(lan, "a")
    before = made.interface
    made.set_index(0)
    with pytest.raises(OSError, match="No such device"):
        made.open(before, 4)


async def test_a_lease_ends(autojump_clock, lan):
    made, _ = node(lan, "a")
    made.vips.submit(order("192.0.2.10/32"))
    assert (await made.vips.next_report()).held == (IPv4Interface("192.0.2.10/32"),)
    await trio.sleep(0.9)
    assert [str(held.address) for held in made.interface.addresses] == ["192.0.2.1/24", "192.0.2.10/32"]
    await trio.sleep(0.2)
    assert made.vips.held() == ()


async def test_a_newer_order_replaces_an_older_one(autojump_clock, lan):
    made, _ = node(lan, "a")
    made.vips.submit(order("192.0.2.10/32"))
    made.vips.submit(order(serial=2))
    report = await made.vips.next_report()
    assert (report.serial, report.held) == (2, ())


async def test_an_order_that_a_pause_has_overtaken_is_refused(autojump_clock, lan):
    made, _ = node(lan, "a")
    made.vips.submit(order("192.0.2.10/32", not_after=-1.0))
    report = await made.vips.next_report()
    assert (report.held, report.error) == ((), "the process had been paused")


async def test_who_is_frozen_does_not_get_on(autojump_clock, lan):
    (_, one), (made, other) = node(lan, "a"), node(lan, "b")
    made.freeze()
    one.send(b"hello", source=SOURCE, destination=GROUP)

    async def thaw():
        await trio.sleep(5)
        made.thaw()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(thaw)
        began = trio.current_time()
        with trio.move_on_after(1):
            await other.wait_readable()
        assert trio.current_time() - began == pytest.approx(5)


async def test_who_has_crashed_sends_nothing(autojump_clock, lan):
    (made, one), (_, other) = node(lan, "a"), node(lan, "b")
    made.crash()
    one.send(b"hello", source=SOURCE, destination=GROUP)
    await trio.sleep(1)
    assert other.receive() is None
    assert lan.packets == []


async def test_who_is_frozen_twice_is_thawed_once(autojump_clock, lan):
    made, _ = node(lan, "a")
    made.freeze()

    async def thaw():
        await trio.sleep(1)
        made.freeze()
        made.thaw()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(thaw)
        with trio.fail_after(2):
            await made.until_thawed()


async def test_who_is_deaf_is_heard(autojump_clock, lan):
    (_, one), (_, other) = node(lan, "a"), node(lan, "b")
    lan.deaf = {"a"}
    one.send(b"1", source=SOURCE, destination=GROUP)
    other.send(b"2", source=SOURCE, destination=GROUP)
    await trio.sleep(1)
    assert (one.receive(), other.receive().payload) == (None, b"1")


async def test_unicast_reaches_one_machine(autojump_clock, lan):
    made, one = node(lan, "a")
    other, third = FakeNode(lan, "b", "192.0.2.2/24"), FakeNode(lan, "c", "192.0.2.3/24")
    socks = [each.open(each.interface, 4) for each in (other, third)]
    made.send(b"hello", "192.0.2.1", "192.0.2.2", ttl=64)
    await trio.sleep(1)
    assert socks[0].receive() == Datagram(b"hello", SOURCE, IPv4Address("192.0.2.2"), 64)
    assert (socks[1].receive(), one.receive()) == (None, None)
    assert (other.received_packets("eth0"), third.received_packets("eth0")) == (1, 0)


async def test_families_are_apart(autojump_clock, lan):
    (one, _), (other, four) = node(lan, "a"), node(lan, "b")
    six = other.open(other.interface, 6)
    one.send(b"six", "fe80::1", "ff02::12")
    await trio.sleep(1)
    assert (four.receive(), six.receive().payload) == (None, b"six")


async def test_interfaces_are_apart(autojump_clock, lan):
    wan = FakeLan()
    (one, _), (other, inside) = node(lan, "a"), node(lan, "b")
    other.plug(wan, "eth1", "198.51.100.2/24")
    outside = other.open(other.card("eth1").interface, 4)
    one.send(b"hello", "192.0.2.1", "224.0.0.18")
    await trio.sleep(1)
    assert (inside.receive().payload, outside.receive()) == (b"hello", None)
    assert [(await other.next_change()).name for _ in range(2)] == ["eth0", "eth1"]
    other.set_link(up=False, interface="eth1")
    assert (await other.next_change()).up is False
    assert (other.card("eth0").reachable, other.card("eth1").reachable) == (True, False)


async def test_a_frame_is_counted_when_it_arrives(autojump_clock, lan):
    (one, _), (other, _) = node(lan, "a"), node(lan, "b")
    one.ports.frames.send(one.interface, bytes(60))
    assert other.received_packets("eth0") == 0
    await trio.sleep(0.02)
    assert (other.received_packets("eth0"), one.received_packets("eth0")) == (1, 0)
    assert lan.packets == []


async def test_an_advertisement_in_a_frame_is_received(autojump_clock, lan):
    (one, _), (_, sock) = node(lan, "a"), node(lan, "b")
    one.ports.frames.send(one.interface, advert_frame(b"advert", SOURCE, GROUP, bytes(6)))
    await trio.sleep(1)
    assert sock.receive() == Datagram(b"advert", SOURCE, GROUP, 255)
    assert (len(lan.packets), len(lan.frames)) == (1, 1)


async def test_a_witness_answers_those_of_its_part(autojump_clock, lan):
    witness = FakeWitness(lan, "gateway")
    (one, _), (other, _) = node(lan, "a"), node(lan, "b")
    lan.partition({"a"}, {"b", "gateway"})
    for each in (one, other):
        each.ports.witnesses.ask(each.interface, SOURCE)
    with trio.move_on_after(1) as scope:
        await one.witnesses.next_answer()
    assert scope.cancelled_caught
    asked_at = trio.current_time()
    other.ports.witnesses.ask(other.interface, SOURCE)
    assert [await other.witnesses.next_answer() for _ in range(2)] == ["eth0", "eth0"]
    assert trio.current_time() - asked_at == pytest.approx(0.02)  # there and back
    assert [name for _, name in witness.asked] == ["b", "b"]
    witness.answers = False
    other.ports.witnesses.ask(other.interface, SOURCE)
    with trio.move_on_after(1) as scope:
        await other.witnesses.next_answer()
    assert scope.cancelled_caught


async def test_vips_are_on_their_interface(autojump_clock, lan):
    made, _ = node(lan, "a")
    made.plug(FakeLan(), "eth1", "198.51.100.1/24")
    made.vips.submit(replace(order("198.51.100.10/32"), interface="eth1"))
    await made.vips.next_report()
    assert [str(address) for address in made.vips.held("eth1")] == ["198.51.100.10/32"]
    assert made.vips.held("eth0") == ()
    made.vips.delete("198.51.100.10")
    assert made.vips.held() == ()
