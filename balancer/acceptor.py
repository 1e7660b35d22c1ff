"""One frontend in one worker: takes connections from the listening sockets and runs a relay for each.

All workers wait on the same listening sockets, with EPOLLEXCLUSIVE so that a connection wakes one of them and not all.
A worker that has enough leaves connections in the kernel's queue, where any other worker finds them; and since the
sockets are not the worker's own, a worker that dies takes no queued connection with it. (SO_REUSEPORT gives each worker
a queue of its own, and the dead worker's queue is lost: 30 of 60 connections hung when tried.)

The kernel may have woken a worker that then died or hung before it took the connection. So every worker also looks
without being woken, at each heartbeat.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import socket
from collections.abc import Callable, Iterable
from select import EPOLLEXCLUSIVE, EPOLLIN
from typing import Any

import trio

from balancer.causes import Cause
from balancer.counts import INTERNAL_ERRORS
from balancer.failures import Disconnected, StreamFailure
from balancer.networks import canonical
from balancer.service import FrontendService, Relay
from balancer.slots import CONNECTIONS, OPEN, RESETS, SHED, Counters
from balancer.sockets import LOCAL
from balancer.streams import Stream
from balancer.task import PARK, Task

log = logging.getLogger(__name__)

BATCH = 16
"""Connections that one worker takes before the others get a chance."""
SHORTAGE_PAUSE_S = 0.5

_SHORTAGE = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}
_GONE_ALREADY = {
    errno.ECONNABORTED,
    errno.EPERM,
    errno.EPROTO,
    errno.ENETDOWN,
    errno.ENOPROTOOPT,
    errno.EHOSTDOWN,
    errno.ENONET,
    errno.EHOSTUNREACH,
    errno.ENETUNREACH,
    errno.EINTR,
}
"""accept(2): errors that belong to the connection at the head of the queue, not to the listening socket."""


class Connection(Task[None]):
    """One downstream connection and the relay that serves it."""

    __slots__ = ("_acceptor", "client", "opened_at", "stream")

    def __init__(self, acceptor: Acceptor, stream: Stream) -> None:
        super().__init__(stream.reactor, acceptor.relay(acceptor.service, stream))
        self.stream = stream
        self.opened_at = stream.reactor.now
        self.client: str | None = None
        """The address under which it is counted, where clients are limited."""
        self._acceptor = acceptor

    def finish(self, error: BaseException | None) -> None:
        """Whatever ended the relay, the client is not left hanging: a reset, if it was not a proper end."""
        if error is None:
            self.stream.close()
        else:
            self.stream.abort()
        self._acceptor.ended(self, error)
        super().finish(error)


class Acceptor:
    """Takes connections while it runs; `connections` are those open now."""

    def __init__(
        self,
        service: FrontendService,
        listening: Iterable[socket.socket],
        *,
        relay: Relay,
        worker: Counters,
        stream: type[Stream] = Stream,
    ) -> None:
        self.service = service
        self.relay = relay
        self.connections: set[Connection] = set()
        self._reactor = service.reactor
        self._worker = worker
        self._stream = stream
        self._listening = tuple(listening)
        self._loops: dict[socket.socket, Task[None]] = {}
        self._emptied = trio.Event()
        self.on_room: Callable[[], object] | None = None
        """Called when a connection ends where there was no room; None: nobody but this one may wait for it."""

    def start(self) -> None:
        """Begin to take connections, or go on with it."""
        for one in self._listening:
            if one not in self._loops:
                self._loops[one] = self._reactor.spawn(self._accept_loop(one))

    def pause(self) -> None:
        """Take what is queued, and then no more."""
        for listening in self._listening:
            self._take_queued(listening)
        self.stop()

    def become(self, other: Acceptor) -> None:
        """Take connections as another one would that was not started; those that are open go on.

        Sockets that both listen on are listened on all the time. From others, what is queued is taken first.
        """
        self.relay, self._stream = other.relay, other._stream
        before, self._listening = self._listening, other._listening
        for listening in set(before) - set(other._listening):
            self._take_queued(listening)
            if (loop := self._loops.pop(listening, None)) is not None:
                loop.cancel()
        for listening in other._listening:
            if listening not in self._loops:
                self._loops[listening] = self._reactor.spawn(self._accept_loop(listening))
        self.look()  # there may be room for more

    def _take_queued(self, listening: socket.socket) -> None:
        door = _door_of(listening)
        with contextlib.suppress(OSError):  # it is about to be closed
            for _ in range(0, max(0, self._room()), BATCH):
                if self._accept_batch(door) < BATCH:
                    break

    def stop(self) -> None:
        """Take no more; what is queued stays in the kernel, what is open stays open."""
        for loop in self._loops.values():
            loop.cancel()
        self._loops = {}

    def look(self) -> None:
        """Look for connections without having been woken."""
        for loop in self._loops.values():
            loop.wake()

    def abort_all(self) -> None:
        """Reset every open connection."""
        for connection in self.connections:
            connection.stream.abort()
            connection.cancel()

    def close_idle(self) -> None:
        """Close the connections that are between two requests."""
        for connection in self.connections:
            if connection.stream.idle and connection.stream.is_dry():
                connection.stream.close()

    async def until_empty(self) -> None:
        """Wait until no connection is open. For a trio task."""
        while self.connections:
            self._emptied = trio.Event()
            await self._emptied.wait()

    def ended(self, connection: Connection, error: BaseException | None) -> None:
        """One connection has ended (called by the connection)."""
        if self.full:
            (self.on_room or self.look)()
        self.connections.discard(connection)
        if connection.client is not None and self.service.limiter is not None:
            self.service.limiter.disconnect(connection.client)
        if not self.connections:
            self._emptied.set()
        self.service.counters.add(OPEN, -1)
        if isinstance(error, Disconnected):
            self.service.counters.add(RESETS)
        elif isinstance(error, Exception) and not isinstance(error, StreamFailure):
            self.service.counters.add(INTERNAL_ERRORS)

    @property
    def full(self) -> bool:
        """Together with the other workers it has as many connections open as there may be."""
        return self._room() <= 0

    def _room(self) -> int:
        service = self.service
        return service.config.max_connections - len(self.connections) - service.open_elsewhere()

    async def _accept_loop(self, listening: socket.socket) -> None:
        door = _door_of(listening, self._reactor.current)
        while True:
            self._reactor.watch(listening.fileno(), door, EPOLLIN | EPOLLEXCLUSIVE)
            try:
                pause_s = await self._accept_while_room(door)
            finally:
                self._reactor.unwatch(listening.fileno())
            if pause_s:
                await self._reactor.sleep_until(self._reactor.now + pause_s)
            while self.full:
                await PARK

    async def _accept_while_room(self, door: _Door) -> float:
        """Take connections until there are enough, or no room for more. Returns for how long to pause."""
        while not self.full:
            try:
                taken = self._accept_batch(door)
            except OSError as error:
                if error.errno not in _SHORTAGE:
                    raise
                log.warning("accepting paused", extra={"frontend": self.service.name, "reason": error.strerror})
                self._worker.add(SHED)
                return SHORTAGE_PAUSE_S
            if taken == BATCH:
                await self._reactor.pause()
            elif not self.full:  # a full worker must not stay to be woken in another's stead
                await PARK
        return 0.0

    def _accept_batch(self, door: _Door) -> int:
        """Take up to BATCH connections; fewer when the queue ran empty, or enough are open.

        Other workers take some at the same time: with little room left it is looked at before each, so that together
        they exceed the limit by no more than their own number.
        """
        room = self._room()
        scarce = room <= 4 * BATCH
        for taken in range(min(room, BATCH)):
            if scarce and self.full:
                return taken
            try:
                accepted, peername = door.accept()
            except BlockingIOError:
                return taken
            except OSError as error:
                if error.errno == errno.EINVAL:
                    return taken  # it listens no more: its frontend is disabled, which is about to be told here too
                if error.errno not in _GONE_ALREADY:
                    raise
            else:
                self._open(self._stream(self._reactor, accepted, peername))
        return min(room, BATCH)

    def _open(self, stream: Stream) -> None:
        client = None
        if self.service.limiter is not None:
            client = canonical(stream.peername[0])
            if client in self.service.proxies:
                client = None  # it brings many clients
            elif (cause := self.service.objection(client)) is not None:
                self._turn_away(stream, cause)
                return
        connection = Connection(self, stream)
        connection.client = client
        self.connections.add(connection)
        self.service.counters.opened()
        self._reactor.start(connection)

    def _turn_away(self, stream: Stream, cause: Cause) -> None:
        """A connection that is not to be served is reset at once: it must cost as little as possible."""
        self.service.counters.add(CONNECTIONS)
        self.service.causes.add_cause(cause)
        stream.abort()


class _Door:
    """A listening socket that wakes its accept loop."""

    __slots__ = ("_family", "_listening", "_loop")

    def __init__(self, listening: socket.socket, loop: Task[Any] | None = None) -> None:
        self._listening = listening
        self._family = int(listening.family)
        self._loop = loop

    def accept(self) -> tuple[socket.SocketType, Any]:
        """The next connection, non-blocking, and its peer's address. Raises BlockingIOError when there is none.

        Not `socket.accept`: its two enum lookups and second object are 3 of the 8 microseconds that it takes.
        """
        fd, peername = self._listening._accept()  # type: ignore[attr-defined]
        accepted = socket.SocketType(self._family, socket.SOCK_STREAM, 0, fd)
        accepted.setblocking(False)
        return accepted, peername

    def on_events(self, mask: int) -> None:
        if self._loop is not None:
            self._loop.wake()


class _UnixDoor(_Door):
    """A client of a unix socket has no address: it is on this machine."""

    __slots__ = ()

    def accept(self) -> tuple[socket.SocketType, Any]:
        return super().accept()[0], LOCAL


def _door_of(listening: socket.socket, loop: Task[Any] | None = None) -> _Door:
    return (_UnixDoor if listening.family == socket.AF_UNIX else _Door)(listening, loop)
