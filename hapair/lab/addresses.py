"""Which IP addresses a host's kernel holds, and since when, followed from its rtnetlink events."""

import socket
import struct
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import trio

from hapair.lab.namespace import run_in

RTM_NEWADDR, RTM_DELADDR, RTM_GETADDR = 20, 21, 22
IFA_ADDRESS, IFA_LOCAL = 1, 2
_RTMGRP_IPV4_IFADDR, _RTMGRP_IPV6_IFADDR = 0x10, 0x100
_NLM_F_REQUEST, _NLM_F_DUMP = 0x1, 0x300


@dataclass(frozen=True, slots=True)
class AddressEvent:
    """An address that the kernel has now (again: each renewal of a lease says so), or has no longer."""

    address: str
    present: bool


@dataclass(frozen=True, slots=True)
class Change:
    """An address came or went at this instant."""

    at: float
    address: str
    present: bool


class Addresses:
    """The addresses of one host. `follow` must run for it to stay true; instants are of time.monotonic()."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._since: dict[str, float] = {}
        self.history: list[Change] = []
        self._changed = trio.Event()

    def holds(self, address: str) -> bool:
        """Whether the kernel holds the address now."""
        return address in self._since

    async def until(self, address: str, *, present: bool, within_s: float) -> float | None:
        """Wait until the address is there (or gone): when that was, or None if it did not happen in time."""
        with trio.move_on_after(within_s):
            while self.holds(address) is not present:
                await self.changed()
            return self._since.get(address, time.monotonic())
        return None

    @property
    def next_change(self) -> trio.Event:
        """Set when any address comes or goes after this moment."""
        return self._changed

    async def changed(self) -> None:
        """Wait until any address comes or goes."""
        await self._changed.wait()

    async def follow(self) -> None:
        """Read events for ever."""
        with trio.socket.from_stdlib_socket(self._sock) as receiver:
            await receiver.send(dump_request())
            while True:
                self.apply(await receiver.recv(65536), time.monotonic())

    def apply(self, data: bytes, now: float) -> None:
        """Take in what one read brought."""
        changes = [change for event in decode(data) if (change := self._take(event, now))]
        if changes:
            self.history += changes
            self._changed.set()
            self._changed = trio.Event()

    def _take(self, event: AddressEvent, now: float) -> Change | None:
        if event.present is self.holds(event.address):
            return None
        if event.present:
            self._since[event.address] = now
        else:
            del self._since[event.address]
        return Change(now, event.address, event.present)


def dump_request() -> bytes:
    """A request for every address of the namespace, of both families."""
    return struct.pack("=IHHIIB3xI", 24, RTM_GETADDR, _NLM_F_REQUEST | _NLM_F_DUMP, 1, 0, socket.AF_UNSPEC, 0)


def decode(data: bytes) -> Iterator[AddressEvent]:
    """The address events among the netlink messages of one datagram."""
    offset = 0
    while offset + 16 <= len(data):
        length, kind = struct.unpack_from("=IH", data, offset)
        if kind in (RTM_NEWADDR, RTM_DELADDR):
            attributes = dict(_attributes(data[offset + 24 : offset + length]))
            packed = attributes.get(IFA_LOCAL) or attributes[IFA_ADDRESS]
            family = socket.AF_INET if len(packed) == 4 else socket.AF_INET6
            yield AddressEvent(socket.inet_ntop(family, packed), kind == RTM_NEWADDR)
        offset += max(16, _aligned(length))


def _attributes(data: bytes) -> Iterator[tuple[int, bytes]]:
    offset = 0
    while offset + 4 <= len(data):
        length, kind = struct.unpack_from("=HH", data, offset)
        yield kind, data[offset + 4 : offset + length]
        offset += max(4, _aligned(length))


def _aligned(length: int) -> int:
    return (length + 3) & ~3


def open_netlink(namespace: Path) -> socket.socket:
    """An rtnetlink socket that hears the address events of another network namespace."""
    return run_in(namespace, _open)


def _open() -> socket.socket:
    sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_NONBLOCK, socket.NETLINK_ROUTE)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
    sock.bind((0, _RTMGRP_IPV4_IFADDR | _RTMGRP_IPV6_IFADDR))
    return sock
