"""The node keeps its flows process running, and tells it which frontends are here."""

import logging
from collections.abc import Collection
from dataclasses import replace

import trio

from balancer.config import BalancerConfig
from hapair.child import Child, start_child
from hapair.messages import FROM_FLOWS, ActiveFrontends, FlowsReport, KernelFrontend, StartFlows
from hapair.restart import Restarts
from vrrp.liveness.config import LinkConfig

log = logging.getLogger(__name__)

BEHIND_LIMIT_S = 15.0
"""How long VIPs are left to the peer because its flows are not known here."""


def flows_opening(config: BalancerConfig, link: LinkConfig | None) -> StartFlows | None:
    """What the process is started with; None: it has nothing to do. It listens on the port after the link's."""
    frontends = [
        (name, one)
        for name, one in config.frontends.items()
        if one.plane == "kernel" and one.forward != "dsr" and not one.syn_proxy
    ]
    if link is None or not frontends:
        return None
    found = (KernelFrontend(name, "udp" if one.mode == "udp" else "tcp", one.listen) for name, one in frontends)
    return StartFlows(replace(link, port=link.port + 1, purpose="flows"), tuple(found))


class FlowsWatch:
    """Where the kernel plane has a frontend and there is a peer; `is_needed` says so."""

    def __init__(self, opening: StartFlows | None) -> None:
        self.is_needed = opening is not None
        self.report: FlowsReport | None = None
        """The last; None: the process does not run, or has said nothing yet."""
        self.pid: int | None = None
        self.restarts = 0
        self.ended = ""
        """How the last one ended."""
        self._opening = opening
        self._running = trio.CancelScope()
        self._child: Child | None = None
        self._active: tuple[str, ...] = ()
        self._linked = False
        self._met = False
        """Whether it was ever not behind."""
        self._behind_since: float | None = None

    def reload(self, opening: StartFlows | None) -> None:
        """Tell the peer of the flows of these from now on. The process begins anew; the kernel's flows stay."""
        if opening is not None and self._opening is not None:  # nothing is begun anew for another interval
            interval_s = self._opening.link.interval_s
            opening = replace(opening, link=replace(opening.link, interval_s=interval_s))
        if opening != self._opening:
            self._opening, self.is_needed = opening, opening is not None
            self._running.cancel()

    async def run(self) -> None:
        """For ever."""
        while True:
            with trio.CancelScope() as self._running:
                if self._opening is None:
                    await trio.sleep_forever()
                await self._keep()

    async def _keep(self) -> None:
        deaths = Restarts()
        while True:
            self._child = await start_child("hapair.flows", name="flows", known=FROM_FLOWS)
            self.pid = self._child.process.pid
            self._child.channel.post(self._opening)
            self._child.channel.post(ActiveFrontends(self._active), key="active")
            try:
                how = await self._child.follow(self._hear)
            finally:
                self._child.kill()
                self._child.channel.close()
                self._child, self.pid, self.report = None, None, None
            self.ended = how
            log.error("the flows process is gone", extra={"how": how})
            self.restarts += 1
            await trio.sleep(deaths.died(trio.current_time()))

    def _hear(self, message: object) -> None:
        assert isinstance(message, FlowsReport)
        self.report = message

    def is_behind(self, *, linked: bool, now: float) -> bool:
        """Whether the peer knows of flows that this node does not: VIPs are not taken from a living peer then.

        `linked`: whether the two announcers' link is up. Two that never were linked, or do not get to tell each other
        of flows, have their VIPs where they belong all the same, after BEHIND_LIMIT_S.
        """
        if not self.is_needed:
            return False
        if linked != self._linked or self._behind_since is None:
            self._linked, self._behind_since = linked, now
        if linked and self.report is not None and self.report.caught_up:
            self._met, self._behind_since = True, None
            return False
        return (self._met and not linked) or now - self._behind_since < BEHIND_LIMIT_S

    def set_active(self, frontends: Collection[str]) -> None:
        """The frontends whose VIPs are here."""
        active = tuple(sorted(frontends))
        if active != self._active:
            self._active = active
            if self._child is not None:
                self._child.channel.post(ActiveFrontends(active), key="active")
