"""Pipes for splice: bytes go from socket to socket through one of these without ever being copied into the process.

A pipe costs two descriptors and, filled, a megabyte; so connections borrow one only while bulk data flows. The kernel
lets an unprivileged user have 64 MiB of pipe buffers in all, and shrinks what is above it to two pages, which would be
slower than copying. So at most LIMIT pipes are lent at a time, and one that cannot be made big enough is not used.
"""

from __future__ import annotations

import errno
import fcntl
import os

PIPE_BYTES = 1 << 20
LIMIT = 48

_UNAVAILABLE = {errno.EPERM, errno.EMFILE, errno.ENFILE, errno.ENOMEM}


class Pipe:
    """Two descriptors. `held` counts the bytes inside."""

    __slots__ = ("held", "read_fd", "write_fd")

    def __init__(self, read_fd: int, write_fd: int) -> None:
        self.read_fd = read_fd
        self.write_fd = write_fd
        self.held = 0

    def close(self) -> None:
        os.close(self.read_fd)
        os.close(self.write_fd)


class PipePool:
    """Empty pipes, lent and given back; the last one given back is lent first."""

    __slots__ = ("_free", "_limit", "lent")

    def __init__(self, limit: int = LIMIT) -> None:
        self.lent = 0
        self._free: list[Pipe] = []
        self._limit = limit

    def borrow(self) -> Pipe | None:
        """An empty pipe, or None: then copy instead."""
        if self.lent >= self._limit:
            return None
        pipe = self._free.pop() if self._free else _make_pipe()
        self.lent += pipe is not None
        return pipe

    def give_back(self, pipe: Pipe) -> None:
        """End the loan. A pipe that still holds bytes (its connection broke) is closed: they are nobody else's."""
        self.lent -= 1
        if pipe.held:
            pipe.close()
        else:
            self._free.append(pipe)

    def close(self) -> None:
        """Close the pipes that are not lent."""
        for pipe in self._free:
            pipe.close()
        self._free.clear()


def _make_pipe() -> Pipe | None:
    try:
        pipe = Pipe(*os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC))
    except OSError as error:
        if error.errno not in _UNAVAILABLE:
            raise
        return None
    try:
        fcntl.fcntl(pipe.write_fd, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
    except OSError as error:
        pipe.close()
        if error.errno not in _UNAVAILABLE:
            raise
        return None
    return pipe
