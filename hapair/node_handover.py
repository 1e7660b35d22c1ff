"""What a handover is told of the node, and what it does to it. hapair/handover has the rest."""

import logging
from collections.abc import AsyncGenerator, Callable, Collection, Iterable, Mapping, Sequence
from contextlib import aclosing
from typing import Any

import trio

from hapair.config import NodeConfig
from hapair.events.feed import acting
from hapair.handover.carrier import Carrier
from hapair.handover.events import (
    CutShort,
    Drained,
    FitnessReported,
    LinkDown,
    LinkUp,
    Moved,
    Progress,
    RoutersReported,
    Standing,
    TellAnnouncer,
)
from hapair.messages import Tell, ToPeer
from hapair.watch_announcer import AnnouncerWatch
from vrrp.config import VirtualRouterConfig
from vrrp.snapshot import RouterSnapshot

log = logging.getLogger(__name__)

STOP_LIMIT_S = 5.0
"""How long a stop waits for the peer to take over."""
LET_GO_LIMIT_S = 2.0


class NodeHandover:
    """One node's part in handovers. `run` must run."""

    def __init__(
        self,
        config: NodeConfig,
        *,
        announcer: Callable[[], AnnouncerWatch],
        changed: Callable[[], None],
        news: Callable[[Progress | Moved | Drained], None] = lambda _: None,
        carrier: Callable[..., Carrier] = Carrier,
    ) -> None:
        """`changed` is called when connections begin to live on without their VIP, or no longer do."""
        self.lives_on: frozenset[str] = frozenset()
        """Virtual routers whose VIPs left by a handover while connections of theirs are still open here."""
        self._config = config
        self._announcer = announcer
        self._changed = changed
        self._peer_up = False
        self._carrier = carrier(
            config.routers,
            drain_s=config.balancer.drain_s,
            send=lambda data: announcer().post(ToPeer(data)),
            tell_announcer=self._tell,
            live_on=self._live_on,
            news=news,
        )

    async def run(self) -> None:
        """For ever."""
        await self._carrier.run()

    def reload(self, config: NodeConfig) -> None:
        """Go on with another configuration."""
        self._config = config
        self._carrier.reconfigure(config.routers, drain_s=config.balancer.drain_s)

    async def before_reload(self, reason: str, *, only: Collection[str] | None = None) -> str | None:
        """Hand over what is Active here, or `only` these. Why that was not possible; None: it was."""
        if (refusal := self._refusal(None)) is not None:
            return refusal
        words = "the handover did not end"
        async with aclosing(self._carrier.hand_over(reason, only=only)) as story:
            async for news in story:
                words = news.words
                if isinstance(news, Moved) and news.ok:
                    return None
        return words

    def received(self, data: bytes) -> None:
        """The peer's node speaks."""
        self._carrier.received(data)

    def reported(self) -> None:
        """The announcer has reported, or is gone."""
        watch = self._announcer()
        up = watch.link is not None and watch.link.up
        if up != self._peer_up and self._config.link is not None:
            self._peer_up = up
            self._carrier.tell(LinkUp(self._config.link.peer) if up else LinkDown("the liveness link is down"))
        self._carrier.tell(RoutersReported(standings(watch.snapshots.values())))

    def fit(self, unfit: str | None, servers_up: int) -> None:
        """How fit this node is; None: it is."""
        self._carrier.tell(FitnessReported(unfit, servers_up))

    async def story(self, request: Mapping[str, Any]) -> AsyncGenerator[Any, None]:
        """`hapair handover`: what happens, line by line; the last one has `ok`."""
        refusal = self._refusal(request.get("to"))
        if refusal is not None:
            yield {"ok": False, "words": refusal}
            return
        reason = f"asked for by {acting.get()}" if acting.get() else "hapair handover"
        async with aclosing(self.hand_over(reason)) as lines:
            async for line in lines:
                yield line

    async def hand_over(self, reason: str) -> AsyncGenerator[Any, None]:
        """The same to the one peer there is, for another reason."""
        refusal = self._refusal(None)
        if refusal is not None:
            yield {"ok": False, "words": refusal}
            return
        async with aclosing(self._carrier.hand_over(reason)) as story:
            async for news in story:
                if isinstance(news, Moved):
                    yield {"ok": news.ok, "words": news.words, "flows": news.flows, "took_s": round(news.took_s, 3)}
                else:
                    yield {"news": news.words}

    def _refusal(self, to: object) -> str | None:
        if self._config.link is None:
            return "a handover needs one peer and the pair's secret (pair.secret_file), so that the nodes can talk"
        if to is None or to == self._config.link.peer:
            return None
        if to == self._config.node:
            return f"this is {to} itself, and {self._config.link.peer} is not heard, which would have to hand over"
        return f"there is no peer {to!r}; this node's peer is {self._config.link.peer}"

    async def before_stop(self, reason: str) -> bool:
        """Hand over what is Active here, if the peer takes it. Whether it did, or had before, and it still matters."""
        active = any(one.state == "Active" for one in self._announcer().snapshots.values())
        if not active or not self._peer_up:
            return bool(self.lives_on) and not active
        with trio.move_on_after(STOP_LIMIT_S):
            async with aclosing(self._carrier.hand_over(reason)) as story:
                async for news in story:
                    if isinstance(news, Moved):
                        return news.ok
        return False

    async def let_go(self, reason: str) -> None:
        """Cut what still lives on, and leave no trace."""
        self._carrier.tell(CutShort(reason))
        with trio.CancelScope(shield=True, deadline=trio.current_time() + LET_GO_LIMIT_S):
            await self._carrier.until_given()

    def _tell(self, effect: TellAnnouncer) -> None:
        self._announcer().post(Tell(tuple(effect.routers), effect.event))

    def _live_on(self, routers: frozenset[str]) -> None:
        self.lives_on = routers
        self._changed()


def preempted(names: Sequence[str] | None, routers: Iterable[VirtualRouterConfig]) -> Mapping[str, Any]:
    """What `hapair preempt` answers. `names`: the routers that had stayed Backup; None: no announcer runs."""
    if names is None:
        return {"ok": False, "words": "no announcer runs on this node now; it preempts as configured when one does"}
    if not names:
        return {"ok": True, "words": "nothing to end: no virtual router here stays Backup for having handed over"}
    never = [one.name for one in routers if one.name in names and not one.preempt]
    words = f"{', '.join(names)}: no longer kept from preempting"
    if never:
        words += f"; but `preempt` is false for {', '.join(never)}: run `hapair handover` on the peer to bring it here"
    return {"ok": True, "words": words}


def standings(snapshots: Iterable[RouterSnapshot]) -> dict[str, Standing]:
    """How virtual routers stand. Announcing is the first thing that follows a claim: who holds its VIPs has done it."""
    return {
        one.name: Standing(one.state, settled=one.state == "Active" and len(one.vips_held) == len(one.vips))
        for one in snapshots
    }
