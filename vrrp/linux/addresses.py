"""Carries out orders to hold and release VIPs, in the netlink thread."""

import logging
import math
import time
from collections.abc import Callable, Iterable, Sequence

import trio

from vrrp.config import Vip, VirtualRouterConfig
from vrrp.linux.fencing import Fencing
from vrrp.linux.macvlan import VirtualInterfaces
from vrrp.linux.netlink import AddressTable, NetlinkThread
from vrrp.ports import AddressOrder, AddressReport
from vrrp.snapshot import FenceSnapshot

log = logging.getLogger(__name__)

Place = tuple[int, Vip]


class KernelAddresses:
    """Remembers what it put where, so that a release removes exactly that and never an address of someone else's."""

    def __init__(self, thread: NetlinkThread, fencing: Fencing) -> None:
        self._thread = thread
        self._fencing = fencing
        self.virtual = VirtualInterfaces()
        """For the netlink thread alone."""
        self.on_expected: Callable[[], None] = _nothing_new
        """Called when other virtual routers are expected: there may be a fence now that was not."""
        self._configs: tuple[VirtualRouterConfig, ...] = ()
        self._places: dict[str, dict[Place, None]] = {}  # touched by the netlink thread alone
        self._send, self._receive = trio.open_memory_channel[AddressReport | Exception](math.inf)

    def submit(self, order: AddressOrder) -> None:
        """Queue an order in place of an older one of the same router that was not begun."""
        self._thread.submit(
            order.router,
            lambda table: self._carry_out(table, order),
            done=self._send.send_nowait,
            failed=self._send.send_nowait,
        )

    async def next_report(self) -> AddressReport:
        """The next report. Raises what is a bug in the netlink thread."""
        report = await self._receive.receive()
        if isinstance(report, Exception):
            raise report
        return report

    async def expect(self, configs: Sequence[VirtualRouterConfig]) -> None:
        """See `vrrp.ports.AddressBook`."""

        def prepare(table: AddressTable) -> None:
            self._fencing.expect(configs)
            self.virtual.prepare(table, configs)

        self._configs = tuple(configs)
        await self._thread.call("expect", prepare)
        self.on_expected()

    def settle(self) -> None:
        """See `vrrp.ports.AddressBook`."""
        configs = self._configs

        def let_go(table: AddressTable) -> None:
            self._fencing.settle()
            names = {config.name for config in configs}
            self._places = {name: places for name, places in self._places.items() if places or name in names}
            self.virtual.keep(table, configs)

        self._thread.submit("settle", let_go, done=_nothing, failed=_not_removed)

    def fence_snapshot(self) -> FenceSnapshot:
        """See `vrrp.ports.AddressBook`."""
        return self._fencing.snapshot()

    def close(self) -> None:
        """Queue the removal of the virtual interfaces, and so of what may still stand there: the last of all jobs."""
        self._thread.submit("virtual interfaces", self.virtual.remove_all, done=_nothing, failed=_not_removed)

    def _carry_out(self, table: AddressTable, order: AddressOrder) -> AddressReport:
        places = self._places.setdefault(order.router, {})
        errors: list[str] = []
        wanted = self._wanted(table, order, errors)
        later = _to_replace(places, wanted)
        for place in [place for place in places if place not in wanted and place not in later]:
            self._let_go(table, order.router, place, errors)
        if wanted:
            self._fencing.open(order)
        else:
            self._fencing.close(order.router)
        for place in wanted:
            _put(table, places, place, order.lease_s, errors)
        for place in later:
            self._let_go(table, order.router, place, errors)
        if not wanted and order.virtual_mac is not None:
            self._switch_off(table, order.index, order.virtual_mac, errors)
        held = tuple(address for _, address in places)
        return AddressReport(router=order.router, serial=order.serial, held=held, error="; ".join(errors) or None)

    def _let_go(self, table: AddressTable, router: str, place: Place, errors: list[str]) -> None:
        """Take an address off, unless another router has been given it meanwhile."""
        if any(place in places for other, places in self._places.items() if other != router):
            del self._places[router][place]
        else:
            _remove(table, self._places[router], place, errors)

    def _wanted(self, table: AddressTable, order: AddressOrder, errors: list[str]) -> list[Place]:
        """Where the addresses shall stand."""
        if not order.addresses:
            return []
        if time.clock_gettime(time.CLOCK_BOOTTIME) > order.not_after:
            errors.append("a claim was not carried out: the process had been paused")
            return []
        index = order.index
        if order.virtual_mac is not None:
            try:
                ipv6 = any(address.version == 6 for address in order.addresses)
                index = self.virtual.switch_on(table, index, order.virtual_mac, ipv6=ipv6)
            except OSError as error:
                errors.append(f"no virtual interface on {order.interface}: {error.strerror}")
                return []
        return [(index, address) for address in order.addresses]

    def _switch_off(self, table: AddressTable, index: int, mac: bytes, errors: list[str]) -> None:
        try:
            self.virtual.switch_off(table, index, mac)
        except OSError as error:
            errors.append(f"virtual interface cannot be switched off: {error.strerror}")


def _to_replace(places: Iterable[Place], wanted: Sequence[Place]) -> list[Place]:
    """IPv4 addresses that are to have another prefix length: put on beside the old form, which then goes, they are
    there all the time. IPv6 does not know one address twice."""
    again = {(index, address.ip) for index, address in wanted if address.version == 4}
    return [place for place in places if place not in wanted and (place[0], place[1].ip) in again]


def _remove(table: AddressTable, places: dict[Place, None], place: Place, errors: list[str]) -> None:
    index, address = place
    try:
        table.remove(index, address)
    except OSError as error:
        errors.append(f"{address} cannot be removed: {error.strerror}")
    else:
        del places[place]


def _put(table: AddressTable, places: dict[Place, None], place: Place, lease_s: int | None, errors: list[str]) -> None:
    index, address = place
    try:
        table.put(index, address, lease_s=lease_s)
    except OSError as error:
        errors.append(f"{address} cannot be put on: {error.strerror}")
        places.pop(place, None)
    else:
        places[place] = None


def _nothing(_: None) -> None:
    pass


def _nothing_new() -> None:
    pass


def _not_removed(error: Exception) -> None:
    log.warning("virtual interfaces not removed", extra={"detail": str(error)})
