"""The admin server of a node: opened with the node's other sockets, fed by its snapshot, run in its nursery."""

import logging
import os
import socket
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import trio

from balancer.config_sockets import ListenTcp
from balancer.fieldtypes import Endpoint
from balancer.listener import open_listener
from hapair.admin.haproxy_cli import HaproxyCli
from hapair.admin.logins import Logins
from hapair.admin.operator import Operator
from hapair.admin.rates import Rates
from hapair.admin.router import Route, Router
from hapair.admin.server import AdminServer
from hapair.admin.stats_page import StatsPage
from hapair.admin.surfaces import Surfaces
from hapair.config.admin import AdminSection
from hapair.snapshot import NodeSnapshot

log = logging.getLogger(__name__)

SAMPLE_S = 1.0
BACKLOG = 64


def open_admin(admin: AdminSection | None) -> dict[Endpoint, socket.socket]:
    """Its listening sockets. Raises balancer.listener.ListenFailed, and then none is open."""
    listeners: dict[Endpoint, socket.socket] = {}
    try:
        for endpoint in () if admin is None else admin.bound:
            if endpoint.host == "::1" and listeners and not _has_ipv6_loopback():
                continue  # `:1338` on a machine without IPv6
            listeners[endpoint] = open_listener(endpoint, ListenTcp(backlog=BACKLOG))
    except BaseException:
        for listener in listeners.values():
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
        operator: Operator,
        admin: AdminSection | None,
        listeners: Mapping[Endpoint, socket.socket],
        *,
        looked: Callable[[NodeSnapshot], None] = lambda _: None,
    ) -> None:
        """`looked` is called with the snapshot of each second."""
        self._looked = looked
        self.rates = Rates()
        self.surfaces = Surfaces(look, self.rates, trio.current_time, started_at=time.time())
        self.stats = StatsPage(self.surfaces, operator)
        self.cli = HaproxyCli(self.surfaces, operator, os.environ)
        self._listeners = listeners
        self._users = {} if admin is None else admin.users

    async def run(self, routes: Iterable[Route] = ()) -> None:
        """For ever. `routes` are served beside those of `Surfaces`."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._sample)
            if self._listeners:
                server = AdminServer(
                    Router((*self.surfaces.routes(), *self.stats.routes(), *routes)), Logins(self._users)
                )
                nursery.start_soon(server.serve, [_for_trio(one) for one in self._listeners.values()])
                for endpoint in self._listeners:
                    log.info("admin server listens", extra={"address": str(endpoint), "users": len(self._users)})

    async def _sample(self) -> Any:
        while True:
            node = self.surfaces.look()
            self.rates.sample(node, trio.current_time())
            self._looked(node)
            await trio.sleep(SAMPLE_S)


def _for_trio(listener: socket.socket) -> trio.SocketListener:
    return trio.SocketListener(trio.socket.from_stdlib_socket(listener))
