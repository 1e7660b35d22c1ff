"""What the watchers' output becomes."""

import struct

import trio

from hapair.lab.lookups import Lookup
from hapair.lab.pings import PingLog
from hapair.lab.watchers import Watchers


def watchers(prober: trio.abc.SendStream) -> Watchers:
    return Watchers({"pi-a": 201, "pi-b": 202}, {"pi-a": "02:00:00:00:00:0a"}, PingLog(), prober)


async def test_the_prober_is_told_when_how_many_and_how_often() -> None:
    ours, theirs = trio.testing.memory_stream_pair()
    seen = watchers(ours)
    seen.lookups.append(Lookup(0.5, ()))
    await seen.look_up(1.25, count=20, every_s=0.1)
    assert await theirs.receive_some() == b"1.25 20 0.1\n"
    assert seen.lookups == []


async def test_lookups_may_come_in_pieces() -> None:
    ours, theirs = trio.testing.memory_stream_pair()
    seen = watchers(ours)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(seen.follow_lookups, theirs)
        await ours.send_all(b'[1.5, [["02:00:00:00:00:0a", 1.75]]]\n[2.')
        await ours.send_all(b"5, []]\n")
        await ours.aclose()
    assert seen.lookups == [Lookup(1.5, (("02:00:00:00:00:0a", 1.75),)), Lookup(2.5, ())]


async def test_a_node_answers_when_all_the_newest_answers_are_its_own(autojump_clock: trio.testing.MockClock) -> None:
    ours, _ = trio.testing.memory_stream_pair()
    seen = watchers(ours)
    began = 1e12  # later than any clock of this machine
    for number in range(20):
        at = began + number / 1000
        seen.pings.take(struct.pack("=IdB", number, at, 0) + struct.pack("=IdB", number, at, 202))
    assert await seen.answered_by("pi-b", in_a_row=5, within_s=1)
