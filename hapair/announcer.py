"""The announcer process: VRRP and the VIPs, and nothing else, so that adverts are never late for another's work."""

import gc
import logging
import sys
from collections.abc import Sequence
from typing import Any

import trio

from hapair import logs, privileges
from hapair.channel import Channel
from hapair.messages import TO_ANNOUNCER, LowerPriority, Resign, Resume, RouterReport, StartRouters, Stop
from hapair.parent import ParentGoneError, channel_from_arguments, follow
from vrrp.config import VirtualRouterConfig
from vrrp.linux import open_ports
from vrrp.runner import Runner
from vrrp.snapshot import RouterSnapshot

log = logging.getLogger(__name__)

RESIGN_LIMIT_S = 1.0


def main() -> None:
    """Entry point: `python -m hapair.announcer FD`."""
    logs.set_up("announcer")
    channel = channel_from_arguments(TO_ANNOUNCER)
    privileges.use_realtime_scheduling()
    privileges.lock_memory()
    sys.exit(trio.run(_Announcer(channel).run))


class _Announcer:
    """Translates between the channel and the runner."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._runner: Runner | None = None
        self._stopping = trio.CancelScope()

    async def run(self) -> int:
        """Until the node says stop or is gone; the VIPs are released before this returns. The exit status."""
        async with trio.open_nursery() as nursery:
            self._nursery = nursery
            status = await self._follow_node()
            nursery.cancel_scope.cancel()
        return status

    async def _run_routers(
        self, routers: Sequence[VirtualRouterConfig], *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
    ) -> None:
        gc.collect()
        gc.freeze()
        gc.disable()  # the netlink thread collects after each of its jobs: here a collection would make an advert late
        async with open_ports(routers) as ports:
            self._runner = Runner(routers, ports=ports, observe=self.observe)
            await self._runner.run(task_status=task_status)

    def observe(self, _: RouterSnapshot) -> None:
        """A transition: tell the node now, not with the next heartbeat."""
        self._channel.post(self._report(), key="beat")

    def _report(self) -> RouterReport:
        return RouterReport(self._runner.snapshot() if self._runner else ())

    async def _follow_node(self) -> int:
        try:
            with self._stopping:
                await follow(self._channel, self._handle, self._report)
        except ParentGoneError as gone:
            log.error("resigning", extra={"reason": gone})
            await self._resign(str(gone))
            return 1
        return 0

    async def _handle(self, message: Any, _: list[int]) -> None:
        match message:
            case StartRouters(routers):
                await self._nursery.start(self._run_routers, routers)
            case Resign(reason):
                await self._resign(reason)
            case Resume() if self._runner:
                self._runner.resume()
            case LowerPriority(priority):
                self._lower(priority)
            case Stop():
                await self._resign("this node stops")
                self._stopping.cancel()

    def _lower(self, priority: int | None) -> None:
        if self._runner is None:
            return
        for router in self._runner.snapshot():
            lowered = None if priority is None else min(priority, router.configured_priority)
            self._runner.set_priority(router.name, lowered)

    async def _resign(self, reason: str) -> None:
        if self._runner is not None:
            with trio.move_on_after(RESIGN_LIMIT_S, shield=True):
                await self._runner.resign(reason)


if __name__ == "__main__":
    main()
