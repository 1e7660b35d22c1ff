"""What the runner needs of the world. `vrrp.linux.open_ports` gives the real ones, `vrrp.testing` fakes."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from vrrp.advertisement import Datagram
from vrrp.config import Address, Vip, VirtualRouterConfig
from vrrp.interfaces import Interface
from vrrp.snapshot import FenceSnapshot


class Clock(Protocol):
    """Two clocks, in seconds: one that deadlines are set by, one that goes on while the machine sleeps."""

    def monotonic(self) -> float:
        """CLOCK_MONOTONIC."""

    def boottime(self) -> float:
        """CLOCK_BOOTTIME."""


class AdvertSocket(Protocol):
    """Sends and receives VRRP packets of one family on one interface. Joined to the group from the start."""

    def send(self, payload: bytes, *, source: Address, destination: Address) -> None:
        """Send a payload to the group or to a peer. Never blocks. Raises OSError."""

    def receive(self) -> Datagram | None:
        """The next packet in the queue; None where it is empty. Never blocks. Raises OSError."""

    async def wait_readable(self) -> None:
        """Wait until there may be a packet. Raises trio.ClosedResourceError once closed."""

    def close(self) -> None:
        """Leave the group."""


class AdvertSockets(Protocol):
    """Opens advert sockets."""

    def open(self, interface: Interface, family: Literal[4, 6]) -> AdvertSocket:
        """Raises OSError where the interface cannot do it, or is gone by now."""


class FrameSender(Protocol):
    """Sends Ethernet frames."""

    def send(self, interface: Interface, frame: bytes) -> None:
        """Never blocks. Raises OSError."""


class Interfaces(Protocol):
    """Watches the configured interfaces."""

    async def next_change(self) -> Interface:
        """At first each interface once, then one whenever something about it may have changed."""

    def watch(self, names: Collection[str]) -> None:
        """Watch the interfaces with these names from now on, instead of those before."""

    def current(self, name: str) -> Interface:
        """What is known of an interface, watched or not. Never blocks."""

    def received_packets(self, name: str) -> int:
        """How many packets have come in by an interface, whatever they were; 0 where it does not exist."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AddressOrder:
    """What the kernel shall hold for one virtual router from now on. A newer order replaces an older one."""

    router: str
    serial: int
    interface: str
    index: int
    addresses: tuple[Vip, ...]
    """To hold or to renew; empty: release."""
    lease_s: int | None
    """None: for good."""
    virtual_mac: bytes | None
    """Put them on a virtual interface with this MAC address on top of the interface."""
    accept: bool
    """False: packets to the VIPs are dropped, but for neighbour discovery (RFC 9568 section 6.1, Accept_Mode)."""
    not_after: float
    """CLOCK_BOOTTIME after which a claim must not be carried out any more: the process may have been paused."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AddressReport:
    """What became of an order."""

    router: str
    serial: int
    held: tuple[Vip, ...]
    error: str | None = None
    """In words, where not everything was done."""


class AddressBook(Protocol):
    """Puts addresses on interfaces and takes them off, away from the caller's thread."""

    def submit(self, order: AddressOrder) -> None:
        """Never blocks. Of the orders for one router only the newest is sure to be carried out."""

    async def next_report(self) -> AddressReport:
        """Reports of the orders that were carried out, in turn."""

    async def expect(self, configs: Sequence[VirtualRouterConfig]) -> None:
        """Be ready for orders of these virtual routers from now on; their VIPs are fenced beside those before."""

    def settle(self) -> None:
        """Once the orders before this are carried out: let go of what those that are expected do not need."""

    def fence_snapshot(self) -> FenceSnapshot:
        """Whether a fence stands around the VIPs. Never blocks."""


class Witnesses(Protocol):
    """Machines on a LAN that answer whoever asks."""

    def reconfigure(self, witnesses: Mapping[str, tuple[Address, ...]] | None) -> None:
        """Ask these from now on: by interface; nobody listed: its gateway. None: nobody."""

    def ask(self, interface: Interface, source: Address) -> None:
        """Ask every witness. Never blocks; a failure to send is no answer."""

    async def next_answer(self) -> str:
        """The name of an interface by which a witness has answered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """Everything that a runner touches."""

    clock: Clock
    adverts: AdvertSockets
    frames: FrameSender
    interfaces: Interfaces
    addresses: AddressBook
    witnesses: Witnesses | None = None
