"""The files of access logs, opened by the node for its workers.

The node opens them because it can tell whoever started it that a file cannot be written, before anything else is
started; because a worker then needs no right to any file; and because after a rotation all workers change over to the
same new file. Each worker gets a descriptor that appends: lines of different workers do not mix.
"""

import os
from collections.abc import Collection, Iterable

from balancer.accesslog.writer import open_file


class LogFileError(Exception):
    """A log file cannot be opened; the words say which."""


class LogFiles:
    """Open files by path. Raises LogFileError."""

    def __init__(self, paths: Iterable[str]) -> None:
        self.fds: dict[str, int] = {}
        for path in paths:
            self.fds[path] = _open(path)

    def add(self, paths: Iterable[str]) -> list[str]:
        """Open those of these that are not open. Raises LogFileError, and then no more are open than before."""
        added: list[str] = []
        try:
            for path in paths:
                if path not in self.fds:
                    self.fds[path] = _open(path)
                    added.append(path)
        except LogFileError:
            self.keep(self.fds.keys() - set(added))
            raise
        return added

    def keep(self, paths: Collection[str]) -> None:
        """Close all others."""
        for path in self.fds.keys() - paths:
            os.close(self.fds.pop(path))

    def reopen(self) -> list[LogFileError]:
        """Open all of them again, where they have been renamed by now. One that cannot be keeps its old descriptor."""
        failures = []
        for path, old in self.fds.items():
            try:
                self.fds[path] = _open(path)
            except LogFileError as error:
                failures.append(error)
            else:
                os.close(old)
        return failures

    def close(self) -> None:
        """Close the node's descriptors; the workers have their own."""
        for fd in self.fds.values():
            os.close(fd)
        self.fds.clear()


def _open(path: str) -> int:
    try:
        return open_file(path)
    except OSError as error:
        raise LogFileError(f"the access log {path} cannot be opened: {error.strerror}") from error
