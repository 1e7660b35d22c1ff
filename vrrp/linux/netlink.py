"""Addresses and links through rtnetlink: the typed face of pyroute2, and the one thread that waits for the kernel.

The kernel takes its RTNL lock for every change, and someone else may hold it for tens of milliseconds. So one thread
does all such calls; it owns one IPRoute (which opens a socket for each thread that uses it).
"""

import errno
import gc
import os
import socket
import struct
import threading
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from ipaddress import ip_interface
from typing import Any, TypeVar

import trio
from pyroute2 import IPRoute
from pyroute2.netlink.exceptions import NetlinkError
from pyroute2.netlink.rtnl.marshal import MarshalRtnl

from vrrp.config import Vip
from vrrp.interfaces import HeldAddress

ADDRESS_PROTOCOL = 99
"""IFA_PROTO of the addresses that we put on, so that a later run knows them. Not in use elsewhere."""
LINK_ALIAS = "hapair virtual router"
"""IFLA_IFALIAS of the interfaces that we make, for the same purpose."""

T = TypeVar("T")

_RTM_NEWLINK, _RTM_DELLINK, _RTM_NEWADDR, _RTM_DELADDR = 16, 17, 20, 21
_IFF_UP, _IFF_RUNNING = 0x1, 0x40
_IFA_F_SECONDARY, _IFA_F_NODAD, _IFA_F_DADFAILED, _IFA_F_TENTATIVE, _IFA_F_NOPREFIXROUTE = 0x1, 0x2, 0x8, 0x40, 0x200
_FAMILIES = (socket.AF_INET, socket.AF_INET6)
_DEPRECATED = 0
_HEADER = struct.Struct("=IHHIIB")


@dataclass(frozen=True, slots=True)
class Link:
    """A network interface as a message describes it. No MAC: the message did not tell."""

    index: int
    name: str
    up: bool
    mac: bytes
    lower: int = 0
    """The index of the interface on top of which it stands; 0: none."""
    ours: bool = False
    """It carries our alias."""


@dataclass(frozen=True, slots=True)
class LinkGone:
    """An interface was deleted."""

    index: int


@dataclass(frozen=True, slots=True)
class AddressAdded:
    """An interface has an address, new or as before."""

    index: int
    held: HeldAddress


@dataclass(frozen=True, slots=True)
class AddressGone:
    """An interface no longer has an address."""

    index: int
    address: Vip


Change = Link | LinkGone | AddressAdded | AddressGone


class AddressTable:
    """The kernel's addresses and links. Blocks; raises OSError. To be used by the thread that made it."""

    def __init__(self) -> None:
        self._ipr = IPRoute()

    def put(self, index: int, address: Vip, *, lease_s: int | None) -> None:
        """Put an address on an interface, or renew it. The kernel removes it after `lease_s`; None: never.

        An IPv6 address can be used at once: VRRP sees to it that no other machine has it, so nothing waits for
        duplicate address detection. Leased, it is deprecated from the start: it answers, and serves whoever binds to
        it, but the kernel does not choose it for connections of this machine, which would break when it moves.
        """
        lease = {} if lease_s is None else {"valid_lft": lease_s, "preferred_lft": lease_s}
        if address.version == 6:
            alone = address.network.prefixlen == 128
            lease |= {"flags": _IFA_F_NODAD | _IFA_F_NOPREFIXROUTE * alone}
            lease |= {} if lease_s is None else {"preferred_lft": _DEPRECATED}
        self._change("replace", index, address, proto=ADDRESS_PROTOCOL, **lease)

    def remove(self, index: int, address: Vip) -> None:
        """Take an address off an interface. It is no error that either is gone already."""
        with suppress_errno(errno.EADDRNOTAVAIL, errno.ENODEV):
            self._change("del", index, address)

    def make_macvlan(self, name: str, *, lower: int, mac: bytes) -> int:
        """Put a virtual interface with a MAC address of its own on top of another one, switched off; return its index.

        In mode bridge, and no other: in mode private the kernel hands what comes *from* this MAC address to the virtual
        interface alone, so that the advertisements of a rival that has the same virtual MAC address are not heard.
        """
        address = mac.hex(":")
        with _errors():
            self._ipr.link("add", ifname=name, kind="macvlan", link=lower, macvlan_mode="bridge", address=address)
            index = socket.if_nametoindex(name)
            self._ipr.link("set", index=index, ifalias=LINK_ALIAS)
        return index

    def delete_link(self, index: int) -> None:
        """Delete an interface. It is no error that it is gone already."""
        with suppress_errno(errno.ENODEV), _errors():
            self._ipr.link("del", index=index)

    def switch(self, index: int, *, on: bool) -> None:
        """Switch an interface on or off."""
        with _errors():
            self._ipr.link("set", index=index, state="up" if on else "down")

    def route_link_local(self, index: int) -> None:
        """Let link-local neighbours be reached by an interface that has no link-local address of its own."""
        metric = 1024 + index  # its own: a route of the same metric by another interface would be replaced
        with _errors():
            self._ipr.route("replace", dst="fe80::/64", oif=index, family=socket.AF_INET6, priority=metric)

    def dump(self) -> tuple[Change, ...]:
        """Every link, then every address."""
        messages = [*self._ipr.get_links(), *self._ipr.get_addr()]
        return tuple(change for message in messages if (change := _change_in(message)) is not None)

    def links(self) -> tuple[Link, ...]:
        """Every link."""
        changes = map(_change_in, self._ipr.get_links())
        return tuple(change for change in changes if isinstance(change, Link))

    def tagged(self, interfaces: Collection[str]) -> tuple[tuple[str, int, Vip], ...]:
        """Every address with our tag on these interfaces, or on an interface of ours on top of one.

        The interface's name, the index of where the address stands, the address.
        """
        changes = self.dump()
        links = {change.index: change for change in changes if isinstance(change, Link)}
        names = {index: links.get(link.lower if link.ours else index, link).name for index, link in links.items()}
        found = []
        for change in changes:
            if isinstance(change, AddressAdded) and change.held.ours and names.get(change.index) in interfaces:
                found.append((names[change.index], change.index, change.held.address))
        return tuple(found)

    def close(self) -> None:
        """Close the socket."""
        self._ipr.close()

    def _change(self, command: str, index: int, address: Vip, **fields: int) -> None:
        prefix_length = address.network.prefixlen
        with _errors():
            self._ipr.addr(command, index=index, address=str(address.ip), prefixlen=prefix_length, **fields)


@contextmanager
def _errors() -> Iterator[None]:
    """Turn pyroute2's errors into the kernel's."""
    try:
        yield
    except NetlinkError as error:
        raise OSError(error.code, os.strerror(error.code)) from None


@contextmanager
def suppress_errno(*codes: int) -> Iterator[None]:
    """Pass over these errors of the kernel."""
    try:
        yield
    except OSError as error:
        if error.errno not in codes:
            raise


def changes_in(data: bytes) -> Iterator[Change]:
    """The changes that a netlink datagram tells of."""
    if not _concerns_links_or_addresses(data):
        return  # decoding costs 0.1 to 0.6 ms
    for message in MarshalRtnl().parse(data):
        change = _change_in(message)
        if change is not None:
            yield change


def _concerns_links_or_addresses(data: bytes) -> bool:
    """A cheap look at the first message. A bridge reports its ports as links of another family: those are not links."""
    if len(data) < _HEADER.size:
        return False
    _, kind, _, _, _, family = _HEADER.unpack_from(data)
    if kind in (_RTM_NEWLINK, _RTM_DELLINK):
        return bool(family == socket.AF_UNSPEC)
    return kind in (_RTM_NEWADDR, _RTM_DELADDR) and family in _FAMILIES


def _change_in(message: Any) -> Change | None:
    kind, index = message["header"]["type"], message["index"]
    if kind == _RTM_NEWLINK:
        return _link_in(message)
    if kind == _RTM_DELLINK:
        return LinkGone(index)
    if kind not in (_RTM_NEWADDR, _RTM_DELADDR) or message["family"] not in _FAMILIES:
        return None
    text = message.get_attr("IFA_LOCAL") or message.get_attr("IFA_ADDRESS")
    address = ip_interface((text, message["prefixlen"]))
    if kind == _RTM_DELADDR:
        return AddressGone(index, address)
    return AddressAdded(index, _held_address_in(message, address))


def _link_in(message: Any) -> Link:
    up = message["flags"] & (_IFF_UP | _IFF_RUNNING) == _IFF_UP | _IFF_RUNNING
    mac = bytes.fromhex((message.get_attr("IFLA_ADDRESS") or "").replace(":", ""))
    ours = message.get_attr("IFLA_IFALIAS") == LINK_ALIAS
    lower = (message.get_attr("IFLA_LINK") or 0) if ours else 0
    return Link(message["index"], message.get_attr("IFLA_IFNAME"), up, mac, lower, ours)


def _held_address_in(message: Any, address: Vip) -> HeldAddress:
    ours = message.get_attr("IFA_PROTO") == ADDRESS_PROTOCOL
    flags = message["flags"]
    if address.version == 4:
        return HeldAddress(address, ours, bool(flags & _IFA_F_SECONDARY))
    # The flag that says "secondary" of an IPv4 address says "temporary" of an IPv6 one.
    return HeldAddress(
        address, ours, tentative=bool(flags & _IFA_F_TENTATIVE), dadfailed=bool(flags & _IFA_F_DADFAILED)
    )


def _sweep() -> None:
    """Collect what pyroute2 leaves behind: 9 kB of reference cycles a request, which nothing else would free here.

    For a process that collects no garbage on its own, lest an advertisement be late. Takes 20 us where the program was
    frozen (`gc.freeze`) beforehand.
    """
    if not gc.isenabled():
        gc.collect()


class NetlinkThread:
    """Does jobs for a trio task, one at a time. A job that has not begun is replaced by a newer one of its key."""

    def __init__(self) -> None:
        self._trio = trio.lowlevel.current_trio_token()
        self._changed = threading.Condition()
        self._jobs: dict[str, Callable[[AddressTable], object]] = {}
        self._closing = False
        # A daemon: should the kernel never answer, the process can still end.
        self._thread = threading.Thread(target=self._work, name="vrrp-netlink", daemon=True)
        self._thread.start()

    def submit(
        self,
        key: str,
        job: Callable[[AddressTable], T],
        *,
        done: Callable[[T], None],
        failed: Callable[[Exception], None],
    ) -> None:
        """Queue a job; then call `done` with what it returned, or `failed`, in the trio thread."""

        def attempt(table: AddressTable) -> None:
            try:
                news = partial(done, job(table))
            except Exception as error:  # not swallowed: it is raised where the result is awaited
                news = partial(failed, error)
            self._deliver(news)

        with self._changed:
            self._jobs[key] = attempt
            self._changed.notify()

    async def call(self, key: str, job: Callable[[AddressTable], T]) -> T:
        """Do a job and return its result, or raise what it raised."""
        results: list[T] = []
        errors: list[Exception] = []
        finished = trio.Event()
        self.submit(key, job, done=results.append, failed=errors.append)
        self.submit(f"{key}, then", lambda table: None, done=lambda _: finished.set(), failed=errors.append)
        await finished.wait()
        if errors:
            raise errors[0]
        return results[0]

    async def close(self, *, limit_s: float) -> None:
        """Finish what is queued, then end; give up waiting after `limit_s`."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        with trio.CancelScope(shield=True):
            await trio.to_thread.run_sync(self._thread.join, limit_s)

    def _deliver(self, news: Callable[[], None]) -> None:
        with suppress(trio.RunFinishedError):  # nobody is left to hear it
            self._trio.run_sync_soon(news)

    def _work(self) -> None:
        table = AddressTable()
        try:
            while (job := self._next_job()) is not None:
                job(table)
                _sweep()
        finally:
            table.close()

    def _next_job(self) -> Callable[[AddressTable], object] | None:
        with self._changed:
            while not self._jobs:
                if self._closing:
                    return None
                self._changed.wait()
            return self._jobs.pop(next(iter(self._jobs)))
