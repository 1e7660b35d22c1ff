"""Witnesses: machines on a LAN that are asked by ARP or neighbour discovery whether they are there."""

import errno
import logging
import socket
import struct
from array import array
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import trio

from vrrp.config import Address
from vrrp.interfaces import Interface, primary_address
from vrrp.neighbours import answer_in, question
from vrrp.routes import gateways_in

log = logging.getLogger(__name__)

_SO_ATTACH_FILTER = 26
_ETH_P_ARP, _ETH_P_IPV6 = 0x0806, 0x86DD
_FRAME_BYTES = 2048
_LOAD_BYTE, _LOAD_HALF, _JUMP_IF_EQUAL, _RETURN = 0x30, 0x28, 0x15, 0x06
_ALL = 0xFFFFFFFF
_PROC = Path("/proc/net")

Program = tuple[tuple[int, int, int, int], ...]

# Offsets are from the Ethernet header on. "0 otherwise 1": go on with the next instruction, or skip one.
ONLY_ARP_REPLIES = (
    (_LOAD_HALF, 0, 0, 20),
    (_JUMP_IF_EQUAL, 0, 1, 2),
    (_RETURN, 0, 0, _ALL),
    (_RETURN, 0, 0, 0),
)
ONLY_NEIGHBOUR_ADVERTISEMENTS = (
    (_LOAD_BYTE, 0, 0, 20),
    (_JUMP_IF_EQUAL, 0, 3, socket.IPPROTO_ICMPV6),
    (_LOAD_BYTE, 0, 0, 54),
    (_JUMP_IF_EQUAL, 0, 1, 136),
    (_RETURN, 0, 0, _ALL),
    (_RETURN, 0, 0, 0),
)


_KINDS: Mapping[int, tuple[int, Program]] = {
    4: (_ETH_P_ARP, ONLY_ARP_REPLIES),
    6: (_ETH_P_IPV6, ONLY_NEIGHBOUR_ADVERTISEMENTS),
}


class LanWitnesses:
    """Asks the witnesses of each interface, and tells of their answers.

    One socket for each family, whatever the number of interfaces, so that it outlives an interface that is made anew. A
    filter in the kernel lets answers through and nothing else. A socket of one protocol sees nothing that we send.
    """

    def __init__(self, witnesses: Mapping[str, tuple[Address, ...]] | None = None) -> None:
        """See `reconfigure`. Raises OSError."""
        self._witnesses: dict[str, tuple[Address, ...]] = {}
        self._asked: dict[str, tuple[Address, ...]] = {}
        self._sockets: dict[int, socket.socket] = {}
        self._changed = trio.Event()
        self._closed = False
        self.reconfigure(witnesses)

    def reconfigure(self, witnesses: Mapping[str, tuple[Address, ...]] | None) -> None:
        """`witnesses`: whom to ask, by the name of the interface on whose LAN they are; None: nobody. Raises OSError.

        Nobody listed: the gateway, wherever the interface's default route leads at the moment of asking.
        """
        self._witnesses, self._asked = dict(witnesses or {}), {}
        families: set[int] = {address.version for addresses in self._witnesses.values() for address in addresses}
        if not all(self._witnesses.values()):
            families |= {4, 6}
        for family in families - self._sockets.keys():
            self._sockets[family] = _open(*_KINDS[family])
        for family in self._sockets.keys() - families:
            _shut(self._sockets.pop(family))
        self._changed.set()
        self._changed = trio.Event()

    def ask(self, interface: Interface, source: Address) -> None:
        """See `vrrp.ports.Witnesses`. Those of the other family are asked from the interface's own address of it."""
        if interface.name not in self._witnesses:
            return
        self._asked[interface.name] = self._witnesses[interface.name] or _gateways(interface.name)
        for witness in self._asked[interface.name]:
            own = source if source.version == witness.version else primary_address(interface, (), witness.version)
            if own is None or len(interface.mac) != 6:
                continue
            try:
                self._sockets[witness.version].sendto(question(witness, own, interface.mac), (interface.name, 0))
            except OSError as error:
                log.debug("witness not asked", extra={"interface": interface.name, "detail": str(error)})

    async def next_answer(self) -> str:
        """See `vrrp.ports.Witnesses`. Raises trio.ClosedResourceError once closed."""
        while not self._closed:
            for sock in self._sockets.values():
                name = self._answered(sock)
                if name is not None:
                    return name
            await self._wait_readable()
        raise trio.ClosedResourceError("the witnesses' sockets were closed")

    def close(self) -> None:
        """Close the sockets, and wake whoever waits."""
        self._closed = True
        self.reconfigure(None)

    def _answered(self, sock: socket.socket) -> str | None:
        """The interface by which a witness has answered; None once the queue is empty."""
        while True:
            try:
                frame, sender = sock.recvfrom(_FRAME_BYTES)
            except BlockingIOError:
                return None
            except OSError as error:
                if error.errno != errno.ENETDOWN:  # said once after an interface was switched off
                    raise
                continue
            name: str = sender[0]
            if answer_in(frame) in self._asked.get(name, ()):
                return name

    async def _wait_readable(self) -> None:
        """Or until there are other sockets."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_until_changed, self._changed, nursery.cancel_scope)
            for sock in self._sockets.values():
                nursery.start_soon(_first_readable, sock, nursery.cancel_scope)


def _gateways(interface: str) -> tuple[Address, ...]:
    """Two small files: some 50 us, while nobody else is heard."""
    return gateways_in(_text(_PROC / "route"), _text(_PROC / "ipv6_route"), interface)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii")
    except FileNotFoundError:  # a kernel without that family
        return ""


async def _until_changed(changed: trio.Event, others: trio.CancelScope) -> None:
    await changed.wait()
    others.cancel()


async def _first_readable(sock: socket.socket, others: trio.CancelScope) -> None:
    if sock.fileno() >= 0:
        with suppress(trio.ClosedResourceError):
            await trio.lowlevel.wait_readable(sock)
    others.cancel()


def _shut(sock: socket.socket) -> None:
    """Wakes whoever waits for it."""
    trio.lowlevel.notify_closing(sock)
    sock.close()


def _open(protocol: int, program: Program) -> socket.socket:
    """A packet socket of one protocol. What gets into its queue before it has its filter, `answer_in` sorts out."""
    kind = socket.SOCK_RAW | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC
    sock = socket.socket(socket.AF_PACKET, kind, socket.htons(protocol))
    code = array("B", b"".join(struct.pack("=HBBI", *step) for step in program))
    address, _ = code.buffer_info()
    try:
        sock.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, struct.pack("@HP", len(program), address))
    except OSError:
        sock.close()
        raise
    return sock
