"""The node keeps its workers running and tells each what it needs to know."""

import logging
import socket
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

import trio

from balancer.fieldtypes import Endpoint
from balancer.slots import Slots
from balancer.standing import Standing
from balancer.tls.material import Material
from hapair.channel import MAX_FDS
from hapair.child import Child, start_child
from hapair.config import NodeConfig
from hapair.fitness import WorkerState
from hapair.logfiles import LogFiles
from hapair.messages import (
    FROM_WORKER,
    TRANSPARENT,
    CookieCounts,
    Drain,
    FrontendRole,
    LogsReopened,
    Obeyed,
    Reload,
    Reloaded,
    Renew,
    Serve,
    ServerErrors,
    ServerStanding,
    Serving,
    Sources,
)
from hapair.node_persistence import NodePersistence
from hapair.ordering import Orders
from hapair.restart import Restarts

log = logging.getLogger(__name__)

DRAIN_MARGIN_S = 2.0


def arguments_of(config: NodeConfig) -> tuple[str, ...]:
    """What a worker must be started with: other arguments need other workers."""
    return (TRANSPARENT,) if any(pool.transparent for pool in config.balancer.pools.values()) else ()


class WorkersWatch:
    """Starts the workers, restarts them, and repeats to a new one what the others know."""

    def __init__(
        self,
        config: NodeConfig,
        listeners: Mapping[Endpoint, socket.socket],
        slots: Slots,
        on_change: Callable[[], None],
        on_errors: Callable[[str, str, str], None],
        logs: LogFiles | None = None,
        datagrams: Mapping[Endpoint, Sequence[socket.socket]] | None = None,
        persistence: NodePersistence | None = None,
    ) -> None:
        """`on_errors` is called with pool, server and why, when a worker has met too many errors in a row.

        `datagrams` has a socket for each worker for each endpoint. `persistence` knows of clients and their servers.
        """
        self._persistence = persistence
        self._on_errors = on_errors
        self.count = config.workers if config.balancer.frontends else 0
        self.states = [WorkerState.STARTING] * self.count
        self.pids: list[int | None] = [None] * self.count
        self.restarts = 0
        self.ended: dict[int, str] = {}
        """How the last one in each place ended."""
        self._config = config
        self._arguments = arguments_of(config)
        self._nursery: trio.Nursery | None = None
        self._serial = 0
        self._unsettled: dict[Child, int] = {}
        """The last Reload that each has yet to answer."""
        self._settled = trio.Event()
        self._troubles: list[str] = []
        self._retiring: dict[Child, tuple[Slots, int, dict[int, int]]] = {}
        """Of those that only finish what is open: where they count, and what of it is kept already."""
        self._listeners = listeners
        self._datagrams = datagrams or {}
        self._slots = slots
        self._logs = logs or LogFiles(())
        self._on_change = on_change
        self._material = Material()
        self._children: dict[int, Child] = {}
        self.orders = Orders()
        self._generation = 0
        self._generations = dict.fromkeys(range(self.count), 0)
        """By index of those that are to run: since which reload."""
        self._standings: dict[tuple[str, str], tuple[Standing, float]] = {}
        """And when it was said."""
        self._roles: dict[str, FrontendRole] = {}
        self._stopping = False
        if (needed := len(listeners) + len(self._logs.fds) + len(self._datagrams)) >= MAX_FDS:
            raise ValueError(f"at most {MAX_FDS - 1} listen addresses and log files, not {needed}")

    async def run(self) -> None:
        """Keep all of them running until `stop`."""
        async with trio.open_nursery() as self._nursery:
            self._nursery.start_soon(trio.sleep_forever)  # there may be none now, and some after a reload
            for index in range(self.count):
                self._nursery.start_soon(self._keep, index, self._generation)

    async def _keep(self, index: int, generation: int) -> None:
        deaths = Restarts()
        while self._is_wanted(index, generation):
            child = await start_child(
                "hapair.worker", name=f"worker {index}", known=FROM_WORKER, arguments=self._arguments
            )
            if not self._is_wanted(index, generation):
                child.kill()
                child.channel.close()
                await child.process.wait()
                return
            self._children[index], self.pids[index] = child, child.process.pid
            self._brief(index, child)
            how = await child.follow(lambda message: self._hear(index, child, message))  # noqa: B023 - used at once
            delay_s = deaths.died(trio.current_time())
            self._bury(index, child, how)
            if self._is_wanted(index, generation):
                self.restarts += 1
                await trio.sleep(delay_s)

    def _is_wanted(self, index: int, generation: int) -> bool:
        return not self._stopping and self._generations.get(index) == generation

    def reload(
        self,
        config: NodeConfig,
        listeners: Mapping[Endpoint, socket.socket],
        datagrams: Mapping[Endpoint, Sequence[socket.socket]],
        slots: Slots,
        material: Material,
        roles: Iterable[FrontendRole],
    ) -> None:
        """Have all workers serve this, without a pause; more are started, and those that are too many finish.

        `listeners` and `datagrams` are all that there are now. What is not among them any more, and slots that were
        used before, may be closed once `settled` returns. `roles` are those of each frontend.
        """
        before, self._config, self._material = self._config, config, material
        self._roles = {role.frontend: role for role in roles}
        new_slots = slots if slots is not self._slots else None
        old_slots, self._slots = self._slots, slots
        fresh = [one for one in listeners if one not in self._listeners]
        fresh_datagrams = {one: sockets for one, sockets in datagrams.items() if self._datagrams.get(one) != sockets}
        self._listeners, self._datagrams = listeners, datagrams
        known = {(pool, server) for pool, one in config.balancer.pools.items() for server in one.servers}
        self._standings = {pair: said for pair, said in self._standings.items() if pair in known}
        self._serial += 1
        wanted, stay = config.workers if config.balancer.frontends else 0, self.staying(config)
        self._arguments = arguments_of(config)
        for index in range(stay, self.count):
            self._retire(index, old_slots, before.balancer.drain_s)
        for index in range(stay):
            if (child := self._children.get(index)) is not None:
                mine = {one: sockets[index] for one, sockets in fresh_datagrams.items()}
                self._tell(index, child, fresh, mine, new_slots)
        self._settle()
        self._recount(stay, wanted)

    def _tell(
        self,
        index: int,
        child: Child,
        fresh: Sequence[Endpoint],
        datagrams: Mapping[Endpoint, socket.socket],
        new_slots: Slots | None,
    ) -> None:
        logs = self._logs.fds
        reload = Reload(
            serial=self._serial,
            workers=self._config.workers,
            config=self._config.balancer,
            roles=tuple(self._roles.values()),
            material=self._material,
            new_slots=new_slots is not None,
            listen=tuple(fresh),
            logs=tuple(logs),
            datagrams=tuple(datagrams),
        )
        fds = [] if new_slots is None else [new_slots.fd]
        fds += [self._listeners[one].fileno() for one in fresh]
        child.channel.post(reload, fds=[*fds, *logs.values(), *(one.fileno() for one in datagrams.values())])
        self._unsettled[child] = self._serial
        self.orders.greet(child, child.channel.post)

    def _recount(self, stay: int, wanted: int) -> None:
        self.count = wanted
        self.states[stay:] = [WorkerState.STARTING] * (wanted - stay)
        self.pids[stay:] = [None] * (wanted - stay)
        self._generation += 1
        for index in range(stay, wanted):
            self._generations[index] = self._generation
            if self._nursery is not None:
                self._nursery.start_soon(self._keep, index, self._generation)

    def _retire(self, index: int, slots: Slots, drain_s: float) -> None:
        """A worker takes nothing new, and ends when what it has open has ended."""
        self._generations.pop(index, None)
        child = self._children.pop(index, None)
        if child is not None:
            child.channel.post(Drain(drain_s, has_successor=True))
            self._retiring[child] = slots, index, self._slots.add_ended(slots, index)

    def staying(self, config: NodeConfig) -> int:
        """How many of the workers that there are a reload would keep."""
        wanted = config.workers if config.balancer.frontends else 0
        return 0 if arguments_of(config) != self._arguments else min(wanted, self.count)

    def counts_in(self, slots: Slots) -> bool:
        """Whether somebody who finishes what is open still counts there."""
        return any(one[0] is slots for one in self._retiring.values())

    async def settled(self, limit_s: float) -> list[str]:
        """Wait until every worker has answered the last reload, or has died. Why some could not do it."""
        with trio.move_on_after(limit_s) as scope:
            while self._unsettled:
                if self._settled.is_set():
                    self._settled = trio.Event()
                await self._settled.wait()
        troubles, self._troubles = self._troubles, []
        return [*troubles, "a worker has not answered"] if scope.cancelled_caught else troubles

    def _settle(self, child: Child | None = None) -> None:
        if child is not None:
            self._unsettled.pop(child, None)
        if not self._unsettled:
            self._settled.set()

    def _brief(self, index: int, child: Child) -> None:
        balancer, listen, roles = self._config.balancer, tuple(self._listeners), tuple(self._roles.values())
        logs, datagrams = self._logs.fds, tuple(self._datagrams)
        serve = Serve(
            *(index, self.count, balancer, listen, roles, self._material, tuple(logs), datagrams),
            cookie_key=b"" if self._persistence is None else self._persistence.cookie_key,
        )
        own = [sockets[index].fileno() for sockets in self._datagrams.values()]
        fds = [self._slots.fd, *(listener.fileno() for listener in self._listeners.values()), *logs.values(), *own]
        child.channel.post(serve, fds=fds)
        for pool, server in self._standings:
            child.channel.post(self._standing(pool, server), key=(pool, server))
        if self._persistence is not None:
            self._persistence.hub.greet(index, child.channel.post)
        self.orders.greet(child, child.channel.post)

    def _hear(self, index: int, child: Child, message: object) -> None:
        if isinstance(message, ServerErrors):
            self._on_errors(message.pool, message.server, message.reason)
            return
        if isinstance(message, Obeyed):
            self.orders.heard(child, message)
            return
        if isinstance(message, Reloaded):
            if message.trouble is not None:
                self._troubles.append(f"worker {index}: {message.trouble}")
            if message.serial == self._unsettled.get(child):
                self._settle(child)
            return
        if isinstance(message, Sources | CookieCounts):
            if self._persistence is not None and self._children.get(index) is child:
                self._persistence.hub.hear(index, message)
            return
        assert isinstance(message, Serving)
        log.info("worker serves", extra={"worker": index, "pid": self.pids[index]})
        self._set_state(index, WorkerState.SERVING)

    def _bury(self, index: int, child: Child, how: str) -> None:
        child.channel.close()
        self.orders.gone(child)
        self._settle(child)
        if self._persistence is not None and self._children.get(index, child) is child:
            self._persistence.hub.gone(index)
        if (retired := self._retiring.pop(child, None)) is not None:
            self._slots.add_ended(*retired)
            if retired[0] is not self._slots and all(one[0] is not retired[0] for one in self._retiring.values()):
                retired[0].close()
            return log.info("a worker has finished", extra={"worker": index, "how": how})
        if self._children.get(index) is not child:
            return None
        del self._children[index]
        self.pids[index] = None
        self.ended[index] = how
        self._slots.forget_open(index)  # its connections died with it
        if not self._stopping:
            log.error("a worker is gone", extra={"worker": index, "how": how})
        self._set_state(index, WorkerState.HUNG if child.hung else WorkerState.DEAD)
        return None

    def _set_state(self, index: int, state: WorkerState) -> None:
        self.states[index] = state
        self._on_change()

    def set_standing(self, pool: str, server: str, standing: Standing) -> None:
        """What is said of a server has changed."""
        self._standings[pool, server] = standing, trio.current_time()
        for child in self._children.values():
            child.channel.post(self._standing(pool, server), key=(pool, server))

    def _standing(self, pool: str, server: str) -> ServerStanding:
        """As it is now: a worker that starts later finds a server that warms up where it is by then."""
        standing, said_at = self._standings[pool, server]
        if standing.age_s is not None:
            standing = replace(standing, age_s=standing.age_s + trio.current_time() - said_at)
        return ServerStanding(pool, server, standing)

    def renew(self, material: Material) -> None:
        """Certificates to serve new connections with, here and in workers that start later."""
        self._material = material
        for child in self._children.values():
            child.channel.post(Renew(material), key="certificates")

    def set_roles(self, roles: Iterable[FrontendRole]) -> None:
        """Which frontends serve here; only what changed is said."""
        for role in roles:
            if self._roles.get(role.frontend) != role:
                self._roles[role.frontend] = role
                for child in self._children.values():
                    child.channel.post(role, key=("role", role.frontend))

    def reopen_logs(self) -> None:
        """Have the workers go on in the files that now have the names of the log files."""
        for failure in self._logs.reopen():
            log.error("an access log stays where it was", extra={"reason": failure})
        for child in self._children.values():
            child.channel.post(LogsReopened(tuple(self._logs.fds)), fds=tuple(self._logs.fds.values()))

    async def stop(self, limit_s: float) -> None:
        """Drain: nothing new is accepted, what is open may finish within `limit_s`."""
        self._stopping = True
        children = [*self._children.values(), *self._retiring]
        for child in children:
            child.channel.post(Drain(limit_s))
        async with trio.open_nursery() as nursery:
            for child in children:
                nursery.start_soon(child.end, limit_s + DRAIN_MARGIN_S)
