"""Connections to servers."""

from __future__ import annotations

import errno
import os
import socket
from math import inf

from balancer.failures import (
    PEER_ERRNOS,
    SHORTAGE_ERRNOS,
    ConnectFailed,
    DeadlineExpired,
    Disconnected,
    HandshakeFailed,
)
from balancer.fieldtypes import Endpoint
from balancer.reactor import Reactor
from balancer.secure import SecureStream
from balancer.sockets import Way, address_of, family_of
from balancer.streams import Stream
from balancer.tls.contexts import ServerTls

_NO_SUCH_FILE = frozenset({errno.ENOENT, errno.ENOTDIR, errno.EPROTOTYPE})
"""A unix socket that is not there."""


async def dial(
    reactor: Reactor,
    endpoint: Endpoint,
    timeout_s: float,
    preamble: bytes = b"",
    tls: ServerTls | None = None,
    way: Way | None = None,
    client: str | None = None,
) -> Stream:
    """A new connection to `endpoint`, begun with `preamble`, then with TLS where `tls` says how.

    `client` is its address, for a `way` that lets servers see it. `timeout_s` is for all of it.
    Raises ConnectFailed, also for a server whose certificate is not to be trusted.
    """
    try:
        connecting = _start_connect(endpoint, way, client)
    except OSError as error:
        if error.errno not in PEER_ERRNOS | SHORTAGE_ERRNOS | _NO_SUCH_FILE:
            raise
        raise ConnectFailed(endpoint, error.errno) from None
    stream = (Stream if tls is None else SecureStream)(reactor, connecting, (endpoint.host, endpoint.port))
    deadline = stream.deadline = reactor.now + timeout_s
    try:
        await stream.connected()
        if preamble:
            await stream.send_all(preamble)
        if tls is not None and isinstance(stream, SecureStream):
            stream.deadline = deadline
            await stream.handshake(tls.context, server_name=tls.name_for(endpoint.host), server_side=False)
            stream.deadline = inf
    except HandshakeFailed as failure:
        stream.close()
        raise ConnectFailed(endpoint, failure.errno, f"no TLS: {failure.reason}") from None
    except DeadlineExpired:
        stream.close()
        raise ConnectFailed(endpoint, errno.ETIMEDOUT) from None
    except Disconnected as failure:
        stream.close()
        if failure.stream is not stream:
            raise  # whoever waited for this connection has lost another: its client
        raise ConnectFailed(endpoint, failure.errno) from None
    except BaseException:
        stream.close()
        raise
    return stream


def _start_connect(endpoint: Endpoint, way: Way | None, client: str | None) -> socket.SocketType:
    connecting = socket.SocketType(family_of(endpoint), socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
    try:
        if not endpoint.is_unix:
            connecting.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if way is not None:
            way.prepare(connecting, endpoint, client)
        number = connecting.connect_ex(address_of(endpoint))
        if number not in (0, errno.EINPROGRESS):
            raise OSError(number, os.strerror(number))
    except BaseException:
        connecting.close()
        raise
    return connecting
