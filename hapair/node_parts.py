"""What of a running node a reload concerns: its parts, each of which goes on with another configuration in place."""

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Protocol

import trio

from balancer.checks.runner import CheckRunner
from balancer.config import BalancerConfig, Pool, pools_of
from balancer.discovery import Discovery
from balancer.slots import Layout, Slots
from hapair.certificates.store import Reading
from hapair.certificates.watch import CertificateWatch
from hapair.changes.change import Said
from hapair.command_sockets import CommandSockets
from hapair.config import NodeConfig
from hapair.config.pool_rules import obstacle
from hapair.events.event import Happening
from hapair.kernel.plane import KernelPlane
from hapair.messages import FrontendRole
from hapair.node_admin import NodeAdmin
from hapair.node_changes import NodeChanges
from hapair.node_events import NodeEvents
from hapair.node_handover import NodeHandover
from hapair.node_peer import NodePeer
from hapair.node_persistence import NodePersistence
from hapair.node_sockets import NodeSockets
from hapair.node_traffic import NodeTraffic
from hapair.notifications.sender import Notifications
from hapair.notify import Notifier
from hapair.reload.plan import Plan, Served
from hapair.role import active_frontends
from hapair.tracking import Tracking
from hapair.watch_announcer import AnnouncerWatch
from hapair.watch_flows import FlowsWatch, flows_opening
from hapair.watch_workers import WorkersWatch
from vrrp.last_will import LastWill


def kernel_pools(balancer: BalancerConfig) -> set[str]:
    """Those that frontends of the kernel plane lead to."""
    frontends = (one for one in balancer.frontends.values() if one.plane == "kernel")
    return {pool for frontend in frontends for pool in pools_of(frontend)}


def said_by(config: NodeConfig) -> Said:
    """What a file says, as far as people may say otherwise while it runs."""
    file = config.file
    balancer = config.balancer
    said = Said(pools=balancer.pools, frontends=balancer.frontends, max_connections=balancer.max_connections)
    return said if file is None else replace(said, obstacle=lambda pools: obstacle(replace(file, pools=pools)))


class Shape(Protocol):
    """What people may say otherwise than the file (hapair.changes.register.Register)."""

    @property
    def pools(self) -> Mapping[str, Pool]: ...

    @property
    def max_connections(self) -> int | None: ...


def shaped(config: NodeConfig, shape: Shape) -> NodeConfig:
    """The same, as it was said."""
    balancer = replace(config.balancer, pools=shape.pools, max_connections=shape.max_connections)
    return replace(config, balancer=balancer)


class NodeParts:
    """The parts, which whoever makes them must set. `apply` and what comes before it: see hapair/node_reload.py."""

    checks: CheckRunner
    changes: NodeChanges
    commands_beside: CommandSockets
    traffic: NodeTraffic
    handover: NodeHandover
    certificates: CertificateWatch
    admin: NodeAdmin
    events: NodeEvents
    peer: NodePeer
    persistence: NodePersistence
    notifications: Notifications
    _config: NodeConfig
    _proxied: BalancerConfig
    _sockets: NodeSockets
    _slots: Slots
    _announcer: AnnouncerWatch
    _tracking: Tracking
    _notifier: Notifier
    _discovery: Discovery
    _workers: WorkersWatch
    _flows: FlowsWatch
    _kernel: KernelPlane
    _old: list[tuple[NodeSockets, Slots]]
    """What workers may still use, since before a reload."""

    def active_routers(self) -> set[str]:
        """The virtual routers that are Active here."""
        return {name for name, state in self._announcer.states().items() if state == "Active"}

    def active_frontends(self) -> set[str]:
        """The frontends whose VIPs are here."""
        active = active_frontends(self._config.vip_of_frontend, self._announcer.states())
        return {frontend for frontend, here in active.items() if here}

    def sockets_for(self, config: NodeConfig) -> NodeSockets:
        """Opened beside those in use. Raises ListenFailed, LogFileError."""
        return self._sockets.after(self._config, config)

    def close_beside(self, sockets: NodeSockets) -> None:
        """Close those that are not in use: it came to nothing."""
        sockets.close(but=self._sockets)
        self._sockets.keep_logs(self._config)

    def try_certificates(self, config: NodeConfig) -> Reading:
        """What would be served."""
        reading = self.certificates.tried(config.balancer.proxied)
        return replace(reading, troubles=[*reading.troubles, *self.admin.tls.tried(config.admin)])

    async def move_away(self, reason: str, *, only: Collection[str] | None = None) -> str | None:
        """Hand over, all or `only` these; why that was not possible."""
        return await self.handover.before_reload(reason, only=only)

    def record(self, happening: Happening) -> object:
        """For whoever follows events."""
        return self.events.record(happening)

    def superseded(self, config: NodeConfig) -> list[str]:
        """What people said of servers, and would hold no more with this."""
        gone = self.changes.superseded(said_by(config))
        return [f"the file wins over what was said while the node ran: {change.words}" for change in gone]

    def apply(self, served: Served, plan: Plan, sockets: NodeSockets, reading: Reading) -> None:
        """Have every part go on with this. Returns at once; nothing of it may fail."""
        fresh = self.changes.reload(said_by(served.config))
        config = shaped(served.config, self.changes)
        before, self._config = self._config, config
        self._proxied = config.balancer.proxied
        self._old.append((self._sockets, self._slots))
        self._sockets, self._slots = sockets, self._slots_for(before, config)
        self.traffic.reload(self._proxied)
        self._reload_workers(reading)
        self.changes.immovable = kernel_pools(config.balancer)
        self.checks.reload(config.balancer.pools)
        self.changes.reloaded(fresh)
        self._reload_servers()
        self._flows.reload(flows_opening(config.balancer, served.opening.link))
        self.certificates.reload(self._proxied, reading)
        self.handover.reload(config)
        if plan.routers:
            self._announcer.reload(served.opening, LastWill(config.routers))
        self._tracking.reload(config.routers, config.tracks)
        self._notifier.reload(config.routers, config.notify)
        self.notifications.reload(config.notifications)
        self.commands_beside.reload(config.command_sockets)
        self.admin.reload(config.admin, sockets.admin)
        self.peer.reloaded(served.file)
        self._tell_standings()

    def reshape(self, fresh: Collection[tuple[str, str]]) -> None:
        """Go on as somebody said; `fresh` are servers that are new. Returns at once."""
        before, self._config = self._config, shaped(self._config, self.changes)
        self._proxied = self._config.balancer.proxied
        for pair in fresh:
            self.checks.forget(*pair)
        self._old.append((self._sockets, self._slots))
        self._slots = self._slots_for(before, self._config)
        self._reload_workers(self.certificates.reading)
        self.checks.reload(self._config.balancer.pools)
        self._reload_servers()
        self._tell_standings(fresh)

    def _reload_servers(self) -> None:
        balancer = self._config.balancer
        self._discovery.reload(balancer.pools)
        self._kernel.reload(balancer, self._config.routers)
        self.persistence.reloaded(self._proxied.pools)

    def _tell_standings(self, besides: Collection[tuple[str, str]] = ()) -> None:
        for standing in self.checks.standings(trio.current_time(), besides):
            self._workers.set_standing(*standing)
            self._kernel.set_standing(*standing)

    def _reload_workers(self, reading: Reading) -> None:
        config = replace(self._config, balancer=self._proxied)
        roles = self._frontend_roles()
        self._workers.reload(
            config, self._sockets.listeners, self._sockets.datagrams, self._slots, reading.material, roles
        )

    def _slots_for(self, before: NodeConfig, config: NodeConfig) -> Slots:
        """Those in use where names and workers are the same."""
        workers, stay = max(1, config.workers), self._workers.staying(config)
        if self._slots.layout == Layout.of(self._proxied, workers) and stay == before.workers:
            return self._slots
        old = before.balancer.proxied.frontends
        same = {name for name, one in self._proxied.frontends.items() if name in old and old[name].limits == one.limits}
        slots = Slots.create(self._proxied, workers)
        slots.take_over(self._slots, workers=stay, same_limits=same)
        return slots

    async def settled(self, limit_s: float) -> list[str]:
        """Wait until the workers serve it, and let go of what they needed before. What went wrong."""
        troubles = await self._workers.settled(limit_s)
        for sockets, slots in self._old:
            sockets.close(but=self._sockets)
            if slots is not self._slots and not self._workers.counts_in(slots):
                slots.close()
        self._old.clear()
        self._sockets.keep_logs(self._config)
        return troubles

    def _frontend_roles(self) -> list[FrontendRole]:
        followed = self._config.vip_of_frontend
        return [
            FrontendRole(frontend, active, lives_on=not active and bool(followed[frontend] & self.handover.lives_on))
            for frontend, active in active_frontends(followed, self._announcer.states()).items()
            if frontend in self._proxied.frontends
        ]

    def close_sockets(self) -> None:
        """At the end."""
        self._sockets.close()
