"""The fake liveness link tells its runners what the real one would."""

import pytest
import trio

from vrrp.testing import FakeLan, FakeNode
from vrrp.testing_link import FakeLink


class Runner:
    """Notes what it is told, and when."""

    def __init__(self, sources):
        self.told = []
        self._sources = sources

    def sources(self):
        return self._sources

    def peer_met(self, sources):
        self._note("met", *sources)

    def peer_heard(self):
        self._note("heard")

    def peer_lost(self):
        self._note("lost")

    def peer_advertised(self, name, source, payload):
        self._note("advert", name, payload)

    def _note(self, *what):
        self.told.append((round(trio.current_time(), 3), *what))


@pytest.fixture
async def ends(autojump_clock, nursery):
    lan = FakeLan()
    nodes = FakeNode(lan, "a", None), FakeNode(lan, "b", None)
    link = FakeLink(*nodes)
    runners = Runner({"lan": "192.0.2.1"}), Runner({"lan": "192.0.2.2"})
    link.join(*runners)
    nursery.start_soon(link.run)
    await trio.sleep(0.25)
    yield link, nodes, runners
    for node in nodes:
        node.thaw()
    nursery.cancel_scope.cancel()


async def test_they_meet_once_and_hear_each_other_each_interval(autojump_clock, ends):
    _, _, (one, other) = ends
    expected = [(0.002, "met", "lan"), (0.002, "heard"), (0.102, "heard"), (0.202, "heard")]
    assert one.told == other.told == expected


async def test_an_advertisement_is_carried_to_the_other_end(autojump_clock, ends):
    link, (node, _), (one, other) = ends
    link.end(node).advertised("lan", "192.0.2.1", b"advert")
    await trio.sleep(0.01)
    assert other.told[-1] == (0.252, "advert", "lan", b"advert")
    assert ("advert", "lan", b"advert") not in [told[1:] for told in one.told]


async def test_a_crash_is_the_last_that_is_told(autojump_clock, ends):
    _, (node, _), (one, other) = ends
    node.crash()
    await trio.sleep(1)
    assert other.told[-1] == (0.252, "lost")
    assert len(one.told) == 4


async def test_silence_is_not_told(autojump_clock, ends):
    link, (node, _), (_, other) = ends
    link.silent = True
    link.end(node).advertised("lan", "192.0.2.1", b"advert")
    node.crash()
    await trio.sleep(1)
    assert len(other.told) == 4


async def test_who_is_frozen_neither_says_nor_hears_anything(autojump_clock, ends):
    _, (node, _), (one, other) = ends
    node.freeze()
    await trio.sleep(1)
    assert (len(one.told), len(other.told)) == (4, 4)
    node.thaw()
    await trio.sleep(0.01)
    assert len(one.told) == 14


async def test_new_sources_are_told(autojump_clock, ends):
    _, _, (one, other) = ends
    one._sources = {"lan": "192.0.2.1", "wan": "198.51.100.1"}
    await trio.sleep(0.1)
    assert (0.302, "met", "lan", "wan") in other.told
