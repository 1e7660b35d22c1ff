"""The kernel plane of a node: its rules follow the standing of servers, and are put back when somebody flushes them."""

import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path

import trio

from balancer.config import BalancerConfig
from balancer.fieldtypes import Endpoint
from balancer.kernel import nft
from balancer.kernel.ruleset import difference, removal, whole
from balancer.kernel.services import Count, Service, Station, newly_cut, services
from balancer.kernel.vip_checks import Way, ways_to
from balancer.standing import Standing
from hapair.kernel.cutting import cut
from hapair.kernel.events import TableEvents
from hapair.kernel.neighbours import EVERY_S, Neighbours
from hapair.kernel.own_servers import own_servers
from hapair.kernel.sysctls import Sysctls, liberal, wanted
from vrrp.config import VirtualRouterConfig

log = logging.getLogger(__name__)

COUNT_EVERY_S = 2.0
TRY_AGAIN_S = 2.0
SETTINGS_EVERY_S = 5.0
"""How long forwarding can be off after somebody else has switched it off."""
_NO_EGRESS = "servers of forward: dsr are not checked at the VIP: that takes Linux 5.16 and nftables 1.0.1"
_STARTING = "its rules are not loaded yet"


class KernelPlane:
    """Runs where the file has a frontend of `plane: kernel`; `is_needed` says so."""

    def __init__(
        self,
        config: BalancerConfig,
        state_folder: Path,
        routers: Sequence[VirtualRouterConfig] = (),
        *,
        active: Callable[[], Collection[str]],
        on_change: Callable[[], None],
    ) -> None:
        """`active` tells the frontends whose VIPs are here; `on_change` is called when `obstacle` changes."""
        self._set_up(config, routers)
        self._running = trio.CancelScope()
        self._is_over = False
        """It was needed, and its rules are still there."""
        self._counted_before: Mapping[str, Count] = {}
        """By rules that were replaced."""
        self.obstacle: str | None = _STARTING if self.is_needed else None
        """Why it does not work; None: it does."""
        self.restored = 0
        """How often somebody else had removed what is ours."""
        self.counters: Mapping[str, Count] = {}
        self._lacking: tuple[str, ...] = ()
        self._checks_vips = True
        self._active = active
        self._on_change = on_change
        self._standings: dict[tuple[str, str], Standing] = {}
        self._installed: tuple[Service, ...] | None = None
        self._was_active: frozenset[str] = frozenset()
        self._may_be_cut_off = False
        self._wake = trio.Event()
        self._sysctls = Sysctls(state_folder)
        self._station = Station()

    def _set_up(self, config: BalancerConfig, routers: Sequence[VirtualRouterConfig]) -> None:
        kernel = [one for one in config.frontends.values() if one.plane == "kernel"]
        self.services = services(config, {})
        self.is_needed = bool(kernel)
        self._config, self._routers = config, routers
        pools = {one.pool for one in kernel if one.forward == "dsr"}
        ends = (server.address.host for name in pools if name for server in config.pools[name].servers.values())
        self._direct = frozenset(ends)
        """Addresses of servers whose MAC addresses must be known."""

    @property
    def warnings(self) -> tuple[str, ...]:
        """What this machine lacks."""
        return self._lacking if self._checks_vips else (*self._lacking, _NO_EGRESS)

    def set_standing(self, pool: str, server: str, standing: Standing) -> None:
        """What is said of a server has changed."""
        self._standings[pool, server] = standing
        self._wake.set()

    def may_be_cut_off(self, maybe: bool) -> None:
        """Whether servers that are found DOWN may be well, and this node out of their reach (see hapair.isolation)."""
        if maybe != self._may_be_cut_off:
            self._may_be_cut_off = maybe
            self._wake.set()

    def roles_changed(self) -> None:
        """Frontends have come or gone: flows of those that came may lead to servers that are DOWN."""
        self._wake.set()

    def reload(self, config: BalancerConfig, routers: Sequence[VirtualRouterConfig]) -> None:
        """Forward what this asks for, from one instant to the next; flows that are open go on."""
        was_needed, before = self.is_needed, (_of_kernel(self._config), self._routers)
        if before == (_of_kernel(config), routers):
            self._config = config
            return
        self._set_up(config, routers)
        known = {(pool, server) for pool, one in config.pools.items() for server in one.servers}
        self._standings = {pair: said for pair, said in self._standings.items() if pair in known}
        if self._installed is not None:
            self._counted_before = self.counters
        self._installed = None
        if self.is_needed and not was_needed:
            self.obstacle = _STARTING
        self._is_over = was_needed and not self.is_needed
        self._running.cancel()

    async def run(self) -> None:
        """For ever."""
        while True:
            with trio.CancelScope() as self._running:
                if self.is_needed:
                    await self._run()
                elif self._is_over:
                    await self._remove_rules()
                await trio.sleep_forever()

    async def _remove_rules(self) -> None:
        """Nothing is forwarded by the kernel any more."""
        self._is_over = False
        await nft.install(removal())
        self._sysctls.restore()
        self.obstacle, self.counters, self._counted_before = None, {}, {}

    async def _run(self) -> None:
        self._change_settings()
        try:
            events = TableEvents()
        except OSError as error:
            self._set_obstacle(f"this kernel has no nftables, or does not let us: {error.strerror}")
            return
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._follow, events, nursery)
                nursery.start_soon(self._count)
                nursery.start_soon(self._keep_settings)
                if self._direct:
                    nursery.start_soon(self._watch_lan)
        finally:
            events.close()

    async def _keep_settings(self) -> None:
        """Somebody else may change them: another service that starts, `sysctl --system`."""
        while True:
            await trio.sleep(SETTINGS_EVERY_S)
            self._change_settings()

    def _change_settings(self) -> None:
        nat = [service for service in self.services if service.lane is None]
        families = {service.is_ipv6 for service in nat}
        needed = wanted(ipv4=False in families, ipv6=True in families)
        if nat and self._installed is not None:
            needed |= liberal(syn_proxy=any(service.syn_proxy for service in nat))
        own = own_servers(self._config.frontends, self._config.pools)
        self._lacking = (*self._sysctls.change(needed), *own)

    def ways_to(self, pool: str, server: str) -> tuple[Way, ...]:
        """How a server is to be checked beside its own address; none while the rules for that are not in place."""
        return () if self._installed is None else ways_to(self._installed, pool, server)

    async def _watch_lan(self) -> None:
        neighbours = Neighbours(self._routers, self._direct)
        self._checks_vips = await nft.knows_egress()
        try:
            while True:
                station = await neighbours.look()
                if not self._checks_vips:
                    station = station.without_own()
                if station != self._station:
                    self._station = station
                    self._wake.set()
                neighbours.ask()
                with trio.move_on_after(EVERY_S):
                    await neighbours.changed()
        finally:
            neighbours.close()

    async def _follow(self, events: TableEvents, nursery: trio.Nursery) -> None:
        while True:
            await self._install(nursery, events)
            async with trio.open_nursery() as waiting:
                waiting.start_soon(self._woken, waiting.cancel_scope)
                waiting.start_soon(self._robbed, events, waiting.cancel_scope)
                waiting.cancel_scope.deadline = trio.current_time() + (TRY_AGAIN_S if self.obstacle else float("inf"))

    async def _woken(self, scope: trio.CancelScope) -> None:
        await self._wake.wait()
        scope.cancel()

    async def _robbed(self, events: TableEvents, scope: trio.CancelScope) -> None:
        while not events.removals():
            await events.wait()
        self._lost()
        scope.cancel()

    def _lost(self) -> None:
        self._installed = None
        self.restored += 1
        log.warning("rules of the kernel plane were removed by somebody else", extra={"restored": self.restored})

    async def _install(self, nursery: trio.Nursery, events: TableEvents) -> None:
        """What is wanted now, in one transaction."""
        self._wake = trio.Event()
        after = services(self._config, self._standings, station=self._station, cut_off=self._may_be_cut_off)
        changes = None if self._installed is None else difference(self._installed, after)
        if await self._put(whole(after) if changes is None else changes, events, own_removals=changes is None):
            is_first = self._installed is None
            active = frozenset(self._active())
            ended = newly_cut(self._installed or (), after, came=active - self._was_active)
            self._installed, self._was_active = after, active
            self.services = after
            if is_first:
                self._change_settings()
            if ended:
                nursery.start_soon(self._cut, ended)

    async def _put(self, text: str, events: TableEvents, *, own_removals: int) -> bool:
        """Whether it is in place now."""
        obstacle = await nft.install(text) if text else None
        if text and obstacle is None and events.removals() > own_removals:
            self._lost()
            self._wake.set()
            return False
        self._set_obstacle(obstacle)
        if obstacle is not None:
            self._installed = None
        return obstacle is None

    async def _cut(self, ended: list[tuple[Service, Endpoint]]) -> None:
        if flows := await cut(ended, active=self._active()):
            log.info("flows of servers that are DOWN were cut", extra={"flows": flows})

    def _set_obstacle(self, obstacle: str | None) -> None:
        if obstacle == self.obstacle:
            return
        if obstacle is None:
            log.info("the kernel plane is in place")
        else:
            log.error("the kernel plane is not in place", extra={"reason": obstacle})
        self.obstacle = obstacle
        self._on_change()

    async def _count(self) -> None:
        while True:
            found = await nft.counters()
            if found:
                self.counters = {name: _added(one, self._counted_before.get(name)) for name, one in found.items()}
            await trio.sleep(COUNT_EVERY_S)

    async def remove(self) -> None:
        """At a clean stop: no trace is left."""
        if self.is_needed:
            await nft.install(removal())
            self._sysctls.restore()


def _added(one: Count, other: Count | None) -> Count:
    return one if other is None else Count(one.packets + other.packets, one.bytes + other.bytes)


def _of_kernel(config: BalancerConfig) -> object:
    """The part that is ours, in the order of the file."""
    frontends = [(name, one) for name, one in config.frontends.items() if one.plane == "kernel"]
    return frontends, [(one.pool, config.pools[one.pool]) for _, one in frontends if one.pool is not None]
