"""A LAN, machines and VIPs that exist only under trio's clock: for tests, of this library and of what is built on it.

    lan = FakeLan(delay_s=0.001)
    node = FakeNode(lan, "a", "192.0.2.1/24")
    runner = Runner(configs, ports=node.ports, observe=...)

Under `trio.testing.MockClock(autojump_threshold=0)` hours pass in milliseconds, always in the same way.
"""

import errno
import math
import random
from collections.abc import Collection
from dataclasses import replace
from ipaddress import ip_address, ip_interface
from typing import Literal

import trio

from vrrp.advertisement import TTL, Datagram
from vrrp.config import Address, Vip
from vrrp.interfaces import HeldAddress, Interface
from vrrp.ports import AddressOrder, AddressReport, Ports


class FakeClock:
    """trio's clock for both, and a machine that can be suspended."""

    def __init__(self) -> None:
        self.suspended_s = 0.0
        """How much further CLOCK_BOOTTIME is: add to it what a suspended machine slept."""

    def monotonic(self) -> float:
        """See `vrrp.ports.Clock`."""
        return trio.current_time()

    def boottime(self) -> float:
        """See `vrrp.ports.Clock`."""
        return trio.current_time() + self.suspended_s


class FakeLan:
    """Carries packets between machines: late, not at all, or only within parts of it."""

    def __init__(self, *, delay_s: float = 0.001, jitter_s: float = 0.0, loss: float = 0.0, seed: int = 0) -> None:
        self.delay_s = delay_s
        self.jitter_s = jitter_s
        self.loss = loss
        """The share of packets that get lost, 0 to 1, each receiver for itself."""
        self.packets: list[tuple[float, str, bytes]] = []
        """What was sent: when, by which machine, the payload."""
        self.frames: list[tuple[float, str, bytes]] = []
        """Ethernet frames that were sent."""
        self._random = random.Random(seed)
        self._nodes: list[FakeNode] = []
        self._parts: tuple[Collection[str], ...] | None = None

    def partition(self, *parts: Collection[str]) -> None:
        """Let only machines of the same part hear each other; one that is in no part hears nobody."""
        self._parts = parts

    def heal(self) -> None:
        """Undo `partition`."""
        self._parts = None

    def attach(self, node: "FakeNode") -> None:
        """Plug a machine in."""
        self._nodes.append(node)

    def carry(self, sender: "FakeNode", datagram: Datagram) -> None:
        """Deliver a packet to all others, or to the one that it is for, as things stand when it is sent."""
        self.packets.append((trio.current_time(), sender.name, datagram.payload))
        for node in self._nodes:
            if node is sender or not self._connected(sender, node) or self._random.random() < self.loss:
                continue
            if not (datagram.destination.is_multicast or node.has_address(datagram.destination)):
                continue
            node.arrive(datagram, at=trio.current_time() + self.delay_s + self._random.random() * self.jitter_s)

    def _connected(self, one: "FakeNode", other: "FakeNode") -> bool:
        if not (one.reachable and other.reachable):
            return False
        return self._parts is None or any(one.name in part and other.name in part for part in self._parts)


class FakeNode:
    """A machine with one interface. It can crash, freeze, be suspended, and have its link pulled."""

    def __init__(self, lan: FakeLan, name: str, address: str | None, *, interface: str = "eth0") -> None:
        self.name = name
        self.lan = lan
        self.clock = FakeClock()
        self.vips = FakeVips(self)
        self.crashed = False
        self.received = 0
        """Packets that came in by the interface, by the kernel's count."""
        self._interface = Interface(
            name=interface, index=2, up=True, mac=b"\x02\0\0" + name.encode()[-3:].rjust(3, b"\0")
        )
        self._sockets: list[_FakeSocket] = []
        self._changed = trio.Event()
        self._pending_change = True
        self._thawed = trio.Event()
        self._thawed.set()
        if address is not None:
            self.add_address(address)
        lan.attach(self)

    @property
    def ports(self) -> Ports:
        """What a runner on this machine needs."""
        return Ports(clock=self.clock, adverts=self, frames=_FakeFrames(self), interfaces=self, addresses=self.vips)

    @property
    def reachable(self) -> bool:
        """Whether packets come and go."""
        return self._interface.up and bool(self._interface.index) and not self.crashed

    @property
    def interface(self) -> Interface:
        """The interface as the kernel would show it, with the VIPs that it holds."""
        held = tuple(HeldAddress(address, ours=True) for address in self.vips.held())
        return replace(self._interface, addresses=self._interface.addresses + held)

    def add_address(self, address: str) -> None:
        """Give the interface an address of its own."""
        added = (*self._interface.addresses, HeldAddress(ip_interface(address)))
        self._change(replace(self._interface, addresses=added))

    def has_address(self, address: Address) -> bool:
        """Whether packets to this address are for this machine."""
        return any(held.address.ip == address for held in self.interface.addresses)

    def remove_addresses(self) -> None:
        """Take the interface's own addresses away."""
        self._change(replace(self._interface, addresses=()))

    def set_link(self, *, up: bool) -> None:
        """Pull the cable, or plug it in."""
        self._change(replace(self._interface, up=up))

    def set_index(self, index: int) -> None:
        """Delete the interface (0), or make it anew with another index."""
        self._change(replace(self._interface, index=index))

    def crash(self) -> None:
        """SIGKILL: nothing more is sent or changed. VIPs stay until their lease ends. Cancel the runner after it."""
        self.crashed = True

    def freeze(self) -> None:
        """SIGSTOP: from its next wait on, a runner on this machine stands still while packets queue up."""
        self._thawed = trio.Event()

    def thaw(self) -> None:
        """SIGCONT."""
        self._thawed.set()

    async def until_thawed(self) -> None:
        """Where a fake waits, it waits for this too."""
        with trio.CancelScope(shield=True):
            await self._thawed.wait()

    def arrive(self, datagram: Datagram, *, at: float) -> None:
        """Queue a packet for every socket of its family on this machine."""
        self.received += 1
        for sock in self._sockets:
            if sock.family == datagram.source.version:
                sock.arrive(datagram, at)

    def open(self, interface: Interface, family: Literal[4, 6]) -> "_FakeSocket":
        """See `vrrp.ports.AdvertSockets`."""
        if interface.index != self._interface.index:
            raise OSError(errno.ENODEV, "No such device")
        sock = _FakeSocket(self, family)
        self._sockets.append(sock)
        return sock

    def forget(self, sock: "_FakeSocket") -> None:
        """Deliver nothing more to a socket."""
        self._sockets.remove(sock)

    async def next_change(self) -> Interface:
        """See `vrrp.ports.Interfaces`."""
        while not self._pending_change:
            await self._changed.wait()
        await self.until_thawed()
        await trio.lowlevel.checkpoint()
        self._pending_change = False
        return self.interface

    def received_packets(self, name: str) -> int:
        """See `vrrp.ports.Interfaces`."""
        return self.received

    def interface_changed(self) -> None:
        """Tell the runner."""
        self._pending_change = True
        self._changed.set()
        self._changed = trio.Event()

    def _change(self, interface: Interface) -> None:
        self._interface = interface
        self.interface_changed()


class FakeVips:
    """The VIPs of one machine. As the kernel does, it forgets one whose lease has ended."""

    def __init__(self, node: FakeNode) -> None:
        self.delay_s = 0.0005
        """How long the kernel takes for an order."""
        self.refuse: str | None = None
        """Let every claim fail with this error."""
        self._node = node
        self._expiry: dict[Vip, float] = {}
        self._mine: dict[str, tuple[Vip, ...]] = {}
        self._orders: dict[str, tuple[float, AddressOrder]] = {}
        self._ordered = trio.Event()

    def held(self) -> tuple[Vip, ...]:
        """The VIPs that are on the interface now."""
        now = trio.current_time() if self._expiry else 0.0
        return tuple(address for address, expiry in self._expiry.items() if now < expiry)

    def delete(self, vip: str) -> None:
        """Remove a VIP behind the runner's back."""
        for address in self.held():
            if address.ip == ip_address(vip):
                del self._expiry[address]
        self._node.interface_changed()

    def submit(self, order: AddressOrder) -> None:
        """See `vrrp.ports.AddressBook`."""
        if self._node.crashed:
            return
        self._orders[order.router] = (trio.current_time() + self.delay_s, order)
        self._ordered.set()
        self._ordered = trio.Event()

    async def next_report(self) -> AddressReport:
        """See `vrrp.ports.AddressBook`."""
        while True:
            due_at, order = min(self._orders.values(), key=lambda item: item[0], default=(math.inf, None))
            if order is not None and due_at <= trio.current_time():
                await self._node.until_thawed()
                return self._carry_out(order)
            with trio.move_on_at(due_at):
                await self._ordered.wait()

    def _carry_out(self, order: AddressOrder) -> AddressReport:
        if self._orders[order.router][1] is order:
            del self._orders[order.router]
        late = order.addresses and self._node.clock.boottime() > order.not_after
        error = "the process had been paused" if late else self.refuse if order.addresses else None
        wanted = () if error else order.addresses
        for address in self._mine.get(order.router, ()):
            if address not in wanted:
                self._expiry.pop(address, None)
        for address in wanted:
            self._expiry[address] = trio.current_time() + (order.lease_s or math.inf)
        self._mine[order.router] = wanted
        self._node.interface_changed()
        return AddressReport(router=order.router, serial=order.serial, held=wanted, error=error)


class _FakeSocket:
    def __init__(self, node: FakeNode, family: Literal[4, 6]) -> None:
        self.family = family
        self._node = node
        self._queue: list[tuple[float, int, Datagram]] = []
        self._arrived = trio.Event()
        self._count = 0
        self._closed = False

    def send(self, payload: bytes, *, source: Address, destination: Address) -> None:
        if not self._node.crashed:
            self._node.lan.carry(self._node, Datagram(payload, source, destination, TTL))

    def arrive(self, datagram: Datagram, at: float) -> None:
        self._count += 1
        self._queue.append((at, self._count, datagram))
        self._queue.sort(key=lambda item: item[:2])
        self._wake()

    def receive(self) -> Datagram | None:
        if self._queue and self._queue[0][0] <= trio.current_time():
            return self._queue.pop(0)[2]
        return None

    async def wait_readable(self) -> None:
        try:
            while not self._closed:
                arrives_at = self._queue[0][0] if self._queue else math.inf
                if arrives_at <= trio.current_time():
                    await trio.lowlevel.checkpoint()
                    return
                with trio.move_on_at(arrives_at):
                    await self._arrived.wait()
        finally:
            await self._node.until_thawed()
        raise trio.ClosedResourceError

    def close(self) -> None:
        self._closed = True
        self._node.forget(self)
        self._wake()

    def _wake(self) -> None:
        self._arrived.set()
        self._arrived = trio.Event()


class _FakeFrames:
    def __init__(self, node: FakeNode) -> None:
        self._node = node

    def send(self, interface: Interface, frame: bytes) -> None:
        if not self._node.crashed:
            self._node.lan.frames.append((trio.current_time(), self._node.name, frame))
