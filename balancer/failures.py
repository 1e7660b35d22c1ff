"""What the network and the peers can do to us. None of it is a bug, and all of it is a StreamFailure."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

from balancer.fieldtypes import Endpoint

if TYPE_CHECKING:
    from balancer.streams import Stream

PEER_ERRNOS = frozenset(
    {
        errno.ECONNRESET,
        errno.EPIPE,
        errno.ETIMEDOUT,
        errno.EHOSTUNREACH,
        errno.ENETUNREACH,
        errno.EHOSTDOWN,
        errno.ENETDOWN,
        errno.ECONNABORTED,
        errno.ECONNREFUSED,
        errno.EACCES,
        errno.EPERM,
        errno.ENOTCONN,
        errno.EPROTO,
    }
)
"""What a peer or the network can cause on a connection; any other errno is a bug of ours."""

SHORTAGE_ERRNOS = frozenset(
    {errno.EADDRNOTAVAIL, errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.EAGAIN}
)
"""Out of local ports, descriptors or memory: the server is not to blame, but there is no connection to it either."""


class StreamFailure(Exception):  # noqa: N818 - named for what happened, like the rest here
    """A coroutine of a connection may let this escape: the connection just ends."""


class Disconnected(StreamFailure):
    """The peer reset the connection, or the network lost it, or it was closed here while a call was parked."""

    def __init__(self, stream: Stream, number: int) -> None:
        super().__init__(os.strerror(number))
        self.stream = stream
        self.errno = number

    @property
    def ours(self) -> bool:
        """It was closed here, by somebody else than who was parked."""
        return self.errno == errno.ECONNABORTED and self.stream.closed


class DeadlineExpired(StreamFailure):
    """The stream's deadline passed while a call was parked."""

    def __init__(self, stream: Stream) -> None:
        super().__init__("deadline expired")
        self.stream = stream


class TlsBroken(Disconnected):
    """What came is not what TLS would have sent: the connection is lost."""

    def __init__(self, stream: Stream, reason: str) -> None:
        super().__init__(stream, errno.EPROTO)
        self.reason = reason


class HandshakeFailed(TlsBroken):
    """No TLS with this peer; `reason` says why, in words."""


class ConnectFailed(StreamFailure):
    """No connection to a server."""

    def __init__(self, endpoint: Endpoint, number: int, why: str | None = None) -> None:
        super().__init__(f"{endpoint}: {why or os.strerror(number)}")
        self.endpoint = endpoint
        self.errno = number

    @property
    def timed_out(self) -> bool:
        """The server was silent, rather than refusing."""
        return self.errno == errno.ETIMEDOUT
