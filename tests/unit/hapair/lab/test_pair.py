"""The pair: what the client's lines become, and when it counts as settled."""

import socket
from dataclasses import dataclass

import trio

from hapair.lab.addresses import Addresses
from hapair.lab.pair import VIP, Measurement, Pair
from hapair.lab.plan import Plan
from hapair.lab.programs import Hapair
from hapair.lab.records import Record

HELD = bytes.fromhex("20000000 1400 0000 00000000 0000000002200000 0200000008000200 c0a80164")
LOST = bytes.fromhex("20000000 1500 0000 00000000 0000000002200000 0200000008000200 c0a80164")


@dataclass
class FakeHost:
    name: str
    addresses: Addresses


def host(name: str) -> FakeHost:
    with socket.socket(socket.AF_UNIX) as unused:
        return FakeHost(name, Addresses(unused))


def pair() -> Pair:
    plan = Plan({"pi-a": "192.168.1.11", "pi-b": "192.168.1.12"}, {"pi-a": 200, "pi-b": 100}, {}, VIP)
    nodes = {"pi-a": host("pi-a"), "pi-b": host("pi-b")}
    return Pair(plan, Hapair(), nodes, {}, host("client"))  # type: ignore[arg-type]


async def test_lines_may_come_in_pieces() -> None:
    ours, theirs = trio.testing.memory_stream_pair()
    measurement = Measurement()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(measurement.follow, theirs)
        await ours.send_all(b'["probe",1.0,0.5,null,"web1","n"]\n["probe",2')
        await ours.send_all(b'.0,0.5,"timeout","",""]\n')
        await ours.aclose()
    assert measurement.records == [
        Record("probe", 1.0, 0.5, None, "web1", "n"),
        Record("probe", 2.0, 0.5, "timeout", "", ""),
    ]


async def test_settled_is_one_holder_and_no_change_for_a_while(autojump_clock: trio.testing.MockClock) -> None:
    two = pair()
    a, b = two.nodes.values()

    async def story() -> None:
        a.addresses.apply(HELD, 0.0)
        await trio.sleep(0.3)
        b.addresses.apply(HELD, 0.3)
        await trio.sleep(0.3)
        a.addresses.apply(LOST, 0.6)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(story)
        began_at = trio.current_time()
        assert await two.settled("pi-b", for_s=0.5)
        assert trio.current_time() - began_at > 1.0
    assert two.holders() == ["pi-b"]
    assert not await two.settled("pi-a", within_s=2)
