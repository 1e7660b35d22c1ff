"""HTTP/2 towards clients beside HAProxy: small and middling bodies on many streams, a download, and idle memory.

    python -m benchmarks.http2 --rounds 3 --seconds 3 --json http2.json

No goal is set: HTTP/2 is done by a library in Python (docs/http2.md), HAProxy's is C. The load is h2load, of Debian's
nghttp2-client, which knows beforehand that HTTP/2 is spoken.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

from benchmarks import harness

BULK_GB = (1 << 30) / 1e9
CASES = (
    ("http2 100B, 10x10", "100B", 10, 10),
    ("http2 100B, 1x100", "100B", 1, 100),
    ("http2 10KB, 10x10", "10KB", 10, 10),
)
"""Case, body, connections, streams of each at a time."""
IDLE_CONNECTIONS, IDLE_STREAMS = 1_000, 20


def requests(port: int, path: str, connections: int, streams: int, seconds: int) -> float:
    """How many were answered, all of them with 2xx."""
    shape = [f"-c{connections}", f"-m{streams}", f"-D{seconds}", "--warm-up-time=0"]
    shown = harness.load(["h2load", *shape, f"http://127.0.0.1:{port}/{path}"])
    match = re.search(r"(\d+) succeeded, 0 failed, 0 errored", shown)
    assert match, shown
    return float(match[1])


def download(port: int) -> float:
    """A gigabyte over one stream with wide windows; in GB."""
    shown = harness.load(["h2load", "-n1", "-c1", "-w24", "-W24", f"http://127.0.0.1:{port}/bulk"])
    assert "1 succeeded" in shown, shown
    return BULK_GB


@contextmanager
def idle(port: int, connections: int, streams: int) -> Iterator[None]:
    """A client process that holds connections, each with so many requests whose body has not come."""
    arguments = [sys.executable, "-m", "benchmarks.idle_http2", str(port), str(connections), str(streams)]
    client = subprocess.Popen(arguments, cwd=harness.ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert client.stdout is not None
    try:
        if client.stdout.readline().strip() != str(connections).encode():
            raise RuntimeError("the client could not open its connections")
        yield
    finally:
        client.communicate()


def bytes_for_each(subject: harness.Subject, connections: int, streams: int) -> float:
    """Growth of the proxy's memory by a connection, or by a stream where there are any; warmed up by some before."""
    with idle(subject.port, connections // 10, streams):
        before = harness.pss_bytes(subject.pid)
        with idle(subject.port, connections, streams):
            return (harness.pss_bytes(subject.pid) - before) / (connections * max(1, streams))


def benchmark(options: argparse.Namespace) -> list[harness.Row]:
    with ExitStack() as stack:
        where = stack.enter_context(harness.folder())
        server = stack.enter_context(harness.origin(where))
        subjects = [_haproxy(stack, where, server), _ours(stack, where, server)]
        rows = []
        for case, path, connections, streams in CASES:
            load = partial(requests, path=path, connections=connections, streams=streams, seconds=options.seconds)
            rows += harness.compare(case, subjects, options.rounds, load, "request")
        rows += harness.compare("http2 download", subjects, options.rounds, download, "GB")
        for case, unit, connections, streams in (
            ("http2 idle connections", "B/connection", IDLE_CONNECTIONS, 0),
            ("http2 idle streams", "B/stream", IDLE_CONNECTIONS // 20, IDLE_STREAMS),
        ):
            values: dict[str, list[float]] = {subject.name: [] for subject in subjects}
            with ExitStack() as fresh:  # a process keeps memory that it once used
                for subject in (_haproxy(fresh, where, server), _ours(fresh, where, server)):
                    values[subject.name].append(bytes_for_each(subject, connections, streams))
            rows += harness.rows(case, "memory", unit, values)
        return rows


def _haproxy(stack: ExitStack, where: Path, server: int) -> harness.Subject:
    return stack.enter_context(harness.haproxy(where, server, mode="http", bind="proto h2"))


def _ours(stack: ExitStack, where: Path, server: int) -> harness.Subject:
    return stack.enter_context(harness.hapair(server, mode="http", extra=("--http2",)))


if __name__ == "__main__":
    harness.run("HTTP/2 beside HAProxy.", benchmark, seconds=3)
