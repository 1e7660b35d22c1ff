"""One interface and its virtual routers of one family: one socket, one loop, one turn at a time.

A turn is synchronous and always in this order: how late are we (a pause makes everything else we believe stale); what
has arrived (an advertisement in the queue proves that the peer lives); which deadlines have passed.
"""

import math
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager, suppress

import trio

from vrrp.advertisement import AdvertRejected, Datagram, RejectReason, vrid_of
from vrrp.config import Address
from vrrp.events import Event, InterfaceLost, InterfaceReady, LanHeard, LoopLate, Shutdown
from vrrp.interfaces import Interface, lacking, primary_address, removed
from vrrp.ports import AdvertSocket, Ports
from vrrp.running import RunningRouter
from vrrp.states import Backup

DRAIN_LIMIT = 512  # more than a socket's queue holds, so that a flood cannot keep a turn from ending
REOPEN_AFTER_S = 1.0
LISTEN_EVERY_S = 0.05
_NOTICED_LATENESS_S = 0.001


class Segment:
    """Routers of one interface and family. A public method has carried out every effect when it returns."""

    def __init__(
        self, name: str, routers: Sequence[RunningRouter], *, ports: Ports, all_vips: Collection[Address]
    ) -> None:
        self.routers = tuple(routers)
        self.all_vips = all_vips
        self.interface = Interface(name=name)
        self.family = routers[0].config.family
        self._by_vrid = {router.config.vrid: router for router in routers}
        self._ports = ports
        self._socket: AdvertSocket | None = None
        self._heard_nothing_since: int | None = None
        self._scope = trio.CancelScope()
        self._reopen_at = math.inf
        self._aim = math.inf
        self._pauses = ports.clock.boottime() - ports.clock.monotonic()

    async def serve(self) -> None:
        """Take turns until no router is left."""
        while self.routers:
            with trio.CancelScope() as self._scope:
                self._set_alarm()
                await self._something_to_read()
            self.turn()

    def turn(self) -> None:
        """Do what is due."""
        with self.awake():
            self._drain()
            now = self._ports.clock.monotonic()
            if now >= self._reopen_at:
                self._refresh()
            if self._is_held_down(now):
                self._listen_to_the_kernel()
            for router in self.routers:
                if router.machine.deadline <= now:
                    router.come_due(now)

    def interface_changed(self, interface: Interface) -> None:
        """Take what is now known of the interface."""
        with self.awake():
            before = self.interface
            if interface.index != before.index:
                self._stop(f"interface {interface.name} is gone")
            self.interface = interface
            for router in self.routers:
                router.interface = interface
            self._refresh()
            gone = removed(before, interface)
            for router in self.routers:
                router.addresses_removed(gone)

    def add(self, router: RunningRouter) -> None:
        """Take in one more, which starts when the interface lets it."""
        with self.awake():
            self.routers = (*self.routers, router)
            self._by_vrid[router.config.vrid] = router
            router.interface, router.socket = self.interface, self._socket
            self._refresh()

    def part_with(self, router: RunningRouter, reason: str) -> None:
        """Have a router leave for good: priority 0, and its VIPs released. With the last one the socket is closed."""
        with self.awake():
            router.feed(Shutdown(reason))
            self.routers = tuple(one for one in self.routers if one is not router)
            del self._by_vrid[router.config.vrid]
        if not self.routers:
            self.close()
            self._scope.cancel()

    def reconfigure(self, change: Callable[[], None]) -> None:
        """Have one of the routers go on with another configuration, by `change`. Its source may be another address."""
        with self.awake():
            change()
            self._refresh()

    def set_gate(self, router: RunningRouter, gate: str, reason: str | None, *, stay: bool) -> None:
        """Close a gate of a router, which leaves and stays away; None: open it. Several must all be open."""
        with self.awake():
            if reason is None:
                router.gates.pop(gate, None)
                self._refresh()
                return
            router.gates[gate] = reason
            router.wait_for(reason)
            router.feed(Shutdown(reason, stay))

    def feed(self, router: RunningRouter, event: Event) -> None:
        """Hand an event to one of the routers."""
        with self.awake():
            router.feed(event)

    def close(self) -> None:
        """Let go of the socket. Nothing is received after this."""
        if self._socket is not None:
            self._socket.close()
            self._use(None)

    @contextmanager
    def awake(self) -> Iterator[None]:
        """Around everything that feeds a router: lateness is told before, the alarm is set after."""
        self._tell_lateness()
        yield
        self._set_alarm()

    def _tell_lateness(self) -> None:
        now, boot = self._ports.clock.monotonic(), self._ports.clock.boottime()
        unseen, self._pauses = boot - now - self._pauses, boot - now
        late_s = max(0.0, now - self._aim) + max(0.0, unseen)
        self._aim = math.inf  # told once
        if late_s < _NOTICED_LATENESS_S:
            return
        for router in self.routers:
            router.lateness_max_s = max(router.lateness_max_s, late_s)
            router.feed(LoopLate(late_s))

    def _set_alarm(self) -> None:
        now = self._ports.clock.monotonic()
        self._aim = min((self._reopen_at, *(router.machine.deadline for router in self.routers)))
        if self._is_held_down(now):
            self._aim = min(self._aim, now + LISTEN_EVERY_S)
        self._scope.deadline = trio.current_time() + (self._aim - now)

    async def _something_to_read(self) -> None:
        if self._socket is None:
            await trio.sleep_forever()
        else:
            with suppress(trio.ClosedResourceError):
                await self._socket.wait_readable()

    def _refresh(self) -> None:
        lack = lacking(self.interface, self.all_vips, self.family)
        if lack is not None:
            self._wait_for(lack)
            self._stop(f"waits for {lack}")
        elif self._socket is not None or self._open():
            self._start()

    def _open(self) -> bool:
        self._reopen_at = math.inf
        try:
            self._use(self._ports.adverts.open(self.interface, self.family))
        except OSError as error:
            self._wait_for(f"interface {self.interface.name} to take a VRRP socket ({error.strerror or error})")
            self._reopen_at = self._ports.clock.monotonic() + REOPEN_AFTER_S
            return False
        self._scope.cancel()  # the loop sleeps without a socket: it must look at the new one
        return True

    def _start(self) -> None:
        """The group is joined by now; only then may a timer run (RFC 9568 section 6.4.1)."""
        primary = primary_address(self.interface, self.all_vips, self.family)
        assert primary is not None, "an interface that lacks nothing has an address"
        for router in self.routers:
            address = router.config.source or primary
            if router.gates:
                router.wait_for(None)
            elif router.machine.state_name == "Initialize" or router.machine.address != address:
                router.wait_for(None)
                router.feed(InterfaceReady(address))

    def _stop(self, reason: str) -> None:
        self._reopen_at = math.inf
        self._heard_nothing_since = None
        for router in self.routers:
            router.feed(InterfaceLost(reason))
        self.close()

    def _use(self, socket: AdvertSocket | None) -> None:
        self._socket = socket
        for router in self.routers:
            router.socket = socket

    def _wait_for(self, what: str) -> None:
        for router in self.routers:
            router.wait_for(what)

    def _is_held_down(self, now: float) -> bool:
        states = (router.machine.state for router in self.routers)
        return any(isinstance(state, Backup) and state.unheard_until > now for state in states)

    def _listen_to_the_kernel(self) -> None:
        """Whatever came in shows that the LAN reaches us: a switch port that has just come up may be mute for long."""
        received = self._ports.interfaces.received_packets(self.interface.name)
        if self._heard_nothing_since is None:
            self._heard_nothing_since = received
        elif received != self._heard_nothing_since:
            self._heard_nothing_since = None
            for router in self.routers:
                router.feed(LanHeard())

    def _drain(self) -> None:
        for _ in range(DRAIN_LIMIT):
            datagram = self._receive()
            if datagram is None:
                return
            self._dispatch(datagram)

    def _receive(self) -> Datagram | None:
        try:
            return self._socket.receive() if self._socket else None
        except OSError:  # the interface has gone: netlink tells us so in a moment
            return None

    def _dispatch(self, datagram: Datagram) -> None:
        vrid = vrid_of(datagram.payload)
        router = self._by_vrid.get(vrid) if vrid is not None else None
        if router is not None:
            router.receive(datagram)
            return
        if vrid is None:
            rejected = AdvertRejected(RejectReason.LENGTH, f"{len(datagram.payload)} bytes")
        else:
            rejected = AdvertRejected(RejectReason.VRID, f"virtual router {vrid} is not ours")
        for each in self.routers:
            each.reject(rejected, datagram.source)
