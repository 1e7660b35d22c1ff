"""Carries out orders to hold and release VIPs, in the netlink thread."""

import logging
import math
import time
from ipaddress import IPv4Interface

import trio

from vrrp.linux.netlink import AddressTable, NetlinkThread
from vrrp.ports import AddressOrder, AddressReport

log = logging.getLogger(__name__)

Place = tuple[int, IPv4Interface]


class KernelAddresses:
    """Remembers what it put where, so that a release removes exactly that and never an address of someone else's."""

    def __init__(self, thread: NetlinkThread) -> None:
        self._thread = thread
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

    def _carry_out(self, table: AddressTable, order: AddressOrder) -> AddressReport:
        places = self._places.setdefault(order.router, {})
        errors: list[str] = []
        wanted = [(order.index, address) for address in order.addresses]
        if wanted and time.clock_gettime(time.CLOCK_BOOTTIME) > order.not_after:
            errors.append("a claim was not carried out: the process had been paused")
            wanted = []
        for place in [place for place in places if place not in wanted]:
            _remove(table, places, place, errors)
        for place in wanted:
            _put(table, places, place, order.lease_s, errors)
        held = tuple(address for _, address in places)
        return AddressReport(router=order.router, serial=order.serial, held=held, error="; ".join(errors) or None)


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
