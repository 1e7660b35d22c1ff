"""Witnesses: machines on a LAN that are asked by ARP or neighbour discovery whether they are there."""

import errno
import logging
import socket
import struct
from array import array
from collections.abc import Mapping
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


class LanWitnesses:
    """Asks the witnesses of each interface, and tells of their answers.

    One socket for each family, whatever the number of interfaces, so that it outlives an interface that is made anew. A
    filter in the kernel lets answers through and nothing else. A socket of one protocol sees nothing that we send.
    """

    def __init__(self, witnesses: Mapping[str, tuple[Address, ...]]) -> None:
        """`witnesses`: whom to ask, by the name of the interface on whose LAN they are. Raises OSError.

        Nobody listed: the gateway, wherever the interface's default route leads at the moment of asking.
        """
        self._witnesses = dict(witnesses)
        families = {address.version for addresses in witnesses.values() for address in addresses}
        if not all(witnesses.values()):
            families |= {4, 6}
        self._asked: dict[str, tuple[Address, ...]] = {}
        self._sockets: dict[int, socket.socket] = {}
        if 4 in families:
            self._sockets[4] = _open(_ETH_P_ARP, ONLY_ARP_REPLIES)
        if 6 in families:
            self._sockets[6] = _open(_ETH_P_IPV6, ONLY_NEIGHBOUR_ADVERTISEMENTS)

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
        while True:
            for sock in self._sockets.values():
                name = self._answered(sock)
                if name is not None:
                    return name
            await self._wait_readable()

    def close(self) -> None:
        """Close the sockets, and wake whoever waits."""
        for sock in self._sockets.values():
            trio.lowlevel.notify_closing(sock)
            sock.close()

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
        closed = False
        try:
            async with trio.open_nursery() as nursery:
                for sock in self._sockets.values():
                    nursery.start_soon(_first_readable, sock, nursery.cancel_scope)
        except* trio.ClosedResourceError:
            closed = True
        if closed:
            raise trio.ClosedResourceError("the witnesses' sockets were closed")


def _gateways(interface: str) -> tuple[Address, ...]:
    """Two small files: some 50 us, while nobody else is heard."""
    return gateways_in(_text(_PROC / "route"), _text(_PROC / "ipv6_route"), interface)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii")
    except FileNotFoundError:  # a kernel without that family
        return ""


async def _first_readable(sock: socket.socket, others: trio.CancelScope) -> None:
    await trio.lowlevel.wait_readable(sock)
    others.cancel()


def _open(protocol: int, program: tuple[tuple[int, int, int, int], ...]) -> socket.socket:
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
