"""A child's side: it hears the node, says that it lives, and knows when the node is gone."""

import signal
import socket
import sys
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from hapair.channel import Channel
from hapair.messages import FROM_WORKER, TO_WORKER, Drain, FrontendRole, Heartbeat, Serving
from hapair.parent import ParentGoneError, channel_from_arguments, follow


class Node:
    """The other end, as the node process holds it."""

    def __init__(self, sock: socket.socket) -> None:
        self.channel = Channel(sock, FROM_WORKER)
        self.heard: list[tuple[float, object]] = []

    async def listen(self) -> None:
        while True:
            message, _ = await self.channel.receive()
            self.heard.append((round(trio.current_time(), 3), message))

    async def beat(self, times: int) -> None:
        for _ in range(times):
            self.channel.post(Heartbeat(), key="beat")
            await trio.sleep(0.25)


@pytest.fixture
async def node() -> AsyncIterator[Node]:
    ours, theirs = socket.socketpair()
    node = Node(ours)
    node.theirs = Channel(theirs, TO_WORKER)  # type: ignore[attr-defined]
    async with trio.open_nursery() as nursery:
        nursery.start_soon(node.channel.run)
        yield node
        nursery.cancel_scope.cancel()
    node.channel.close()
    node.theirs.close()  # type: ignore[attr-defined]


def child_end(node: Node) -> Channel:
    return node.theirs  # type: ignore[attr-defined,no-any-return]


async def test_messages_are_handled_and_heartbeats_are_not(autojump_clock: MockClock, node: Node) -> None:
    handled: list[Any] = []
    async with trio.open_nursery() as nursery:
        nursery.start_soon(follow, child_end(node), lambda *given: handled.append(given), Heartbeat)
        node.channel.post(FrontendRole("web", True))
        node.channel.post(Heartbeat())
        node.channel.post(Drain(5.0))
        await wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    assert handled == [(FrontendRole("web", True), []), (Drain(5.0), [])]


async def test_a_handler_may_be_a_coroutine_and_is_waited_for(autojump_clock: MockClock, node: Node) -> None:
    done: list[Any] = []

    async def handle(message: Any, _: list[int]) -> None:
        await trio.sleep(0.5)
        done.append((trio.current_time(), message.limit_s))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(follow, child_end(node), handle, Heartbeat)
        node.channel.post(Drain(1.0))
        node.channel.post(Drain(2.0))
        await trio.sleep(1.25)
        nursery.cancel_scope.cancel()
    assert done == [(0.5, 1.0), (1.0, 2.0)]


async def test_it_says_that_it_lives_four_times_a_second(autojump_clock: MockClock, node: Node) -> None:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(follow, child_end(node), lambda *_: None, Serving)
        nursery.start_soon(node.listen)
        await trio.sleep(0.8)
        nursery.cancel_scope.cancel()
    assert node.heard == [(0.0, Serving()), (0.25, Serving()), (0.5, Serving()), (0.75, Serving())]


async def test_a_node_that_dies_is_noticed_at_once(autojump_clock: MockClock, node: Node) -> None:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.sleep, 0)
        node.channel.close()
        with pytest.raises(ParentGoneError, match=r"^the node process died$"):
            await follow(child_end(node), lambda *_: None, Heartbeat)
    assert trio.current_time() == 0.0


async def test_a_node_that_falls_silent_hangs(autojump_clock: MockClock, node: Node) -> None:
    with pytest.raises(ParentGoneError, match=r"^the node process hangs$"):
        await follow(child_end(node), lambda *_: None, Heartbeat)
    assert trio.current_time() == 2.25


async def test_any_message_shows_that_the_node_lives(autojump_clock: MockClock, node: Node) -> None:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(node.beat, 40)
        with pytest.raises(ParentGoneError, match=r"^the node process hangs$"):
            await follow(child_end(node), lambda *_: None, Heartbeat)
    assert trio.current_time() == 12.0  # the last beat was at 9.75


async def test_a_cancelled_child_raises_nothing(autojump_clock: MockClock, node: Node) -> None:
    with trio.CancelScope() as scope:
        node.channel.post(Drain(1.0))
        await follow(child_end(node), lambda *_: scope.cancel(), Heartbeat)
    assert scope.cancelled_caught


@pytest.fixture
def signal_handlers() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.usefixtures("signal_handlers")
async def test_a_child_leaves_the_signals_of_a_terminal_to_the_node(monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = socket.socketpair()
    monkeypatch.setattr(sys, "argv", ["hapair.worker", str(theirs.detach())])
    channel = channel_from_arguments(TO_WORKER)
    assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_IGN
    ours.close()
    channel.close()


async def test_a_handler_that_takes_long_is_not_taken_for_silence_of_the_node(
    node: Node, autojump_clock: MockClock
) -> None:
    handled: list[object] = []

    async def slowly(message: Any, _: list[int]) -> None:
        await trio.sleep(5)
        handled.append(message)

    node.channel.post(Drain(1.0))
    with trio.move_on_after(6.5):
        await follow(child_end(node), slowly, Heartbeat)
    assert handled == [Drain(1.0)]
