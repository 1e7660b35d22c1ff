"""Raw IP sockets of protocol 112, of both families."""

import socket
import struct
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address
from typing import Literal

import trio

from vrrp.advertisement import GROUP, GROUP6, IP_PROTOCOL, TTL, Datagram
from vrrp.config import Address
from vrrp.interfaces import Interface

_TOS_INTERNETWORK_CONTROL = 0xC0
_IP_PKTINFO, _IP_MULTICAST_ALL, _IPV6_MULTICAST_ALL, _IPV6_CHECKSUM = 8, 49, 29, 7
_PKTINFO = struct.Struct("@I4s4s")
_PKTINFO6 = struct.Struct("@16sI")
_MREQN = struct.Struct("@4s4si")
_MREQ6 = struct.Struct("@16sI")
_DATAGRAM_BYTES = 4352  # 255 IPv6 addresses, and something behind them
_ANY = b"\0\0\0\0"
_CONTROL_BYTES = socket.CMSG_SPACE(_PKTINFO6.size) + socket.CMSG_SPACE(4)
_OPTIONS4 = (
    (socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, TTL),
    (socket.IPPROTO_IP, socket.IP_MULTICAST_LOOP, 0),
    (socket.IPPROTO_IP, socket.IP_TTL, TTL),
    (socket.IPPROTO_IP, socket.IP_TOS, _TOS_INTERNETWORK_CONTROL),
)
_OPTIONS6 = (
    (socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, TTL),
    (socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_LOOP, 0),
    (socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS, TTL),
    (socket.IPPROTO_IPV6, socket.IPV6_TCLASS, _TOS_INTERNETWORK_CONTROL),
    (socket.IPPROTO_IPV6, _IPV6_CHECKSUM, -1),  # the checksum is ours to make and to judge
)

Control = Sequence[tuple[int, int, bytes]]


class RawAdvertSockets:
    """Opens `RawAdvertSocket`s."""

    def open(self, interface: Interface, family: Literal[4, 6]) -> "RawAdvertSocket":
        """Join the group of a family on an interface. Raises OSError."""
        sock = open_sender(interface.name, interface.index, family)
        try:
            _join(sock, interface.index, family)
            return RawAdvertSocket(sock, interface.index, family)
        except OSError:
            sock.close()
            raise


class RawAdvertSocket:
    """One interface's VRRP packets of one family."""

    def __init__(self, sock: socket.socket, index: int, family: Literal[4, 6]) -> None:
        self._sock = sock
        self._index = index
        self._read = datagram_in if family == 4 else datagram6_in

    def send(self, payload: bytes, *, source: Address, destination: Address) -> None:
        """Send a payload to the group or to a peer."""
        send(self._sock, payload, source=source, destination=destination, index=self._index)

    def receive(self) -> Datagram | None:
        """The next packet that came in by this interface."""
        while True:
            try:
                packet, control, _, sender = self._sock.recvmsg(_DATAGRAM_BYTES, _CONTROL_BYTES)
            except BlockingIOError:
                return None
            # Between being made and being bound the socket took packets from everywhere.
            if _arrived_by(control) == self._index:
                return self._read(packet, control, sender[0])

    async def wait_readable(self) -> None:
        """Wait for a packet."""
        await trio.lowlevel.wait_readable(self._sock)

    def close(self) -> None:
        """Leave the group, and wake whoever waits."""
        trio.lowlevel.notify_closing(self._sock)
        self._sock.close()


def open_sender(interface: str, index: int, family: Literal[4, 6]) -> socket.socket:
    """A raw socket that sends VRRP packets as RFC 9568 wants them, by one interface. Never blocks. Raises OSError."""
    kind = socket.SOCK_RAW | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC
    sock = socket.socket(socket.AF_INET if family == 4 else socket.AF_INET6, kind, IP_PROTOCOL)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, interface.encode() + b"\0")
        for level, option, value in _OPTIONS4 if family == 4 else _OPTIONS6:
            sock.setsockopt(level, option, value)
        if family == 4:
            sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, _MREQN.pack(_ANY, _ANY, index))
        else:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, index)
    except OSError:
        sock.close()
        raise
    return sock


def send(sock: socket.socket, payload: bytes, *, source: Address, destination: Address, index: int) -> None:
    """Send a payload from `source`. Not bound to it: a bound raw socket receives only what is sent to it."""
    if source.version == 4:
        control = (socket.IPPROTO_IP, _IP_PKTINFO, _PKTINFO.pack(index, source.packed, _ANY))
        sock.sendmsg([payload], [control], 0, (str(destination), 0))
    else:
        control = (socket.IPPROTO_IPV6, socket.IPV6_PKTINFO, _PKTINFO6.pack(source.packed, index))
        scope = index if destination.is_link_local or destination.is_multicast else 0
        sock.sendmsg([payload], [control], 0, (str(destination), 0, 0, scope))


def datagram_in(packet: bytes, control: Control = (), sender: str = "") -> Datagram:
    """What the kernel hands over from an IPv4 raw socket: the header is still on it, options included."""
    header_bytes = (packet[0] & 0x0F) * 4
    return Datagram(packet[header_bytes:], IPv4Address(packet[12:16]), IPv4Address(packet[16:20]), packet[8])


def datagram6_in(packet: bytes, control: Control, sender: str) -> Datagram:
    """What it hands over from an IPv6 one: no header; where the packet was sent to and its hop limit come beside it."""
    destination, hop_limit = IPv6Address(0), 0
    for level, kind, data in control:
        if level == socket.IPPROTO_IPV6 and kind == socket.IPV6_PKTINFO:
            destination = IPv6Address(data[:16])
        elif level == socket.IPPROTO_IPV6 and kind == socket.IPV6_HOPLIMIT:
            hop_limit = struct.unpack_from("@i", data)[0]
    return Datagram(packet, IPv6Address(sender.partition("%")[0]), destination, hop_limit)


def _join(sock: socket.socket, index: int, family: Literal[4, 6]) -> None:
    if family == 4:
        sock.setsockopt(socket.IPPROTO_IP, _IP_PKTINFO, 1)
        sock.setsockopt(socket.IPPROTO_IP, _IP_MULTICAST_ALL, 0)
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, _MREQN.pack(GROUP.packed, _ANY, index))
        return
    sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
    sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVHOPLIMIT, 1)
    sock.setsockopt(socket.IPPROTO_IPV6, _IPV6_MULTICAST_ALL, 0)
    sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, _MREQ6.pack(GROUP6.packed, index))


def _arrived_by(control: Control) -> int:
    for level, kind, data in control:
        if level == socket.IPPROTO_IP and kind == _IP_PKTINFO:
            return int(_PKTINFO.unpack_from(data)[0])
        if level == socket.IPPROTO_IPV6 and kind == socket.IPV6_PKTINFO:
            return int(_PKTINFO6.unpack_from(data)[1])
    return 0
