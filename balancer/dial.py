"""Connections to servers."""

from __future__ import annotations

import errno
import os
import socket

from balancer.failures import PEER_ERRNOS, SHORTAGE_ERRNOS, ConnectFailed, DeadlineExpired, Disconnected
from balancer.fieldtypes import Endpoint
from balancer.reactor import Reactor
from balancer.streams import Stream


async def dial(reactor: Reactor, endpoint: Endpoint, timeout_s: float, preamble: bytes = b"") -> Stream:
    """A new connection to `endpoint`, begun with `preamble`. Raises ConnectFailed."""
    try:
        connecting = _start_connect(endpoint)
    except OSError as error:
        if error.errno not in PEER_ERRNOS | SHORTAGE_ERRNOS:
            raise
        raise ConnectFailed(endpoint, error.errno) from None
    stream = Stream(reactor, connecting, (endpoint.host, endpoint.port))
    stream.deadline = reactor.now + timeout_s
    try:
        await stream.connected()
        if preamble:
            await stream.send_all(preamble)
    except DeadlineExpired:
        stream.close()
        raise ConnectFailed(endpoint, errno.ETIMEDOUT) from None
    except Disconnected as failure:
        stream.close()
        raise ConnectFailed(endpoint, failure.errno) from None
    except BaseException:
        stream.close()
        raise
    return stream


def _start_connect(endpoint: Endpoint) -> socket.SocketType:
    family = socket.AF_INET6 if endpoint.is_ipv6 else socket.AF_INET
    connecting = socket.SocketType(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
    connecting.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    number = connecting.connect_ex((endpoint.host, endpoint.port))
    if number not in (0, errno.EINPROGRESS):
        connecting.close()
        raise OSError(number, os.strerror(number))
    return connecting
