"""What a handover asks of this machine's kernel: flows, rules and routes, brought together by virtual router."""

import logging
from collections.abc import Iterable, Sequence
from functools import partial
from typing import Protocol

import trio

from hapair.handover import flows, forwarding, routes
from hapair.handover.events import FlowsListed, Forward, Forwarding, Held, HoldVips, ListFlows
from hapair.handover.messages import Stations
from hapair.handover.ruleset import Lane, giver_rules, taker_rules
from vrrp.config import VirtualRouterConfig

log = logging.getLogger(__name__)


class Kernel(Protocol):
    """Carries out the effects that concern the kernel; what is in the way is said in words."""

    def reconfigure(self, routers: Iterable[VirtualRouterConfig]) -> None:
        """From now on these are the virtual routers."""

    async def list_flows(self, what: ListFlows) -> FlowsListed:
        """See ListFlows."""

    async def forward(self, what: Forward) -> Forwarding:
        """See Forward."""

    async def hold(self, what: HoldVips) -> Held:
        """See HoldVips."""

    async def let_go(self) -> None:
        """See LetGo; also at the start, since a crash may have left something."""


class LinuxKernel:
    """By sock_diag, nft and ip."""

    def __init__(self, routers: Sequence[VirtualRouterConfig]) -> None:
        self._routers = {router.name: router for router in routers}

    def reconfigure(self, routers: Iterable[VirtualRouterConfig]) -> None:
        """Go on with these."""
        self._routers = {router.name: router for router in routers}

    async def list_flows(self, what: ListFlows) -> FlowsListed:
        """See Kernel."""
        vips = [vip for name in what.routers for vip in self._routers[name].all_vips]
        states = flows.LIVING if what.living else flows.STATES
        stations = self._stations(what.routers, await routes.ports())
        try:
            found = await trio.to_thread.run_sync(partial(flows.list_flows, vips, states))
        except OSError as error:
            return FlowsListed((), stations, f"the kernel does not list connections: {error.strerror}")
        return FlowsListed(tuple(found), stations)

    async def forward(self, what: Forward) -> Forwarding:
        """See Kernel."""
        ports = await routes.ports()
        lanes, obstacle = self._lanes(what.routers, what.stations, ports)
        if obstacle is None:
            obstacle = await forwarding.install(taker_rules(lanes, what.flows, shielded=what.shielded))
        return Forwarding(self._stations(what.routers, ports), obstacle)

    async def hold(self, what: HoldVips) -> Held:
        """See Kernel. The rules first: with a route, and without them, this kernel would tell the LAN of the VIPs."""
        lanes, obstacle = self._lanes(what.routers, what.stations, await routes.ports())
        if obstacle is None:
            obstacle = await routes.remove_all() or await forwarding.install(giver_rules(lanes))
        return Held(obstacle or await routes.add({lane.interface: lane.vips for lane in lanes}))

    def _stations(self, names: Iterable[str], ports: dict[str, routes.Port]) -> Stations:
        interfaces = {name: self._routers[name].interface for name in names}
        return Stations({name: ports[one].mac for name, one in interfaces.items() if one in ports})

    def _lanes(
        self, names: Iterable[str], others: Stations, ports: dict[str, routes.Port]
    ) -> tuple[list[Lane], str | None]:
        """One for each interface; or what is in the way."""
        lanes: dict[str, Lane] = {}
        all_vips = {vip for router in self._routers.values() for vip in router.all_vips}
        for name in names:
            router = self._routers[name]
            if router.interface not in ports or name not in others.macs:
                return [], f"the MAC addresses of {name} on {router.interface} are not known"
            port, before = ports[router.interface], lanes.get(router.interface)
            vips = (before.vips if before else ()) + router.all_vips
            own = next((one for one in port.addresses if one not in all_vips), None)
            reached_by = (before.reached_by if before else (port.mac,)) + _virtual_mac(router)
            lanes[router.interface] = Lane(router.interface, port.mac, others.macs[name], vips, reached_by, own)
        return list(lanes.values()), None

    async def let_go(self) -> None:
        """See Kernel. The routes first: without the rules they would be seen on the LAN."""
        obstacle = await routes.remove_all()
        if obstacle is not None:
            log.warning("local routes were not removed", extra={"reason": obstacle})
        await forwarding.uninstall()


def _virtual_mac(router: VirtualRouterConfig) -> tuple[str, ...]:
    return (router.virtual_mac_address.hex(":"),) if router.virtual_mac else ()
