"""The VIPs of one machine of `vrrp.testing`, as its kernel would hold them: for tests, under trio's clock."""

import math
from collections.abc import Sequence
from ipaddress import ip_address
from typing import Protocol

import trio

from vrrp.config import Vip, VirtualRouterConfig
from vrrp.ports import AddressOrder, AddressReport, Clock
from vrrp.snapshot import FenceSnapshot


class Machine(Protocol):
    """What is needed of `vrrp.testing.FakeNode`."""

    crashed: bool

    @property
    def clock(self) -> Clock: ...

    async def until_thawed(self) -> None: ...

    def interface_changed(self, interface: str | None = None) -> None: ...


class FakeVips:
    """The VIPs of one machine. As the kernel does, it forgets one whose lease has ended."""

    def __init__(self, node: Machine) -> None:
        self.delay_s = 0.0005
        """How long the kernel takes for an order."""
        self.refuse: str | None = None
        """Let every claim fail with this error."""
        self.expected: list[tuple[str, ...]] = []
        """The names of the virtual routers that were expected, each time."""
        self._node = node
        self._expiry: dict[tuple[str, Vip], float] = {}
        self._mine: dict[str, tuple[Vip, ...]] = {}
        self._orders: dict[str, tuple[float, AddressOrder]] = {}
        self._ordered = trio.Event()

    def held(self, interface: str | None = None) -> tuple[Vip, ...]:
        """The VIPs that are on an interface now; None: on all of them."""
        now = trio.current_time() if self._expiry else 0.0
        alive = (place for place, expiry in self._expiry.items() if now < expiry)
        return tuple(address for name, address in alive if interface in (None, name))

    def delete(self, vip: str) -> None:
        """Remove a VIP behind the runner's back."""
        for name, address in [place for place in self._expiry if place[1].ip == ip_address(vip)]:
            del self._expiry[name, address]
            self._node.interface_changed(name)

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

    async def expect(self, configs: Sequence[VirtualRouterConfig]) -> None:
        """See `vrrp.ports.AddressBook`. Takes as long as an order."""
        self.expected.append(tuple(config.name for config in configs))
        await trio.sleep(self.delay_s)

    def settle(self) -> None:
        """See `vrrp.ports.AddressBook`. Here every router's VIPs are taken off by its own orders."""

    def fence_snapshot(self) -> FenceSnapshot:
        """See `vrrp.ports.AddressBook`."""
        return FenceSnapshot(obstacle=None, restored=0)

    def _carry_out(self, order: AddressOrder) -> AddressReport:
        if self._orders[order.router][1] is order:
            del self._orders[order.router]
        late = order.addresses and self._node.clock.boottime() > order.not_after
        error = "the process had been paused" if late else self.refuse if order.addresses else None
        wanted = () if error else order.addresses
        for address in self._mine.get(order.router, ()):
            if address not in wanted:
                self._expiry.pop((order.interface, address), None)
        for address in wanted:
            self._expiry[order.interface, address] = trio.current_time() + (order.lease_s or math.inf)
        self._mine[order.router] = wanted
        self._node.interface_changed(order.interface)
        return AddressReport(router=order.router, serial=order.serial, held=wanted, error=error)
