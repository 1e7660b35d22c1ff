"""Which client has which server, on this node and the other: what hapair/persistence decides is carried out here."""

import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Protocol

import trio

from balancer.config_pools import Pool
from hapair.peer.link import PeerLink
from hapair.persistence import store
from hapair.persistence.hub import Hub
from hapair.persistence.key import cookie_key
from hapair.persistence.messages import PeerForgetSources, PeerSources, PeerSourcesTaken
from hapair.persistence.views import PersistencePeerView
from hapair.snapshot import NodeSnapshot

GATHER_S = 0.01
LOOK_S = 0.25
SAVE_EVERY_S = 60.0


class Link(Protocol):
    """What is used of hapair.peer.link.PeerLink."""

    up: bool
    since_at: float

    def post(self, message: object, key: object = None) -> None: ...


class NodePersistence:
    """`run` must run."""

    def __init__(self, pools: Mapping[str, Pool], secret: bytes | None, folder: Path, link: PeerLink | None) -> None:
        """`secret` is the pair's. `folder` is where things are kept over a restart."""
        self.cookie_key = cookie_key(secret, folder)
        self.hub = Hub(time.monotonic, time.time)
        self._folder = folder
        self._link = link
        self._wake = trio.Event()
        self._saved = 0
        self._up_since: float | None = None
        self.hub.configure(pools)
        self.hub.on_news = self._news
        if link is not None:
            self.hub.has_peer, self.hub.tell_peer = True, link.post
            for kind in (PeerSources, PeerSourcesTaken, PeerForgetSources):
                link.hear(kind, self.hub.hear_peer)
        if self.hub.memory.tables:
            self.hub.remember(store.load(folder, now=time.monotonic(), date_s=time.time()))

    def reloaded(self, pools: Mapping[str, Pool]) -> None:
        """These are the pools from now on; what is known of clients of those that stay is kept."""
        self.hub.configure(pools)

    def _news(self) -> None:
        self._wake.set()

    async def run(self) -> None:
        """For ever."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._sweep)
            if self._link is not None:
                nursery.start_soon(self._tell, self._link)

    async def _sweep(self) -> None:
        save_at = trio.current_time() + SAVE_EVERY_S
        while True:
            await trio.sleep(1.0)
            self.hub.memory.sweep(time.monotonic())
            if trio.current_time() >= save_at:
                save_at = trio.current_time() + SAVE_EVERY_S
                await self.save()

    async def save(self) -> None:
        """Keep the tables for the next start, where they have changed."""
        if self.hub.changes != self._saved:
            self._saved = self.hub.changes
            tables = {pool: list(table.entries()) for pool, table in self.hub.memory.tables.items()}
            now, date_s = time.monotonic(), time.time()
            await trio.to_thread.run_sync(lambda: store.save(self._folder, tables, now=now, date_s=date_s))

    async def _tell(self, link: Link) -> None:
        """The peer what it does not know; everything when the link comes up, or something was lost."""
        outbox = self.hub.outbox
        while True:
            with trio.move_on_after(LOOK_S):
                await self._wake.wait()
                await trio.sleep(GATHER_S)
            self._wake = trio.Event()
            now = time.monotonic()
            if not link.up:
                self._up_since = None
                outbox.clear()
                continue
            if self._up_since != link.since_at or outbox.is_late(now):
                self._up_since = link.since_at
                outbox.resync(now)
            while (batch := outbox.next(now)) is not None:
                link.post(PeerSources(batch.number, batch.pool, batch.entries))
                await trio.lowlevel.checkpoint()

    def seen(self, node: NodeSnapshot) -> NodeSnapshot:
        """The same, with how it stands here."""
        outbox, peer = self.hub.outbox, None
        if self._link is not None and self.hub.memory.tables:
            peer = PersistencePeerView(
                up=self._link.up, waiting=outbox.waiting, lag_s=outbox.lag_s, resyncs=outbox.resyncs
            )
        return replace(node, persistence=self.hub.views(), persistence_peer=peer)
