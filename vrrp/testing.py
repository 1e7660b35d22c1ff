"""A LAN, machines and VIPs that exist only under trio's clock: for tests, of this library and of what is built on it.

    lan = FakeLan(delay_s=0.001)
    node = FakeNode(lan, "a", "192.0.2.1/24")
    runner = Runner(configs, ports=node.ports, observe=...)

Under `trio.testing.MockClock(autojump_threshold=0)` hours pass in milliseconds, always in the same way. What joins two
machines beside the LAN is in `vrrp.testing_link`.
"""

import errno
import math
import random
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from heapq import heappop, heappush
from ipaddress import ip_address, ip_interface
from typing import Literal

import trio

from vrrp.advertisement import IP_PROTOCOL, TTL, Datagram
from vrrp.config import Address
from vrrp.frames import ETHERTYPE_IPV4, ETHERTYPE_IPV6
from vrrp.interfaces import HeldAddress, Interface
from vrrp.ports import Ports
from vrrp.testing_vips import FakeVips


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
        """Ethernet frames that were sent as such: announcements, and advertisements from a virtual MAC address."""
        self.witnesses: list[FakeWitness] = []
        self.deaf: Collection[str] = ()
        """Machines that are heard and hear nobody."""
        self._random = random.Random(seed)
        self._cards: list[FakeCard] = []
        self._parts: tuple[Collection[str], ...] | None = None

    def partition(self, *parts: Collection[str]) -> None:
        """Let only machines of the same part hear each other; one that is in no part hears nobody."""
        self._parts = parts

    def heal(self) -> None:
        """Undo `partition`."""
        self._parts = None

    def attach(self, card: "FakeCard") -> None:
        """Plug a machine in."""
        self._cards.append(card)

    def carry(self, sender: "FakeCard", datagram: Datagram) -> None:
        """Deliver a packet to all others, or to the one that it is for, as things stand when it is sent."""
        self.packets.append((trio.current_time(), sender.node.name, datagram.payload))
        for card in self._reached_by(sender):
            if datagram.destination.is_multicast or card.has_address(datagram.destination):
                card.arrive(datagram, at=self.arrives_at())

    def carry_frame(self, sender: "FakeCard", frame: bytes) -> None:
        """Deliver an Ethernet frame to all others: they count it, and read the advertisement that it may carry."""
        self.frames.append((trio.current_time(), sender.node.name, frame))
        datagram = _advertisement_in(frame)
        if datagram is not None:
            self.carry(sender, datagram)
            return
        for card in self._reached_by(sender):
            card.arrive(None, at=self.arrives_at())

    def arrives_at(self) -> float:
        """When something arrives that is sent now."""
        return trio.current_time() + self.delay_s + self._random.random() * self.jitter_s

    def joins(self, one: str, other: str) -> bool:
        """Whether two machines are in the same part."""
        return self._parts is None or any(one in part and other in part for part in self._parts)

    def _reached_by(self, sender: "FakeCard") -> list["FakeCard"]:
        others = [card for card in self._cards if card is not sender and self.joins(sender.node.name, card.node.name)]
        others = [card for card in others if card.node.name not in self.deaf]
        reached = [card for card in others if sender.reachable and card.reachable]
        return [card for card in reached if self._random.random() >= self.loss]


class FakeWitness:
    """A machine that answers whoever asks, as a gateway does. In a partition it is in the part that has its name."""

    def __init__(self, lan: FakeLan, name: str = "gateway") -> None:
        self.name = name
        self.answers = True
        self.asked: list[tuple[float, str]] = []
        """When, and by which machine."""
        lan.witnesses.append(self)


class FakeCard:
    """One interface of a machine, and what it is plugged into."""

    def __init__(self, node: "FakeNode", lan: FakeLan, interface: Interface) -> None:
        self.node = node
        self.lan = lan
        self.bare = interface
        """As it is without the VIPs."""
        self.sockets: list[_FakeSocket] = []
        self._arriving: list[float] = []
        self._received = 0
        lan.attach(self)

    @property
    def reachable(self) -> bool:
        """Whether packets come and go."""
        return self.bare.up and bool(self.bare.index) and not self.node.crashed

    @property
    def interface(self) -> Interface:
        """As the kernel would show it, with the VIPs that it holds."""
        held = tuple(HeldAddress(address, ours=True) for address in self.node.vips.held(self.bare.name))
        return replace(self.bare, addresses=self.bare.addresses + held)

    def has_address(self, address: Address) -> bool:
        """Whether packets to this address are for it."""
        return any(held.address.ip == address for held in self.interface.addresses)

    def arrive(self, datagram: Datagram | None, *, at: float) -> None:
        """Count a packet, and queue it for every socket of its family; None: one that no socket is for."""
        heappush(self._arriving, at)
        for sock in self.sockets:
            if datagram is not None and sock.family == datagram.source.version:
                sock.arrive(datagram, at)

    def received(self) -> int:
        """How many packets have arrived by now."""
        while self._arriving and self._arriving[0] <= trio.current_time():
            heappop(self._arriving)
            self._received += 1
        return self._received


class FakeNode:
    """A machine with one interface, or more (`plug`). It can crash, freeze, be suspended, and have a link pulled.

    Where a method takes `interface`, None is the first.
    """

    def __init__(self, lan: FakeLan, name: str, address: str | None, *, interface: str = "eth0") -> None:
        self.name = name
        self.lan = lan
        self.clock = FakeClock()
        self.vips = FakeVips(self)
        self.witnesses = _FakeWitnesses(self)
        self.crashed = False
        self.at_crash: list[Callable[[FakeNode], None]] = []
        """What else a crash ends."""
        self._cards: dict[str, FakeCard] = {}
        self._changed = trio.Event()
        self._pending: list[str] = []
        self._thawed = trio.Event()
        self._thawed.set()
        self.plug(lan, interface, *([] if address is None else [address]))

    @property
    def ports(self) -> Ports:
        """What a runner on this machine needs."""
        return Ports(
            clock=self.clock,
            adverts=self,
            frames=_FakeFrames(self),
            interfaces=self,
            addresses=self.vips,
            witnesses=self.witnesses,
        )

    @property
    def running(self) -> bool:
        """Whether its processes go on."""
        return not self.crashed and self._thawed.is_set()

    @property
    def interface(self) -> Interface:
        """The first interface as the kernel would show it, with the VIPs that it holds."""
        return self.card().interface

    def card(self, interface: str | None = None) -> FakeCard:
        """One of its interfaces."""
        return next(iter(self._cards.values())) if interface is None else self._cards[interface]

    def plug(self, lan: FakeLan, interface: str, *addresses: str) -> None:
        """Give it an interface on a LAN."""
        mac = bytes((2, 0, len(self._cards))) + self.name.encode()[-3:].rjust(3, b"\0")
        bare = Interface(name=interface, index=2 + len(self._cards), up=True, mac=mac)
        self._cards[interface] = FakeCard(self, lan, bare)
        self.interface_changed(interface)
        for address in addresses:
            self.add_address(address, interface=interface)

    def send(self, payload: bytes, source: str, destination: str, *, ttl: int = TTL) -> None:
        """Send whatever it may be from the first interface, as a program on this machine could."""
        datagram = Datagram(payload, ip_address(source), ip_address(destination), ttl)
        self.card().lan.carry(self.card(), datagram)

    def add_address(self, address: str, *, interface: str | None = None) -> None:
        """Give an interface an address of its own."""
        bare = self.card(interface).bare
        self._change(replace(bare, addresses=(*bare.addresses, HeldAddress(ip_interface(address)))))

    def remove_addresses(self, *, interface: str | None = None) -> None:
        """Take an interface's own addresses away."""
        self._change(replace(self.card(interface).bare, addresses=()))

    def set_link(self, *, up: bool, interface: str | None = None) -> None:
        """Pull the cable, or plug it in."""
        self._change(replace(self.card(interface).bare, up=up))

    def set_index(self, index: int, *, interface: str | None = None) -> None:
        """Delete an interface (0), or make it anew with another index."""
        self._change(replace(self.card(interface).bare, index=index))

    def crash(self) -> None:
        """SIGKILL: nothing more is sent or changed. VIPs stay until their lease ends. Cancel the runner after it."""
        self.crashed = True
        for end in self.at_crash:
            end(self)

    def freeze(self) -> None:
        """SIGSTOP: from its next wait on, a runner on this machine stands still while packets queue up."""
        if self._thawed.is_set():
            self._thawed = trio.Event()

    def thaw(self) -> None:
        """SIGCONT."""
        self._thawed.set()

    async def until_thawed(self) -> None:
        """Where a fake waits, it waits for this too."""
        with trio.CancelScope(shield=True):
            await self._thawed.wait()

    def open(self, interface: Interface, family: Literal[4, 6]) -> "_FakeSocket":
        """See `vrrp.ports.AdvertSockets`."""
        card = self.card(interface.name)
        if interface.index != card.bare.index:
            raise OSError(errno.ENODEV, "No such device")
        sock = _FakeSocket(card, family)
        card.sockets.append(sock)
        return sock

    async def next_change(self) -> Interface:
        """See `vrrp.ports.Interfaces`."""
        while not self._pending:
            await self._changed.wait()
        await self.until_thawed()
        await trio.lowlevel.checkpoint()
        return self.card(self._pending.pop(0)).interface

    def watch(self, names: Collection[str]) -> None:
        """See `vrrp.ports.Interfaces`. A runner here is told of every interface."""

    def current(self, name: str) -> Interface:
        """See `vrrp.ports.Interfaces`."""
        return self._cards[name].interface if name in self._cards else Interface(name=name)

    def received_packets(self, name: str) -> int:
        """See `vrrp.ports.Interfaces`."""
        return self._cards[name].received() if name in self._cards else 0

    def interface_changed(self, interface: str | None = None) -> None:
        """Tell the runner."""
        name = self.card(interface).bare.name
        if name not in self._pending:
            self._pending.append(name)
        self._changed.set()
        self._changed = trio.Event()

    def _change(self, interface: Interface) -> None:
        self._cards[interface.name].bare = interface
        self.interface_changed(interface.name)


class _FakeSocket:
    def __init__(self, card: FakeCard, family: Literal[4, 6]) -> None:
        self.family = family
        self._card = card
        self._queue: list[tuple[float, int, Datagram]] = []
        self._arrived = trio.Event()
        self._count = 0
        self._closed = False

    def send(self, payload: bytes, *, source: Address, destination: Address) -> None:
        if not self._card.node.crashed:
            self._card.lan.carry(self._card, Datagram(payload, source, destination, TTL))

    def arrive(self, datagram: Datagram, at: float) -> None:
        self._count += 1
        heappush(self._queue, (at, self._count, datagram))
        self._wake()

    def receive(self) -> Datagram | None:
        if self._queue and self._queue[0][0] <= trio.current_time():
            return heappop(self._queue)[2]
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
            await self._card.node.until_thawed()
        raise trio.ClosedResourceError

    def close(self) -> None:
        self._closed = True
        self._card.sockets.remove(self)
        self._wake()

    def _wake(self) -> None:
        self._arrived.set()
        self._arrived = trio.Event()


class _FakeFrames:
    def __init__(self, node: FakeNode) -> None:
        self._node = node

    def send(self, interface: Interface, frame: bytes) -> None:
        if not self._node.crashed:
            card = self._node.card(interface.name)
            card.lan.carry_frame(card, frame)


class _FakeWitnesses:
    def __init__(self, node: FakeNode) -> None:
        self._node = node
        self.asks: Mapping[str, tuple[Address, ...]] | None = None
        self._answers, self._queue = trio.open_memory_channel[tuple[float, str]](math.inf)

    def reconfigure(self, witnesses: Mapping[str, tuple[Address, ...]] | None) -> None:
        self.asks = witnesses

    def ask(self, interface: Interface, source: Address) -> None:
        card = self._node.card(interface.name)
        for witness in card.lan.witnesses:
            if not (card.reachable and card.lan.joins(self._node.name, witness.name)):
                continue
            witness.asked.append((trio.current_time(), self._node.name))
            if witness.answers:
                answered_at = card.lan.arrives_at() + card.lan.delay_s
                card.arrive(None, at=answered_at)
                self._answers.send_nowait((answered_at, interface.name))

    async def next_answer(self) -> str:
        at, name = await self._queue.receive()
        await trio.sleep_until(at)
        await self._node.until_thawed()
        return name


def _advertisement_in(frame: bytes) -> Datagram | None:
    """The VRRP packet that an Ethernet frame carries; None: it carries something else."""
    ethertype, packet = frame[12:14], frame[14:]
    if ethertype == ETHERTYPE_IPV4 and packet[9] == IP_PROTOCOL:
        return Datagram(packet[20:], ip_address(packet[12:16]), ip_address(packet[16:20]), packet[8])
    if ethertype == ETHERTYPE_IPV6 and packet[6] == IP_PROTOCOL:
        return Datagram(packet[40:], ip_address(packet[8:24]), ip_address(packet[24:40]), packet[7])
    return None
