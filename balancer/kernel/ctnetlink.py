"""The kernel's table of flows: listing it, changing it, hearing of changes. The seam to conntrack (ctnetlink)."""

import socket
from collections.abc import Iterator, Sequence

from balancer.kernel.conntrack import (
    GROUP_DESTROY,
    GROUP_NEW,
    GROUP_UPDATE,
    NETLINK_NETFILTER,
    Flow,
    Key,
    Refused,
    acknowledged,
    deletion,
    is_end,
    listing,
    refusals_in,
    told_in,
)

RECEIVE_BYTES = 1 << 18
_EVENTS_BUFFER_BYTES = 8 << 20
_SOL_NETLINK, _ADD_MEMBERSHIP, _SHORT_ANSWERS = 270, 1, 10
_SO_RCVBUFFORCE = 33


def open_socket() -> socket.socket:
    """For requests. Raises OSError (EPERM: without CAP_NET_ADMIN)."""
    sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, NETLINK_NETFILTER)
    sock.setsockopt(_SOL_NETLINK, _SHORT_ANSWERS, 1)
    sock.bind((0, 0))
    return sock


def open_events() -> socket.socket:
    """For events, without blocking; a read raises ENOBUFS once after events were lost. Raises OSError."""
    sock = open_socket()
    sock.setblocking(False)
    sock.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _EVENTS_BUFFER_BYTES)
    for group in (GROUP_NEW, GROUP_UPDATE, GROUP_DESTROY):
        sock.setsockopt(_SOL_NETLINK, _ADD_MEMBERSHIP, group)
    return sock


def flows(*, is_ipv6: bool) -> Iterator[Flow]:
    """Every flow of TCP and UDP that this machine knows. Raises OSError."""
    with open_socket() as sock:
        sock.send(listing(is_ipv6=is_ipv6))
        while True:
            datagram = sock.recv(RECEIVE_BYTES)
            for told in told_in(datagram):
                yield told.flow
            if is_end(datagram):
                return


def delete(keys: Sequence[Key]) -> int:
    """End these flows; how many there were. Raises OSError."""
    with open_socket() as sock:
        return sum(ask(sock, deletion(key, 1)).errno == 0 for key in keys)


def ask(sock: socket.socket, request: bytes) -> Refused:
    """One request and its answer."""
    sock.send(acknowledged(request))
    return next(refusals_in(sock.recv(RECEIVE_BYTES)))
