"""Runs virtual routers on trio: `Runner.run` until cancelled. See `vrrp.running` for what carries out effects."""

from collections.abc import Iterable, Mapping

import trio

from vrrp.config import Address
from vrrp.events import (
    AnnounceAgain,
    Event,
    HandedOver,
    HandOver,
    HoldBack,
    PeerHeard,
    PeerLost,
    PeerMet,
    PriorityChanged,
    StayBackup,
    TakeOver,
    WitnessAnswered,
)
from vrrp.roster import RELEASE_LIMIT_S, Peer, Roster, check_together
from vrrp.running import Observer
from vrrp.segment import Segment
from vrrp.snapshot import RouterSnapshot

__all__ = ["Observer", "Peer", "RouterSnapshot", "Runner", "check_together"]


class Runner(Roster):
    """The virtual routers of a node.

    `observe` is called synchronously at every transition, and whenever `vips_held` or `waiting_for` change; it must
    not block. `watch` is told of every change of an interface, those without a virtual router included. `verifiers` by
    virtual router's name; `signer` signs for all that have one. `introduce` is called with each
    router's config before anything of it is recorded. Raises ValueError where the configs do not go together.
    """

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Run until cancelled. Ready once it knows every interface and has started what can start.

        However it ends, every Active router sends priority 0 and its VIPs are released, in less than a second.
        """
        try:
            async with trio.open_nursery() as nursery:
                self._nursery = nursery
                for segment in self._segments.values():
                    nursery.start_soon(segment.serve)
                nursery.start_soon(self._take_reports)
                if self._ports.witnesses is not None:
                    nursery.start_soon(self._take_answers)
                await nursery.start(self._take_changes)
                task_status.started()
        finally:
            self._nursery = None
            with trio.CancelScope(shield=True, deadline=trio.current_time() + RELEASE_LIMIT_S):
                await self._leave()

    async def resign(self, reason: str, *, stay: bool = False) -> None:
        """Leave: priority 0 from every Active router, then release; wait (bounded) until the kernel has let go.

        Every router goes to Initialize and stays there until `resume`. `stay`: those that were Active do not preempt
        then (see vrrp.events.StayBackup).
        """
        self._resigned = reason
        with self._moving_together(self._routers):
            for name in self._routers:
                self.set_gate(name, "node", reason, stay=stay)
        with trio.move_on_after(RELEASE_LIMIT_S):
            while self._releasing:
                await self._reported.wait()

    def resume(self) -> None:
        """End a resignation."""
        self._resigned = None
        for name in self._routers:
            self.set_gate(name, "node", None)

    def set_priority(self, name: str, priority: int | None) -> None:
        """Give a router another effective priority; None: the configured one."""
        router = self._routers[name]
        if priority is None:
            priority = router.config.priority
        if not 1 <= priority <= 255:
            raise ValueError(f"priority must be from 1 to 255, not {priority}")
        self._feed(router, PriorityChanged(priority))

    def stay_backup(self, *, stay: bool) -> None:
        """Do not preempt, or do so again as configured."""
        self._feed_all(StayBackup(stay))

    def hold_back(self, *, hold: bool) -> None:
        """Do not preempt for the moment, or do so again as configured."""
        self._holds_back = hold
        self._feed_all(HoldBack(hold))

    def announce(self) -> None:
        """Announce the VIPs that are held as after a claim."""
        self._feed_all(AnnounceAgain())

    def peer_met(self, sources: Mapping[str, Address]) -> None:
        """The link to the peer is up; `sources`: where its advertisements come from, by virtual router's name."""
        self._peer_sources.update(sources)
        for name, source in sources.items():
            if name in self._routers:
                self._feed(self._routers[name], PeerMet(source))

    def peer_heard(self) -> None:
        """The link carried a sign of life."""
        self._feed_all(PeerHeard())

    def peer_lost(self) -> None:
        """The peer's process died. Whatever that leads to is done when this returns."""
        self._feed_all(PeerLost())
        for segment in self._segments.values():
            segment.turn()

    def peer_advertised(self, name: str, source: Address, payload: bytes) -> None:
        """An advertisement came by the link."""
        router = self._routers.get(name)
        if router is not None and router.machine.state_name != "Initialize":
            with self._segment(router).awake():
                router.receive_by_link(source, payload)

    def tell(self, names: Iterable[str], event: HandOver | TakeOver | HandedOver) -> None:
        """Hand a step of a handover to these routers. Whatever that leads to is done when this returns."""
        known = [name for name in names if name in self._routers]
        with self._moving_together(known):
            for name in known:
                self._feed(self._routers[name], event)

    @property
    def names(self) -> frozenset[str]:
        """Of the virtual routers there are."""
        return frozenset(self._routers)

    def sources(self) -> dict[str, Address]:
        """Where our advertisements come from, by virtual router's name, of those that are not in Initialize."""
        running = (router for router in self._routers.values() if router.machine.state_name != "Initialize")
        return {router.config.name: router.machine.address for router in running}

    def snapshot(self) -> tuple[RouterSnapshot, ...]:
        """Every router at this moment, in the order of the configs; before them those that are leaving for good."""
        return tuple(router.snapshot() for router in (*self._leaving.values(), *self._routers.values()))

    def _feed_all(self, event: Event) -> None:
        for router in self._routers.values():
            self._feed(router, event)

    async def _take_changes(self, *, task_status: trio.TaskStatus[None]) -> None:
        unseen = {interface for interface, _ in self._segments}
        while True:
            interface = await self._ports.interfaces.next_change()
            for segment in self._segments_on(interface.name):
                segment.interface_changed(interface)
            if self._watch is not None:
                self._watch(interface)
            if unseen:
                unseen.discard(interface.name)
                if not unseen:
                    task_status.started()

    def _segments_on(self, interface: str) -> Iterable[Segment]:
        return (segment for (name, _), segment in self._segments.items() if name == interface)

    async def _take_reports(self) -> None:
        while True:
            await self._take_report()

    async def _take_report(self) -> None:
        report = await self._ports.addresses.next_report()
        if report.router in self._leaving:
            self._leaving[report.router].address_report(report)
        elif report.router in self._routers:
            router = self._routers[report.router]
            with self._segment(router).awake():
                router.address_report(report)
        self._reported.set()
        self._reported = trio.Event()

    async def _take_answers(self) -> None:
        assert self._ports.witnesses is not None
        while True:
            interface = await self._ports.witnesses.next_answer()
            for segment in self._segments_on(interface):
                for router in segment.routers:
                    segment.feed(router, WitnessAnswered())

    async def _leave(self) -> None:
        with self._moving_together(self._routers):
            for segment in self._segments.values():
                for router in segment.routers:
                    segment.set_gate(router, "node", "stopped", stay=False)
                segment.close()
        while self._releasing:
            await self._take_report()
