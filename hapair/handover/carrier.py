"""Carries out what the conversation about a handover decides, and is what the rest of the node sees of it.

One effect after the other, in their order; what happens meanwhile waits. Instants are on CLOCK_MONOTONIC, which the
announcer, another process, has too.
"""

import logging
import secrets
import time
from collections import deque
from collections.abc import AsyncGenerator, Callable, Collection, Sequence

import trio

from hapair.handover.conversation import Conversation
from hapair.handover.events import (
    DeadlineReached,
    Drained,
    Effect,
    Event,
    Forward,
    HoldVips,
    LetGo,
    ListFlows,
    LiveOn,
    Moved,
    Progress,
    Received,
    Requested,
    Send,
    TellAnnouncer,
)
from hapair.handover.kernel import Kernel, LinuxKernel
from hapair.handover.messages import WireError, read, write
from vrrp.config import VirtualRouterConfig
from vrrp.limitedlog import LimitedLog

log = logging.getLogger(__name__)

_NEWS = 64


class Carrier:
    """A node's part in handovers. `run` must run; all other methods return at once."""

    def __init__(
        self,
        routers: Sequence[VirtualRouterConfig],
        *,
        drain_s: float,
        send: Callable[[bytes], None],
        tell_announcer: Callable[[TellAnnouncer], None],
        live_on: Callable[[frozenset[str]], None],
        news: Callable[[Progress | Moved | Drained], None] = lambda _: None,
        kernel: Kernel | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.conversation = Conversation(routers, drain_s=drain_s)
        self.rejected = 0
        """Messages of the peer that could not be read."""
        self._send = send
        self._tell_announcer = tell_announcer
        self._live_on = live_on
        self._news = news
        self._kernel = kernel if kernel is not None else LinuxKernel(routers)
        self._clock = clock
        self._inbox: deque[Event] = deque()
        self._wake = trio.Event()
        self._askers: dict[str, trio.MemorySendChannel[Progress | Moved]] = {}
        self._given = trio.Event()
        self._limited = LimitedLog(log)

    def reconfigure(self, routers: Sequence[VirtualRouterConfig], *, drain_s: float) -> None:
        """Go on with these virtual routers; a handover that is not over yet goes on with those that it began with."""
        known = self.conversation.reconfigure(routers, drain_s=drain_s)
        self._kernel.reconfigure(known)

    def tell(self, event: Event) -> None:
        """LinkUp, LinkDown, RoutersReported, FitnessReported, CutShort: something here is otherwise from now on."""
        self._inbox.append(event)
        self._wake.set()

    def received(self, data: bytes) -> None:
        """The peer sent this."""
        try:
            self.tell(Received(read(data)))
        except WireError as error:
            self.rejected += 1
            reason = {"reason": str(error)[:200]}
            self._limited.warning("unreadable", "unreadable handover message", reason, now=self._clock())

    async def hand_over(
        self, reason: str, *, only: Collection[str] | None = None
    ) -> AsyncGenerator[Progress | Moved, None]:
        """Ask the peer to take over, `only` these virtual routers or all. Says how it goes; Moved is the last."""
        id = secrets.token_hex(8)
        self._askers[id], news = trio.open_memory_channel[Progress | Moved](_NEWS)
        self.tell(Requested(id, reason, None if only is None else frozenset(only)))
        try:
            async for one in news:
                yield one
                if isinstance(one, Moved):
                    return
        finally:
            del self._askers[id]

    async def until_given(self) -> None:
        """Wait until no handover of ours is in progress, and no connection is carried on here."""
        while self.conversation.giving is not None or any(isinstance(one, Requested) for one in self._inbox):
            self._given = trio.Event()
            await self._given.wait()

    async def run(self) -> None:
        """For ever. First of all what a crash may have left is removed."""
        await self._kernel.let_go()
        while True:
            event = await self._next_event()
            asker = event.id if isinstance(event, Requested) else self._id_of_giving()
            for effect in self.conversation.handle(event, self._clock()):
                await self._carry_out(effect, asker)
            if self.conversation.giving is None:
                self._given.set()

    def _id_of_giving(self) -> str:
        return "" if self.conversation.giving is None else self.conversation.giving.id

    async def _next_event(self) -> Event:
        while not self._inbox:
            left_s = self.conversation.deadline - self._clock()
            if left_s <= 0:
                return DeadlineReached()
            self._wake = trio.Event()
            with trio.move_on_after(left_s):
                await self._wake.wait()
        return self._inbox.popleft()

    async def _carry_out(self, effect: Effect, asker: str) -> None:
        match effect:
            case Send(message=message):
                self._send(write(message))
            case TellAnnouncer():
                self._tell_announcer(effect)
            case LiveOn(routers=routers):
                self._live_on(frozenset(routers))
            case ListFlows():
                self.tell(await self._kernel.list_flows(effect))
            case Forward():
                self.tell(await self._kernel.forward(effect))
            case HoldVips():
                self.tell(await self._kernel.hold(effect))
            case LetGo():
                await self._kernel.let_go()
            case Progress() | Drained() | Moved():
                self._say(asker, effect)

    def _say(self, asker: str, news: Progress | Moved | Drained) -> None:
        self._news(news)
        channel = self._askers.get(asker)
        if channel is not None and not isinstance(news, Drained):
            channel.send_nowait(news)
