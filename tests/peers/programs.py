"""Programs around one worker, on the loopback: started by a test, ended by their pid."""

import contextlib
import random
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).parents[2]
UP_WITHIN_S = 60.0
_GIVEN: set[int] = set()


def free_port() -> int:
    """Below those that the kernel gives to connections: none can take it before the program does, not even one that
    asks whether the program listens already, and would meet itself."""
    while True:
        port = random.randrange(10_000, 32_768)
        with contextlib.suppress(OSError), socket.socket() as probe:
            probe.bind(("127.0.0.1", port))
            if port not in _GIVEN:
                _GIVEN.add(port)
                return port


@contextlib.contextmanager
def running(
    arguments: Sequence[str], port: int, *, env: Mapping[str, str] | None = None, log: Path
) -> Iterator[subprocess.Popen[bytes]]:
    """A program that listens on `port` when this enters, ended when it leaves."""
    with log.open("wb") as output:
        child = subprocess.Popen(arguments, cwd=ROOT, env=env, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
    try:
        _await_listening(port, child, log)
        yield child
    finally:
        child.terminate()
        try:
            child.wait(60)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def _await_listening(port: int, child: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + UP_WITHIN_S
    while time.monotonic() < until:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        if child.poll() is not None:
            break
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(0.02)
    raise AssertionError(f"{child.args!r} does not listen on {port}: {log.read_text()[-2000:]}")


@contextlib.contextmanager
def balanced(server: int, where: Path, *options: str) -> Iterator[int]:
    """A worker in front of the server that listens on this port; gives the worker's own port."""
    port = free_port()
    listen, upstream = f"127.0.0.1:{port}", f"127.0.0.1:{server}"
    command = [sys.executable, "-m", "balancer.serve", "--listen", listen, "--server", upstream, *options]
    with running(command, port, log=where / "worker.log"):
        yield port
