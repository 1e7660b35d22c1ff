"""The link over a fake cable; tests/unit/vrrp/liveness/test_tcp.py has it over real sockets."""

import logging
from ipaddress import IPv4Address

import pytest
import trio
from trio.testing import MockClock

from vrrp.liveness.config import LinkConfig
from vrrp.liveness.frames import Advert, Hello, Message
from vrrp.liveness.link import LivenessLink
from vrrp.liveness.ports import LostCause
from vrrp.liveness.testing import FakeCable

SECRET = b"0123456789abcdef"
ADDRESSES = {"a": IPv4Address("192.0.2.1"), "b": IPv4Address("192.0.2.2")}
ADVERT = Advert("lan", ADDRESSES["a"], b"payload")
DIED, ENDED = LostCause.DIED, LostCause.ENDED


@pytest.fixture
def autojump_clock():
    return MockClock(autojump_threshold=0)


class Observer:
    """What a link tells."""

    def __init__(self):
        self.events = []
        self.heard_at = None

    def on_up(self, hello):
        self.events.append(("up", hello.node, hello.epoch, dict(hello.sources)))

    def on_frame(self, frame):
        self.events.append(frame)

    def on_heard(self):
        self.heard_at = trio.current_time()

    def on_lost(self, cause):
        self.events.append(cause)


class Node:
    """A node's process with nothing but the link in it."""

    def __init__(self, cable, name, *, secret=SECRET, peer=None, epoch=7):
        self.cable, self.name = cable, name
        self.seen = Observer()
        peer = peer or ("b" if name == "a" else "a")
        config = LinkConfig(
            node=name,
            peer=peer,
            address=ADDRESSES[name],
            peer_address=ADDRESSES[peer if peer in ADDRESSES else "b"],
            port=1339,
            secret=secret,
            interval_s=0.1,
        )
        self.link = LivenessLink(config, observer=self.seen, epoch=epoch, transport=cable.plug(name))
        self.scope = trio.CancelScope()

    async def run(self):
        with self.scope:
            await self.link.run()

    def die(self):
        self.cable.die(self.name)
        self.scope.cancel()


async def start(nursery, *nodes):
    for node in nodes:
        nursery.start_soon(node.run)
    with trio.fail_after(60):
        while not all(node.link.up for node in nodes):  # noqa: ASYNC110
            await trio.sleep(0.01)


async def test_up_and_down(nursery, autojump_clock):
    cable = FakeCable()
    a, b = Node(cable, "a", epoch=5), Node(cable, "b")
    a.link.set_sources({"lan": ADDRESSES["a"]})
    assert not a.link.send(ADVERT)
    await start(nursery, a, b)
    assert a.link.send(ADVERT)
    await trio.sleep(0.002)
    assert a.seen.events == [("up", "b", 7, {})]
    assert b.seen.events == [("up", "a", 5, {"lan": IPv4Address("192.0.2.1")}), ADVERT]
    b.link.set_sources({"lan": ADDRESSES["b"]})
    b.link.set_sources({"lan": ADDRESSES["b"]})
    assert len(a.seen.events) == 1
    await trio.sleep(0.002)
    assert [type(event) for event in a.seen.events[1:]] == [Hello]  # what is no news is not told
    assert a.seen.events[1].sources == {"lan": IPv4Address("192.0.2.2")}
    await trio.sleep(10)
    assert a.seen.heard_at > trio.current_time() - 0.11
    a.link.leave("this node stops")
    await trio.sleep(0.002)
    assert b.seen.events[2:] == [ENDED]
    assert b.link.snapshot().last_detail == "the peer says: this node stops"
    await trio.sleep(5)
    assert not b.link.up
    nursery.cancel_scope.cancel()


async def test_another_interval_ends_nothing_whoever_has_it_first(nursery, autojump_clock):
    cable = FakeCable()
    a, b = Node(cable, "a"), Node(cable, "b")
    await start(nursery, a, b)
    for interval_s in (5.0, 0.01):
        for node in (a, b):
            node.link.go_by(interval_s)
            await trio.sleep(10)
    assert (a.link.snapshot().lost, b.link.snapshot().lost) == (0, 0)
    assert a.seen.heard_at > trio.current_time() - 0.012
    cable.cut()
    await trio.sleep(1.1)
    assert not a.link.up
    nursery.cancel_scope.cancel()


@pytest.mark.parametrize(("victim", "survivor"), [("a", "b"), ("b", "a")])
async def test_a_death_is_told_at_once_and_the_next_life_is_met_soon(nursery, autojump_clock, victim, survivor):
    cable = FakeCable(delay_s=0.001)
    nodes = {name: Node(cable, name) for name in "ab"}
    await start(nursery, *nodes.values())
    nodes[victim].die()
    await trio.sleep(0.0011)
    seen = nodes[survivor].seen
    assert seen.events[1:] == [DIED]
    snapshot = nodes[survivor].link.snapshot()
    assert (snapshot.up, snapshot.lost, snapshot.last_cause, snapshot.last_detail) == (False, 1, "died", "end of file")
    again = Node(cable, victim, epoch=8)
    began = trio.current_time()
    await start(nursery, again)
    assert trio.current_time() - began < 0.2
    assert seen.events[2:] == [("up", victim, 8, {})]
    nursery.cancel_scope.cancel()


async def test_a_cut_is_no_death_and_heals(nursery, autojump_clock):
    cable = FakeCable()
    a, b = Node(cable, "a"), Node(cable, "b")
    await start(nursery, a, b)
    cable.cut()
    await trio.sleep(5)
    assert a.seen.events[1:] == b.seen.events[1:] == [ENDED]
    cable.heal()
    await trio.sleep(1.1)
    assert (a.link.up, b.link.up) == (True, True)
    assert DIED not in a.seen.events + b.seen.events
    nursery.cancel_scope.cancel()


@pytest.mark.parametrize("cut_s", [0.9, 0.95, 1.0, 1.05, 1.1, 1.5, 2.0, 2.5, 3.0])
async def test_a_cut_of_any_length_is_no_death(nursery, autojump_clock, cut_s):
    """The one that gives up first must not look dead to the other when the cable is healed just then."""
    cable = FakeCable()
    a, b = Node(cable, "a"), Node(cable, "b")
    await start(nursery, a, b)
    cable.cut()
    await trio.sleep(cut_s)
    cable.heal()
    await trio.sleep(3)
    assert (a.link.up, b.link.up) == (True, True)
    assert DIED not in a.seen.events + b.seen.events
    nursery.cancel_scope.cancel()


async def test_a_new_life_of_the_peer_tells_of_the_old_ones_death(nursery, autojump_clock):
    """Its end-of-file never came: power failure, and the machine is back before the silence was long enough."""
    cable = FakeCable()
    a, b = Node(cable, "a"), Node(cable, "b")
    await start(nursery, a, b)
    cable.cut()
    a.die()
    await trio.sleep(0.5)
    cable.heal()
    cable._wires[0][1]._arriving.clear()  # what a machine without power does not send
    await start(nursery, Node(cable, "a", epoch=7))
    assert b.seen.events[1:] == [DIED, ("up", "a", 7, {})]
    assert b.link.snapshot().last_detail == "the peer connects again"
    nursery.cancel_scope.cancel()


async def test_another_connection_of_the_same_life_replaces_the_first_without_a_death(nursery, autojump_clock):
    cable = FakeCable()
    a, b = Node(cable, "a"), Node(cable, "b")
    await start(nursery, a, b)
    nursery.start_soon(a.link._dial)
    await trio.sleep(0.05)
    assert b.seen.events[1:2] == [ENDED]
    assert b.link.up
    assert DIED not in a.seen.events + b.seen.events
    nursery.cancel_scope.cancel()


async def test_strangers_do_not_disturb(nursery, autojump_clock, caplog):
    cable = FakeCable()
    a, b = Node(cable, "a"), Node(cable, "b")
    await start(nursery, a, b)
    listener = cable.listeners[ADDRESSES["b"].packed]

    def connect(source, data=None):
        ours, theirs = cable.join("stranger", "b")
        listener.offer(theirs, source.packed)
        if data:
            ours.send(data)

    with caplog.at_level(logging.WARNING):
        connect(IPv4Address("192.0.2.66"))
        connect(ADDRESSES["a"], b"GET / HTTP/1.1\r\n\r\n")
        connect(ADDRESSES["a"], bytes(2000))
        for _ in range(12):
            connect(ADDRESSES["a"])
        await trio.sleep(3)
    assert b.link.snapshot().rejected == {"address": 1, "length": 1, "protocol": 1, "crowd": 4, "deadline": 8}
    assert [record.message for record in caplog.records] == ["connection refused"] * 5  # one of each kind
    assert len(a.seen.events) == len(b.seen.events) == 1
    nursery.cancel_scope.cancel()


async def test_the_peer_gets_through_a_crowd(nursery, autojump_clock):
    cable = FakeCable()
    a, b = Node(cable, "a"), Node(cable, "b")
    nursery.start_soon(b.run)
    await trio.sleep(0.1)
    for _ in range(20):
        _, theirs = cable.join("stranger", "b")
        cable.listeners[ADDRESSES["b"].packed].offer(theirs, ADDRESSES["a"].packed)
    await start(nursery, a)
    assert b.link.up
    nursery.cancel_scope.cancel()


async def test_wrong_secret_is_counted_on_both_sides_and_never_up(nursery, autojump_clock):
    cable = FakeCable()
    a, b = Node(cable, "a"), Node(cable, "b", secret=b"quite another secret")
    nursery.start_soon(a.run)
    nursery.start_soon(b.run)
    await trio.sleep(10)
    assert a.seen.events == b.seen.events == []
    assert set(a.link.snapshot().rejected) == {"incomplete"}
    assert set(b.link.snapshot().rejected) == {"proof"}
    assert 8 <= b.link.snapshot().rejected["proof"] <= 14  # it goes on to try, once a second
    assert a.link.snapshot().waiting_for == "end of file"
    nursery.cancel_scope.cancel()


async def test_nobody_there(nursery, autojump_clock):
    a = Node(FakeCable(), "a")
    nursery.start_soon(a.run)
    await trio.sleep(1)
    assert a.link.snapshot().waiting_for == "192.0.2.2 port 1339: Connection refused"
    a.cable.cut()
    await trio.sleep(5)
    assert a.link.snapshot().waiting_for == "192.0.2.2 port 1339: no answer"
    nursery.cancel_scope.cancel()


async def test_what_the_observer_sends_in_the_moment_of_loss_goes_nowhere(nursery, autojump_clock):
    cable = FakeCable()
    a, b = Node(cable, "a"), Node(cable, "b")
    await start(nursery, a, b)
    sent = []
    b.seen.on_lost = lambda cause: sent.append(b.link.send(Message(b"hello?")))
    a.die()
    await trio.sleep(0.01)
    assert sent == [False]
    nursery.cancel_scope.cancel()
