"""The VIPs are brought here: the node that holds them is asked to hand over, by the link of the node processes.

What follows is a planned handover like any other (hapair/handover), which that node begins.
"""

import secrets
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing, suppress
from typing import Any, Protocol

import trio

from hapair.events.feed import acting
from hapair.handover.asked import PeerAsksForVips, PeerOnItsWay
from hapair.handover.giving import STEP_S, TAKE_S

ANSWER_S = int(3 * STEP_S + TAKE_S + 3)
"""How long the peer may say nothing: a handover is over by then."""
_NEWS = 64
_MOST_ASKED = 4

Story = Callable[[Mapping[str, Any]], AsyncGenerator[Any, None]]
"""Tells what happens, line by line; the last one has `ok` and `words`."""


class Link(Protocol):
    """What is used of hapair.peer.link.PeerLink."""

    up: bool

    @property
    def waits_for(self) -> str | None: ...

    def post(self, message: object, key: object = None) -> None: ...

    def hear(self, kind: type, handler: Callable[[Any], None]) -> None: ...


class NodeTakeOver:
    """Of `node`, whose `hand_over` is the story of a handover to its peer. `run` must run."""

    def __init__(self, node: str, peer: str, hand_over: Story, link: Link | None) -> None:
        self._node = node
        self._peer = peer
        self._hand_over = hand_over
        self._link = link
        self._askers: dict[str, trio.MemorySendChannel[PeerOnItsWay]] = {}
        self._send, self._asked = trio.open_memory_channel[PeerAsksForVips](_MOST_ASKED)
        if link is not None:
            link.hear(PeerAsksForVips, self._hear_asked)
            link.hear(PeerOnItsWay, self._hear_news)

    @property
    def stories(self) -> Mapping[str, Story]:
        """What can be done with a peer; without one nothing."""
        return {} if self._link is None else {"handover": self._hand_over, "takeover": self.story}

    async def run(self) -> None:
        """For ever: do what the peer asks for, one at a time."""
        async for asked in self._asked:
            acting.set(f"{asked.by} on {self._peer}")
            async with aclosing(self._hand_over({"to": self._peer})) as story:
                async for line in story:
                    self._post(PeerOnItsWay(asked.id, str(line.get("news") or line.get("words")), line.get("ok")))

    async def handover(self, request: Mapping[str, Any]) -> AsyncGenerator[Any, None]:
        """`hapair handover`: to the peer, or with the name of this node as `to`, to this node."""
        here = self._link is not None and request.get("to") == self._node
        async with aclosing(self.story(request) if here else self._hand_over(request)) as lines:
            async for line in lines:
                yield line

    async def story(self, request: Mapping[str, Any]) -> AsyncGenerator[Any, None]:
        """The peer is asked to hand over: what happens, line by line; the last one has `ok`."""
        if self._link is None or not self._link.up:
            yield {"ok": False, "words": self._cannot_ask()}
            return
        id = secrets.token_hex(8)
        self._askers[id], news = trio.open_memory_channel[PeerOnItsWay](_NEWS)
        try:
            self._post(PeerAsksForVips(id, acting.get() or "hapair handover"))
            yield {"news": f"asking {self._peer} to hand over"}
            while (one := await self._next(news)).ok is None:
                yield {"news": one.words}
            yield {"ok": one.ok, "words": one.words}
        finally:
            del self._askers[id]

    async def _next(self, news: trio.MemoryReceiveChannel[PeerOnItsWay]) -> PeerOnItsWay:
        """What the peer says next, or why it says nothing."""
        assert self._link is not None
        for _ in range(ANSWER_S):
            with trio.move_on_after(1.0):
                return await news.receive()
            if not self._link.up:
                return PeerOnItsWay(
                    "", f"the link to {self._peer} broke; hapair status tells what came of it", ok=False
                )
        return PeerOnItsWay("", f"{self._peer} has not said what came of it; hapair status tells", ok=False)

    def _cannot_ask(self) -> str:
        if self._link is None:
            return "this node has no peer that it could ask"
        return f"{self._peer} is not heard, and cannot be asked ({self._link.waits_for or 'no reason is known'})"

    def _post(self, message: object) -> None:
        assert self._link is not None
        self._link.post(message)

    def _hear_asked(self, asked: PeerAsksForVips) -> None:
        try:
            self._send.send_nowait(asked)
        except trio.WouldBlock:
            self._post(PeerOnItsWay(asked.id, f"{self._node} is asked already", ok=False))

    def _hear_news(self, news: PeerOnItsWay) -> None:
        asker = self._askers.get(news.id)
        if asker is not None:
            with suppress(trio.WouldBlock):  # so many lines no handover has
                asker.send_nowait(news)
