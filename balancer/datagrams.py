"""UDP sockets: those that clients send to, those to servers, and the local address of a datagram. The seam to them.

A port that several workers serve has a socket for each of them, made and kept by the process that starts the workers.
The kernel chooses among them by a hash of both addresses and ports, so a flow stays with its worker. (One socket for
all would let any worker take any datagram: each would begin a flow of its own for the same client.) And since the
sockets stay when a worker dies, no flow of another worker moves, and what comes meanwhile is queued for its successor.

The first socket of a port is bound without SO_REUSEPORT, so that a port which somebody else has is an error that shows;
only then the others join it.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import sys
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType

from balancer.fieldtypes import Endpoint
from balancer.listener import allow_absent_address, failure
from balancer.sockets import Way, address_of, family_of

LARGEST = 65_535
QUEUE_BYTES = 4 << 20
"""Of a socket that clients send to, where the system allows it: what may come while a worker is busy elsewhere."""

# Linux's numbers, which the socket module names late or never.
_IP_PKTINFO = 8
_SO_RCVBUFFORCE = 33
_SO_MEMINFO = 55
_UDP_SEGMENT = 103
_UDP_GRO = 104
_IN_PKTINFO = struct.Struct("=I4s4s")
_IN6_PKTINFO = struct.Struct("=16sI")
_GROUP_BYTES = socket.CMSG_SPACE(4)
_DROPS = slice(32, 36)
"""The ninth 32-bit number of SO_MEMINFO: SK_MEMINFO_DROPS."""
ANCILLARY_BYTES = socket.CMSG_SPACE(_IN6_PKTINFO.size)

_NONE: Mapping[Endpoint, Sequence[socket.socket]] = MappingProxyType({})

Ancillary = tuple[tuple[int, int, bytes], ...]
"""Control data that names the local address of a datagram, as sendmsg takes it."""


def open_datagram_sockets(
    endpoints: Iterable[Endpoint], count: int, known: Mapping[Endpoint, Sequence[socket.socket]] = _NONE
) -> dict[Endpoint, tuple[socket.socket, ...]]:
    """`count` sockets for each endpoint, one for each worker. Raises ListenFailed, and then none is open.

    `known`: sockets of ours that are used again where their endpoint is wanted, and may be in the way where not.
    """
    opened: dict[Endpoint, tuple[socket.socket, ...]] = {}
    ports = {endpoint.port for endpoint in known}
    with contextlib.ExitStack() as stack:
        for endpoint in endpoints:
            sockets = list(known.get(endpoint, ()))[:count]
            for _ in range(count - len(sockets)):
                joins = bool(sockets) or endpoint.port in ports
                sockets.append(stack.enter_context(_open(endpoint, joins=joins)))
            opened[endpoint] = tuple(sockets)
        stack.pop_all()
    return opened


def close_datagram_sockets(opened: Mapping[Endpoint, Sequence[socket.socket]]) -> None:
    """Those that one process has."""
    for sockets in opened.values():
        for one in sockets:
            one.close()


def _open(endpoint: Endpoint, *, joins: bool) -> socket.socket:
    one = socket.socket(socket.AF_INET6 if endpoint.is_ipv6 else socket.AF_INET, socket.SOCK_DGRAM)
    try:
        one.setblocking(False)
        allow_absent_address(one, endpoint)
        _widen_queue(one)
        if endpoint.host in ("::", "0.0.0.0"):
            tell_local_address(one)
        if joins:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        one.bind(address_of(endpoint))
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    except OSError as error:
        one.close()
        raise failure(endpoint, error, datagrams=True) from None
    return one


def _widen_queue(one: socket.socket) -> None:
    try:
        one.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, QUEUE_BYTES)
    except PermissionError:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, QUEUE_BYTES)  # up to net.core.rmem_max


def tell_local_address(one: socket.socket) -> None:
    """Have each datagram come with the address that it was sent to: see `local_address`."""
    if one.family == socket.AF_INET6:
        one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
    else:
        one.setsockopt(socket.IPPROTO_IP, _IP_PKTINFO, 1)


def local_address(received: Sequence[tuple[int, int, bytes]]) -> Ancillary:
    """Of the control data of a datagram, what a reply is to be sent with so that it comes from the same address.

    The interface is left to the kernel's routes, but for a link-local address, which means nothing without one.
    """
    for level, kind, data in received:
        if level == socket.IPPROTO_IPV6 and kind == socket.IPV6_PKTINFO:
            address, interface = _IN6_PKTINFO.unpack(data[: _IN6_PKTINFO.size])
            link_local = address[0] == 0xFE and address[1] & 0xC0 == 0x80
            return ((level, kind, _IN6_PKTINFO.pack(address, interface if link_local else 0)),)
        if level == socket.IPPROTO_IP and kind == _IP_PKTINFO:
            _, local, _ = _IN_PKTINFO.unpack(data[: _IN_PKTINFO.size])
            return ((level, kind, _IN_PKTINFO.pack(0, local, bytes(4))),)
    return ()


def lost(one: socket.socket) -> int:
    """How many datagrams the kernel has thrown away because the socket's queue was full; a 32-bit count."""
    info = one.getsockopt(socket.SOL_SOCKET, _SO_MEMINFO, _DROPS.stop)
    return int.from_bytes(info[_DROPS], sys.byteorder)


def connected(endpoint: Endpoint, way: Way | None = None, client: str | None = None) -> socket.SocketType:
    """A socket to a server: it sends there and hears of nobody else. Raises OSError."""
    one = socket.SocketType(family_of(endpoint), socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
    try:
        if way is not None:
            way.prepare(one, endpoint, client)
        one.connect(address_of(endpoint))
    except BaseException:
        one.close()
        raise
    return one


def group(one: socket.SocketType, *, on: bool) -> None:
    """Whether datagrams of one size that come together are received together: see `receive_group`."""
    one.setsockopt(socket.IPPROTO_UDP, _UDP_GRO, on)


def receive_group(one: socket.SocketType) -> tuple[bytes, int]:
    """Datagrams, one after the other, and the size of each (the last may be shorter). Raises as `recv` does."""
    data, received, _, _ = one.recvmsg(LARGEST, _GROUP_BYTES)
    for level, kind, size in received:
        if level == socket.IPPROTO_UDP and kind == _UDP_GRO:
            return data, int.from_bytes(size[:4], sys.byteorder)
    return data, len(data)


def in_groups_of(size: int) -> Ancillary:
    """Control data by which one `sendmsg` sends many datagrams of this size. The kernel refuses what fits no path."""
    return ((socket.IPPROTO_UDP, _UDP_SEGMENT, size.to_bytes(2, sys.byteorder)),)
