"""Memory of idle keep-alive connections beside HAProxy.

    python -m benchmarks.memory --rounds 3 --connections 9000 --json memory.json

Goal: at most 2.0 of HAProxy's. What is printed as ratio is HAProxy's divided by ours, as everywhere: 0.5 or more.
A process keeps memory that it once used, so each round starts the subjects anew.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from benchmarks import harness


def bytes_per_connection(subject: harness.Subject, connections: int) -> float:
    """Growth of the proxy's memory from a hundred idle connections, which warm it up, to `connections` more."""
    with idle(subject.port, 100):
        before = harness.pss_bytes(subject.pid)
        with idle(subject.port, connections):
            return (harness.pss_bytes(subject.pid) - before) / connections


@contextmanager
def idle(port: int, connections: int) -> Iterator[None]:
    """A client process that holds idle connections."""
    arguments = [sys.executable, "-m", "benchmarks.idle", str(port), str(connections)]
    client = subprocess.Popen(arguments, cwd=harness.ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert client.stdout is not None
    try:
        answered = client.stdout.readline()
        if answered.strip() != str(connections).encode():
            raise RuntimeError("the client could not open its connections")
        yield
    finally:
        client.communicate()


def benchmark(options: argparse.Namespace) -> list[harness.Row]:
    values: dict[str, list[float]] = {"haproxy": [], harness.OURS: []}
    with ExitStack() as stack:
        where = stack.enter_context(harness.folder())
        server = stack.enter_context(harness.origin(where))
        for _ in range(options.rounds):
            for subject_of in (_haproxy, _ours):
                with ExitStack() as round_of:
                    subject = subject_of(round_of, where, server)
                    values[subject.name].append(bytes_per_connection(subject, options.connections))
    return harness.rows("idle keep-alive", "memory", "B/connection", values)


def _haproxy(stack: ExitStack, where: Path, server: int) -> harness.Subject:
    return stack.enter_context(harness.haproxy(where, server, mode="http", maxconn=9_500))


def _ours(stack: ExitStack, where: Path, server: int) -> harness.Subject:
    return stack.enter_context(harness.hapair(server, mode="http"))


if __name__ == "__main__":
    harness.run("Memory of idle keep-alive connections beside HAProxy.", benchmark, connections=9000)
