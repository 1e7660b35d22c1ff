"""The link between two node processes, over a fake cable."""

from collections.abc import AsyncIterator
from dataclasses import replace
from ipaddress import ip_address
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from hapair.peer import link as module
from hapair.peer.link import PeerLink
from hapair.peer.messages import FileDigests, Status
from hapair.replication.stream import PeerStream
from tests.unit.hapair.peer.noise import noise
from vrrp.liveness.config import LinkConfig
from vrrp.liveness.testing import FakeCable

A = LinkConfig(
    node="pi-a", peer="pi-b", address=ip_address("192.0.2.11"), peer_address=ip_address("192.0.2.12"), port=1341,
    secret=b"s" * 32, interval_s=0.1, purpose="node",
)  # fmt: skip
B = replace(A, node="pi-b", peer="pi-a", address=A.peer_address, peer_address=A.address)


class Ends:
    """Two ends that run, and what each has heard."""

    def __init__(self, nursery: trio.Nursery) -> None:
        self.cable = FakeCable()
        self.changes: list[tuple[str, bool]] = []
        self.heard: list[tuple[str, Any]] = []
        self.a, self.b = self.end(A), self.end(B)
        for one in (self.a, self.b):
            nursery.start_soon(one.run)

    def end(self, config: LinkConfig) -> PeerLink:
        link = PeerLink(config, on_change=lambda: self.changed(config.node), transport=self.cable.plug(config.node))
        for kind in (Status, FileDigests):
            link.hear(kind, lambda message: self.heard.append((config.node, message)))
        return link

    def changed(self, node: str) -> None:
        link = self.a if node == "pi-a" else self.b
        self.changes.append((node, link.up))


@pytest.fixture
async def ends(autojump_clock: MockClock) -> AsyncIterator[Ends]:
    """Up since a moment."""
    async with trio.open_nursery() as nursery:
        ends = Ends(nursery)
        await trio.sleep(3)
        yield ends
        nursery.cancel_scope.cancel()


async def test_what_is_posted_is_heard(ends: Ends, autojump_clock: MockClock) -> None:
    assert sorted(ends.changes) == [("pi-a", True), ("pi-b", True)]
    assert (ends.a.up, ends.a.waits_for) == (True, None)
    large = FileDigests({f"place {n}": noise(n) for n in range(5000)})
    ends.a.post(Status("1", {"n": 1}))
    ends.a.post(large)
    ends.b.post(Status("2", {}))
    await trio.sleep(1)
    assert ends.heard == [("pi-b", Status("1", {"n": 1})), ("pi-a", Status("2", {})), ("pi-b", large)] or sorted(
        (node, type(message).__name__) for node, message in ends.heard
    ) == [("pi-a", "Status"), ("pi-b", "FileDigests"), ("pi-b", "Status")]


async def test_the_newest_state_wins_under_one_key(ends: Ends, autojump_clock: MockClock) -> None:
    for n in range(5):
        ends.a.post(Status("1", {"n": n}), key="state")
    await trio.sleep(1)
    assert ends.heard == [("pi-b", Status("1", {"n": 4}))]


async def test_the_oldest_is_dropped_where_too_many_wait(
    ends: Ends, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "WAITING_LIMIT", 3)
    for n in range(5):
        ends.a.post(Status("1", {"n": n}))
    await trio.sleep(1)
    assert [message.snapshot["n"] for _, message in ends.heard] == [2, 3, 4]
    assert ends.a.dropped == 2


async def test_a_cut_cable_is_noticed_and_what_is_posted_then_is_lost(ends: Ends, autojump_clock: MockClock) -> None:
    ends.cable.cut()
    await trio.sleep(10)
    assert (ends.a.up, ends.b.up) == (False, False)
    assert ends.a.waits_for is not None
    ends.a.post(Status("1", {}))
    ends.cable.heal()
    await trio.sleep(10)
    assert (ends.a.up, ends.b.up) == (True, True)
    assert ends.heard == []


class Forged:
    """What a peer that has the secret says all the same."""

    def __init__(self, link: PeerLink) -> None:
        stream = link._stream
        assert isinstance(stream, PeerStream)
        self.say = stream.send


async def test_a_message_of_a_later_version_is_passed_over(ends: Ends, autojump_clock: MockClock) -> None:
    import zlib

    await Forged(ends.a).say(b"." + zlib.compress(b'{"type":"Later","body":{}}'))
    ends.a.post(Status("1", {}))
    await trio.sleep(1)
    assert ends.heard == [("pi-b", Status("1", {}))]
    assert ends.b.rejected == {"content": 1}


async def test_bytes_that_are_no_message_end_the_talk(ends: Ends, autojump_clock: MockClock) -> None:
    await Forged(ends.a).say(b"?")
    await trio.sleep(0.5)
    assert ends.b.rejected == {"framing": 1}
    assert ("pi-b", False) in ends.changes
    await trio.sleep(5)
    assert (ends.a.up, ends.b.up) == (True, True)
