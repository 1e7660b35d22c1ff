"""Socket addresses and options: of TCP over both families, and of unix sockets. What the rest need not know of them."""

from __future__ import annotations

import errno
import os
import socket
from dataclasses import dataclass
from typing import Any

from balancer.config_pools import Pool
from balancer.config_sockets import KeepAlive, ListenTcp, ServerTcp
from balancer.fieldtypes import Endpoint

Options = tuple[tuple[int, int, int], ...]
"""Level, option, value."""

# Linux's numbers, which the socket module names late or never.
_IP_BIND_ADDRESS_NO_PORT = 24
_IP_TRANSPARENT = 19
_IPV6_TRANSPARENT = 75
_IP_FREEBIND = 15
_IPV6_FREEBIND = 78
_TCP_FASTOPEN_CONNECT = 30

LOCAL = ("127.0.0.1", 0)
"""The address of whoever comes by a unix socket: this machine."""


def family_of(endpoint: Endpoint) -> socket.AddressFamily:
    if endpoint.is_unix:
        return socket.AF_UNIX
    return socket.AF_INET6 if endpoint.is_ipv6 else socket.AF_INET


def address_of(endpoint: Endpoint) -> Any:
    """As bind and connect take it. Raises OSError for a link-local address whose interface is not there."""
    if endpoint.is_unix:
        return endpoint.host
    host, percent, interface = endpoint.host.partition("%")
    if not percent:
        return host, endpoint.port
    number = int(interface) if interface.isdecimal() else _interface_number(interface)
    return host, endpoint.port, 0, number


def _interface_number(name: str) -> int:
    try:
        return socket.if_nametoindex(name)
    except OSError:
        raise OSError(errno.EADDRNOTAVAIL, f"there is no interface {name}") from None


def name_of(connected: socket.SocketType) -> Any:
    """Our own address of a connection: (host, port) and, over IPv6, more."""
    name = connected.getsockname()
    return LOCAL if type(name) is str else name


def listen_options(tcp: ListenTcp) -> Options:
    """Of a listening socket; connections inherit those that are about connections."""
    found = [*_keep_alive(tcp.keep_alive), *_user_timeout(tcp.user_timeout_s)]
    if tcp.defer_accept:
        found.append((socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT, 1))
    if tcp.fast_open:
        found.append((socket.IPPROTO_TCP, socket.TCP_FASTOPEN, tcp.backlog))
    return tuple(found)


def server_options(tcp: ServerTcp) -> Options:
    """Of a socket that is to be connected to a server."""
    found = [*_keep_alive(tcp.keep_alive), *_user_timeout(tcp.user_timeout_s)]
    if tcp.fast_open:
        found.append((socket.IPPROTO_TCP, _TCP_FASTOPEN_CONNECT, 1))
    return tuple(found)


def _keep_alive(settings: KeepAlive | None) -> Options:
    if settings is None:
        return ()
    return (
        (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
        (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, int(settings.idle_s)),
        (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, int(settings.interval_s)),
        (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, settings.count),
    )


def _user_timeout(span_s: float | None) -> Options:
    return () if span_s is None else ((socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(span_s * 1000)),)


@dataclass(frozen=True, slots=True)
class Way:
    """How the connections to a pool's servers are made, where anything is said of it."""

    options: Options = ()
    source: str | None = None
    """Our address; None: the kernel's choice."""
    transparent: bool = False
    """From the client's address."""

    def prepare(self, connecting: socket.SocketType, endpoint: Endpoint, client: str | None) -> None:
        """Before the connect. Raises OSError, for example where the address is not ours."""
        if endpoint.is_unix:
            return
        if connecting.type == socket.SOCK_STREAM:
            for level, option, value in self.options:
                connecting.setsockopt(level, option, value)
        source = client if self.transparent else self.source
        if source is not None and (":" in source) == endpoint.is_ipv6:
            self._bind(connecting, source)

    def _bind(self, connecting: socket.SocketType, source: str) -> None:
        level, foreign, absent = (
            (socket.IPPROTO_IPV6, _IPV6_TRANSPARENT, _IPV6_FREEBIND)
            if ":" in source
            else (socket.IPPROTO_IP, _IP_TRANSPARENT, _IP_FREEBIND)
        )
        connecting.setsockopt(level, foreign if self.transparent else absent, 1)
        # The port is chosen at the connect: then it need differ only from those to the same server.
        connecting.setsockopt(socket.IPPROTO_IP, _IP_BIND_ADDRESS_NO_PORT, 1)
        connecting.bind((source, 0))


def way_of(pool: Pool) -> Way | None:
    """None where connections are made as they come."""
    way = Way(server_options(pool.tcp), pool.source, pool.transparent)
    return None if way == Way() else way


def remove_stale(path: str) -> bool:
    """Remove a unix socket that nobody listens on any more. False where somebody does, or it is something else."""
    with socket.socket(socket.AF_UNIX) as probe:
        probe.setblocking(False)
        number = probe.connect_ex(path)
    if number != errno.ECONNREFUSED or not _is_socket(path):
        return False
    os.unlink(path)
    return True


def _is_socket(path: str) -> bool:
    return (os.stat(path, follow_symlinks=False).st_mode & 0o170000) == 0o140000
