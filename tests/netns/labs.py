"""Tests in labs of their own, several at the same time: a pytest for each, which runs that one test.

Most of what such a test does is to wait, so some are started before it is their turn. They are asked for in order, and
whoever asks waits. A test marked `alone` runs while no other does.
"""

import os
import select
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Iterable
from typing import IO

import pytest

from hapair.lab.entry import start

AT_ONCE = int(os.environ.get("HAPAIR_LABS_AT_ONCE", "2"))
INNER_LIMIT_S, OUTER_LIMIT_S = 200, 240


class Run:
    """One test under way. To be made in the main thread, with which the kernel would end it."""

    def __init__(self, item: pytest.Item) -> None:
        where = ["-c", str(item.config.inipath), "--rootdir", str(item.config.rootpath)]
        options = ["-q", "--no-header", "-p", "no:cacheprovider", "-o", f"timeout={INNER_LIMIT_S}"]
        test = f"{item.path}::{item.nodeid.partition('::')[2]}"
        command = [sys.executable, "-m", "pytest", *where, *options, test]
        self._began = time.monotonic()
        self._file: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - nobody reads it while the test runs
        self._process = start(command, stdout=self._file.fileno(), stderr=subprocess.STDOUT)
        self.pidfd = os.pidfd_open(self._process.pid)
        self.output = ""
        self.duration = 0.0

    @property
    def status(self) -> int | None:
        """The exit status of pytest, once it has ended."""
        return self._process.returncode

    def left_s(self) -> float:
        """How long it may still take."""
        return max(0.0, self._began + OUTER_LIMIT_S - time.monotonic())

    def end(self) -> None:
        """Take in what it left; what still runs is ended."""
        late = self._process.poll() is None
        self._process.kill()
        self._process.wait()
        self.duration = time.monotonic() - self._began
        os.close(self.pidfd)
        with self._file as file:
            file.seek(0)
            self.output = file.read().decode(errors="replace") + (f"\nno end after {OUTER_LIMIT_S} s" if late else "")


class Labs:
    """Those that run, those that have ended and were not asked for yet, those to come."""

    def __init__(self, together: Iterable[pytest.Item], at_once: int = AT_ONCE) -> None:
        self._to_come = deque(together)
        self._running: dict[str, Run] = {}
        self._ended: dict[str, Run] = {}
        self._at_once = at_once

    def run(self, item: pytest.Item) -> Run:
        """The run of this test, which has ended."""
        if is_alone(item):
            self._wait_for_all()
        name = item.nodeid
        if name not in self._running and name not in self._ended:
            self._start(item)
        while name not in self._ended:
            self._start_others()
            self._wait()
        self._start_others()
        return self._ended.pop(name)

    def close(self) -> None:
        """End what nobody will ask for any more."""
        self._to_come.clear()
        for run in self._running.values():
            run.end()
        self._running.clear()

    def _start(self, item: pytest.Item) -> None:
        self._to_come = deque(one for one in self._to_come if one is not item)
        self._running[item.nodeid] = Run(item)

    def _start_others(self) -> None:
        while self._to_come and len(self._running) < self._at_once:
            self._start(self._to_come[0])

    def _wait_for_all(self) -> None:
        while self._running:
            self._wait()

    def _wait(self) -> None:
        """Until one has ended, or its time is over."""
        poll = select.poll()
        for run in self._running.values():
            poll.register(run.pidfd, select.POLLIN)
        ended = {pidfd for pidfd, _ in poll.poll(1000 * min(run.left_s() for run in self._running.values()))}
        for name, run in list(self._running.items()):
            if run.pidfd in ended or not run.left_s():
                run.end()
                self._ended[name] = self._running.pop(name)


def is_alone(item: pytest.Item) -> bool:
    """Whether a test of this folder wants the machine for itself: marked so, or none that runs in a lab."""
    return "lab" not in getattr(item, "fixturenames", ()) or item.get_closest_marker("alone") is not None
