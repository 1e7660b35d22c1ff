"""Mode udp beside nginx's stream module: long flows, a flow for each question, one way, and bursts of large packets.

    python -m benchmarks.udp --rounds 5 --json udp.json

Goal (nginx's CPU divided by ours): 0.5.
"""

from __future__ import annotations

import argparse
import contextlib
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks import harness

MODULE = "/usr/lib/nginx/modules/ngx_stream_module.so"
CASES = {
    "ask": (None, "question"),
    "fresh": (1, "question"),
    "lines": (0, "line"),
    "download": (None, "packet"),
    "groups": (None, "packet"),
}
"""How many replies are expected, and what is counted."""


@contextlib.contextmanager
def nginx(where: Path, server: int, replies: int | None) -> Iterator[harness.Subject]:
    """nginx with one process on the subject's core."""
    port = free_port()
    expected = "" if replies is None else f"proxy_responses {replies};"
    config = where / f"stream-{port}.conf"
    config.write_text(
        f"load_module {MODULE};\nmaster_process off; worker_rlimit_nofile 15000; pid {where}/{port}.pid;\n"
        "error_log /dev/null crit;\nevents { worker_connections 12000; }\n"
        f"stream {{ server {{ listen 127.0.0.1:{port} udp; proxy_pass 127.0.0.1:{server}; "
        f"proxy_timeout 60s; {expected} }} }}\n"
    )
    with harness.process(["nginx", "-c", str(config), "-g", "daemon off;"], core=harness.SUBJECT_CORE) as pid:
        until_bound(port)
        yield harness.Subject("nginx", pid, port)


@contextlib.contextmanager
def hapair(server: int, replies: int | None) -> Iterator[harness.Subject]:
    """One hapair worker on the subject's core."""
    port = free_port()
    where = ["--listen", f"127.0.0.1:{port}", "--server", f"127.0.0.1:{server}", "--mode", "udp"]
    expected = [] if replies is None else ["--replies", str(replies)]
    command = [sys.executable, "-m", "balancer.serve", *where, *expected]
    with harness.process(command, core=harness.SUBJECT_CORE) as pid:
        until_bound(port)
        yield harness.Subject(harness.OURS, pid, port)


def free_port() -> int:
    return harness.free_port()


def until_bound(port: int) -> None:
    """Wait until somebody takes datagrams at a port."""
    for _ in range(500):
        if any(f":{port:04X} " in line for line in Path("/proc/net/udp").read_text().splitlines()):
            return
        time.sleep(0.02)
    raise RuntimeError(f"nobody listens on {port}")


def benchmark(options: argparse.Namespace) -> list[harness.Row]:
    found: list[harness.Row] = []
    with harness.folder() as where:
        for case, (replies, unit) in CASES.items():
            server = free_port()

            def load(port: int, case: str = case, server: int = server) -> float:
                arguments = ["-m", "benchmarks.datagrams", case, str(port), str(server), str(options.seconds)]
                return float(harness.load([sys.executable, *arguments]))

            with nginx(where, server, replies) as peer, hapair(server, replies) as ours:
                found += harness.compare(f"udp {case}", [peer, ours], options.rounds, load, unit)
    return found


if __name__ == "__main__":
    harness.run("Mode udp beside nginx's stream module.", benchmark, seconds=2)
