"""Runs the checks of all pools, once per node, whatever the number of workers, and keeps what is known of each server.

Each server is probed by a task of its own, so that a slow one delays no other. What is known is kept as frozen
`ServerState` values; only changes that concern who chooses servers are told, and `snapshot` shows the rest to whoever
asks.
"""

from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from math import inf
from random import Random

import trio

from balancer.checks.agent import ask
from balancer.checks.agent_words import AgentWords
from balancer.checks.kept import initial_state, kept
from balancer.checks.probes import ProbeResult, probe
from balancer.checks.schedule import fast_interval_s, first_probe_at, next_probe_at
from balancer.config import Check, Pool, Server
from balancer.config_checks import AgentCheck
from balancer.fieldtypes import Endpoint
from balancer.proxyproto import local
from balancer.serverstate import Forced, ServerState
from balancer.standing import Admin, Place, Standing

OnChange = Callable[[str, str, ServerState, ServerState], None]
"""Called with pool, server, and what was known and is known now."""
Probe = Callable[[str, str, Check, Endpoint, bytes], Awaitable[ProbeResult]]
"""Called with pool, server, check, where to, and what to send first."""
Ask = Callable[[AgentCheck, Endpoint], Awaitable[AgentWords | str]]


@dataclass(frozen=True, slots=True)
class ServerHealth:
    """What is known of one server, for people and programs to read."""

    up: bool
    text: str
    """`UP`, `UP 2/3`, `DOWN`, `DOWN 1/2`, `DOWN (agent)`; `no check` where the pool has none."""
    last_result: ProbeResult | None
    probed_at: float | None
    flip_reason: str
    flipped_at: float | None
    """When it last went UP, DOWN, into MAINT or back (trio's clock); None if never."""
    admin: Admin = "ready"
    admin_by: str = ""
    weight: int | None = None
    """None: the file's."""
    returned_at: float | None = None
    agent_text: str = ""
    max_connections: int | None = None
    """None: the file's."""
    failed_probes: int = 0
    downs: int = 0
    down_before_s: float = 0.0
    """How long it was DOWN, without the time since `down_at`."""
    down_at: float | None = None
    count: int | None = None
    """Of its health: below `rise` is DOWN; None: there are no checks."""
    agent_up: bool | None = None
    """None: it has no agent."""
    checks_on: bool = True
    agent_on: bool = True
    resolved: bool = True
    """Its address is known."""
    place: Place | None = None
    """Where its name leads to; None: the file says where it is."""
    resolution: str = ""
    """What stands in the way of resolving its name."""

    @property
    def serves(self) -> bool:
        """UP, and not in MAINT."""
        return self.up and self.admin != "maint" and self.resolved


UNCHECKED = ServerHealth(True, "no check", None, None, "", None)


async def _probe(pool: str, server: str, check: Check, endpoint: Endpoint, preamble: bytes) -> ProbeResult:
    return await probe(check, endpoint, preamble, names=(pool, server))


class CheckRunner:
    """The checks and agents of `pools` (by name). Looks at nothing until `run` is started."""

    def __init__(
        self,
        pools: Mapping[str, Pool],
        on_change: OnChange,
        *,
        seed: int | None = None,
        probe: Probe = _probe,
        ask: Ask = ask,
    ) -> None:
        self._pools = pools
        self._on_change = on_change
        self._random = Random(seed)
        self._probe = probe
        self._ask = ask
        self._nursery: trio.Nursery | None = None
        self._servers = {
            (pool, name): _Server(pool, name, config, server)
            for pool, config in pools.items()
            for name, server in config.servers.items()
        }

    async def run(self) -> None:
        """Probe for ever; to end it, cancel it."""
        try:
            async with trio.open_nursery() as self._nursery:
                self._nursery.start_soon(trio.sleep_forever)
                self._begin(self._servers.values())
        finally:
            self._nursery = None

    def reload(self, pools: Mapping[str, Pool]) -> None:
        """Look after these from now on. What is known of a server of the same name holds, as `kept` has it."""
        before, known, now = self._pools, self._servers, trio.current_time()
        self._pools, self._servers, new, changed = pools, {}, [], []
        for pool, config in pools.items():
            for name, server in config.servers.items():
                one = known.pop((pool, name), None)
                if one is None:
                    new.append(_Server(pool, name, config, server))
                    self._servers[pool, name] = new[-1]
                    continue
                made = _Server(pool, name, config, server)
                if one.examined == made.examined:
                    made = one
                    made.set_up(server)
                else:
                    one.scope.cancel()
                    made.state, made.last_result, made.probed_at = one.state, one.last_result, one.probed_at
                    new.append(made)
                self._servers[pool, name] = made
                changed.append((made, kept(one.state, name, before[pool], config, now=now)))
        for gone in known.values():
            gone.scope.cancel()
        self._begin(new)
        for made, state in changed:
            self._learn(made, state)

    def _begin(self, servers: Iterable["_Server"]) -> None:
        """Look at these, if it has been started."""
        nursery, now = self._nursery, trio.current_time()
        if nursery is None:
            return
        servers = tuple(servers)
        checked = [server for server in servers if server.check is not None]
        for position, server in enumerate(checked):
            assert server.check is not None
            first_at = first_probe_at(server.check, position, len(checked), now)
            nursery.start_soon(self._watch, server, server.check, first_at, name=f"check {server.label}")
        for server in servers:
            if server.agent is not None:
                nursery.start_soon(self._listen, server, server.agent, name=f"agent {server.label}")

    def snapshot(self) -> dict[str, dict[str, ServerHealth]]:
        """What is known of every server of every pool, in the order of the file."""
        return {
            pool: {name: self._servers[pool, name].snapshot() for name in config.servers}
            for pool, config in self._pools.items()
        }

    def forget(self, pool: str, server: str) -> None:
        """At the next reload it is a server that nothing is known of."""
        if (known := self._servers.pop((pool, server), None)) is not None:
            known.scope.cancel()

    def standings(self, now: float, besides: Collection[tuple[str, str]] = ()) -> Iterator[tuple[str, str, Standing]]:
        """Of the servers that do not stand as who chooses servers takes them to stand at the start, and `besides`."""
        for (pool, name), server in self._servers.items():
            standing = server.state.standing(now)
            if standing != Standing() or (pool, name) in besides:
                yield pool, name, standing

    def administer(self, pool: str, server: str, admin: Admin, *, by: str) -> ServerState:
        """An administrator's word; what is known then. Raises KeyError for a server that there is not."""
        known = self._servers[pool, server]
        self._learn(known, known.state.administered(admin, by=by, now=trio.current_time()))
        known.stir(trio.current_time())
        return known.state

    def weigh(self, pool: str, server: str, weight: int | None) -> ServerState:
        """A weight instead of the file's, None for that one again. Raises KeyError; ValueError beyond 0 to 256."""
        known = self._servers[pool, server]
        self._learn(known, known.state.weighed(weight))
        return known.state

    def force_health(self, pool: str, server: str, word: Forced, *, by: str) -> ServerState:
        """Somebody's word for its checks, until they say otherwise. Raises KeyError; ValueError without checks."""
        known = self._servers[pool, server]
        self._learn(known, known.state.forced(word, by=by, now=trio.current_time()))
        return known.state

    def force_agent(self, pool: str, server: str, up: bool) -> ServerState:
        """Somebody's word for its agent, until that says otherwise. Raises KeyError; ValueError without an agent."""
        known = self._servers[pool, server]
        if known.agent is None:
            raise ValueError("agent checks are not enabled on this server.")
        words = AgentWords(health="up" if up else "down", text=known.state.agent_text)
        self._learn(known, known.state.agent_said(words, now=trio.current_time()))
        return known.state

    def watch(self, pool: str, server: str, *, checks: bool | None = None, agent: bool | None = None) -> ServerState:
        """Whether its checks are made and its agent is asked. Raises KeyError; ValueError for what it has not got."""
        known = self._servers[pool, server]
        if agent and known.agent is None:
            raise ValueError("Agent was not configured on this server, cannot enable.")
        if checks and known.check is None:
            raise ValueError("Health check was not configured on this server, cannot enable.")
        known.state = known.state.watched(checks=checks, agent=agent)
        known.stir_if_asleep(trio.current_time())
        return known.state

    def limit(self, pool: str, server: str, max_connections: int | None) -> ServerState:
        """A limit of connections instead of the file's, None for that one again. Raises KeyError."""
        known = self._servers[pool, server]
        self._learn(known, known.state.limited(max_connections))
        return known.state

    def place(self, pool: str, server: str, place: Place | None, *, trouble: str = "") -> ServerState:
        """Where its name leads to now; None: nowhere, and `trouble` says why. Raises KeyError."""
        known, now = self._servers[pool, server], trio.current_time()
        before = known.state
        self._learn(known, before.placed(place, trouble=trouble, now=now))
        if place is not None and (
            not before.resolved or before.place is None or before.place.endpoint != place.endpoint
        ):
            known.stir(now)
        return known.state

    def move(self, pool: str, server: str, endpoint: Endpoint) -> ServerState:
        """It is there from now on, wherever the file says it is. Raises KeyError; ValueError where its name says it."""
        if self._pools[pool].servers[server].address.is_name:
            raise ValueError("its address is what its name resolves to")
        return self.place(pool, server, Place(endpoint))

    def errors_observed(self, pool: str, server: str, reason: str) -> None:
        """A worker met too many errors in a row with a server."""
        known, now = self._servers[pool, server], trio.current_time()
        if known.check is not None:
            self._learn(known, known.state.erred(known.check.on_error, reason=reason, now=now))
            known.stir(now + fast_interval_s(known.check))

    def _learn(self, server: "_Server", state: ServerState) -> None:
        before, server.state = server.state, state
        if before.standing(0.0) != state.standing(0.0):
            self._on_change(server.pool, server.name, before, state)

    async def _watch(self, server: "_Server", check: Check, due_at: float) -> None:
        with server.scope.open():
            await self._keep_probing(server, check, due_at)

    async def _keep_probing(self, server: "_Server", check: Check, due_at: float) -> None:
        while True:
            await server.sleep_until(due_at)
            if not server.state.is_probed:
                due_at = inf
                continue
            started_at = trio.current_time()
            endpoint = server.check_endpoint
            result = await self._probe(server.pool, server.name, check, endpoint, server.preamble)
            if server.state.is_probed and endpoint == server.check_endpoint:
                self._take_note(server, result)
            assert server.state.health is not None
            due_at = next_probe_at(check, server.state.health, started_at, self._random)

    def _take_note(self, server: "_Server", result: ProbeResult) -> None:
        now = trio.current_time()
        server.last_result, server.probed_at = result, now
        if result.ok is not None:
            self._learn(server, server.state.probed(result.ok, reason=result.reason, now=now))

    async def _listen(self, server: "_Server", agent: AgentCheck) -> None:
        with server.scope.open():
            await self._keep_asking(server, agent)

    async def _keep_asking(self, server: "_Server", agent: AgentCheck) -> None:
        """An agent is asked in MAINT too: it may be the one who ends it."""
        while True:
            started_at = trio.current_time()
            if not server.state.agent_on:
                await trio.sleep(agent.interval_s)
                continue
            endpoint = server.agent_endpoint
            said = "its name is not resolved" if endpoint.is_name else await self._ask(agent, endpoint)
            if isinstance(said, AgentWords):
                server.agent_trouble = ""
                self._learn(server, server.state.agent_said(said, now=trio.current_time()))
                server.stir_if_asleep(trio.current_time())
            else:
                server.agent_trouble = said
            await trio.sleep_until(started_at + agent.interval_s)


def where_checked(server: Server, endpoint: Endpoint) -> Endpoint:
    """Where a server is probed that is there."""
    place = server.check_address or endpoint
    return place if server.check_port is None else Endpoint(place.host, server.check_port)


def where_asked(server: Server, agent: AgentCheck | None, endpoint: Endpoint) -> Endpoint:
    """Where the agent of a server is asked that is there."""
    if server.agent_address is not None:
        place = server.agent_address
        return place if server.agent_port is None else Endpoint(place.host, server.agent_port)
    return Endpoint(endpoint.host, server.agent_port or (agent.port if agent and agent.port else endpoint.port))


class Scopes:
    """Cancels several tasks at once."""

    def __init__(self) -> None:
        self._open: list[trio.CancelScope] = []
        self._cancelled = False

    def open(self) -> trio.CancelScope:
        """A scope for one more."""
        scope = trio.CancelScope()
        self._open.append(scope)
        if self._cancelled:
            scope.cancel()
        return scope

    def cancel(self) -> None:
        """End them, those that are about to begin included."""
        self._cancelled = True
        for scope in self._open:
            scope.cancel()


class _Server:
    """One server, what is known of it, and the sleep of who probes it."""

    def __init__(self, pool: str, name: str, config: Pool, server: Server) -> None:
        self.pool = pool
        self.name = name
        self.label = f"{pool}/{name}"
        self.check = config.check_of(name)
        self.agent = config.agent_of(name)
        # A server that expects a PROXY header is told that nobody's connection this is.
        self.preamble = b"" if config.send_proxy is None else local(config.send_proxy)
        self._config = server
        self.state = initial_state(server, self.check)
        self.last_result: ProbeResult | None = None
        self.probed_at: float | None = None
        self.agent_trouble = ""
        self._asleep: trio.CancelScope | None = None
        self.scope = Scopes()
        """Of whoever looks at it."""

    @property
    def examined(self) -> object:
        """Where and how it is looked at. Who looks need not begin anew while this is the same."""
        server = self._config
        places = server.address, server.check_address, server.check_port, server.agent_address, server.agent_port
        return self.check, self.agent, self.preamble, *places

    def set_up(self, config: Server) -> None:
        """It is configured otherwise, and looked at as before."""
        self._config = config

    @property
    def endpoint(self) -> Endpoint:
        """Where it is."""
        return self._config.address if self.state.place is None else self.state.place.endpoint

    @property
    def check_endpoint(self) -> Endpoint:
        """Where it is probed."""
        return where_checked(self._config, self.endpoint)

    @property
    def agent_endpoint(self) -> Endpoint:
        """Where its agent is asked."""
        return where_asked(self._config, self.agent, self.endpoint)

    async def sleep_until(self, due_at: float) -> None:
        """Or until it is stirred."""
        with trio.CancelScope(deadline=due_at) as self._asleep:
            await trio.sleep_forever()
        self._asleep = None

    def stir(self, due_at: float) -> None:
        """Wake the prober then, where it would sleep longer."""
        if self._asleep is not None:
            self._asleep.deadline = min(self._asleep.deadline, due_at)

    def stir_if_asleep(self, now: float) -> None:
        """Its agent may have ended a time without probes."""
        if self._asleep is not None and self._asleep.deadline == inf and self.state.is_probed:
            self.stir(now)

    def snapshot(self) -> ServerHealth:
        state = self.state
        return ServerHealth(
            up=state.up,
            text=state.text,
            last_result=self.last_result,
            probed_at=self.probed_at,
            flip_reason=state.flip_reason,
            flipped_at=state.flipped_at,
            admin=state.admin,
            admin_by=state.admin_by,
            weight=state.standing(0.0).weight,
            returned_at=state.returned_at,
            agent_text=self.agent_trouble or state.agent_text,
            max_connections=state.max_connections,
            failed_probes=state.failed_probes,
            downs=state.downs,
            down_before_s=state.down_before_s,
            down_at=state.down_at,
            count=None if state.health is None else state.health.count,
            agent_up=None if self.agent is None else state.agent_up,
            checks_on=state.checks_on,
            agent_on=state.agent_on,
            resolved=state.resolved,
            place=state.place,
            resolution=state.resolution,
        )
