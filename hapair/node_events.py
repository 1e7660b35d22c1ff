"""Where a node's parts tell what happened to them, and where it is asked for: `hapair events`, the page."""

import time
from collections.abc import AsyncGenerator, Mapping
from typing import Any

import trio

from balancer.serverstate import ServerState
from hapair import __version__
from hapair.events import logged
from hapair.events.event import Details, Event, Happening, Severity
from hapair.events.feed import EventFeed
from hapair.events.noticing import noticed
from hapair.events.pair import PairEvents
from hapair.events.pressure import Pressure
from hapair.events.routers import link_news, router_news
from hapair.events.servers import server_news
from hapair.events.store import EventStore
from hapair.fitness import Fitness
from hapair.handover.events import Drained, Moved, Progress
from hapair.snapshot import NodeSnapshot
from hapair.watch_announcer import AnnouncerWatch
from hapair.wire import to_plain
from vrrp.liveness.config import LinkSnapshot
from vrrp.snapshot import RouterSnapshot

THEIRS_PER_KIND = 100
"""Of the peer's events so many of each kind are kept."""
ALIVE_S = 15.0
"""Whoever follows hears something at least this often: so a listener that is gone is found out."""


class NodeEvents:
    """The events of this node. All methods but `story` return at once."""

    def __init__(self, node: str, peer: str = "") -> None:
        self.feed = EventFeed(node, wall=time.time, clock=trio.current_time, write=logged.write)
        theirs = EventFeed(
            peer,
            wall=time.time,
            clock=trio.current_time,
            store=EventStore(per_kind=THEIRS_PER_KIND),
            bell=self.feed.bell,
        )
        self.pair = PairEvents(self.feed, theirs)
        self.peer = peer
        self._routers: Mapping[str, RouterSnapshot] = {}
        self._link: LinkSnapshot | None = None
        self._seen: NodeSnapshot | None = None
        self._fitness: Fitness | None = None
        self._pressure = Pressure()

    def record(self, happening: Happening) -> Event:
        """Something happened that is not seen from outside."""
        return self.feed.record(happening)

    def started(self, config: str) -> None:
        """The node begins."""
        words = f"hapair {__version__} starts"
        self.feed.record(Happening(kind="start", subject=self.feed.node, words=words, details={"config": config}))

    def stopping(self, reason: str) -> None:
        """The node is about to end."""
        words = f"{self.feed.node} stops"
        self.feed.record(Happening(kind="stop", subject=self.feed.node, words=words, reason=reason))

    def reported(self, announcer: AnnouncerWatch) -> None:
        """The announcer has reported, or is gone."""
        before, self._routers = self._routers, announcer.snapshots
        was, self._link = self._link, announcer.link
        for one in (*link_news(was, self._link), *router_news(before, self._routers)):
            self.feed.record(one)

    def role(self, before: str, role: str) -> None:
        """The node is ACTIVE or STANDBY; `before` is empty at its start."""
        node = self.feed.node
        self.feed.record(
            Happening(
                kind="role",
                subject=node,
                words=f"{node} is {role}, was {before}" if before else f"{node} is {role}",
                reason="; ".join(f"{one.name}: {one.last_reason}" for one in self._routers.values()),
                severity="warning" if before == "ACTIVE" else "info",
                details={"role": role, "old_role": before},
            )
        )

    def fitness(self, fitness: Fitness) -> None:
        """Whether the node may hold VIPs, as far as its own health goes."""
        before, self._fitness = self._fitness, fitness
        if fitness != before:
            well = fitness.takes_part and fitness.lowered is None
            words = "is fit to hold VIPs" if well else "lets a healthy peer go first"
            self.feed.record(
                Happening(
                    kind="fitness",
                    subject=self.feed.node,
                    words=f"{self.feed.node} {words if fitness.takes_part else 'is not fit to hold VIPs'}",
                    reason=fitness.reason,
                    severity="info" if well or before is None else "warning",
                    details={"takes_part": fitness.takes_part, "lowered": fitness.lowered},
                )
            )

    def handover(self, news: Progress | Moved | Drained) -> None:
        """What a planned handover has come to."""
        failed = isinstance(news, Moved) and not news.ok
        details: Details = {"ok": news.ok, "flows": news.flows} if isinstance(news, Moved) else {}
        severity: Severity = "warning" if failed else "info"
        self.feed.record(
            Happening(kind="handover", subject=self.feed.node, words=news.words, severity=severity, details=details)
        )

    def preempting(self, answer: Mapping[str, Any]) -> None:
        """Somebody said `hapair preempt`, and was answered so."""
        words = f"hapair preempt: {answer['words']}"
        self.feed.record(
            Happening(kind="admin", subject=self.feed.node, words=words, details={"ok": bool(answer["ok"])})
        )

    def server_changed(self, pool: str, server: str, before: ServerState, after: ServerState) -> None:
        """What is known of a server is otherwise."""
        for one in server_news(pool, server, before, after):
            self.feed.record(one)

    def looked(self, node: NodeSnapshot) -> None:
        """This is how the node looks now. To be told once a second."""
        before, self._seen = self._seen, node
        for one in (*noticed(before, node), *self._pressure.looked(node, trio.current_time())):
            self.feed.record(one)

    async def story(self, request: Mapping[str, Any]) -> AsyncGenerator[Any, None]:
        """Events, a line each: `{"command": "events", "after": 0, "since": 1700000000.0, "last": 10, "follow": true}`.

        `since`: those since then, in seconds of the Unix epoch. `last`: at most so many of those that are kept. With
        `follow` those that are still to come, and `{"alive": true}` in between. `after`: those of this node with a
        higher id; they alone, as with `"local": true`.
        """
        after, since, last = (request.get(key) for key in ("after", "since", "last"))
        if wrong := [one for one in (after, since, last) if one is not None and type(one) not in (int, float)]:
            yield {"error": f"after, since and last are numbers, not {str(wrong[0])[:50]!r}"}
            return
        alone = after is not None or request.get("local") is True
        found = self.feed.after(int(after or 0)) if alone else self.pair.all()
        reader = self.feed.read(self.feed.last_id) if alone else self.pair.read()
        kept = [event for event in found if event.at >= (since or 0)]
        for event in kept if last is None else kept[max(0, len(kept) - int(last)) :]:
            yield to_plain(event)
        while request.get("follow"):
            news: list[Event] = []
            with trio.move_on_after(ALIVE_S):
                news = await reader.next()
            for event in news:
                yield to_plain(event)
            if not news:
                yield {"alive": True}
