"""Raw IP sockets of protocol 112."""

import socket
import struct
from ipaddress import IPv4Address

import trio

from vrrp.advertisement import GROUP, IP_PROTOCOL, TTL, Datagram
from vrrp.interfaces import Interface

_TOS_INTERNETWORK_CONTROL = 0xC0
_IP_PKTINFO, _IP_MULTICAST_ALL = 8, 49
_PKTINFO = struct.Struct("@I4s4s")
_MREQN = struct.Struct("@4s4si")
_DATAGRAM_BYTES = 2048
_ANY = b"\0\0\0\0"


class RawAdvertSockets:
    """Opens `RawAdvertSocket`s."""

    def open(self, interface: Interface) -> "RawAdvertSocket":
        """Join the group on an interface. Raises OSError."""
        sock = open_sender(interface.name, interface.index)
        try:
            return RawAdvertSocket(sock, interface.index)
        except OSError:
            sock.close()
            raise


class RawAdvertSocket:
    """One interface's VRRP packets."""

    def __init__(self, sock: socket.socket, index: int) -> None:
        self._sock = sock
        self._index = index
        sock.setsockopt(socket.IPPROTO_IP, _IP_PKTINFO, 1)
        sock.setsockopt(socket.IPPROTO_IP, _IP_MULTICAST_ALL, 0)
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, _MREQN.pack(GROUP.packed, _ANY, index))

    def send(self, payload: bytes, *, source: IPv4Address) -> None:
        """Multicast a payload."""
        send(self._sock, payload, source=source, index=self._index)

    def receive(self) -> Datagram | None:
        """The next packet that came in by this interface."""
        while True:
            try:
                packet, control, _, _ = self._sock.recvmsg(_DATAGRAM_BYTES, socket.CMSG_SPACE(_PKTINFO.size))
            except BlockingIOError:
                return None
            # Between being made and being bound the socket took packets from everywhere.
            if _arrived_by(control) == self._index:
                return datagram_in(packet)

    async def wait_readable(self) -> None:
        """Wait for a packet."""
        await trio.lowlevel.wait_readable(self._sock)

    def close(self) -> None:
        """Leave the group, and wake whoever waits."""
        trio.lowlevel.notify_closing(self._sock)
        self._sock.close()


def open_sender(interface: str, index: int) -> socket.socket:
    """A raw socket that sends VRRP packets as RFC 9568 wants them, by one interface. Never blocks. Raises OSError."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_RAW | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC, IP_PROTOCOL)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, interface.encode() + b"\0")
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, _MREQN.pack(_ANY, _ANY, index))
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, TTL)
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_LOOP, 0)
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, TTL)
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, _TOS_INTERNETWORK_CONTROL)
    except OSError:
        sock.close()
        raise
    return sock


def send(sock: socket.socket, payload: bytes, *, source: IPv4Address, index: int) -> None:
    """Multicast a payload from `source`. Not bound to it: a bound raw socket receives only what is sent to it."""
    pktinfo = _PKTINFO.pack(index, source.packed, _ANY)
    sock.sendmsg([payload], [(socket.IPPROTO_IP, _IP_PKTINFO, pktinfo)], 0, (str(GROUP), 0))


def datagram_in(packet: bytes) -> Datagram:
    """What the kernel hands over from a raw socket: the IP header is still on it, options included."""
    header_bytes = (packet[0] & 0x0F) * 4
    return Datagram(packet[header_bytes:], IPv4Address(packet[12:16]), IPv4Address(packet[16:20]), packet[8])


def _arrived_by(control: list[tuple[int, int, bytes]]) -> int:
    for level, kind, data in control:
        if level == socket.IPPROTO_IP and kind == _IP_PKTINFO:
            return int(_PKTINFO.unpack_from(data)[0])
    return 0
