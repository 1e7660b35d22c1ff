"""Watches interfaces through netlink events. Level-triggered: it tells what an interface is, not what happened."""

import errno
import socket
from collections.abc import Collection, Iterable, Iterator
from contextlib import suppress
from dataclasses import replace

import trio

from vrrp.interfaces import HeldAddress, Interface
from vrrp.linux.netlink import (
    AddressAdded,
    AddressGone,
    AddressTable,
    Change,
    Link,
    LinkGone,
    NetlinkThread,
    changes_in,
)

_RTMGRP_LINK, _RTMGRP_IPV4_IFADDR, _RTMGRP_IPV6_IFADDR = 0x1, 0x10, 0x100
_SO_RCVBUFFORCE = 33
_RECEIVE_BUFFER_BYTES = 1 << 20
_DATAGRAM_BYTES = 1 << 16


class LinkTable:
    """Links and their addresses, kept up to date by changes. Knows nothing of sockets."""

    def __init__(self) -> None:
        self._links: dict[int, Link] = {}
        self._addresses: dict[int, dict[object, HeldAddress]] = {}

    def interface(self, name: str) -> Interface:
        """What is known of an interface."""
        link = next((link for link in self._links.values() if link.name == name), None)
        if link is None:
            return Interface(name=name)
        addresses = list(self._addresses.get(link.index, {}).values())
        for other in self._links.values():
            if other.ours and other.lower == link.index and other.up:
                addresses += self._addresses.get(other.index, {}).values()
        return Interface(name=name, index=link.index, up=link.up, mac=link.mac, addresses=tuple(addresses))

    def replace(self, changes: Iterable[Change]) -> None:
        """Forget everything and take a dump."""
        self._links.clear()
        self._addresses.clear()
        for change in changes:
            self.apply(change)

    def apply(self, change: Change) -> set[str]:
        """Take one change; return the names of the interfaces that it concerns."""
        before = self._links.get(change.index)
        match change:
            case Link(index=index):
                # A message about a wireless event carries no MAC.
                self._links[index] = replace(change, mac=change.mac or (before.mac if before else b""))
            case LinkGone(index=index):
                self._links.pop(index, None)
                self._addresses.pop(index, None)
            case AddressAdded(index=index, held=held):
                self._addresses.setdefault(index, {})[held.address] = held
            case AddressGone(index=index, address=address):
                self._addresses.get(index, {}).pop(address, None)
        after = self._links.get(change.index)
        return {name for link in (before, after) if link is not None for name in self._concerned(link)}

    def _concerned(self, link: Link) -> Iterator[str]:
        yield link.name
        if link.ours and link.lower in self._links:
            yield self._links[link.lower].name


def received_in(lines: Iterable[str], name: str) -> int:
    """The packets received by an interface, as /proc/net/dev has them; 0 where it is not listed."""
    for line in lines:
        listed, colon, figures = line.partition(":")
        if colon and listed.strip() == name:
            return int(figures.split()[1])
    return 0


class LinkWatch:
    """Tells of the interfaces with these names, whether a virtual router is on them or not."""

    def __init__(self, names: Collection[str], *, thread: NetlinkThread) -> None:
        self._names = frozenset(names)
        self._thread = thread
        self._table = LinkTable()
        self._changed: dict[str, None] = {}
        self._synchronised = False
        self._socket = trio.socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, 0)

    async def listen(self) -> None:
        """Subscribe. To be called before anything else; events queue from now on."""
        with suppress(PermissionError):
            self._socket.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _RECEIVE_BUFFER_BYTES)
        await self._socket.bind((0, _RTMGRP_LINK | _RTMGRP_IPV4_IFADDR | _RTMGRP_IPV6_IFADDR))

    async def next_change(self) -> Interface:
        """See `vrrp.ports.Interfaces`."""
        while not self._changed:
            await (self._read() if self._synchronised else self._synchronise())
        name = next(iter(self._changed))
        del self._changed[name]
        return self._table.interface(name)

    def watch(self, names: Collection[str]) -> None:
        """See `vrrp.ports.Interfaces`."""
        self._names = frozenset(names)

    def current(self, name: str) -> Interface:
        """See `vrrp.ports.Interfaces`. What was lost of events is made up for by the next `next_change`."""
        return self._table.interface(name)

    def received_packets(self, name: str) -> int:
        """See `vrrp.ports.Interfaces`. Takes no lock of the kernel's, and 20 us."""
        with open("/proc/net/dev", encoding="ascii", errors="replace") as lines:
            return received_in(lines, name)

    def close(self) -> None:
        """Stop listening."""
        self._socket.close()

    async def _synchronise(self) -> None:
        self._table.replace(await self._thread.call("dump", AddressTable.dump))
        self._changed.update(dict.fromkeys(sorted(self._names)))
        self._synchronised = True

    async def _read(self) -> None:
        try:
            data = await self._socket.recv(_DATAGRAM_BYTES)
        except OSError as error:
            if error.errno != errno.ENOBUFS:
                raise
            self._synchronised = False  # events were lost: look at everything again
            return
        for change in changes_in(data):
            self._changed.update(dict.fromkeys(sorted(self._table.apply(change) & self._names)))
