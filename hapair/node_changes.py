"""What people change of servers: carried out here, kept over a restart, and told to the peer."""

import logging
import time
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Protocol

import trio

from balancer.config_pools import Pool
from balancer.fieldtypes import Endpoint
from balancer.serverstate import ServerState
from balancer.standing import Admin
from hapair.admin.operator import Operator
from hapair.changes import store
from hapair.changes.change import Change, Value, What
from hapair.changes.messages import PeerChanges
from hapair.changes.register import Entry, Register
from hapair.peer.link import PeerLink

log = logging.getLogger(__name__)


class Link(Protocol):
    """What is used of hapair.peer.link.PeerLink."""

    up: bool

    def post(self, message: object, key: object = None) -> None: ...


class NodeChanges:
    """`begin` carries out what was kept; `run` must run. `folder` is where changes are kept."""

    def __init__(
        self,
        node: str,
        pools: Mapping[str, Pool],
        operator: Operator,
        folder: Path,
        link: PeerLink | None = None,
    ) -> None:
        self.everywhere = ChangingOperator(self, operator, local=False)
        """Its changes hold on both nodes."""
        self.here = ChangingOperator(self, operator, local=True)
        """On this one alone."""
        self._operator = operator
        self._folder = folder
        self.immovable: Collection[str] = ()
        """Pools of the kernel plane, which knows addresses by the file alone."""
        self._register = Register(node, pools, store.load(folder))
        self._link: Link | None = link
        self._unsaved = trio.Event()
        if link is not None:
            link.hear(PeerChanges, self.hear)

    @property
    def entries(self) -> tuple[Entry, ...]:
        """All that is known here."""
        return self._register.entries

    def begin(self) -> None:
        """What was said before this start holds, as long as the file says what it said then."""
        for change in self._register.held():
            self._carry_out(change)

    async def run(self) -> None:
        """For ever: keep what is new."""
        while True:
            await self._unsaved.wait()
            await self.save()

    async def save(self) -> None:
        """What is not kept yet."""
        if not self._unsaved.is_set():
            return
        self._unsaved = trio.Event()
        entries = self._register.entries
        try:
            await trio.to_thread.run_sync(store.save, self._folder, entries)
        except OSError as error:
            detail = {"folder": self._folder, "reason": error.strerror}
            log.error("changes of servers are not kept over a restart", extra=detail)

    def reload(self, pools: Mapping[str, Pool]) -> None:
        """This is the file from now on; the servers stand by it already (balancer.checks.kept)."""
        for change in self._register.reload(pools):
            self._carry_out(change)
        self._unsaved.set()

    def greet(self) -> None:
        """The peer is heard again: what it may have missed."""
        if self._link is not None and (shared := self._register.shared):
            self._link.post(PeerChanges(shared), key=PeerChanges)

    def hear(self, message: PeerChanges) -> None:
        """What was said on the peer."""
        for change in self._register.hear(message.changes):
            self._carry_out(change)
        self._unsaved.set()

    def said(self, what: What, pool: str, server: str, value: Value, *, by: str, local: bool) -> None:
        """Somebody said this here, and it is carried out."""
        now_ms = int(time.time() * 1000)
        change = self._register.say(what, pool, server, value, by=by, now_ms=now_ms, local=local)
        self._unsaved.set()
        if self._link is not None and not local:
            self._link.post(PeerChanges((change,)), key=change.key)

    def reach_of(self, *, local: bool) -> str:
        """Where what is said holds, in words; empty: there is only this node."""
        if self._link is None:
            return ""
        if local:
            return "on this node alone"
        return "on both nodes" if self._link.up else "here, and on the peer when it is heard again"

    def _carry_out(self, change: Change) -> None:
        try:
            _carry_out(self._operator, change)
        except (KeyError, ValueError) as error:
            what = {"server": f"{change.pool}/{change.server}", "what": change.what, "reason": error}
            log.warning("a change does not fit this node", extra=what)


def _carry_out(operator: Operator, change: Change) -> None:
    pool, server, value = change.pool, change.server, change.value
    match change.what, value:
        case "admin", ("ready" | "drain" | "maint") as admin:
            operator.administer(pool, server, admin, by=f"{change.by}, on {change.node}")
        case "weight", int() | None:
            operator.weigh(pool, server, value)
        case "max_connections", int() | None:
            operator.limit(pool, server, value)
        case "checks", bool():
            operator.watch(pool, server, checks=value)
        case "address", str():
            operator.move(pool, server, Endpoint.parse(value))
        case "agent", bool():
            operator.watch(pool, server, agent=value)


class ChangingOperator:
    """Carries out what it is told, and has it kept. What checks or agents are to have said is for the moment."""

    def __init__(self, changes: NodeChanges, operator: Operator, *, local: bool) -> None:
        self._changes = changes
        self._operator = operator
        self._local = local

    def administer(self, pool: str, server: str, admin: Admin, *, by: str) -> ServerState:
        """READY, DRAIN or MAINT."""
        state = self._operator.administer(pool, server, admin, by=by)
        self._changes.said("admin", pool, server, admin, by=by, local=self._local)
        return state

    def weigh(self, pool: str, server: str, weight: int | None) -> ServerState:
        """None: the file's again."""
        state = self._operator.weigh(pool, server, weight)
        self._changes.said("weight", pool, server, weight, by="", local=self._local)
        return state

    def limit(self, pool: str, server: str, max_connections: int | None) -> ServerState:
        """None: the file's again."""
        state = self._operator.limit(pool, server, max_connections)
        self._changes.said("max_connections", pool, server, max_connections, by="", local=self._local)
        return state

    def move(self, pool: str, server: str, endpoint: Endpoint) -> ServerState:
        """Where it is, instead of where the file says."""
        if pool in self._changes.immovable:
            raise ValueError("the kernel plane takes addresses from the file alone")
        state = self._operator.move(pool, server, endpoint)
        self._changes.said("address", pool, server, str(endpoint), by="", local=self._local)
        return state

    def watch(self, pool: str, server: str, *, checks: bool | None = None, agent: bool | None = None) -> ServerState:
        """Whether its checks are made, its agent is asked."""
        state = self._operator.watch(pool, server, checks=checks, agent=agent)
        if checks is not None:
            self._changes.said("checks", pool, server, checks, by="", local=self._local)
        if agent is not None:
            self._changes.said("agent", pool, server, agent, by="", local=self._local)
        return state

    def force_health(self, pool: str, server: str, up: bool, *, by: str) -> ServerState:
        """Until its checks say otherwise."""
        return self._operator.force_health(pool, server, up, by=by)

    def force_agent(self, pool: str, server: str, up: bool) -> ServerState:
        """Until its agent says otherwise."""
        return self._operator.force_agent(pool, server, up)
