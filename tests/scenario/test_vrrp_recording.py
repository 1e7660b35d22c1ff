"""What running routers did, written down, plays through the pure machine again without a divergence."""

import json

import pytest
import trio

from vrrp.events import HandedOver, HandOver, TakeOver
from vrrp.recording import Diverged, introduce, record, replay
from vrrp.testing import FakeWitness

LAN = ["lan"]


class Recording:
    """The lines of one machine."""

    def __init__(self, config):
        self.lines = [introduce(config)]

    def __call__(self, router, at, event, effects):
        self.lines.append(record(router, at, event, effects))

    @property
    def kinds(self):
        return {json.loads(line)["event"]["type"] for line in self.lines[1:]}


@pytest.fixture
def recorded(start, joined, config, lan):
    """`recorded(**changes)`: a pair with a link and a witness, for two seconds, and the recording of each."""

    async def make(**changes):
        FakeWitness(lan)
        configs = [config(priority=priority, rivals=1, **changes) for priority in (200, 100)]
        records = [Recording(each) for each in configs]
        a, b, link = joined(*configs, records=records)
        await start(a, b)
        await trio.sleep(2)
        return a, b, link, records

    return make


async def test_an_election_and_a_crash(autojump_clock, recorded):
    a, b, _, (of_a, of_b) = await recorded()
    a.crash()
    await trio.sleep(1)
    assert b.state == "Active"
    assert replay(of_a.lines) == len(of_a.lines) - 1 > 20
    assert replay(of_b.lines) == len(of_b.lines) - 1 > 40


async def test_everything_that_can_happen(autojump_clock, recorded, lan):
    a, b, link, records = await recorded(witnessed=True, hold_down_s=0.5, preempt_delay_s=0.2)
    lan.partition({"a"}, {"b", "gateway"})
    link.silent = True
    await trio.sleep(2)
    lan.heal()
    link.silent = False
    await trio.sleep(2)
    assert (a.state, b.state) == ("Active", "Backup")
    until = trio.current_time() + 1
    a.runner.tell(LAN, HandOver(until))
    b.runner.tell(LAN, TakeOver(until, "a hands over"))
    a.runner.tell(LAN, HandedOver("b"))
    await trio.sleep(2)
    a.runner.stay_backup(stay=False)
    a.runner.set_priority("lan", 210)
    await trio.sleep(2)
    a.runner.announce()
    a.node.vips.delete("192.0.2.10")
    await trio.sleep(0.01)
    a.node.freeze()
    await trio.sleep(1.5)
    a.node.thaw()
    await trio.sleep(2)
    a.node.vips.refuse = "no"
    await trio.sleep(0.3)
    a.node.set_link(up=False)
    await trio.sleep(1)
    a.node.set_link(up=True)
    await trio.sleep(1)
    await a.runner.resign("maintenance")
    b.crash()
    await trio.sleep(1)
    assert [replay(each.lines) for each in records] == [len(each.lines) - 1 for each in records]
    assert set.union(*(each.kinds for each in records)) == {
        *("InterfaceReady", "InterfaceLost", "Shutdown", "AdvertReceived", "DeadlineReached", "LoopLate"),
        *("PriorityChanged", "StayBackup", "PeerMet", "PeerHeard", "PeerLost", "WitnessAnswered"),
        *("HandOver", "HandedOver", "TakeOver", "VipsClaimed", "ClaimFailed", "VipsRemoved", "AnnounceAgain"),
    }


async def test_a_recording_that_was_altered_diverges(autojump_clock, recorded):
    _, _, _, (of_a, _) = await recorded()
    lost = next(index for index, line in enumerate(of_a.lines) if '"DeadlineReached"' in line)
    with pytest.raises(Diverged):
        replay([*of_a.lines[:lost], *of_a.lines[lost + 1 :]])
