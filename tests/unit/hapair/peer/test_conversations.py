"""Conversations with the peer: made again and again, with the peer alone."""

from collections.abc import Callable
from dataclasses import replace
from ipaddress import ip_address

import pytest
import trio
from trio.testing import MockClock

from hapair.peer.conversations import Conversations
from hapair.replication.stream import PeerStream, StreamEndedError
from vrrp.liveness.config import LinkConfig
from vrrp.liveness.testing import FakeCable

A = LinkConfig(
    node="pi-a", peer="pi-b", address=ip_address("192.0.2.11"), peer_address=ip_address("192.0.2.12"), port=1341,
    secret=b"s" * 32, interval_s=0.1, purpose="node",
)  # fmt: skip
B = replace(A, node="pi-b", peer="pi-a", address=A.peer_address, peer_address=A.address)


class Talks:
    """What one end has lived through."""

    def __init__(self, config: LinkConfig, cable: FakeCable, say: bytes = b"", limit_s: float = 1e9) -> None:
        self.conversations = Conversations(config, self.talk, transport=cable.plug(config.node))
        self.say = say
        self.limit_s = limit_s
        self.heard: list[bytes] = []
        self.cancelled = 0

    async def talk(self, stream: PeerStream) -> None:
        try:
            await stream.send(self.say)
            self.heard.append(await stream.receive())
            await trio.sleep(self.limit_s)
            raise StreamEndedError("enough was said")
        except trio.Cancelled:
            self.cancelled += 1
            raise


async def running(for_s: float, *talks: Talks, meanwhile: Callable[[], None] = lambda: None) -> None:
    with trio.move_on_after(for_s):
        async with trio.open_nursery() as nursery:
            for one in talks:
                nursery.start_soon(one.conversations.run)
            await trio.sleep(for_s / 2)
            meanwhile()


async def test_both_talk_and_begin_again_when_it_is_over(autojump_clock: MockClock) -> None:
    cable = FakeCable()
    a, b = Talks(A, cable, b"from a", limit_s=2.0), Talks(B, cable, b"from b")
    await running(9, a, b)
    assert len(a.heard) == 3
    assert (set(a.heard), set(b.heard)) == ({b"from b"}, {b"from a"})
    assert a.conversations.waits_for == "the peer (enough was said)"


async def test_nobody_listens(autojump_clock: MockClock) -> None:
    a = Talks(A, FakeCable())
    await running(5, a)
    assert a.heard == []
    assert a.conversations.waits_for == "the peer (192.0.2.12 port 1341: Connection refused)"


async def test_the_peer_does_not_answer(autojump_clock: MockClock) -> None:
    cable = FakeCable()
    a, b = Talks(A, cable), Talks(B, cable)
    cable.cut()
    await running(10, a, b)
    assert (a.heard, b.heard) == ([], [])
    assert a.conversations.waits_for == "the peer (192.0.2.12 port 1341: no answer)"


async def test_a_stranger_is_not_talked_with(autojump_clock: MockClock) -> None:
    cable = FakeCable()
    stranger = Talks(replace(A, address=ip_address("192.0.2.99")), cable)
    b = Talks(B, cable)
    await running(6, stranger, b)
    assert (stranger.heard, b.heard) == ([], [])


@pytest.mark.parametrize("change", [{"secret": b"x" * 32}, {"purpose": "flows"}])
async def test_who_does_not_prove_to_be_the_peer_is_not_talked_with(
    change: dict[str, object], autojump_clock: MockClock
) -> None:
    cable = FakeCable()
    a, b = Talks(replace(A, **change), cable), Talks(B, cable)  # type: ignore[arg-type]
    await running(10, a, b)
    assert (a.heard, b.heard) == ([], [])


async def test_a_newer_connection_takes_the_place_of_an_older_one(autojump_clock: MockClock) -> None:
    cable = FakeCable()
    first, second, b = Talks(A, cable, b"first"), Talks(A, cable, b"second"), Talks(B, cable)
    with trio.move_on_after(4):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(b.conversations.run)
            nursery.start_soon(first.conversations.run)
            await trio.sleep(2)
            nursery.start_soon(second.conversations.run)
            await trio.sleep(1.5)
            assert b.heard == [b"first", b"second"]
            assert b.cancelled == 1


async def test_who_has_another_secret_is_refused_and_counted(autojump_clock: MockClock) -> None:
    cable = FakeCable()
    a, b = Talks(replace(A, secret=b"x" * 32), cable), Talks(B, cable)
    await running(9, a, b)
    assert (a.heard, b.heard) == ([], [])
    assert b.conversations.rejected["proof"] + a.conversations.rejected["proof"] >= 3
    assert a.conversations.waits_for.startswith("the peer (")


async def test_what_makes_no_sense_to_who_talks_is_counted(autojump_clock: MockClock) -> None:
    cable = FakeCable()
    a, b = Talks(A, cable), Talks(B, cable)

    async def confused(_: PeerStream) -> None:
        raise ExceptionGroup("", [StreamEndedError("3 bytes of kind 00", rejected="frame")])

    b.conversations._talk = confused
    await running(3, a, b)
    assert b.conversations.rejected["frame"] >= 1
    assert not a.conversations.rejected
