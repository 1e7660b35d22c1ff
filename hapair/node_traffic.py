"""What people order of traffic: frontends that listen no more, limits, connections to see or to end."""

import contextlib
import errno
import logging
import socket
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

from balancer.clients import Session
from balancer.config import BalancerConfig, Frontend
from balancer.evidence import Evidence
from balancer.fieldtypes import Endpoint
from hapair.messages import Order
from hapair.ordering import Orders
from hapair.snapshot import NodeSnapshot

log = logging.getLogger(__name__)


class NotPossible(Exception):  # noqa: N818 - named for what happened
    """Nothing was done; the words say why."""


class NodeTraffic:
    """Of one node's proxy plane. It holds until the node ends; a limit, until the file has another one."""

    def __init__(
        self,
        config: BalancerConfig,
        orders: Orders,
        listeners: Callable[[], Mapping[Endpoint, socket.socket]],
    ) -> None:
        self._frontends: Mapping[str, Frontend] = config.frontends
        self._orders = orders
        self._listeners = listeners
        self._disabled: set[str] = set()
        self._limits: dict[str, int] = {}
        orders.hold(self._standing)

    def frontends(self) -> Mapping[str, Frontend]:
        """Those that are configured, by name."""
        return self._frontends

    def is_disabled(self, frontend: str) -> bool:
        """Somebody stopped it."""
        return frontend in self._disabled

    async def disable(self, frontend: str) -> None:
        """Connections are refused from now on; those that are open go on. Raises NotPossible."""
        if self._frontends[frontend].mode == "udp":
            raise NotPossible("a frontend of mode udp cannot be disabled: take its servers out of service")
        self._disabled.add(frontend)
        await self._orders.give(Order(serial=0, what="pause", frontend=frontend))
        if frontend in self._disabled:
            self._close(frontend)

    async def enable(self, frontend: str) -> None:
        """It listens again. Raises NotPossible where another program has taken its port meanwhile."""
        for one in self._sockets(frontend):
            try:
                one.listen(self._frontends[frontend].tcp.backlog)
            except OSError as error:
                if error.errno != errno.EADDRINUSE:
                    raise
                raise NotPossible("its port was taken by another program meanwhile") from None
        self._disabled.discard(frontend)
        await self._orders.give(Order(serial=0, what="resume", frontend=frontend))

    def _sockets(self, frontend: str) -> list[socket.socket]:
        listeners = self._listeners()
        return [listeners[one] for one in self._frontends[frontend].listen if one in listeners]

    def _close(self, frontend: str) -> None:
        """The sockets stay bound, and listen no more."""
        for one in self._sockets(frontend):
            with contextlib.suppress(OSError):  # it did not listen any more
                one.shutdown(socket.SHUT_RD)

    async def limit(self, frontend: str, max_connections: int) -> None:
        """So many connections at once, instead of what the file says."""
        self._limits[frontend] = max_connections
        await self._orders.give(Order(serial=0, what="limit", frontend=frontend, number=max_connections))

    async def sessions(self) -> list[Session]:
        """Connections that are open; the ids are those of this call."""
        answers = await self._orders.give(Order(serial=0, what="list"))
        return [session for answer in answers for session in answer.sessions]

    async def end_session(self, session: int) -> int:
        """Reset it; how many there were."""
        return sum(one.count for one in await self._orders.give(Order(serial=0, what="end", number=session)))

    async def end_sessions(self, pool: str, server: str) -> int:
        """Reset those that speak with this server just now; how many there were."""
        order = Order(serial=0, what="end_server", pool=pool, server=server)
        return sum(one.count for one in await self._orders.give(order))

    async def errors(self) -> tuple[int, list[Evidence]]:
        """How many malformed messages there were, and of each frontend and pool the last request and response."""
        answers = await self._orders.give(Order(serial=0, what="errors"))
        last: dict[tuple[str, str], Evidence] = {}
        for one in sorted((one for answer in answers for one in answer.errors), key=lambda one: one.at):
            last[one.kind, one.proxy] = one
        return sum(answer.count for answer in answers), sorted(last.values(), key=lambda one: one.at)

    def reload(self, config: BalancerConfig) -> None:
        """This is configured from now on, and workers have been told; a change of the file wins."""
        before, self._frontends = self._frontends, config.frontends
        for name in tuple(self._limits):
            now = self._frontends.get(name)
            if now is None or name not in before or before[name].max_connections != now.max_connections:
                del self._limits[name]
        self._disabled &= self._frontends.keys()
        for name in self._disabled:
            self._close(name)

    def _standing(self) -> Iterator[Order]:
        yield from (Order(serial=0, what="pause", frontend=name) for name in sorted(self._disabled))
        yield from (Order(serial=0, what="limit", frontend=name, number=most) for name, most in self._limits.items())

    def seen(self, node: NodeSnapshot) -> NodeSnapshot:
        """The same, with what was ordered."""
        if not self._disabled and not self._limits:
            return node
        frontends = tuple(
            replace(
                one,
                disabled=one.name in self._disabled,
                max_connections=self._limits.get(one.name, one.max_connections),
            )
            for one in node.frontends
        )
        disabled = ", ".join(sorted(self._disabled))
        warnings = (f"frontends that somebody disabled: {disabled}",) if disabled else ()
        return replace(node, frontends=frontends, warnings=(*warnings, *node.warnings))
