"""`hapair up`: the node process. It owns the listening sockets, starts and watches the others, and runs the checks."""

import logging
import os
import signal
import socket
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import trio

from balancer.accesslog.logs import log_paths
from balancer.checks.probes import ProbeResult, probe
from balancer.checks.runner import CheckRunner
from balancer.checks.tls import CheckSecrecy
from balancer.config import Check
from balancer.datagrams import close_datagram_sockets, open_datagram_sockets
from balancer.discovery import Discovery
from balancer.fieldtypes import Endpoint
from balancer.listener import close_listeners, open_listeners
from balancer.serverstate import ServerState
from balancer.slots import Slots
from hapair import privileges, systemd
from hapair import secret as secret_file
from hapair.admin.runtime import Commands, Stories, open_runtime_socket, remove_runtime_socket, serve_runtime
from hapair.certificates.watch import CertificateWatch
from hapair.config import NodeConfig
from hapair.epoch import next_epoch
from hapair.fitness import judge, servers_in_reach
from hapair.kernel.plane import KernelPlane
from hapair.logfiles import LogFileError, LogFiles
from hapair.messages import FrontendRole, Resign, StartRouters, Track
from hapair.node_admin import NodeAdmin, open_admin
from hapair.node_events import NodeEvents
from hapair.node_handover import NodeHandover, preempted
from hapair.node_peer import NodePeer
from hapair.node_servers import server_story
from hapair.notify import Notifier
from hapair.persistence.key import cookie_key
from hapair.processes import Programs
from hapair.role import active_frontends, node_role
from hapair.snapshot import NodeSnapshot
from hapair.tracking import Tracking
from hapair.view import node_snapshot
from hapair.watch_announcer import AnnouncerWatch
from hapair.watch_flows import FlowsWatch, flows_opening
from hapair.watch_workers import WorkersWatch
from hapair.wire import to_plain
from vrrp.last_will import LastWill
from vrrp.liveness.config import LinkConfig
from vrrp.tracking import Tracked

log = logging.getLogger(__name__)

NOTIFY_LIMIT_S = 5.0
"""How long a stop waits for the commands that were told of it."""


class StartError(Exception):
    """This node cannot start; the words say what to do."""


async def run_node(config: NodeConfig, *, path: str, runtime: Path, record_to: Path | None = None) -> None:
    """Run until SIGTERM or SIGINT. Raises StartError, balancer.listener's and hapair.admin.runtime's errors.

    `record_to`: a file for a recording of what the virtual routers do (vrrp.recording).
    """
    _check_privileges(config)
    opening = _opening(config, record_to)
    with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT, signal.SIGUSR2) as signals, ExitStack() as stack:
        control = await open_runtime_socket(runtime)
        stack.callback(remove_runtime_socket, runtime)
        listeners = open_listeners(config.balancer.listeners(), config.balancer.stream_frontends())
        stack.callback(close_listeners, listeners)
        datagrams = open_datagram_sockets(config.balancer.datagram_listeners(), max(1, config.workers))
        stack.callback(close_datagram_sockets, datagrams)
        admin = open_admin(config.admin)
        stack.callback(close_listeners, admin)
        log_files = _open_logs(config)
        stack.callback(log_files.close)
        state_folder = Path(os.environ.get("STATE_DIRECTORY", runtime))
        node = _Node(config, opening, listeners, path, state_folder, log_files, datagrams, admin)
        if fatal := node.certificates.fatal:
            raise StartError("; ".join(str(trouble) for trouble in fatal))
        stories: Stories = {
            "handover": node.handover.story,
            "server": partial(server_story, node.checks),
            "events": node.events.story,
        }
        async with trio.open_nursery() as nursery:
            nursery.start_soon(serve_runtime, control, node.commands, stories, node.admin.cli.run)
            nursery.start_soon(node.run)
            async for number in signals:
                if number == signal.SIGUSR2:
                    node.reopen_logs()
                    continue
                log.info("stopping", extra={"signal": signal.Signals(number).name})
                node.events.stopping(signal.Signals(number).name)
                break
            systemd.notify("STOPPING=1")
            await _stop_or_hurry(node, signals)
            nursery.cancel_scope.cancel()


def _open_logs(config: NodeConfig) -> LogFiles:
    try:
        return LogFiles(log_paths(config.balancer.frontends.values()))
    except LogFileError as error:
        raise StartError(str(error)) from error


def _check_privileges(config: NodeConfig) -> None:
    has_kernel_plane = len(config.balancer.proxied.frontends) < len(config.balancer.frontends)
    needed = (privileges.CAP_NET_ADMIN, privileges.CAP_NET_RAW) if config.routers or has_kernel_plane else ()
    if any(pool.transparent for pool in config.balancer.pools.values()) and privileges.CAP_NET_RAW not in needed:
        needed = (*needed, privileges.CAP_NET_RAW)
    missing = privileges.missing_capabilities(needed)
    if missing:
        what = "plane: kernel" if has_kernel_plane else "transparent: true"
        what = "holding virtual IP addresses" if config.routers else what
        raise StartError(
            f"{what} needs {' and '.join(missing)}: start hapair as root (sudo hapair up), "
            f"or from deploy/hapair.service, which grants just these"
        )


def _opening(config: NodeConfig, record_to: Path | None) -> StartRouters:
    """What every announcer of this node is started with."""
    try:
        secret = None if config.secret_file is None else secret_file.load(config.secret_file)
    except secret_file.SecretError as error:
        raise StartError(str(error)) from error
    link = None
    if config.link is not None and secret is not None:
        link = LinkConfig(
            node=config.link.node,
            peer=config.link.peer,
            address=config.link.address,
            peer_address=config.link.peer_address,
            port=config.link.port,
            secret=secret,
            interval_s=min((router.advertisement_interval_cs for router in config.routers), default=100) / 100,
        )
    return StartRouters(
        routers=config.routers,
        secret=secret,
        link=link,
        witnesses=config.witnesses,
        tracked={name: tracks.interfaces for name, tracks in config.tracks.items() if tracks.interfaces},
        record_to=None if record_to is None else str(record_to),
    )


async def _stop_or_hurry(node: "_Node", signals: Any) -> None:
    """Stop in good order; a second signal ends the drain."""

    async def hurry(scope: trio.CancelScope) -> None:
        async for number in signals:
            if number == signal.SIGUSR2:
                continue
            log.warning("a second signal: open connections are cut")
            scope.cancel()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(hurry, nursery.cancel_scope)
        await node.stop()
        nursery.cancel_scope.cancel()


class _Node:
    """The parts of a running node, and what one's change means for the others."""

    def __init__(
        self,
        config: NodeConfig,
        opening: StartRouters,
        listeners: Mapping[Endpoint, socket.socket],
        path: str,
        state_folder: Path,
        log_files: LogFiles,
        datagrams: Mapping[Endpoint, Sequence[socket.socket]],
        admin: Mapping[Endpoint, socket.socket],
    ) -> None:
        self._config = config
        self._path = path
        self._started_at = trio.current_time()
        self._proxied = config.balancer.proxied
        self.events = NodeEvents(config.node)
        self.events.started(path)
        self._slots = Slots.create(self._proxied, max(1, config.workers))
        self.handover = NodeHandover(
            config, announcer=lambda: self._announcer, changed=self._roles_changed, news=self.events.handover
        )
        self._announcer = AnnouncerWatch(
            opening,
            LastWill(config.routers),
            next_epoch=partial(next_epoch, state_folder),
            on_report=self._reported,
            on_message=self.handover.received,
        )
        self._tracking = Tracking(config.routers, config.tracks, self._tracked)
        self._notifier = Notifier(config.node, config.routers, config.notify)
        self.checks = CheckRunner(config.balancer.pools, self._server_changed, probe=self._probe)
        self._discovery = Discovery(config.balancer.pools, self.checks.place)
        self._workers = WorkersWatch(
            *(replace(config, balancer=self._proxied), listeners, self._slots, self._judge),
            *(self.checks.errors_observed, log_files, datagrams, cookie_key(opening.secret, state_folder)),
        )
        self._flows = FlowsWatch(flows_opening(config.balancer, opening.link))
        self._kernel = KernelPlane(
            config.balancer, state_folder, config.routers, active=self._active, on_change=self._judge
        )
        self.certificates = CertificateWatch(self._proxied, Path(path).parent, self._workers.renew)
        self._workers.renew(self.certificates.reading.material)
        for standing in self.checks.standings(self._started_at):
            self._workers.set_standing(*standing)
            self._kernel.set_standing(*standing)
        self._programs = Programs()
        self._secrecy = CheckSecrecy()
        self._role = ""
        self._ready = False
        self._fit = False
        self._stopping = False
        self.peer = NodePeer(opening.link, config.file, self.events.record)
        self.admin = NodeAdmin(self.snapshot, self.checks, config.admin, admin, looked=self._looked)

    def reopen_logs(self) -> None:
        """The log files may have been renamed."""
        log.info("access logs are opened again")
        self._workers.reopen_logs()

    async def run(self) -> None:
        """Start everything and keep it running."""
        self._roles_changed()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._workers.run)
            nursery.start_soon(self.checks.run)
            nursery.start_soon(self._discovery.run)
            nursery.start_soon(self._feed_watchdog)
            nursery.start_soon(self._tracking.run)
            nursery.start_soon(self.certificates.run)
            nursery.start_soon(self.handover.run)
            nursery.start_soon(self._notifier.run)
            nursery.start_soon(self.admin.run)
            nursery.start_soon(self.peer.run)
            self._judge()
            if self._kernel.is_needed:
                nursery.start_soon(self._kernel.run)
            if self._flows.is_needed:
                nursery.start_soon(self._flows.run)
            if self._announcer.is_needed:
                nursery.start_soon(self._announcer.run)

    def _judge(self) -> None:
        if self._stopping:
            return
        fitness = judge(
            self._workers.states,
            servers_in_reach=self._servers_in_reach(),
            kernel_plane_obstacle=self._kernel.obstacle,
        )
        self._announcer.set_fitness(fitness)
        self.events.fitness(fitness)
        self.handover.fit(
            None if fitness.lowered is None and fitness.takes_part else fitness.reason, self._servers_up()
        )
        self._fit = fitness.takes_part
        if fitness.takes_part and not self._ready:
            self._ready = True
            log.info("node is ready", extra={"node": self._config.node})
            systemd.notify("READY=1")

    def _reported(self) -> None:
        self._notifier.hear(self._announcer.snapshots)
        self.events.reported(self._announcer)
        self.handover.reported()
        self._roles_changed()

    def _tracked(self, router: str, tracked: tuple[Tracked, ...]) -> None:
        self._announcer.track(Track(router, tracked))

    def _roles_changed(self) -> None:
        states = self._announcer.states()
        followed = self._config.vip_of_frontend
        self._workers.set_roles(
            FrontendRole(frontend, active, lives_on=not active and bool(followed[frontend] & self.handover.lives_on))
            for frontend, active in active_frontends(followed, states).items()
            if frontend in self._proxied.frontends
        )
        self._flows.set_active(self._active())
        role = node_role(states)
        if role != self._role:
            self.events.role(self._role, role)
            self._role = role
            systemd.notify(f"STATUS={self._config.node} is {role}")
            log.info("role", extra={"node": self._config.node, "role": role})

    def _active(self) -> set[str]:
        """The frontends whose VIPs are here."""
        active = active_frontends(self._config.vip_of_frontend, self._announcer.states())
        return {frontend for frontend, here in active.items() if here}

    async def _probe(self, pool: str, server: str, check: Check, endpoint: Endpoint, preamble: bytes) -> ProbeResult:
        material = self.certificates.reading.material.pools.get(pool)
        secrecy = partial(self._secrecy.of, pool, self._config.balancer.pools[pool], server, material)
        run = self._programs.run
        return await probe(check, endpoint, preamble, run_program=run, names=(pool, server), secrecy=secrecy)

    def _server_changed(self, pool: str, server: str, before: ServerState, after: ServerState) -> None:
        name = f"{pool}/{server}"
        if (before.up, before.admin, before.resolved) != (after.up, after.admin, after.resolved):
            state = {"up": after.up, "admin": after.admin, "resolved": after.resolved, "reason": after.flip_reason}
            log.warning("server flipped", extra={"server": name, **state})
        elif after.place is not None and before.place != after.place:
            log.info("server moved", extra={"server": name, "address": str(after.place.endpoint)})
        self.events.server_changed(pool, server, before, after)
        standing = after.standing(trio.current_time())
        self._workers.set_standing(pool, server, standing)
        self._kernel.set_standing(pool, server, standing)
        self._tell_pool_health()
        self._judge()

    def _tell_pool_health(self) -> None:
        healths = self.checks.snapshot()
        self._tracking.pool_health(
            {pool: [one.serves for one in servers.values()] for pool, servers in healths.items()}
        )

    def _servers_in_reach(self) -> bool:
        pools = self._config.balancer.pools
        healths = self.checks.snapshot().items()
        return servers_in_reach(
            [one.serves for one in health.values()] for pool, health in healths if pools[pool].check
        )

    def _servers_up(self) -> int:
        return sum(one.serves for servers in self.checks.snapshot().values() for one in servers.values())

    async def _feed_watchdog(self) -> None:
        interval_s = systemd.watchdog_interval_s()
        while interval_s is not None:
            systemd.notify("WATCHDOG=1")
            await trio.sleep(interval_s)

    @property
    def commands(self) -> Commands:
        """What can be asked on the runtime socket."""
        return {"status": self.status, "preempt": self.preempt}

    def preempt(self) -> Any:
        """`hapair preempt`: whether it could be done, in words."""
        return preempted(self._announcer.preempt(), self._config.routers)

    def status(self) -> Any:
        """The snapshot as plain values."""
        return to_plain(self.snapshot())

    def _looked(self, node: NodeSnapshot) -> None:
        self.events.looked(node)
        self.peer.looked(node)

    def snapshot(self) -> NodeSnapshot:
        """All that is known of this node now, and what it knows of its peer."""
        node = node_snapshot(
            self._config,
            path=self._path,
            announcer=self._announcer,
            workers=self._workers,
            slots=self._slots,
            kernel=self._kernel,
            flows=self._flows,
            healths=self.checks.snapshot(),
            tracking=self._tracking,
            certificates=self.certificates.views(),
            started_at=self._started_at,
            now=trio.current_time(),
            monotonic=time.monotonic(),
            ready=self._fit and not self._stopping,
            pid=os.getpid(),
        )
        return self.peer.with_peer(node)

    async def stop(self) -> None:
        """The peer takes over first; then what is open may finish, through the peer where that was agreed upon.

        The announcer stays until then, as a guard: while connections go on, no neighbour may learn of the VIPs here.
        """
        self._stopping = True
        reason = "this node stops"
        handed_over = await self.handover.before_stop(reason)
        if handed_over:
            self._announcer.post(Resign(reason))
        else:
            await self._announcer.stop()
        try:
            await self._notifier.finish(NOTIFY_LIMIT_S)
            await self._workers.stop(self._config.balancer.drain_s)
        finally:
            await self.handover.let_go(reason)
            with trio.CancelScope(shield=True):
                await self._announcer.stop()
                await self._kernel.remove()
