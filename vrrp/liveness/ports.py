"""What the liveness link needs of the world, and what it tells whoever uses it."""

import errno
from enum import Enum
from typing import Protocol

from vrrp.liveness.config import LinkConfig
from vrrp.liveness.frames import Advert, Hello, Message


class LostCause(Enum):
    """How a link ended."""

    DIED = "died"
    """As it does when the process at the other end is gone. The only thing that counts as the peer's resignation."""
    ENDED = "ended"
    """In any other way: announced, given up, timed out. It says nothing about the peer."""


class LinkObserver(Protocol):
    """Is told what happens, in turn. Called within the announcer's loop: nothing in it may wait or take long."""

    def on_up(self, hello: Hello) -> None:
        """The peer is there, has proved that it is the peer, and says this of itself."""

    def on_frame(self, frame: Advert | Message | Hello) -> None:
        """The peer says something. A Hello: what it says of itself has changed."""

    def on_heard(self) -> None:
        """The peer gave a sign of life, whatever it was. Before `on_frame`."""

    def on_lost(self, cause: LostCause) -> None:
        """The link that was up is not any more."""


class Wire(Protocol):
    """One connected stream. Nothing but the two waits ever blocks."""

    def receive(self, limit_bytes: int) -> bytes | None:
        """What has arrived; empty at its end; None where nothing has. Raises OSError."""

    def send(self, data: bytes | bytearray) -> int:
        """How much of it was taken. Raises OSError."""

    async def wait_readable(self) -> None:
        """Wait until there may be something to receive. Raises trio.ClosedResourceError once closed."""

    async def wait_writable(self) -> None:
        """Wait until there may be room. Raises trio.ClosedResourceError once closed."""

    def finish_sending(self) -> None:
        """Let the other end see the end, after everything that was sent."""

    def close(self) -> None:
        """At once."""

    def round_trip_s(self) -> float | None:
        """As measured on it; None: unknown."""


class Listener(Protocol):
    """Takes connections."""

    async def accept(self) -> tuple[Wire, bytes]:
        """The next one, and the packed address that it comes from."""

    def close(self) -> None:
        """Take no more."""


class Transport(Protocol):
    """Makes connections."""

    async def dial(self, config: LinkConfig) -> Wire:
        """To the peer. Raises OSError."""

    def listen(self, config: LinkConfig) -> Listener:
        """For the peer. Raises OSError."""


_DIED = {errno.ECONNRESET, errno.EPIPE}
_ENDED = {
    *(errno.ETIMEDOUT, errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EHOSTDOWN, errno.ENETDOWN),
    # What a router on the way says by ICMP, forged or not, becomes the error of a connection that times out.
    *(errno.EPROTO, errno.ENOPROTOOPT, errno.ENONET, errno.EOPNOTSUPP, errno.EMSGSIZE),
    *(errno.ECONNABORTED, errno.ECONNREFUSED, errno.EACCES, errno.EPERM, errno.ENOBUFS, errno.ENOMEM),
}


def cause_of(error: OSError) -> LostCause:
    """What an error on an established connection says of the peer. Raises it again where none was expected."""
    if error.errno in _DIED:
        return LostCause.DIED
    if error.errno in _ENDED:
        return LostCause.ENDED
    raise error
