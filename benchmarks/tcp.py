"""Mode tcp beside HAProxy: bulk with and without its splicing, and new connections.

    python -m benchmarks.tcp --rounds 5 --json tcp.json

Goals (HAProxy's CPU divided by ours): bulk 0.9 with splicing and 1.5 without, new connections 0.7.
"""

from __future__ import annotations

import argparse
import re
import sys
from contextlib import ExitStack

from benchmarks import harness

STREAMS = 4


def bulk(port: int, megabytes: int) -> float:
    """Download over a few connections at once; gigabytes moved."""
    moved = harness.load([sys.executable, "-m", "benchmarks.download", str(port), str(STREAMS), str(megabytes)])
    return int(moved) / 1e9


def connections(port: int, seconds: int) -> float:
    """A connection for each request; how many."""
    close = ["-H", "Connection: close"]
    shown = harness.load(["wrk", "-t1", "-c50", f"-d{seconds}s", *close, f"http://127.0.0.1:{port}/100B"])
    match = re.search(r"(\d+) requests in", shown)
    assert match, shown
    return float(match[1])


def benchmark(options: argparse.Namespace) -> list[harness.Row]:
    with ExitStack() as stack:
        where = stack.enter_context(harness.folder())
        server = stack.enter_context(harness.origin(where))
        ours = stack.enter_context(harness.hapair(server, mode="tcp"))
        copying = stack.enter_context(harness.haproxy(where, server, mode="tcp", name="haproxy"))
        splicing = stack.enter_context(
            harness.haproxy(where, server, mode="tcp", name="haproxy-splice", options="option splice-auto")
        )
        return [
            *harness.compare(
                "tcp bulk",
                [copying, splicing, ours],
                options.rounds,
                lambda port: bulk(port, options.megabytes),
                "GB",
            ),
            *harness.compare(
                "tcp connections",
                [copying, ours],
                options.rounds,
                lambda port: connections(port, options.seconds),
                "connection",
            ),
        ]


if __name__ == "__main__":
    harness.run("Mode tcp beside HAProxy.", benchmark, megabytes=2048, seconds=3)
