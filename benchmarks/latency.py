"""What a proxy adds to the time of a request at low load, beside HAProxy.

    python -m benchmarks.latency --rounds 7 --json latency.json

Goals: at p50 at most 1.5, at p99 at most 2.5 of what HAProxy adds. One client asks for 100 bytes, one request at a
time: as fast as the answers come, and 800 times a second. It, the proxy and the server share one core, so that what is
measured is work and not how long a virtual machine takes to wake its other core. What a subject adds is its time less
the server's own, asked directly in the same round; `ratio` is what this subject adds divided by what we add.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import ExitStack

from benchmarks import harness

RATES = {"closed loop": 0, "800 a second": 800}
DIRECT = "direct"


def ask(port: int, count: int, rate: int) -> list[float]:
    """The times of so many requests, in microseconds, in ascending order."""
    command = ["taskset", "-c", str(harness.SUBJECT_CORE), sys.executable, "-m", "benchmarks.pacer"]
    arguments = [str(port), "100B", str(count), str(rate)]
    shown = subprocess.run([*command, *arguments], cwd=harness.ROOT, check=True, stdout=subprocess.PIPE, text=True)
    return sorted(map(float, shown.stdout.split()))


def added(times: Mapping[str, Sequence[float]], share: float) -> dict[str, float]:
    """By subject: what it adds at this share of the requests."""
    at = {name: taken[int(len(taken) * share)] for name, taken in times.items()}
    return {name: value - at[DIRECT] for name, value in at.items() if name != DIRECT}


def benchmark(options: argparse.Namespace) -> list[harness.Row]:
    with ExitStack() as stack:
        where = stack.enter_context(harness.folder())
        server = stack.enter_context(harness.origin(where, core=harness.SUBJECT_CORE))
        ours = stack.enter_context(harness.hapair(server, mode="http"))
        theirs = stack.enter_context(harness.haproxy(where, server, mode="http"))
        ports = {DIRECT: server, theirs.name: theirs.port, ours.name: ours.port}
        rows = []
        for case, rate in RATES.items():
            seen: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
            direct = []
            for number in range(options.rounds + 1):
                times = {name: ask(port, options.requests, rate) for name, port in ports.items()}
                if number:  # the first round warms up
                    direct.append(times[DIRECT][len(times[DIRECT]) // 2])
                    for metric, share in (("p50", 0.5), ("p99", 0.99)):
                        for name, value in added(times, share).items():
                            seen[metric][name].append(value)
            print(f"{case}: {statistics.median(direct):.0f} us directly, p50", file=sys.stderr)
            for metric, values in seen.items():
                rows += harness.rows(f"added, {case}", metric, "us", values)
        return rows


if __name__ == "__main__":
    harness.run("What a proxy adds to the time of a request.", benchmark, requests=3000)
