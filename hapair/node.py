"""`hapair up`: the node process. It owns the listening sockets, starts and watches the others, and runs the checks."""

import logging
import os
import signal
import time
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import trio

from balancer.checks.probes import ProbeResult, probe
from balancer.checks.runner import CheckRunner
from balancer.checks.tls import CheckSecrecy
from balancer.config import Check
from balancer.discovery import Discovery
from balancer.fieldtypes import Endpoint
from balancer.serverstate import ServerState
from balancer.slots import Slots
from hapair import secret as secret_file
from hapair import systemd
from hapair.admin.haproxy_limits import LimitCommands
from hapair.admin.haproxy_servers import ServerCommands
from hapair.admin.haproxy_traffic import TrafficCommands
from hapair.admin.runtime import Commands, Stories, open_runtime_socket, remove_runtime_socket, serve_runtime
from hapair.certificates.store import Reading
from hapair.certificates.watch import CertificateWatch
from hapair.changes import store
from hapair.changes.register import Register
from hapair.command_sockets import CommandSockets
from hapair.config import Loaded, NodeConfig
from hapair.epoch import next_epoch
from hapair.fitness import judge, servers_in_reach
from hapair.isolation import Isolation
from hapair.kernel.plane import KernelPlane
from hapair.kernel.vip_probing import probe_all_ways
from hapair.logfiles import LogFileError
from hapair.messages import Resign, StartRouters, Track
from hapair.node_admin import NodeAdmin
from hapair.node_changes import NodeChanges
from hapair.node_counters import NodeCounters
from hapair.node_events import NodeEvents
from hapair.node_frontends import frontend_story
from hapair.node_handover import NodeHandover, preempted
from hapair.node_maintenance import NodeMaintenance
from hapair.node_membership import Membership
from hapair.node_parts import NodeParts, kernel_pools, said_by, shaped
from hapair.node_peer import NodePeer
from hapair.node_peer_events import NodePeerEvents
from hapair.node_persistence import NodePersistence
from hapair.node_reload import ANSWER_S, NodeReload
from hapair.node_servers import server_story
from hapair.node_sockets import NodeSockets
from hapair.node_takeover import NodeTakeOver
from hapair.node_traffic import NodeTraffic
from hapair.notifications.sender import Notifications
from hapair.notify import Notifier
from hapair.opening import missing_privileges, opening_of
from hapair.processes import Programs
from hapair.reload.plan import Plan, Served
from hapair.role import node_role
from hapair.snapshot import NodeSnapshot
from hapair.tracking import Tracking
from hapair.view import node_snapshot
from hapair.watch_announcer import AnnouncerWatch
from hapair.watch_flows import FlowsWatch, flows_opening
from hapair.watch_workers import WorkersWatch
from hapair.wire import to_plain
from vrrp.last_will import LastWill
from vrrp.tracking import Tracked

log = logging.getLogger(__name__)

NOTIFY_LIMIT_S = 5.0
"""How long a stop waits for the commands that were told of it."""


class StartError(Exception):
    """This node cannot start; the words say what to do."""


async def run_node(
    loaded: Loaded, config: NodeConfig, *, path: str, runtime: Path, record_to: Path | None = None
) -> None:
    """Run until SIGTERM or SIGINT. Raises StartError, balancer.listener's and hapair.admin.runtime's errors.

    `config` is `loaded` as this node sees it. `record_to`: a file for a recording of what the virtual routers do
    (vrrp.recording).
    """
    if (missing := missing_privileges(config)) is not None:
        raise StartError(missing)
    try:
        opening = opening_of(config, record_to)
    except secret_file.SecretError as error:
        raise StartError(str(error)) from error
    listened = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR2, signal.SIGHUP)
    with trio.open_signal_receiver(*listened) as signals, ExitStack() as stack:
        control = await open_runtime_socket(runtime)
        stack.callback(remove_runtime_socket, runtime)
        sockets = _open_sockets(config)
        state_folder = Path(os.environ.get("STATE_DIRECTORY", runtime))
        node = _Node(config, opening, path, state_folder, sockets)
        stack.callback(node.close_sockets)
        stack.callback(node.commands_beside.close)
        if fatal := [*node.certificates.fatal, *node.admin.tls.fatal]:
            raise StartError("; ".join(str(trouble) for trouble in fatal))
        reload = NodeReload(node, Served(file=loaded.file, config=config, opening=opening), path=path)
        stories: Stories = {
            "handover": node.take_over.handover,
            "server": partial(server_story, node.checks, node.changes, node.members),
            "events": node.events.story,
            "frontend": partial(frontend_story, node.traffic, node.changes),
            "reload": reload.story,
            "maintenance": node.maintenance.story,
        }
        async with trio.open_nursery() as nursery:
            nursery.start_soon(node.commands_beside.run)
            nursery.start_soon(serve_runtime, control, node.commands, stories, node.admin.cli.answer)
            nursery.start_soon(node.run)
            nursery.start_soon(reload.run)
            async for number in signals:
                if number == signal.SIGUSR2:
                    node.reopen_logs()
                    continue
                if number == signal.SIGHUP:
                    reload.ask("SIGHUP")
                    continue
                node.events.stopping(signal.Signals(number).name)
                break
            systemd.notify("STOPPING=1")
            await _stop_or_hurry(node, signals)
            nursery.cancel_scope.cancel()


def _open_sockets(config: NodeConfig) -> NodeSockets:
    try:
        return NodeSockets.open(config)
    except LogFileError as error:
        raise StartError(str(error)) from error


async def _stop_or_hurry(node: "_Node", signals: Any) -> None:
    """Stop in good order; a second signal ends the drain."""

    async def hurry(scope: trio.CancelScope) -> None:
        async for number in signals:
            if number in (signal.SIGUSR2, signal.SIGHUP):
                continue
            log.warning("a second signal: open connections are cut")
            scope.cancel()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(hurry, nursery.cancel_scope)
        await node.stop()
        nursery.cancel_scope.cancel()


class _Node(NodeParts):
    """The parts of a running node, and what one's change means for the others."""

    def __init__(
        self,
        config: NodeConfig,
        opening: StartRouters,
        path: str,
        state_folder: Path,
        sockets: NodeSockets,
    ) -> None:
        register = Register(config.node, said_by(config), store.load(state_folder))
        config = self._config = shaped(config, register)
        self._sockets = sockets
        self._path = path
        self._started_at = trio.current_time()
        self._proxied = config.balancer.proxied
        self.events = NodeEvents(config.node, "" if config.link is None else config.link.peer)
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
        self.notifications = Notifications(config.notifications, self.events.feed, folder=Path(path).parent)
        self.checks = CheckRunner(config.balancer.pools, self._server_changed, probe=self._probe)
        self._discovery = Discovery(config.balancer.pools, self.checks.place)
        self.peer = NodePeer(opening.link, config.file, self.events.record)
        self.persistence = NodePersistence(self._proxied.pools, opening.secret, state_folder, self.peer.link)
        self._workers = WorkersWatch(
            *(replace(config, balancer=self._proxied), sockets.listeners, self._slots, self._judge),
            *(self.checks.errors_observed, sockets.logs, sockets.datagrams, self.persistence),
        )
        self._flows = FlowsWatch(flows_opening(config.balancer, opening.link))
        self._isolation = Isolation(None if opening.link is None else opening.link.silence_limit_s)
        self._kernel = KernelPlane(
            config.balancer, state_folder, config.routers, active=self.active_frontends, on_change=self._judge
        )
        self.certificates = CertificateWatch(self._proxied, Path(path).parent, self._workers.renew)
        self._workers.renew(self.certificates.reading.material)
        for standing in self.checks.standings(self._started_at):
            self._workers.set_standing(*standing)
            self._kernel.set_standing(*standing)
        self._programs = Programs()
        self._secrecy = CheckSecrecy()
        self._old = []
        self._role = ""
        self._ready = False
        self._fit = False
        self._stopping = False
        self.maintenance = NodeMaintenance(
            *(config.node, state_folder, self.handover.hand_over, self._announcer.states, self._judge),
            record=self.events.record,
        )
        self._serve_people(config, register, sockets, Path(path).parent, state_folder)

    def _serve_people(
        self, config: NodeConfig, register: Register, sockets: NodeSockets, folder: Path, state_folder: Path
    ) -> None:
        """What they change while the node runs, and where they see it."""
        kept = (register, self.checks, state_folder, self.peer.link)
        self.changes = NodeChanges(
            *kept, reshape=self.reshape, settled=partial(self.settled, ANSWER_S), record=self.events.record
        )
        self.changes.immovable = kernel_pools(config.balancer)
        self.peer_events = NodePeerEvents(self.events.feed, self.events.pair.theirs, self.peer.link)
        self.peer.greetings += [self.changes.greet, self.peer_events.greet]
        self.take_over = NodeTakeOver(config.node, self.events.peer, self.handover.story, self.peer.link)
        self.members = Membership(self.changes, self.snapshot)
        self.traffic = NodeTraffic(
            *(self._proxied, self._workers.orders, lambda: self._sockets.listeners), said=self.changes.said_of_frontend
        )
        self.changes.on_frontend = self.traffic.heard
        self.counters = NodeCounters(self._workers.orders, lambda: self._slots, self.snapshot)
        self.admin = NodeAdmin(
            *(self.snapshot, self.changes.everywhere, config.admin, sockets.admin),
            looked=self._looked,
            events=self.events.pair,
            pair={**self.take_over.stories, "maintenance": self.maintenance.story},
            folder=folder,
            tables=self.persistence.hub,
            commands=(
                *TrafficCommands(self.traffic, self.snapshot).commands(),
                *ServerCommands(self.members, lambda: self._config.balancer).commands(),
                *LimitCommands(self.changes, self.snapshot).commands(),
            ),
            counting=self.counters,
            certificates=self.certificates,
        )
        self.commands_beside = CommandSockets(config.command_sockets, self.admin.cli.answer)

    def apply(self, served: Served, plan: Plan, sockets: NodeSockets, reading: Reading) -> None:
        """Go on with another configuration: what follows from it for the others is told them."""
        super().apply(served, plan, sockets, reading)
        self._tell_pool_health()
        link = served.opening.link
        self._isolation.silence_limit_s = None if link is None else link.silence_limit_s
        self._roles_changed()
        self._judge()

    def reopen_logs(self) -> None:
        """The log files may have been renamed."""
        log.info("access logs are opened again")
        self._workers.reopen_logs()

    async def run(self) -> None:
        """Start everything and keep it running."""
        self._roles_changed()
        self.changes.begin()
        async with trio.open_nursery() as nursery:
            parts = (self.changes, self.traffic, self._workers, self.checks, self._discovery, self._tracking)
            people = (self._notifier, self.notifications, self.admin, self.peer, self.take_over, self.peer_events)
            for part in (*parts, self.certificates, self.handover, *people, self.persistence):
                nursery.start_soon(part.run)
            nursery.start_soon(self._feed_watchdog)
            self._judge()
            nursery.start_soon(self._kernel.run)
            nursery.start_soon(self._flows.run)
            nursery.start_soon(self._announcer.run)

    def _judge(self) -> None:
        if self._stopping:
            return
        fitness = judge(
            self._workers.states,
            servers_in_reach=self._servers_in_reach(),
            kernel_plane_obstacle=self._kernel.obstacle,
            maintenance=self.maintenance.reason,
        )
        self._announcer.set_fitness(fitness)
        self.events.fitness(fitness)
        self.handover.fit(
            None if fitness.lowered is None and fitness.takes_part else fitness.reason, self._servers_up()
        )
        self._fit = fitness.takes_part
        if (fitness.takes_part or fitness.present) and not self._ready:
            self._ready = True
            log.info("node is ready", extra={"node": self._config.node})
            systemd.notify("READY=1")

    def _reported(self) -> None:
        self._notifier.hear(self._announcer.snapshots)
        self.events.reported(self._announcer)
        self.handover.reported()
        self._roles_changed()
        link = self._announcer.link
        behind = self._flows.is_behind(linked=link is not None and link.up, now=trio.current_time())
        self._announcer.hold_back(behind)
        self._look_whether_cut_off()

    def _tracked(self, router: str, tracked: tuple[Tracked, ...]) -> None:
        self._announcer.track(Track(router, tracked))

    def _roles_changed(self) -> None:
        states = self._announcer.states()
        self._workers.set_roles(self._frontend_roles())
        self._flows.set_active(self.active_frontends())
        self._kernel.roles_changed()
        role = node_role(states)
        if role != self._role:
            self.events.role(self._role, role)
            self._role = role
            systemd.notify(f"STATUS={self._config.node} is {role}")

    async def _probe(self, pool: str, server: str, check: Check, endpoint: Endpoint, preamble: bytes) -> ProbeResult:
        material = self.certificates.reading.material.pools.get(pool)
        secrecy = partial(self._secrecy.of, pool, self._config.balancer.pools[pool], server, material)
        run = self._programs.run

        async def look(check: Check, endpoint: Endpoint, mark: int) -> ProbeResult:
            return await probe(
                *(check, endpoint, preamble), run_program=run, names=(pool, server), secrecy=secrecy, mark=mark
            )

        return await probe_all_ways(look, check, endpoint, self._kernel.ways_to(pool, server))

    def _server_changed(self, pool: str, server: str, before: ServerState, after: ServerState) -> None:
        self.events.server_changed(pool, server, before, after)
        if before.up and not after.up:
            self._isolation.server_down(trio.current_time())
        self._look_whether_cut_off()
        standing = after.standing(trio.current_time())
        self._workers.set_standing(pool, server, standing)
        self._kernel.set_standing(pool, server, standing)
        self._tell_pool_health()
        self._judge()

    def _look_whether_cut_off(self) -> None:
        link = self._announcer.link
        linked, up = link is not None and link.up, self._servers_in_reach()
        self._kernel.may_be_cut_off(self._isolation.holds(linked=linked, server_up=up, now=trio.current_time()))

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
        answer = preempted(self._announcer.preempt(), self._config.routers)
        self.events.preempting(answer)
        return answer

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
            certificates=(*self.certificates.views(), *self.admin.tls.views()),
            started_at=self._started_at,
            now=trio.current_time(),
            monotonic=time.monotonic(),
            ready=self._fit and not self._stopping,
            pid=os.getpid(),
        )
        node = replace(self.maintenance.with_maintenance(node), notifications=self.notifications.views())
        node = self.traffic.seen(self.counters.seen(node))
        return self.peer.with_peer(self.persistence.seen(self.changes.seen(node)))

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
            await self.notifications.finish(NOTIFY_LIMIT_S)
            await self._workers.stop(self._config.balancer.drain_s)
        finally:
            await self.handover.let_go(reason)
            with trio.CancelScope(shield=True):
                await self._announcer.stop()
                await self._kernel.remove()
                await self.persistence.save()
                await self.changes.save()
