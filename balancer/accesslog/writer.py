"""One target of access logs in one worker: a bounded queue and the thread that empties it.

A thread, because nothing else is sure not to wait: a disk may stall, and a pipe that others write to as well may be
full whatever was asked before. The reactor only puts batches into the queue; one that finds too much waiting is
dropped, and counted. The thread formats nothing: it would take the interpreter from the reactor.
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import struct
import threading
import time
from collections.abc import Callable, Sequence
from queue import SimpleQueue
from typing import Protocol

from balancer.fieldtypes import Endpoint

_PRIORITY = 16 * 8 + 6  # local0.info
_JOURNAL = "/run/systemd/journal/socket"
_LONGEST = 8192
_PATIENCE = struct.pack("ll", 5, 0)
"""Seconds and microseconds, with a syslog that is there and takes nothing."""
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


class Target(Protocol):
    """Where lines go. `write` may block, and returns how many of them were lost."""

    def write(self, lines: Sequence[str]) -> int: ...

    def close(self) -> None: ...


class FileTarget:
    """A descriptor that is appended to: one call for a batch, so that lines of several workers do not mix."""

    def __init__(self, fd: int, *, owned: bool) -> None:
        self._fd = fd
        self._owned = owned

    def write(self, lines: Sequence[str]) -> int:
        rest = memoryview(("\n".join(lines) + "\n").encode("utf-8", "backslashreplace"))
        try:
            while rest:
                rest = rest[os.write(self._fd, rest) :]
        except OSError:  # the disk is full, or nobody reads: whatever it is, requests go on
            return bytes(rest).count(b"\n")
        return 0

    def close(self) -> None:
        if self._owned:
            os.close(self._fd)


Encode = Callable[[str], bytes]


class SocketTarget:
    """A socket of syslog or journald, which is sought anew when it has gone.

    One datagram for each line; on a stream, lines with their ends (RFC 6587 section 3.4.2). A local syslog may have
    either kind of socket.
    """

    def __init__(
        self, family: int, address: str | tuple[str, int], encode: Encode, kind: int = socket.SOCK_DGRAM
    ) -> None:
        self._family = family
        self._address = address
        self._encode = encode
        self._kind = kind
        self._socket: socket.socket | None = None

    def write(self, lines: Sequence[str]) -> int:
        left = [self._encode(line) for line in lines]
        for _ in range(2):  # it may have been started anew since the last time
            try:
                sending = self._connected()
                if self._kind == socket.SOCK_STREAM:
                    self._stream(sending, left)
                else:
                    _send_each(sending, left)
            except OSError:  # nobody there: the next line looks again
                self.close()
            else:
                return 0
        return len(left)

    def _connected(self) -> socket.socket:
        if self._socket is not None and self._kind == socket.SOCK_STREAM and _has_ended(self._socket):
            self.close()
        if self._socket is None:
            self._socket = socket.socket(self._family, self._kind)
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, _PATIENCE)
            try:
                self._socket.connect(self._address)
            except OSError as error:
                if error.errno == errno.EPROTOTYPE:
                    other = {socket.SOCK_DGRAM: socket.SOCK_STREAM, socket.SOCK_STREAM: socket.SOCK_DGRAM}
                    self._kind = other[socket.SocketKind(self._kind)]
                raise
        return self._socket

    def _stream(self, sending: socket.socket, left: list[bytes]) -> None:
        """Takes out of `left` what was sent. A line that is cut off is sent again, on another connection."""
        data = b"\n".join(left) + b"\n"
        sent = 0
        try:
            while sent < len(data):
                sent += sending.send(data[sent:] if sent else data)
        finally:
            del left[: data.count(b"\n", 0, sent)]

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None


def _send_each(sending: socket.socket, left: list[bytes]) -> None:
    while left:
        sending.send(left[0])
        del left[0]


def _has_ended(connected: socket.socket) -> bool:
    """The other side has closed a connection on which it never says a word."""
    try:
        return not connected.recv(1, socket.MSG_DONTWAIT)
    except BlockingIOError:
        return False


def syslog_lines(tag: str) -> Encode:
    """RFC 3164 without a host name, as HAProxy writes it."""
    name = f"{tag}[{os.getpid()}]"

    def encode(line: str) -> bytes:
        now = time.localtime()
        date = f"{_MONTHS[now.tm_mon - 1]} {now.tm_mday:2} {now.tm_hour:02}:{now.tm_min:02}:{now.tm_sec:02}"
        return f"<{_PRIORITY}>{date} {name}: {line}".encode("utf-8", "backslashreplace")[:_LONGEST]

    return encode


def journal_entries(tag: str) -> Encode:
    """journald's own protocol. A line has no line end in it."""
    return lambda line: f"PRIORITY=6\nSYSLOG_IDENTIFIER={tag}\nMESSAGE={line}\n".encode("utf-8", "backslashreplace")


def open_target(kind: str, where: str | Endpoint, *, tag: str, fd: int | None = None) -> Target:
    """A target as balancer.config_log.parse_target has it; `fd` is the open file of kind `file`."""
    if kind == "stdout":
        return FileTarget(1, owned=False)
    if kind == "journald":
        return SocketTarget(socket.AF_UNIX, _JOURNAL, journal_entries(tag))
    if isinstance(where, Endpoint):
        family = socket.AF_INET6 if where.is_ipv6 else socket.AF_INET
        by = socket.SOCK_STREAM if kind == "tcp" else socket.SOCK_DGRAM
        return SocketTarget(family, (where.host, where.port), syslog_lines(tag), by)
    if kind == "unix":
        return SocketTarget(socket.AF_UNIX, where, syslog_lines(tag))
    return FileTarget(open_file(where) if fd is None else fd, owned=True)


def open_file(path: str) -> int:
    """Open a log file for appending, mode 0640. Raises OSError."""
    return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOCTTY, 0o640)


class Writer:
    """The queue of one target. Every method but the thread's own is for the reactor's thread."""

    def __init__(self, target: Target, most_lines: int) -> None:
        self._target = target
        self._most_lines = most_lines
        self._queue: SimpleQueue[Sequence[str] | Target | None] = SimpleQueue()
        self._put = 0
        self._refused = 0
        self._written = 0
        """The thread's to add to, like `_lost`; a number of Python's is read whole."""
        self._lost = 0
        self._thread = threading.Thread(target=self._run, name="access log", daemon=True)
        self._thread.start()

    @property
    def dropped(self) -> int:
        """Lines that nobody will read."""
        return self._refused + self._lost

    def put(self, lines: Sequence[str]) -> None:
        """Have these lines written, or count them as dropped where too many wait already. Never waits."""
        if self._put - self._written + len(lines) > self._most_lines:
            self._refused += len(lines)
            return
        self._put += len(lines)
        self._queue.put(lines)

    def replace(self, target: Target) -> None:
        """Write what comes from now on elsewhere: to the file's successor."""
        self._queue.put(target)

    def end(self) -> None:
        """Write what waits, and then no more; waits for nothing."""
        self._queue.put(None)

    def close(self, limit_s: float = 1.0) -> None:
        """Write what waits, for no longer than `limit_s`."""
        self.end()
        self._thread.join(limit_s)

    def _run(self) -> None:
        while (item := self._queue.get()) is not None:
            if isinstance(item, (list, tuple)):
                self._lost += self._target.write(item)
                self._written += len(item)
            else:
                self._target.close()
                self._target = item  # type: ignore[assignment]
        with contextlib.suppress(OSError):
            self._target.close()
