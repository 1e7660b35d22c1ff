"""The fence of a node's virtual routers: built when they are known, open for those that hold VIPs, kept standing."""

import errno
import logging
from collections.abc import Callable, Sequence
from ipaddress import IPv6Address

import trio

from vrrp.config import Address, VirtualRouterConfig
from vrrp.linux.fence import Fence, FenceUnavailable
from vrrp.linux.fencerules import FencePlan
from vrrp.linux.macvlan import name_of
from vrrp.ports import AddressOrder
from vrrp.snapshot import FenceSnapshot

log = logging.getLogger(__name__)

_EVENT_BYTES = 1 << 16
_REFUSED = (errno.EPERM, errno.ENOMEM, errno.ENOBUFS, errno.ENOENT, errno.EBUSY)
"""What the kernel may say where nftables is restricted, full, or changed under us: the VIPs go on without a fence."""


class Fencing:
    """To be used by the netlink thread, but for `snapshot` and `stand_guard`. Where there is no fence it says why.

    An address owner's addresses are its own, whether VRRP runs or not: they are never fenced.
    """

    def __init__(self, configs: Sequence[VirtualRouterConfig], make: Callable[..., Fence] = Fence) -> None:
        self._configs = _to_fence(configs)
        self._departing = FencePlan(frozenset())
        """What was fenced for other configurations, and is held until their routers have let go of it."""
        self._make = make
        self._fence: Fence | None = None
        self._indices: dict[str, int] = {}
        """Of the interfaces of routers with a virtual MAC address: on which virtual interface their VIPs stand."""
        self._obstacle: str | None = "it is not built yet"
        self._guarded = False

    def build(self) -> None:
        """Fence every VIP, none of them open."""
        if not self._configs:
            self._obstacle = None
            return
        plan = self._plan()
        try:
            fence = self._make(plan.vips, only_from=plan.only_from, not_accepted=plan.not_accepted)
            fence.install()
        except FenceUnavailable as unavailable:
            self._without(str(unavailable))
        except OSError as error:
            self._without(_words(error))
        else:
            self._fence, self._obstacle = fence, None

    def expect(self, configs: Sequence[VirtualRouterConfig]) -> None:
        """Fence the VIPs of these too, beside those before, which go on."""
        self._departing = self._plan()
        before, self._configs = self._configs, _to_fence(configs)
        self._indices = {
            name: index for name, index in self._indices.items() if _same_place(before[name], self._configs.get(name))
        }
        self._replan()

    def settle(self) -> None:
        """What was fenced before and is not any more has been let go of."""
        self._departing = FencePlan(frozenset())
        self._replan()

    @property
    def is_unguarded(self) -> bool:
        """There is a fence, and nobody stands guard."""
        return self._fence is not None and not self._guarded

    def open(self, order: AddressOrder) -> None:
        """Before the addresses of an order are put on: the kernel may answer for them."""
        config = self._configs.get(order.router)
        if config is None:
            return
        if config.virtual_mac and self._indices.get(order.router) != order.index:
            self._indices[order.router] = order.index
            self._replan()
        self._change(lambda fence: fence.open(self._vips(config)))

    def close(self, router: str) -> None:
        """After the addresses of a router were removed."""
        config = self._configs.get(router)
        if config is not None:
            self._change(lambda fence: fence.close(self._vips(config)))

    def mend(self) -> None:
        """Put back what somebody flushed."""
        self._change(Fence.reinstall_if_missing)

    def remove(self) -> None:
        """This node stops for good: nothing is fenced any more."""
        self._change(Fence.remove)
        self._configs.clear()
        if self._fence is not None:
            self._fence.disown()
            self._fence = None

    def snapshot(self) -> FenceSnapshot:
        """Whether it stands."""
        return FenceSnapshot(obstacle=self._obstacle, restored=self._fence.restored if self._fence else 0)

    async def stand_guard(self, mend: Callable[[], None]) -> None:
        """Call `mend` whenever somebody else has removed something of the fence; for ever."""
        fence = self._fence
        if fence is None:
            return
        self._guarded = True
        events = fence.events()
        while True:
            await trio.lowlevel.wait_readable(events)
            try:
                gone = fence.is_gone(events.recv(_EVENT_BYTES))
            except BlockingIOError:
                continue
            except OSError as error:
                if error.errno != errno.ENOBUFS:
                    raise
                gone = True  # events were lost: better look
            if gone:
                mend()

    def _replan(self) -> None:
        if self._fence is None:
            self.build()
            return
        plan = self._plan()
        self._change(lambda fence: fence.replan(plan.vips, only_from=plan.only_from, not_accepted=plan.not_accepted))

    def _plan(self) -> FencePlan:
        """Of the routers there are, and around them what is still held of earlier ones."""
        vips = frozenset(vip for config in self._configs.values() for vip in self._vips(config))
        refused = frozenset(vip for one in self._configs.values() if not one.accept for vip in self._vips(one))
        departing = self._departing
        only_from = {vip: door for vip, door in departing.only_from.items() if vip not in vips} | self._doors()
        return FencePlan(vips | departing.vips, only_from, refused | departing.not_accepted - vips)

    def _doors(self) -> dict[Address, str]:
        """By VIP with a virtual MAC address: the interface that alone speaks for it."""
        doors = {}
        for name, index in self._indices.items():
            config = self._configs[name]
            for vip in self._vips(config):
                doors[vip] = name_of(index, config.virtual_mac_address)
        return doors

    def _vips(self, config: VirtualRouterConfig) -> list[Address]:
        """Link-local ones with the interface on which they are ours: others may have them elsewhere."""
        interface = config.interface
        if config.virtual_mac and config.name in self._indices:
            interface = name_of(self._indices[config.name], config.virtual_mac_address)
        return [
            IPv6Address(f"{vip}%{interface}") if isinstance(vip, IPv6Address) and vip.is_link_local else vip
            for vip in config.all_vips
        ]

    def _change(self, change: Callable[[Fence], object]) -> None:
        if self._fence is None:
            return
        try:
            change(self._fence)
        except FenceUnavailable as unavailable:
            self._without(str(unavailable))
        except OSError as error:
            self._without(_words(error))
        else:
            self._obstacle = None

    def _without(self, obstacle: str) -> None:
        if obstacle != self._obstacle:
            log.warning("no fence", extra={"reason": obstacle})
        self._obstacle = obstacle


def _to_fence(configs: Sequence[VirtualRouterConfig]) -> dict[str, VirtualRouterConfig]:
    return {config.name: config for config in configs if not config.owner}


def _same_place(before: VirtualRouterConfig, after: VirtualRouterConfig | None) -> bool:
    """Whether the VIPs stand on the same virtual interface, if on one."""
    if after is None or not after.virtual_mac:
        return False
    return (before.interface, before.virtual_mac_address) == (after.interface, after.virtual_mac_address)


def _words(error: OSError) -> str:
    if error.errno not in _REFUSED:
        raise error
    return f"the kernel refused nftables: {error.strerror}"


def remove_fence() -> None:
    """Remove the fence that a dead announcer has left. Raises OSError."""
    try:
        Fence(()).remove()
    except FenceUnavailable:
        return  # then there is none
