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
    Drain,
    FrontendRole,
    LogsReopened,
    Renew,
    Serve,
    ServerErrors,
    ServerStanding,
    Serving,
)
from hapair.restart import Restarts

log = logging.getLogger(__name__)

DRAIN_MARGIN_S = 2.0


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
        cookie_key: bytes = b"",
    ) -> None:
        """`on_errors` is called with pool, server and why, when a worker has met too many errors in a row.

        `datagrams` has a socket for each worker for each endpoint. `cookie_key` is what cookies are signed with.
        """
        self._cookie_key = cookie_key
        self._on_errors = on_errors
        self.count = config.workers if config.balancer.frontends else 0
        self.states = [WorkerState.STARTING] * self.count
        self.pids: list[int | None] = [None] * self.count
        self.restarts = 0
        self.ended: dict[int, str] = {}
        """How the last one in each place ended."""
        self._config = config
        transparent = any(pool.transparent for pool in config.balancer.pools.values())
        self._arguments = (TRANSPARENT,) if transparent else ()
        self._listeners = listeners
        self._datagrams = datagrams or {}
        self._slots = slots
        self._logs = logs or LogFiles(())
        self._on_change = on_change
        self._material = Material()
        self._children: dict[int, Child] = {}
        self._standings: dict[tuple[str, str], tuple[Standing, float]] = {}
        """And when it was said."""
        self._roles: dict[str, FrontendRole] = {}
        self._stopping = False
        if (needed := len(listeners) + len(self._logs.fds) + len(self._datagrams)) >= MAX_FDS:
            raise ValueError(f"at most {MAX_FDS - 1} listen addresses and log files, not {needed}")

    async def run(self) -> None:
        """Keep all of them running until `stop`."""
        async with trio.open_nursery() as nursery:
            for index in range(self.count):
                nursery.start_soon(self._keep, index)

    async def _keep(self, index: int) -> None:
        deaths = Restarts()
        while not self._stopping:
            child = await start_child(
                "hapair.worker", name=f"worker {index}", known=FROM_WORKER, arguments=self._arguments
            )
            self._children[index], self.pids[index] = child, child.process.pid
            self._brief(index, child)
            how = await child.follow(lambda message: self._hear(index, message))
            delay_s = deaths.died(trio.current_time())
            self._bury(index, child, how)
            if not self._stopping:
                self.restarts += 1
                await trio.sleep(delay_s)

    def _brief(self, index: int, child: Child) -> None:
        balancer, listen, roles = self._config.balancer, tuple(self._listeners), tuple(self._roles.values())
        logs, datagrams = self._logs.fds, tuple(self._datagrams)
        serve = Serve(
            *(index, self.count, balancer, listen, roles, self._material, tuple(logs), datagrams),
            cookie_key=self._cookie_key,
        )
        own = [sockets[index].fileno() for sockets in self._datagrams.values()]
        fds = [self._slots.fd, *(listener.fileno() for listener in self._listeners.values()), *logs.values(), *own]
        child.channel.post(serve, fds=fds)
        for pool, server in self._standings:
            child.channel.post(self._standing(pool, server), key=(pool, server))

    def _hear(self, index: int, message: object) -> None:
        if isinstance(message, ServerErrors):
            self._on_errors(message.pool, message.server, message.reason)
            return
        assert isinstance(message, Serving)
        log.info("worker serves", extra={"worker": index, "pid": self.pids[index]})
        self._set_state(index, WorkerState.SERVING)

    def _bury(self, index: int, child: Child, how: str) -> None:
        child.channel.close()
        del self._children[index]
        self.pids[index] = None
        self.ended[index] = how
        self._slots.forget_open(index)  # its connections died with it
        if not self._stopping:
            log.error("a worker is gone", extra={"worker": index, "how": how})
        self._set_state(index, WorkerState.HUNG if child.hung else WorkerState.DEAD)

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
        children = list(self._children.values())
        for child in children:
            child.channel.post(Drain(limit_s))
        async with trio.open_nursery() as nursery:
            for child in children:
                nursery.start_soon(child.end, limit_s + DRAIN_MARGIN_S)
