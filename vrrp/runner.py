"""Runs virtual routers on trio: `Runner.run` until cancelled. See `vrrp.running` for what carries out effects."""

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import groupby
from typing import Protocol

import trio

from vrrp.authentication import Verifier
from vrrp.config import Address, VirtualRouterConfig
from vrrp.events import (
    AnnounceAgain,
    Event,
    GroupLeft,
    GroupReady,
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
from vrrp.group import is_ready
from vrrp.interfaces import Interface
from vrrp.ports import Ports
from vrrp.running import Observer, Recorder, RunningRouter, Sign
from vrrp.segment import Segment
from vrrp.snapshot import RouterSnapshot

__all__ = ["Observer", "Peer", "RouterSnapshot", "Runner"]

log = logging.getLogger(__name__)

RELEASE_LIMIT_S = 0.9
"""How long leaving may wait for the kernel; the lease takes what is left."""


class Peer(Protocol):
    """The way to the peer beside VRRP: the liveness link."""

    def advertised(self, router: str, source: Address, payload: bytes) -> None:
        """Carry an advertisement there too. Never blocks."""


class Runner:
    """The virtual routers of a node.

    `observe` is called synchronously at every transition, and whenever `vips_held` or `waiting_for` change; it must
    not block. `watch` is told of every change of an interface, those without a virtual router included. `verifiers` by
    virtual router's name; `signer` signs for all that have one. Raises ValueError where the
    configs do not go together.
    """

    def __init__(
        self,
        configs: Sequence[VirtualRouterConfig],
        *,
        ports: Ports,
        observe: Observer,
        peer: Peer | None = None,
        signer: Sign | None = None,
        verifiers: Mapping[str, Verifier] | None = None,
        record: Recorder | None = None,
        watch: Callable[[Interface], None] | None = None,
    ) -> None:
        check_together(configs)
        vips = frozenset(vip for config in configs for vip in config.all_vips)
        self._ports = ports
        self._peer = peer
        self._watch = watch
        self._routers: dict[str, RunningRouter] = {}
        for config in configs:
            verifier = (verifiers or {}).get(config.name)
            self._routers[config.name] = RunningRouter(
                config,
                ports=ports,
                all_vips=vips,
                observe=observe,
                company=self,
                signer=signer if verifier else None,
                verifier=verifier,
                record=record,
            )
        by_segment = sorted(self._routers.values(), key=_segment_of)
        self._segments = {
            key: Segment(key[0], tuple(routers), ports=ports, all_vips=vips)
            for key, routers in groupby(by_segment, key=_segment_of)
        }
        self._reported = trio.Event()
        self._moving: frozenset[str] = frozenset()

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Run until cancelled. Ready once it knows every interface and has started what can start.

        However it ends, every Active router sends priority 0 and its VIPs are released, in less than a second.
        """
        try:
            async with trio.open_nursery() as nursery:
                for segment in self._segments.values():
                    nursery.start_soon(segment.serve)
                nursery.start_soon(self._take_reports)
                if self._ports.witnesses is not None:
                    nursery.start_soon(self._take_answers)
                await nursery.start(self._take_changes)
                task_status.started()
        finally:
            with trio.CancelScope(shield=True, deadline=trio.current_time() + RELEASE_LIMIT_S):
                await self._leave()

    async def resign(self, reason: str, *, stay: bool = False) -> None:
        """Leave: priority 0 from every Active router, then release; wait (bounded) until the kernel has let go.

        Every router goes to Initialize and stays there until `resume`. `stay`: those that were Active do not preempt
        then (see vrrp.events.StayBackup).
        """
        with self._moving_together(self._routers):
            for name in self._routers:
                self.set_gate(name, "node", reason, stay=stay)
        with trio.move_on_after(RELEASE_LIMIT_S):
            while self._releasing:
                await self._reported.wait()

    def resume(self) -> None:
        """End a resignation."""
        for name in self._routers:
            self.set_gate(name, "node", None)

    def set_gate(self, name: str, gate: str, reason: str | None, *, stay: bool = True) -> None:
        """Close one of a router's gates for `reason`, or open it (None). It takes part while all of them are open."""
        router = self._routers[name]
        if router.gates.get(gate) != reason:
            self._segment(router).set_gate(router, gate, reason, stay=stay)

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
        self._feed_all(HoldBack(hold))

    def announce(self) -> None:
        """Announce the VIPs that are held as after a claim."""
        self._feed_all(AnnounceAgain())

    def peer_met(self, sources: Mapping[str, Address]) -> None:
        """The link to the peer is up; `sources`: where its advertisements come from, by virtual router's name."""
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

    def sources(self) -> dict[str, Address]:
        """Where our advertisements come from, by virtual router's name, of those that are not in Initialize."""
        running = (router for router in self._routers.values() if router.machine.state_name != "Initialize")
        return {router.config.name: router.machine.address for router in running}

    def snapshot(self) -> tuple[RouterSnapshot, ...]:
        """Every router at this moment, in the order of the configs."""
        return tuple(router.snapshot() for router in self._routers.values())

    def advertised(self, router: RunningRouter, payload: bytes) -> None:
        """See `vrrp.running.Company`."""
        if self._peer is not None:
            self._peer.advertised(router.config.name, router.machine.address, payload)

    def wants_active(self, router: RunningRouter) -> None:
        """See `vrrp.running.Company`."""
        members = self._group_of(router)
        if is_ready([member.machine for member in members]):
            for member in members:
                self._feed(member, GroupReady())

    def state_changed(self, router: RunningRouter, reason: str) -> None:
        """See `vrrp.running.Company`."""
        if router.config.group is not None and router.machine.state_name != "Active":
            reason = f"{router.config.name} of group {router.config.group} left: {reason}"
            left = GroupLeft(reason, router.machine.stays_backup)
            for member in self._group_of(router):
                if member.machine.state_name == "Active" and member.config.name not in self._moving:
                    self._feed(member, left)

    @contextmanager
    def _moving_together(self, names: Iterable[str]) -> Iterator[None]:
        """Each of these is told by itself: the rest of its group need not be told that it left."""
        self._moving = frozenset(names)
        try:
            yield
        finally:
            self._moving = frozenset()

    def _group_of(self, router: RunningRouter) -> list[RunningRouter]:
        return [one for one in self._routers.values() if one.config.group == router.config.group]

    def _segment(self, router: RunningRouter) -> Segment:
        return self._segments[_segment_of(router)]

    def _feed(self, router: RunningRouter, event: Event) -> None:
        self._segment(router).feed(router, event)

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

    @property
    def _releasing(self) -> bool:
        return any(router.releasing for router in self._routers.values())


def _segment_of(router: RunningRouter) -> tuple[str, int]:
    return router.config.interface, router.config.family


def check_together(configs: Sequence[VirtualRouterConfig]) -> None:
    """Raise ValueError where these cannot run on one node."""
    names: set[str] = set()
    numbers: dict[tuple[str, int, int], str] = {}
    for config in configs:
        if config.name in names:
            raise ValueError(f"two virtual routers are named {config.name!r}")
        names.add(config.name)
        key = (config.interface, config.family, config.vrid)
        other = numbers.setdefault(key, config.name)
        if other != config.name:
            raise ValueError(f"{other!r} and {config.name!r} both have vrid {config.vrid} on {config.interface}")
