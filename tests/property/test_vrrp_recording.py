"""Running pairs on LANs that lose and delay at random: what they did plays through the pure machine again."""

from ipaddress import IPv4Interface

import trio
from hypothesis import given, settings
from hypothesis import strategies as st
from trio.testing import MockClock

from vrrp.config import VirtualRouterConfig
from vrrp.recording import introduce, record, replay
from vrrp.runner import Runner
from vrrp.testing import FakeLan, FakeNode
from vrrp.testing_link import FakeLink

FAULTS = ("resign", "resume", "freeze", "thaw", "unplug", "plug", "partition", "heal", "silence", "noise")


def config(priority):
    return VirtualRouterConfig(
        name="lan",
        vrid=51,
        interface="eth0",
        addresses=(IPv4Interface("192.0.2.10/24"),),
        priority=priority,
        advertisement_interval_cs=10,
        rivals=1,
    )


class Pair:
    """Two nodes, and what goes wrong with the first of them."""

    def __init__(self, lan, priorities):
        self.lan = lan
        self.nodes = [FakeNode(lan, name, f"192.0.2.{number}/24") for number, name in enumerate("ab", 1)]
        self.link = FakeLink(*self.nodes)
        self.lines = []
        self.runners = [self._runner(*each) for each in zip(self.nodes, priorities, strict=True)]
        self.link.join(*self.runners)

    def _runner(self, node, priority):
        lines = [introduce(config(priority))]
        self.lines.append(lines)
        return Runner(
            [config(priority)],
            ports=node.ports,
            observe=lambda snapshot: None,
            peer=self.link.end(node),
            record=lambda *event: lines.append(record(*event)),
        )

    def suffer(self, fault):
        node, runner = self.nodes[0], self.runners[0]
        match fault:
            case "resign":
                runner.set_gate("lan", "node", "maintenance")
            case "resume":
                runner.resume()
            case "freeze":
                node.freeze()
            case "thaw":
                node.thaw()
            case "unplug" | "plug":
                node.set_link(up=fault == "plug")
            case "partition":
                self.lan.partition({"a"}, {"b"})
            case "heal":
                self.lan.heal()
            case _:
                self.link.silent = fault == "silence"


async def run(pair, faults):
    async with trio.open_nursery() as nursery:
        for runner in pair.runners:
            await nursery.start(runner.run)
        nursery.start_soon(pair.link.run)
        for after_s, fault in faults:
            await trio.sleep(after_s)
            pair.suffer(fault)
        for fault in ("thaw", "resume", "plug", "heal", "noise"):
            pair.suffer(fault)
        pair.lan.loss = 0.0
        await trio.sleep(2)
        states = [runner.snapshot()[0].state for runner in pair.runners]
        nursery.cancel_scope.cancel()
    return states


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**16),
    loss=st.floats(0, 0.5),
    jitter_s=st.floats(0, 0.02),
    priorities=st.lists(st.integers(1, 254), min_size=2, max_size=2),
    faults=st.lists(st.tuples(st.floats(0.01, 1.0), st.sampled_from(FAULTS)), max_size=12),
)
def test_a_recording_plays_again_and_healed_there_is_one_active(seed, loss, jitter_s, priorities, faults):
    async def main():
        pair = Pair(FakeLan(loss=loss, jitter_s=jitter_s, seed=seed), priorities)
        return pair, await run(pair, faults)

    pair, states = trio.run(main, clock=MockClock(autojump_threshold=0))
    assert [replay(lines) for lines in pair.lines] == [len(lines) - 1 for lines in pair.lines]
    assert sorted(states) == ["Active", "Backup"]
