"""Asks a gateway, by ARP or neighbour discovery, whether it is there."""

import errno
import fcntl
import socket
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Literal, Protocol

import trio

from hapair.tracking.watch import Finding
from vrrp.config import Address
from vrrp.interfaces import Interface
from vrrp.linux.witness import LanWitnesses
from vrrp.routes import gateway_in_ipv6_route, gateway_in_route

_DISCARD_PORT = 9
_SIOCGIFHWADDR = 0x8927
_NAME_BYTES, _FAMILY_BYTES, _MAC_BYTES = 16, 2, 6
_NOT_NOW = (errno.ENODEV, errno.ENETUNREACH, errno.EHOSTUNREACH, errno.EADDRNOTAVAIL, errno.ENETDOWN, errno.EPERM)


class Asker(Protocol):
    """Asks one neighbour: a `vrrp.ports.Witnesses` that can be closed."""

    def ask(self, interface: Interface, source: Address) -> None: ...

    async def next_answer(self) -> str: ...

    def close(self) -> None: ...


def ask_lan(interface: str, address: Address) -> Asker:
    """The real one. Raises OSError."""
    return LanWitnesses({interface: (address,)})


class Gateway:
    """One gateway on the LAN of one interface. Asked from the interface's own address, never from a VIP."""

    def __init__(
        self,
        interface: str,
        family: Literal[4, 6],
        address: Address | None,
        *,
        ask: Callable[[str, Address], Asker] = ask_lan,
        proc: Path = Path("/proc/net"),
    ) -> None:
        """`address` None: where the default route of the interface leads, in that family."""
        self._interface = interface
        self._family: Literal[4, 6] = family
        self._address = address
        self._ask = ask
        self._proc = proc
        self._asker: tuple[Address, Asker] | None = None

    async def look(self, limit_s: float) -> Finding:
        """One question, and as long as `limit_s` for the answer."""
        target = self._address or self._default()
        if target is None:
            return Finding(False, f"there is no default route by {self._interface}")
        try:
            mac, source = _own_addresses(self._interface, target)
            asker = self._asker_for(target)
        except OSError as error:
            if error.errno not in _NOT_NOW:
                raise
            return Finding(False, f"{target} cannot be asked by {self._interface}: {error.strerror}")
        asker.ask(Interface(name=self._interface, up=True, mac=mac), source)
        with trio.move_on_after(limit_s):
            await asker.next_answer()
            return Finding(True, f"{target} answers")
        return Finding(False, f"{target} does not answer")

    def close(self) -> None:
        """Close its socket."""
        if self._asker is not None:
            self._asker[1].close()
            self._asker = None

    def _asker_for(self, target: Address) -> Asker:
        """Kept open: closing a packet socket takes the kernel milliseconds."""
        if self._asker is None or self._asker[0] != target:
            self.close()
            self._asker = (target, self._ask(self._interface, target))
        return self._asker[1]

    def _default(self) -> Address | None:
        if self._family == 4:
            return gateway_in_route(_text(self._proc / "route"), self._interface)
        return gateway_in_ipv6_route(_text(self._proc / "ipv6_route"), self._interface)


def _text(path: Path) -> str:
    return path.read_text(encoding="ascii")


def _own_addresses(interface: str, target: Address) -> tuple[bytes, Address]:
    """The interface's MAC address, and from where the kernel would speak to `target`. Sends nothing. Raises OSError."""
    family = socket.AF_INET if target.version == 4 else socket.AF_INET6
    with socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock:
        mac = _mac(sock, interface)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, interface.encode())
        if target.version == 4:
            sock.connect((str(target), _DISCARD_PORT))
        else:
            sock.connect((str(target), _DISCARD_PORT, 0, socket.if_nametoindex(interface)))
        return mac, type(target)(sock.getsockname()[0].partition("%")[0])


def _mac(sock: socket.socket, interface: str) -> bytes:
    """By ioctl: /sys shows the interfaces of whoever mounted it."""
    request = struct.pack(f"{_NAME_BYTES}s24x", interface.encode())
    begin = _NAME_BYTES + _FAMILY_BYTES
    return fcntl.ioctl(sock, _SIOCGIFHWADDR, request)[begin : begin + _MAC_BYTES]
