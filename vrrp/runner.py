"""Runs virtual routers on trio: `Runner.run` until cancelled. See `vrrp.running` for what carries out effects."""

import logging
from collections.abc import Sequence
from itertools import groupby

import trio

from vrrp.config import VirtualRouterConfig
from vrrp.ports import Ports
from vrrp.running import Observer, RunningRouter
from vrrp.segment import Segment
from vrrp.snapshot import RouterSnapshot

__all__ = ["Observer", "RouterSnapshot", "Runner"]

log = logging.getLogger(__name__)

RELEASE_LIMIT_S = 0.9
"""How long leaving may wait for the kernel; the lease takes what is left."""


class Runner:
    """The virtual routers of a node.

    `observe` is called synchronously at every transition, and whenever `vips_held` or `waiting_for` change; it must
    not block. Raises ValueError where the configs do not go together.
    """

    def __init__(self, configs: Sequence[VirtualRouterConfig], *, ports: Ports, observe: Observer) -> None:
        check_together(configs)
        vips = frozenset(vip for config in configs for vip in config.vips)
        self._ports = ports
        self._routers = {
            config.name: RunningRouter(config, ports=ports, all_vips=vips, observe=observe) for config in configs
        }
        by_interface = sorted(self._routers.values(), key=lambda router: router.config.interface)
        self._segments = {
            name: Segment(name, tuple(routers), ports=ports, all_vips=vips)
            for name, routers in groupby(by_interface, key=lambda router: router.config.interface)
        }
        self._reported = trio.Event()

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Run until cancelled. Ready once it knows every interface and has started what can start.

        However it ends, every Active router sends priority 0 and its VIPs are released, in less than a second.
        """
        try:
            async with trio.open_nursery() as nursery:
                for segment in self._segments.values():
                    nursery.start_soon(segment.serve)
                nursery.start_soon(self._take_reports)
                await nursery.start(self._take_changes)
                task_status.started()
        finally:
            with trio.CancelScope(shield=True, deadline=trio.current_time() + RELEASE_LIMIT_S):
                await self._leave()

    async def resign(self, reason: str) -> None:
        """Leave: priority 0 from every Active router, then release; wait (bounded) until the kernel has let go.

        Every router goes to Initialize and stays there until `resume`.
        """
        for segment in self._segments.values():
            segment.resign(reason)
        with trio.move_on_after(RELEASE_LIMIT_S):
            while self._releasing:
                await self._reported.wait()

    def resume(self) -> None:
        """End a resignation."""
        for segment in self._segments.values():
            segment.resume()

    def set_priority(self, name: str, priority: int | None) -> None:
        """Give a router another effective priority; None: the configured one."""
        router = self._routers[name]
        if priority is None:
            priority = router.config.priority
        if not 1 <= priority <= 255:
            raise ValueError(f"priority must be from 1 to 255, not {priority}")
        self._segments[router.config.interface].set_priority(router, priority)

    def snapshot(self) -> tuple[RouterSnapshot, ...]:
        """Every router at this moment, in the order of the configs."""
        return tuple(router.snapshot() for router in self._routers.values())

    async def _take_changes(self, *, task_status: trio.TaskStatus[None]) -> None:
        unseen = set(self._segments)
        while True:
            interface = await self._ports.interfaces.next_change()
            self._segments[interface.name].interface_changed(interface)
            if unseen:
                unseen.discard(interface.name)
                if not unseen:
                    task_status.started()

    async def _take_reports(self) -> None:
        while True:
            await self._take_report()

    async def _take_report(self) -> None:
        report = await self._ports.addresses.next_report()
        router = self._routers[report.router]
        with self._segments[router.config.interface].awake():
            router.address_report(report)
        self._reported.set()
        self._reported = trio.Event()

    async def _leave(self) -> None:
        for segment in self._segments.values():
            segment.resign("stopped")
            segment.close()
        while self._releasing:
            await self._take_report()

    @property
    def _releasing(self) -> bool:
        return any(router.releasing for router in self._routers.values())


def check_together(configs: Sequence[VirtualRouterConfig]) -> None:
    """Raise ValueError where these cannot run on one node."""
    names: set[str] = set()
    numbers: dict[tuple[str, int], str] = {}
    for config in configs:
        if config.name in names:
            raise ValueError(f"two virtual routers are named {config.name!r}")
        names.add(config.name)
        other = numbers.setdefault((config.interface, config.vrid), config.name)
        if other != config.name:
            raise ValueError(f"{other!r} and {config.name!r} both have vrid {config.vrid} on {config.interface}")
