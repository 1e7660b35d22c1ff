"""TCP connections as a relay sees them: receive, send_all, splice_to, shutdown, close, abort.

Each call tries the socket first and parks only when the kernel has nothing (or no room). What epoll told is kept in
flags, so that a call on a socket known to be dry parks without asking the kernel again. Edge-triggered epoll makes that
delicate in one place: a read that returns less than was asked for has emptied the socket, and the next bytes will be
announced, *unless* the peer has already ended its half, failed, or sent urgent data, for none of these is announced a
second time. Where the end was announced before the short read, the end is what comes next, and needs no read to tell.
After a failure, and with urgent data (a read stops short of it), only EAGAIN or the end itself counts as dry.

`deadline` is a plain attribute, in seconds on the reactor's clock, looked at when a call parks. Moving it later also
holds for a call that is parked already; moving it earlier holds from the next call on.
"""

from __future__ import annotations

import errno
import os
import socket
import struct
import sys
from collections.abc import Callable
from math import inf
from select import EPOLLERR, EPOLLHUP, EPOLLIN, EPOLLOUT, EPOLLPRI, EPOLLRDHUP
from typing import Any

from balancer.failures import PEER_ERRNOS, DeadlineExpired, Disconnected, StreamFailure
from balancer.pipes import PIPE_BYTES
from balancer.proxyproto import Header
from balancer.reactor import Reactor
from balancer.sockets import name_of
from balancer.task import PARK, Task
from balancer.tls.info import TlsInfo

RECEIVE_BYTES = 65_536
COPY_BYTES = 131_072  # at once, where a stream with TLS has a part and splice none

_INPUT = EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR | EPOLLPRI
_OUTPUT = EPOLLOUT | EPOLLHUP | EPOLLERR
_UNANNOUNCED = EPOLLRDHUP | EPOLLHUP | EPOLLERR | EPOLLPRI
_NOTHING_SPECIAL = EPOLLIN | EPOLLOUT
_SPLICE = 1 | 2  # SPLICE_F_MOVE | SPLICE_F_NONBLOCK: the os module names them only from 3.12 on
_ACKNOWLEDGED = slice(120, 128)  # tcpi_bytes_acked of struct tcp_info
_ABORTING_LINGER = struct.pack("ii", 1, 0)

Watcher = Callable[["Stream", int], None]


class Stream:
    """One connected TCP socket, owned: nobody else reads, writes or closes it.

    At most one task may be in a receiving call and one in a sending call at a time. Every call raises `Disconnected`
    or `DeadlineExpired` and nothing else that is not a bug.
    """

    __slots__ = (
        "_end_announced",
        "_failed",
        "_reader",
        "_shut",
        "_socket",
        "_unannounced",
        "_urgent",
        "_writable",
        "_writer",
        "closed",
        "deadline",
        "ended",
        "fd",
        "filed_at",
        "idle",
        "peername",
        "proxied",
        "reactor",
        "readable",
        "referee",
        "sni",
        "watcher",
    )

    tls: TlsInfo | None = None  # None: a plain connection
    truncated: bool = False
    """Ended, but not said to: bytes may be missing."""
    spliceable: bool = True
    """What is on the wire is what is received and sent."""
    via: bytes = b"1.1"  # the version of HTTP that is spoken here, as Via names it

    def __init__(self, reactor: Reactor, connected: socket.SocketType, peername: Any) -> None:
        """Take over a connected, non-blocking socket."""
        self.reactor = reactor
        self.fd = connected.fileno()
        self.peername = peername
        """As accept() or connect() has it: (host, port) or (host, port, flow, scope)."""
        self.proxied: Header | None = None
        """What a proxy's PROXY header said of the connection; `peername` and `sockname` are then what it told."""
        self.sni: str | None = None
        """The server name that the client asks for in TLS, here or passed through; None: it asked for none."""
        self.deadline = inf
        self.filed_at = inf
        self.closed = False
        self.ended = False
        """The peer has ended its half, and all that it sent before was received."""
        self.readable = False
        """As far as is known there is something to receive: bytes, the end, or a failure."""
        self.idle = False
        """Set by an http relay between two requests: one that is idle and quiet is closed when the worker drains."""
        self.watcher: Watcher | None = None
        """Told what comes (an epoll mask; 0: the deadline) while no task is parked here."""
        self.referee: Callable[[], bool] | None = None
        """Asked when the deadline has passed: True where it has moved it on instead."""
        self._socket = connected
        self._reader: Task[Any] | None = None
        self._writer: Task[Any] | None = None
        self._writable = True
        self._unannounced = self._failed = False
        self._urgent = False
        self._end_announced = False
        self._shut = False
        reactor.watch(self.fd, self)

    async def receive(self, max_bytes: int = RECEIVE_BYTES) -> bytes:
        """Some bytes, as soon as there are any; b"" at the end of the stream."""
        while (data := self.receive_or_expect(max_bytes)) is None:
            try:
                await PARK
            finally:
                self._reader = None
        if len(data) == max_bytes and self.reactor.overdue():
            await self.reactor.pause()
        return data

    def receive_or_expect(self, max_bytes: int = RECEIVE_BYTES) -> bytes | None:
        """As `receive`, but None instead of waiting: then `await PARK` and call again.

            while (data := stream.receive_or_expect()) is None:
                await PARK

        This is `receive` without a coroutine more to make and to resume, for the two places where each request waits.
        The task goes on being woken until it has received: who is interrupted here must be about to close the stream.
        """
        if self.readable:
            data = self.try_receive(max_bytes)
            if data is not None:
                return data
        if self.ended:
            return b""
        self._expect()
        return None

    def _expect(self) -> None:
        """Have the current task woken when there is something to receive."""
        reactor = self.reactor
        if self.closed or self.deadline <= reactor.now:
            raise self._refusal()
        self._reader = reactor.current
        if self.deadline < self.filed_at:
            reactor.wheel.file(self, reactor.now)

    def try_receive(self, max_bytes: int = RECEIVE_BYTES) -> bytes | None:
        """As `receive`, but None instead of waiting. Asks the kernel, even where no event has come yet."""
        self._reader = None
        try:
            data = self._socket.recv(max_bytes)
        except BlockingIOError:
            self.readable = False
            return None
        except OSError as error:
            raise self._failure(error) from error
        if len(data) < max_bytes:
            self.readable = self._at_end() if self._end_announced or not data else self._unannounced
        return data

    def _at_end(self) -> bool:
        """The end was read. True when there is more to learn: the peer has reset the connection since.

        The kernel goes on to read as ended then, and keeps the failure to itself. So the next look tells it.
        """
        if self.ended and self._failed:
            number = self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            raise Disconnected(self, number or errno.ECONNRESET)
        self.ended = True
        return self._failed

    async def peek(self, known: int, max_bytes: int) -> bytes:
        """What has come and is still to be received, once it is more than `known` bytes; no more at the end.

        What `known` bytes there are stays where it is: a peek that finds nothing new waits for the next event.
        """
        while True:
            try:
                data = self._socket.recv(max_bytes, socket.MSG_PEEK)
            except BlockingIOError:
                data = b""
            except OSError as error:
                raise self._failure(error) from error
            if len(data) > known or self._unannounced:
                return data
            self.readable = False
            await self._until_readable()

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Hand all of it to the kernel, waiting for room as often as it takes."""
        sent = self.try_send(data)
        if sent == len(data):
            return
        rest = memoryview(data)[sent:]
        while rest:
            await self._until_writable()
            rest = rest[self.try_send(rest) :]

    def try_send(self, data: bytes | bytearray | memoryview) -> int:
        """Hand over what the kernel has room for now; the number of bytes taken, perhaps 0."""
        try:
            sent = self._socket.send(data)
        except BlockingIOError:
            sent = 0
        except OSError as error:
            raise self._failure(error) from error
        if sent < len(data):
            self._writable = False
        return sent

    async def splice_to(self, sink: Stream, max_bytes: int = PIPE_BYTES) -> int:
        """Move up to `max_bytes` to `sink` inside the kernel: as soon as there are any, and all that was taken is sent.

        Returns the number of bytes moved, 0 at the end of the stream. With no pipe to be had the bytes are copied.
        """
        if not sink.spliceable:
            return await self.copy_to(sink, min(max_bytes, COPY_BYTES))
        while not (self.readable or self.ended):
            await self._until_readable()
        pipe = self.reactor.pipes.borrow()
        if pipe is None:
            data = await self.receive(min(max_bytes, PIPE_BYTES))
            await sink.send_all(data)
            return len(data)
        try:
            while (taken := self._splice(self.fd, pipe.write_fd, max_bytes)) is None:
                self.readable = False
                await self._until_readable()
            pipe.held = taken
            while pipe.held:
                sent = sink._splice(pipe.read_fd, sink.fd, pipe.held)
                if sent is None:
                    sink._writable = False
                    await sink._until_writable()
                else:
                    pipe.held -= sent
        finally:
            self.reactor.pipes.give_back(pipe)
        if not taken:
            self.readable = self._at_end()
        elif self.reactor.overdue():
            await self.reactor.pause()
        return taken

    async def copy_to(self, sink: Stream, max_bytes: int) -> int:
        """As `splice_to`, through this process."""
        await sink.send_all(data := await self.receive(max_bytes))
        return len(data)

    def _splice(self, source_fd: int, sink_fd: int, max_bytes: int) -> int | None:
        if self.closed:
            raise self._refusal()
        try:
            return os.splice(source_fd, sink_fd, max_bytes, flags=_SPLICE)
        except BlockingIOError:
            return None
        except OSError as error:
            raise self._failure(error) from error

    def shutdown(self) -> None:
        """End our half: the peer reads the end of the stream after what was sent. Once; later calls do nothing."""
        if self._shut or self.closed:
            return
        self._shut = True
        try:
            self._socket.shutdown(socket.SHUT_WR)
        except OSError as error:
            if error.errno not in PEER_ERRNOS:
                raise

    def end_early(self) -> None:
        """As `shutdown`, where the other side was `truncated`."""
        self.shutdown()

    def close(self) -> None:
        """Close both halves; a task that is parked here gets Disconnected. The descriptor lives to the turn's end."""
        if self.closed:
            return
        self.closed = True
        self.watcher = None
        self.reactor.forget(self.fd)
        if self.filed_at != inf:
            self.reactor.wheel.remove(self)
        self._wake_both()
        self.reactor.close_later(self._socket)

    def abort(self) -> None:
        """Close with a reset: unsent bytes are thrown away, and the peer knows that this was not a proper end."""
        if not self.closed:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _ABORTING_LINGER)
            self.close()

    @property
    def quiet(self) -> bool:
        """Nothing has come (no byte, no end, no failure) that was not received: fit to be kept for reuse."""
        return not (self.readable or self.ended or self._unannounced or self.closed)

    def is_dry(self) -> bool:
        """As `quiet`, but asks the kernel: also what came since the last look for events counts."""
        try:
            self._socket.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return self.quiet
        except OSError as error:
            if error.errno not in PEER_ERRNOS:
                raise
        return False

    def has_left(self) -> bool:
        """The peer has ended its half, and what it sent before was received; or the connection has failed."""
        try:
            return not self._socket.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return False
        except OSError as error:
            if error.errno not in PEER_ERRNOS:
                raise
            return True

    def interrupt_if_lost(self, task: Task[Any]) -> None:
        """Should the peer reset the connection while nobody is parked here, throw Disconnected into `task`."""

        def lost(stream: Stream, mask: int) -> None:
            if mask & EPOLLERR:
                number = stream._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
                task.interrupt(Disconnected(stream, number or errno.ECONNRESET))

        self.watcher = lost

    @property
    def waits_to_send(self) -> bool:
        """A task is parked here until the peer takes more."""
        return self._writer is not None

    def acknowledged(self) -> int:
        """How many bytes the peer's kernel has taken so far; what only lies in our own buffer does not count."""
        info = self._socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _ACKNOWLEDGED.stop)
        return int.from_bytes(info[_ACKNOWLEDGED], sys.byteorder)

    @property
    def sockname(self) -> Any:
        """Our own address of this connection, or where its client connected to."""
        if self.proxied is not None and self.proxied.destination is not None:
            return self.proxied.destination
        return name_of(self._socket)

    def on_events(self, mask: int) -> None:
        """What epoll has to say (called by the reactor)."""
        if mask == _NOTHING_SPECIAL:
            self.readable = self._writable = True
            if self._reader is not None:
                self._reader.wake()
            elif self.watcher is not None and self._writer is None:
                self.watcher(self, mask)
            if self._writer is not None:
                self._writer.wake()
            return
        if mask & _UNANNOUNCED:
            self._unannounced = True
            self._failed = self._failed or bool(mask & EPOLLERR)
            self._urgent = self._urgent or bool(mask & EPOLLPRI)
            self._end_announced = bool(mask & EPOLLRDHUP) and not (self._failed or self._urgent)
        if mask & _INPUT:
            self.readable = True
            if self._reader is not None:
                self._reader.wake()
            elif self.watcher is not None and self._writer is None:
                self.watcher(self, mask)
        if mask & _OUTPUT:
            self._writable = True
            if self._writer is not None:
                self._writer.wake()

    def expire(self) -> None:
        """The deadline has passed (called by the timer wheel)."""
        if self.referee is not None and self.referee():
            self.reactor.wheel.file(self, self.reactor.now)
            return
        if self._reader is not None or self._writer is not None:
            self._wake_both()
        elif self.watcher is not None:
            self.watcher(self, 0)

    def _wake_both(self) -> None:
        for task in (self._reader, self._writer):
            if task is not None:
                task.wake()

    async def _until_readable(self) -> None:
        """Park until woken for reading: a hint, look again."""
        self._expect()
        try:
            await PARK
        finally:
            self._reader = None

    async def _until_writable(self) -> None:
        while not self._writable:
            if self.closed or self.deadline <= self.reactor.now:
                raise self._refusal()
            self._writer = self.reactor.current
            if self.deadline < self.filed_at:
                self.reactor.wheel.file(self, self.reactor.now)
            try:
                await PARK
            finally:
                self._writer = None

    async def connected(self) -> None:
        """Wait for the end of a connect that was started. Raises Disconnected with the reason where it fails."""
        self._writable = False
        await self._until_writable()
        if self._unannounced and (number := self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)):
            raise Disconnected(self, number)
        self.deadline = inf

    def _refusal(self) -> StreamFailure:
        return DeadlineExpired(self) if self.deadline <= self.reactor.now else Disconnected(self, errno.ECONNABORTED)

    def _failure(self, error: OSError) -> Exception:
        """What to raise for an errno of the socket: Disconnected where the peer or the network can cause it."""
        if self.closed:
            return Disconnected(self, errno.ECONNABORTED)
        return Disconnected(self, error.errno) if error.errno in PEER_ERRNOS else error


async def until_either(one: Stream, other: Stream) -> None:
    """Park until one of two streams is readable. Both go by the deadline of `one`."""
    task = one.reactor.current
    while not (one.readable or other.readable):
        if one.closed or other.closed or one.deadline <= one.reactor.now:
            raise (other if other.closed else one)._refusal()
        if one.deadline < one.filed_at:
            one.reactor.wheel.file(one, one.reactor.now)
        one._reader = other._reader = task
        try:
            await PARK
        finally:
            one._reader = other._reader = None
