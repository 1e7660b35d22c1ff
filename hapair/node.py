"""`hapair up`: the node process. It owns the listening sockets, starts and watches the others, and runs the checks."""

import logging
import signal
import socket
import time
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import trio

from balancer.checks.runner import CheckRunner
from balancer.fieldtypes import Endpoint
from balancer.listener import open_listeners
from balancer.slots import Slots
from hapair import privileges, systemd
from hapair.admin.runtime import open_runtime_socket, remove_runtime_socket, serve_runtime
from hapair.config import NodeConfig
from hapair.fitness import judge, servers_in_reach
from hapair.role import active_frontends, node_role
from hapair.view import node_snapshot
from hapair.watch_announcer import AnnouncerWatch
from hapair.watch_workers import WorkersWatch, close_listeners
from hapair.wire import to_plain
from vrrp.last_will import LastWill

log = logging.getLogger(__name__)


class StartError(Exception):
    """This node cannot start; the words say what to do."""


async def run_node(config: NodeConfig, *, path: str, runtime: Path) -> None:
    """Run until SIGTERM or SIGINT. Raises StartError, balancer.listener's and hapair.admin.runtime's errors."""
    _check_privileges(config)
    with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals, ExitStack() as stack:
        control = await open_runtime_socket(runtime)
        stack.callback(remove_runtime_socket, runtime)
        listeners = open_listeners(config.balancer.listeners())
        stack.callback(close_listeners, listeners)
        node = _Node(config, listeners, path)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(serve_runtime, control, {"status": node.status})
            nursery.start_soon(node.run)
            async for number in signals:
                log.info("stopping", extra={"signal": signal.Signals(number).name})
                break
            systemd.notify("STOPPING=1")
            await _stop_or_hurry(node, signals)
            nursery.cancel_scope.cancel()


def _check_privileges(config: NodeConfig) -> None:
    needed = (privileges.CAP_NET_ADMIN, privileges.CAP_NET_RAW) if config.routers else ()
    missing = privileges.missing_capabilities(needed)
    if missing:
        raise StartError(
            f"holding virtual IP addresses needs {' and '.join(missing)}: start hapair as root (sudo hapair up), "
            f"or from deploy/hapair.service, which grants just these"
        )


async def _stop_or_hurry(node: "_Node", signals: Any) -> None:
    """Stop in good order; a second signal ends the drain."""

    async def hurry(scope: trio.CancelScope) -> None:
        async for _ in signals:
            log.warning("a second signal: open connections are cut")
            scope.cancel()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(hurry, nursery.cancel_scope)
        await node.stop()
        nursery.cancel_scope.cancel()


class _Node:
    """The parts of a running node, and what one's change means for the others."""

    def __init__(self, config: NodeConfig, listeners: Mapping[Endpoint, socket.socket], path: str) -> None:
        self._config = config
        self._path = path
        self._started_at = trio.current_time()
        self._slots = Slots.create(config.balancer, max(1, config.workers))
        self._announcer = AnnouncerWatch(config.routers, LastWill(config.routers), self._roles_changed)
        self._workers = WorkersWatch(config, listeners, self._slots, self._judge)
        self._checks = CheckRunner(config.balancer.pools, self._health_flipped)
        self._role = ""
        self._ready = False
        self._stopping = False

    async def run(self) -> None:
        """Start everything and keep it running."""
        self._roles_changed()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._workers.run)
            nursery.start_soon(self._checks.run)
            nursery.start_soon(self._feed_watchdog)
            self._judge()
            if self._announcer.is_needed:
                nursery.start_soon(self._announcer.run)

    def _judge(self) -> None:
        if self._stopping:
            return
        fitness = judge(self._workers.states, servers_in_reach=self._servers_in_reach())
        self._announcer.set_fitness(fitness)
        if fitness.takes_part and not self._ready:
            self._ready = True
            log.info("node is ready", extra={"node": self._config.node})
            systemd.notify("READY=1")

    def _roles_changed(self) -> None:
        states = self._announcer.states()
        self._workers.set_active(active_frontends(self._config.vip_of_frontend, states))
        role = node_role(states)
        if role != self._role:
            self._role = role
            systemd.notify(f"STATUS={self._config.node} is {role}")
            log.info("role", extra={"node": self._config.node, "role": role})

    def _health_flipped(self, pool: str, server: str, up: bool, reason: str) -> None:
        log.warning("server flipped", extra={"server": f"{pool}/{server}", "up": up, "reason": reason})
        self._workers.set_health(pool, server, up)
        self._judge()

    def _servers_in_reach(self) -> bool:
        pools = self._config.balancer.pools
        healths = self._checks.snapshot().items()
        return servers_in_reach([one.up for one in health.values()] for pool, health in healths if pools[pool].check)

    async def _feed_watchdog(self) -> None:
        interval_s = systemd.watchdog_interval_s()
        while interval_s is not None:
            systemd.notify("WATCHDOG=1")
            await trio.sleep(interval_s)

    def status(self) -> Any:
        """The snapshot as plain values."""
        snapshot = node_snapshot(
            self._config,
            path=self._path,
            announcer=self._announcer,
            workers=self._workers,
            slots=self._slots,
            healths=self._checks.snapshot(),
            started_at=self._started_at,
            now=trio.current_time(),
            monotonic=time.monotonic(),
        )
        return to_plain(snapshot)

    async def stop(self) -> None:
        """The peer takes over first; then what is open may finish."""
        self._stopping = True
        await self._announcer.stop()
        await self._workers.stop(self._config.balancer.drain_s)
