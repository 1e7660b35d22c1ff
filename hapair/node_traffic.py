"""What people order of traffic: frontends that listen no more, limits, connections to see or to end."""

import contextlib
import errno
import logging
import socket
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Protocol

import trio

from balancer.clients import Session
from balancer.config import BalancerConfig, Frontend
from balancer.evidence import Evidence
from balancer.fieldtypes import Endpoint
from hapair.changes.change import Change, Value, What
from hapair.messages import Order
from hapair.ordering import Orders
from hapair.snapshot import NodeSnapshot

log = logging.getLogger(__name__)


class SaidOfFrontend(Protocol):
    """hapair.node_changes.NodeChanges.said_of_frontend."""

    def __call__(self, what: What, frontend: str, value: Value, /, *, local: bool) -> object: ...


class NotPossible(Exception):  # noqa: N818 - named for what happened
    """Nothing was done; the words say why."""


class NodeTraffic:
    """Of one node's proxy plane. A limit holds until the file has another one. `run` must run for what is `heard`."""

    def __init__(
        self,
        config: BalancerConfig,
        orders: Orders,
        listeners: Callable[[], Mapping[Endpoint, socket.socket]],
        said: SaidOfFrontend = lambda *_, **__: None,
    ) -> None:
        """`said` has what is said here kept, and told to the peer."""
        self._frontends: Mapping[str, Frontend] = config.frontends
        self._orders = orders
        self._listeners = listeners
        self._disabled: set[str] = set()
        self._limits: dict[str, int] = {}
        orders.hold(self._standing)
        self._said = said
        self._heard: list[Change] = []
        self._wake = trio.Event()

    def heard(self, change: Change) -> None:
        """It was said before this start, or on the peer: what workers start with from now on, and `run` carries out."""
        if change.pool not in self._frontends:
            return
        if change.what == "frontend_limit":
            self._keep_limit(change.pool, change.value)
        elif change.value and self._frontends[change.pool].mode != "udp":
            self._disabled.add(change.pool)
        self._heard.append(change)
        self._wake.set()

    async def run(self) -> None:
        """For ever: carry out what was heard."""
        while True:
            await self._wake.wait()
            self._wake = trio.Event()
            heard, self._heard = self._heard, []
            for change in heard:
                if change.pool in self._frontends:
                    await self._follow(change)

    async def _follow(self, change: Change) -> None:
        try:
            if change.what == "frontend_limit":
                await self._limit(change.pool, change.value)
            else:
                await (self._disable if change.value else self._enable)(change.pool)
        except NotPossible as why:
            detail = {"frontend": change.pool, "what": change.what, "reason": why}
            log.warning("a change does not fit this node", extra=detail)

    def frontends(self) -> Mapping[str, Frontend]:
        """Those that are configured, by name."""
        return self._frontends

    def is_disabled(self, frontend: str) -> bool:
        """Somebody stopped it."""
        return frontend in self._disabled

    async def disable(self, frontend: str, *, local: bool = False) -> None:
        """Connections are refused from now on; those that are open go on. Raises NotPossible."""
        await self._disable(frontend)
        self._said("disabled", frontend, True, local=local)

    async def _disable(self, frontend: str) -> None:
        if self._frontends[frontend].mode == "udp":
            raise NotPossible("a frontend of mode udp cannot be disabled: take its servers out of service")
        self._disabled.add(frontend)
        await self._orders.give(Order(serial=0, what="pause", frontend=frontend))
        if frontend in self._disabled:
            self._close(frontend)

    async def enable(self, frontend: str, *, local: bool = False) -> None:
        """It listens again. Raises NotPossible where another program has taken its port meanwhile."""
        await self._enable(frontend)
        self._said("disabled", frontend, False, local=local)

    async def _enable(self, frontend: str) -> None:
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

    async def limit(self, frontend: str, max_connections: int | None, *, local: bool = False) -> None:
        """So many connections at once, instead of what the file says; None: that again."""
        await self._limit(frontend, max_connections)
        self._said("frontend_limit", frontend, max_connections, local=local)

    async def _limit(self, frontend: str, max_connections: Value) -> None:
        self._keep_limit(frontend, max_connections)
        most = self._limits.get(frontend, self._frontends[frontend].max_connections)
        await self._orders.give(Order(serial=0, what="limit", frontend=frontend, number=most))

    def _keep_limit(self, frontend: str, max_connections: Value) -> None:
        if max_connections is None:
            self._limits.pop(frontend, None)
        else:
            self._limits[frontend] = int(max_connections)

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
