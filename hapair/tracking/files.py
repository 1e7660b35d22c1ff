"""Reads a tracked file, which may lie on a file system that hangs."""

import errno
import os
import stat

import trio

from hapair.config.tracks import TrackedFile
from hapair.tracking.findings import of_file
from hapair.tracking.watch import Finding

LIMIT_S = 1.0
_BEGINNING_BYTES = 64
_ABSENT = (errno.ENOENT, errno.ENOTDIR)
_UNREADABLE = (errno.EACCES, errno.EPERM, errno.ELOOP, errno.EIO, errno.ESTALE, errno.ENXIO, errno.ENAMETOOLONG)


class FileReader:
    """Looks at one file. While a look hangs no other is begun."""

    def __init__(self, tracked: TrackedFile) -> None:
        self._tracked = tracked
        self._limiter = trio.CapacityLimiter(1)

    async def look(self) -> Finding:
        """One look, which takes LIMIT_S at most."""
        with trio.move_on_after(LIMIT_S):
            return await trio.to_thread.run_sync(_look, self._tracked, limiter=self._limiter, abandon_on_cancel=True)
        return Finding(False, f"the file system did not answer for {LIMIT_S:g} s")


def _look(tracked: TrackedFile) -> Finding:
    try:
        return of_file(tracked.expect, _beginning(tracked.path))
    except OSError as error:
        if error.errno not in _UNREADABLE:
            raise
        return Finding(False, f"the file cannot be read: {error.strerror}")


def _beginning(path: str) -> bytes | None:
    """The first bytes of a file, nothing of what is no regular file; None where there is nothing."""
    try:
        file = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError as error:
        if error.errno in _ABSENT:
            return None
        raise
    try:
        return os.read(file, _BEGINNING_BYTES) if stat.S_ISREG(os.fstat(file).st_mode) else b""
    finally:
        os.close(file)
