"""The lab's first process: makes room for named namespaces, runs one program, reaps orphans, passes signals on.

When it exits the kernel ends all that is left in the lab.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from types import FrameType

from hapair.lab.entry import MARK, OUTER_PROC

_FORWARDED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def main(argv: Sequence[str]) -> int:
    """Run `argv` and return its exit status."""
    os.environ[MARK] = _outer_pid()
    # `ip netns` keeps names in /run/netns; this /run is the lab's own and goes with it.
    subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", "/run"], check=True)
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    program = subprocess.Popen(argv)
    for number in _FORWARDED:
        signal.signal(number, lambda number, frame: _forward(program.pid, number, frame))
    return _reap_until(program.pid)


def _outer_pid() -> str:
    # The outside's /proc, handed down as a descriptor, shows this process as the outside numbers it.
    proc = int(os.environ.pop(OUTER_PROC))
    try:
        return os.readlink("self", dir_fd=proc)
    finally:
        os.close(proc)


def _reap_until(program: int) -> int:
    while True:
        pid, status = os.waitpid(-1, 0)
        if pid == program:
            code = os.waitstatus_to_exitcode(status)
            return code if code >= 0 else 128 - code


def _forward(program: int, number: int, frame: FrameType | None) -> None:
    os.kill(program, number)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
