"""What people change of servers, frontends and the node: carried out, kept over a restart, and told to the peer."""

import logging
import time
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Protocol

import trio

from balancer.config_pools import Pool, Server
from balancer.fieldtypes import Endpoint
from balancer.serverstate import Forced, ServerState
from balancer.standing import Admin
from hapair.admin.operator import Operator
from hapair.changes import store
from hapair.changes.change import SHAPING, Change, Said, Value, What, written
from hapair.changes.messages import PeerChanges
from hapair.changes.register import Entry, Register
from hapair.events.event import Happening
from hapair.peer.link import PeerLink
from hapair.snapshot import NodeSnapshot

log = logging.getLogger(__name__)


class Link(Protocol):
    """What is used of hapair.peer.link.PeerLink."""

    up: bool

    def post(self, message: object, key: object = None) -> None: ...


class Reshape(Protocol):
    """Have the node go on with `pools` and `max_connections`; the servers in `fresh` are new, whatever was there."""

    def __call__(self, fresh: Collection[tuple[str, str]], /) -> object: ...


class NodeChanges:
    """`begin` carries out what was kept; `run` must run. `folder` is where changes are kept.

    `operator` has the servers of `register.pools`.
    """

    def __init__(
        self,
        register: Register,
        operator: Operator,
        folder: Path,
        link: PeerLink | None = None,
        *,
        reshape: Reshape = lambda _: None,
        settled: Callable[[], Awaitable[object]] = trio.lowlevel.checkpoint,
        record: Callable[[Happening], object] = lambda _: None,
    ) -> None:
        """`settled` returns when every process has what `reshape` gave it; `record` takes events."""
        self.everywhere = ChangingOperator(self, operator, local=False)
        """Its changes hold on both nodes."""
        self.here = ChangingOperator(self, operator, local=True)
        """On this one alone."""
        self._operator = operator
        self._folder = folder
        self.immovable: Collection[str] = ()
        """Pools of the kernel plane, which knows addresses by the file alone."""
        self.on_frontend: Callable[[Change], object] = lambda _: None
        """Called with what holds of a frontend from now on."""
        self._register = register
        self._reshape = reshape
        self._settled = settled
        self._record = record
        self._is_unsettled = False
        self._link: Link | None = link
        self._unsaved = trio.Event()
        if link is not None:
            link.hear(PeerChanges, self.hear)

    @property
    def entries(self) -> tuple[Entry, ...]:
        """All that is known here."""
        return self._register.entries

    @property
    def pools(self) -> Mapping[str, Pool]:
        """Those of the file, with what was said of which servers there are and how they are configured."""
        return self._register.pools

    @property
    def max_connections(self) -> int | None:
        """Of the node: the file's, or what was said instead."""
        return self._register.max_connections

    def begin(self) -> None:
        """What was said before this start holds, as long as the file says what it said then."""
        self.reloaded(self._register.held())

    async def run(self) -> None:
        """For ever: keep what is new."""
        while True:
            await self._unsaved.wait()
            await self.save()
            if self._is_unsettled:
                await self.settled()

    async def settled(self) -> None:
        """Wait until servers that were added or removed are known, or not, wherever they are to be."""
        self._is_unsettled = False
        await self._settled()

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

    def reload(self, said: Said) -> list[Change]:
        """This is the file from now on, and `pools` are by it. What is new is for `reloaded` once servers are, too."""
        fresh = self._register.reload(said)
        self._unsaved.set()
        return fresh

    def reloaded(self, fresh: Iterable[Change]) -> None:
        """The servers stand by the file (balancer.checks.kept): what holds now and did not before."""
        for change in fresh:
            if change.what not in SHAPING:
                self._carry_out(change)

    def superseded(self, said: Said) -> list[Change]:
        """What would hold no more if this were the file."""
        return self._register.superseded(said)

    def greet(self) -> None:
        """The peer is heard again: what it may have missed."""
        if self._link is not None and (shared := self._register.shared):
            self._link.post(PeerChanges(shared), key=PeerChanges)

    def hear(self, message: PeerChanges) -> None:
        """What was said on the peer."""
        fresh = self._register.hear(message.changes)
        for change in fresh:
            self._note(change, by=f"{change.by}, on {change.node}".removeprefix(", "))
        if shaping := [change for change in fresh if change.what in SHAPING]:
            self._change_shape(shaping)
        self.reloaded(fresh)
        self._unsaved.set()

    def _note(self, change: Change, *, by: str) -> None:
        """What else changes of a server is noticed when it does."""
        if change.what in (*SHAPING, "disabled", "frontend_limit"):
            subject = f"{change.pool}/{change.server}" if change.server else change.pool or change.node
            self._record(Happening(kind="admin", subject=subject, words=change.words, by=by))

    def _change_shape(self, changes: Iterable[Change]) -> None:
        added = {(one.pool, one.server) for one in changes if one.what == "server" and one.value is not None}
        self._is_unsettled = True
        self._reshape(added)

    def said(self, what: What, pool: str, server: str, value: Value, *, by: str, local: bool) -> None:
        """Somebody said this here, and it is carried out."""
        self._tell(what, pool, server, value, by=by, local=local)

    def said_of_frontend(self, what: What, frontend: str, value: Value, *, local: bool) -> None:
        """Somebody said this of a frontend here, and it is carried out."""
        self._tell(what, frontend, "", value, by="", local=local)

    def set_server(self, pool: str, name: str, server: Server | None, *, by: str, local: bool) -> None:
        """Somebody adds a server to a pool, or removes it. Raises KeyError where there is no such pool, ValueError, in
        words, where it cannot be done."""
        value = None if server is None else written(server)
        self._change_shape([self._tell("server", pool, name, value, by=by, local=local)])

    def reconfigure(self, what: What, pool: str, server: str, value: Value, *, by: str, local: bool) -> None:
        """Somebody says how a server is configured, or the node. Raises KeyError and ValueError as `set_server`."""
        self._change_shape([self._tell(what, pool, server, value, by=by, local=local)])

    def _tell(self, what: What, pool: str, server: str, value: Value, *, by: str, local: bool) -> Change:
        now_ms = int(time.time() * 1000)
        change = self._register.say(what, pool, server, value, by=by, now_ms=now_ms, local=local)
        self._note(change, by=by)
        self._unsaved.set()
        if self._link is not None and not local:
            self._link.post(PeerChanges((change,)), key=change.key)
        return change

    def seen(self, node: NodeSnapshot) -> NodeSnapshot:
        """The same, with which servers are not as the file has them."""
        node = replace(node, max_connections_in_file=self._register.said.max_connections)
        said = [change for change in self._register.held() if change.what == "server"]
        added = {(one.pool, one.server) for one in said if one.value is not None}
        removed = {(one.pool, one.server) for one in said if one.value is None and one.in_file is not None}
        if not added and not removed:
            return node
        pools = tuple(
            replace(pool, servers=tuple(replace(one, added=(pool.name, one.name) in added) for one in pool.servers))
            for pool in node.pools
        )
        words = [f"servers that somebody {done}, whatever the file says: {', '.join(map('/'.join, sorted(pairs)))}"
                 for done, pairs in (("added", added), ("removed", removed)) if pairs]  # fmt: skip
        return replace(node, pools=pools, warnings=(*words, *node.warnings))

    def reach_of(self, *, local: bool) -> str:
        """Where what is said holds, in words; empty: there is only this node."""
        if self._link is None:
            return ""
        if local:
            return "on this node alone"
        return "on both nodes" if self._link.up else "here, and on the peer when it is heard again"

    def _carry_out(self, change: Change) -> None:
        if change.what in ("disabled", "frontend_limit"):
            self.on_frontend(change)
            return
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

    def edit(self, pool: str, server: str, what: What, value: Value) -> None:
        """How it is configured, instead of what the file says. Raises KeyError, ValueError."""
        self._changes.reconfigure(what, pool, server, value, by="", local=self._local)

    def place_check(self, pool: str, server: str, host: str | None, port: int | None) -> None:
        """Where its checks go: to this address, or at its own to this port. What is not said stays as it is."""
        known, check = self._changes.pools[pool].servers[server], self._changes.pools[pool].check_of(server)
        if host is not None:
            before = None if known.check_address is None else known.check_address.port
            stays = known.check_port or before or (check.port if check else None) or known.address.port
            self.edit(pool, server, "check_address", str(Endpoint(host, port or stays)))
        if port is not None:
            self.edit(pool, server, "check_port", port)

    def place_agent(self, pool: str, server: str, host: str | None, port: int | None) -> None:
        """Where its agent is asked, likewise."""
        known, agent = self._changes.pools[pool].servers[server], self._changes.pools[pool].agent
        if host is not None:
            before = None if known.agent_address is None else known.agent_address.port
            stays = known.agent_port or before or (agent.port if agent else None) or known.address.port
            self.edit(pool, server, "agent_address", str(Endpoint(host, port or stays)))
        if port is not None:
            self.edit(pool, server, "agent_port", port)

    def watch(self, pool: str, server: str, *, checks: bool | None = None, agent: bool | None = None) -> ServerState:
        """Whether its checks are made, its agent is asked."""
        state = self._operator.watch(pool, server, checks=checks, agent=agent)
        if checks is not None:
            self._changes.said("checks", pool, server, checks, by="", local=self._local)
        if agent is not None:
            self._changes.said("agent", pool, server, agent, by="", local=self._local)
        return state

    def force_health(self, pool: str, server: str, word: Forced, *, by: str) -> ServerState:
        """Until its checks say otherwise."""
        return self._operator.force_health(pool, server, word, by=by)

    def force_agent(self, pool: str, server: str, up: bool) -> ServerState:
        """Until its agent says otherwise."""
        return self._operator.force_agent(pool, server, up)
