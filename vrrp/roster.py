"""The virtual routers of a node and the segments that they are on: made, changed while they run, parted with."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import groupby
from typing import Protocol

import trio

from vrrp.authentication import Verifier
from vrrp.config import Address, VirtualRouterConfig
from vrrp.events import Event, GroupLeft, GroupReady, HoldBack, PeerMet, PriorityChanged, StayBackup
from vrrp.group import is_ready
from vrrp.interfaces import Interface
from vrrp.ports import Ports
from vrrp.reconfiguration import groups_joined, made_anew
from vrrp.running import Observer, Recorder, RunningRouter, Sign
from vrrp.segment import Segment
from vrrp.tracking import Standing

RELEASE_LIMIT_S = 0.9
"""How long leaving may wait for the kernel; the lease takes what is left."""


class Peer(Protocol):
    """The way to the peer beside VRRP: the liveness link."""

    def advertised(self, router: str, source: Address, payload: bytes) -> None:
        """Carry an advertisement there too. Never blocks."""


class Roster:
    """Keeps the routers. `vrrp.runner.Runner` runs them, and says what its arguments are."""

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
        introduce: Callable[[VirtualRouterConfig], None] | None = None,
        watch: Callable[[Interface], None] | None = None,
    ) -> None:
        check_together(configs)
        self._vips = _vips_of(configs)
        self._ports = ports
        self._peer = peer
        self._watch = watch
        self._observe = observe
        self._signer = signer
        self._record = record
        self._introduce = introduce
        self._routers = {config.name: self._make(config, (verifiers or {}).get(config.name)) for config in configs}
        by_segment = sorted(self._routers.values(), key=_segment_of)
        self._segments = {
            key: Segment(key[0], tuple(routers), ports=ports, all_vips=self._vips)
            for key, routers in groupby(by_segment, key=_segment_of)
        }
        self._nursery: trio.Nursery | None = None
        self._leaving: dict[str, RunningRouter] = {}
        """They have left, and the kernel has yet to let go of their VIPs."""
        self._resigned: str | None = None
        self._holds_back = False
        self._peer_sources: dict[str, Address] = {}
        self._reported = trio.Event()
        self._moving: frozenset[str] = frozenset()

    def _make(self, config: VirtualRouterConfig, verifier: Verifier | None) -> RunningRouter:
        if self._introduce is not None:
            self._introduce(config)
        return RunningRouter(
            config,
            ports=self._ports,
            all_vips=self._vips,
            observe=self._observe,
            company=self,
            signer=self._signer if verifier else None,
            verifier=verifier,
            record=self._record,
        )

    async def reconfigure(
        self,
        configs: Sequence[VirtualRouterConfig],
        *,
        standings: Callable[[], Mapping[str, Standing]] = dict,
        verifiers: Mapping[str, Verifier] | None = None,
        watched: Collection[str] = (),
    ) -> None:
        """Go on with these virtual routers. One at a time; raises ValueError where they do not go together.

        A router that is there by its name goes on in place: it stays what it is, and no advertisement of it is late;
        what its new values ask for follows by the usual rules. One that is not listed any more leaves, with priority 0.
        One that cannot go on in place (`vrrp.reconfiguration.made_anew`) leaves like that and begins anew.

        `standings`: how routers stand then, asked for when they are about to change; a router without one stands with
        its configured priority. `watched`: interfaces to tell of from now on, beside those of routers.
        """
        check_together(configs)
        former = self._that_cannot_go_on(configs)
        stayed_backup = {name for name, router in former.items() if router.machine.stays_backup}
        await self._part_with(former)
        await self._ports.addresses.expect(configs)
        self._ports.interfaces.watch({config.interface for config in configs} | set(watched))
        self._vips = _vips_of(configs)
        for segment in self._segments.values():
            segment.all_vips = self._vips
        given, checked = standings(), verifiers or {}
        known = [config for config in configs if config.name in self._routers]
        joined = groups_joined([(self._routers[config.name].config, config) for config in known])
        for config in known:
            self._go_on(config, given.get(config.name), checked.get(config.name))
        self._leave_where_split(joined)
        for config in configs:
            if config.name not in self._routers:
                router = self._make(config, checked.get(config.name))
                if config.name in former:
                    router.follow_on(former[config.name])
                self._begin(router, given.get(config.name), stay=config.name in stayed_backup)
        self._routers = {config.name: self._routers[config.name] for config in configs}
        self._ports.addresses.settle()

    def _that_cannot_go_on(self, configs: Sequence[VirtualRouterConfig]) -> dict[str, RunningRouter]:
        wanted = {config.name: config for config in configs}
        return {
            name: router
            for name, router in self._routers.items()
            if name not in wanted or made_anew(router.config, wanted[name])
        }

    async def _part_with(self, former: Mapping[str, RunningRouter]) -> None:
        """Priority 0, then release; wait (bounded) until the kernel has let go."""
        with self._moving_together(self._routers):
            for router in former.values():
                self._segment(router).part_with(router, "the configuration has changed")
        self._routers = {name: router for name, router in self._routers.items() if name not in former}
        self._segments = {key: segment for key, segment in self._segments.items() if segment.routers}
        self._leaving = dict(former)
        with trio.move_on_after(RELEASE_LIMIT_S):
            while any(router.releasing for router in former.values()):
                await self._reported.wait()
        self._leaving = {}

    def _go_on(self, config: VirtualRouterConfig, standing: Standing | None, verifier: Verifier | None) -> None:
        router = self._routers[config.name]
        priority = config.priority if standing is None else standing.priority
        signer = self._signer if verifier else None
        change = partial(router.reconfigure, config, priority, self._vips, signer=signer, verifier=verifier)
        self._segment(router).reconfigure(change)
        if standing is not None:
            self.set_gate(config.name, "tracking", standing.closed)

    def set_gate(self, name: str, gate: str, reason: str | None, *, stay: bool = True) -> None:
        """Close one of a router's gates for `reason`, or open it (None). It takes part while all of them are open."""
        router = self._routers[name]
        if router.gates.get(gate) != reason:
            self._segment(router).set_gate(router, gate, reason, stay=stay)

    def _leave_where_split(self, joined: Collection[str]) -> None:
        """Of a new group no member may be Active where another is not: the peer's are, or will be."""
        for group in joined:
            members = [router for router in self._routers.values() if router.config.group == group]
            other = next((one.config.name for one in members if one.machine.state_name != "Active"), None)
            active = next((one for one in members if one.machine.state_name == "Active"), None)
            if other is not None and active is not None:
                self._feed(active, GroupLeft(f"{other}, now of the same group {group}, is not Active"))

    def _begin(self, router: RunningRouter, standing: Standing | None, *, stay: bool) -> None:
        """Let a router of a running runner start."""
        config, machine = router.config, router.machine
        self._routers[config.name] = router
        mates = self._group_of(router) if config.group is not None else []
        if standing is not None:
            router.feed(PriorityChanged(standing.priority))
        router.feed(StayBackup(stay or any(one.machine.stays_backup for one in mates if one.machine is not machine)))
        router.feed(HoldBack(self._holds_back))
        if (source := self._peer_sources.get(config.name)) is not None:
            router.feed(PeerMet(source))
        gates = {"node": self._resigned, "tracking": None if standing is None else standing.closed}
        router.gates |= {gate: reason for gate, reason in gates.items() if reason is not None}
        key = _segment_of(router)
        if key in self._segments:
            self._segments[key].add(router)
            return
        segment = self._segments[key] = Segment(key[0], (router,), ports=self._ports, all_vips=self._vips)
        segment.interface_changed(self._ports.interfaces.current(key[0]))
        if self._nursery is not None:
            self._nursery.start_soon(segment.serve)

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
        """See `vrrp.running.Company`. One that has just started has left nobody: it has yet to join the others."""
        started = router.former_state == "Initialize"
        if router.config.group is not None and router.machine.state_name != "Active" and not started:
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

    @property
    def _releasing(self) -> bool:
        return any(router.releasing for router in (*self._routers.values(), *self._leaving.values()))


def _segment_of(router: RunningRouter) -> tuple[str, int]:
    return router.config.interface, router.config.family


def _vips_of(configs: Sequence[VirtualRouterConfig]) -> frozenset[Address]:
    return frozenset(vip for config in configs for vip in config.all_vips)


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
