"""The admin server of a node: opened with the node's other sockets, fed by its snapshot, run in its nursery."""

import logging
import os
import socket
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import trio

from balancer.config_sockets import ListenTcp
from balancer.fieldtypes import Endpoint
from balancer.listener import open_listener
from hapair.admin.haproxy_certs import CertificateCommands, Certificates
from hapair.admin.haproxy_cli import Command, HaproxyCli
from hapair.admin.haproxy_counters import CounterCommands, Counting
from hapair.admin.haproxy_tables import Tables
from hapair.admin.live import Live
from hapair.admin.logins import Logins
from hapair.admin.operator import Editor
from hapair.admin.page import Page
from hapair.admin.page_pair import Story
from hapair.admin.rates import Rates
from hapair.admin.router import Route, Router
from hapair.admin.server import AdminServer
from hapair.admin.stats_page import StatsPage
from hapair.admin.surfaces import Surfaces
from hapair.certificates.admin import AdminTls
from hapair.config.admin import AdminSection
from hapair.events.pair import PairEvents
from hapair.snapshot import NodeSnapshot

log = logging.getLogger(__name__)

SAMPLE_S = 1.0
BACKLOG = 64


def open_admin(
    admin: AdminSection | None, known: Mapping[Endpoint, socket.socket] | None = None
) -> dict[Endpoint, socket.socket]:
    """Its listening sockets, those that are `known` among them.

    Raises balancer.listener.ListenFailed, and then none more is open.
    """
    listeners: dict[Endpoint, socket.socket] = {}
    known = known or {}
    beside = {} if admin is None else {one: known[one] for one in known.keys() - set(admin.bound)}
    try:
        for endpoint in () if admin is None else admin.bound:
            if endpoint in known:
                listeners[endpoint] = known[endpoint]
                continue
            if endpoint.host == "::1" and listeners and not _has_ipv6_loopback():
                continue  # `:1338` on a machine without IPv6
            in_the_way = [one for other, one in beside.items() if other.port == endpoint.port]
            listeners[endpoint] = open_listener(endpoint, ListenTcp(backlog=BACKLOG), beside=in_the_way)
    except BaseException:
        for endpoint, listener in listeners.items():
            if endpoint not in known:
                listener.close()
        raise
    return listeners


def _has_ipv6_loopback() -> bool:
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as one:
            one.bind(("::1", 0))
    except OSError:
        return False
    return True


class NodeAdmin:
    """Statistics over time, and whoever serves them. Without `admin` in the file only the runtime socket does."""

    def __init__(
        self,
        look: Callable[[], NodeSnapshot],
        operator: Editor,
        admin: AdminSection | None,
        listeners: Mapping[Endpoint, socket.socket],
        *,
        looked: Callable[[NodeSnapshot], None] = lambda _: None,
        events: PairEvents | None = None,
        pair: Mapping[str, Story] | None = None,
        folder: Path = Path(),
        tables: Tables | None = None,
        commands: Iterable[Command] = (),
        counting: Counting | None = None,
        certificates: Certificates | None = None,
    ) -> None:
        """`looked` is called with the snapshot of each second; `pair`: what the page can do to the pair.

        Paths in `admin` are relative to `folder`.
        """
        self.tls = AdminTls(admin, folder)
        self._looked = looked
        self.rates = Rates()
        self.live = Live(self.rates, time.time, events)
        self.page = Page(self.live, operator, pair or {}, refresh=self.look)
        self.surfaces = Surfaces(look, self.rates, trio.current_time, started_at=time.time())
        self.stats = StatsPage(self.surfaces, operator, self.page.document)
        if counting is not None:
            commands = (*commands, *CounterCommands(counting, self.rates).commands())
        if certificates is not None:
            commands = (*commands, *CertificateCommands(certificates, self.tls.watch).commands())
        self.cli = HaproxyCli(self.surfaces, operator, os.environ, tables, more=commands)
        self._listeners = listeners
        self._users = {} if admin is None else admin.users
        self._serving = trio.CancelScope()

    async def run(self, routes: Iterable[Route] = ()) -> None:
        """For ever. `routes` are served beside those of `Surfaces`."""
        routes = tuple(routes)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._sample)
            nursery.start_soon(self.tls.run)
            while True:
                with trio.CancelScope() as self._serving:
                    await self._serve(routes)

    def reload(self, admin: AdminSection | None, listeners: Mapping[Endpoint, socket.socket]) -> None:
        """Listen here from now on, for these users. Without a change whoever is connected stays so."""
        users = {} if admin is None else admin.users
        contexts = self.tls.contexts
        self.tls.reload(admin)
        if (users, dict(listeners)) != (self._users, dict(self._listeners)) or self.tls.contexts is not contexts:
            self._users, self._listeners = users, listeners
            self._serving.cancel()

    async def _serve(self, routes: tuple[Route, ...]) -> None:
        if not self._listeners:
            await trio.sleep_forever()
        own = (*self.surfaces.routes(), *self.stats.routes(), *self.page.routes())
        server = AdminServer(Router((*own, *routes)), Logins(self._users), self.tls.contexts)
        for endpoint in self._listeners:
            log.info("admin server listens", extra={"address": str(endpoint), "users": len(self._users)})
        await server.serve([_for_trio(one) for one in self._listeners.values()])

    async def _sample(self) -> Any:
        while True:
            node = self.look()
            self._looked(node)
            await trio.sleep(SAMPLE_S)

    def look(self) -> NodeSnapshot:
        """Look at the node, and tell whoever watches it."""
        node, now = self.surfaces.look(), trio.current_time()
        self.rates.sample(node, now)
        if self._listeners:
            self.live.tick(node, now)
        return node


def _for_trio(listener: socket.socket) -> trio.SocketListener:
    """Of its own descriptor: whoever serves closes it, and after a reload somebody else serves."""
    return trio.SocketListener(trio.socket.from_stdlib_socket(listener.dup()))
