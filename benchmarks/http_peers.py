"""Mode http beside other proxies: Caddy (Go), nginx (C) and proxy.py (Python). Requests per second on one core.

    python -m benchmarks.http_peers --rounds 5 --json peers.json

Goals: at least 3 times Caddy's rate and 15 times proxy.py's. nginx and caddy are Debian packages, proxy.py is on PyPI;
one that is not there is left out, which is said. proxy.py loses requests under this load (its threads close connections
early): only its answers are counted. It works in child processes, whose CPU time is not seen: rates have to do, and
`ratio` is our rate divided by theirs.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import re
import shutil
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path

from benchmarks import harness
from benchmarks.http import CONNECTIONS


def requests(port: int, path: str, seconds: int) -> float:
    """Answers to keep-alive requests over CONNECTIONS connections."""
    load = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", f"http://127.0.0.1:{port}/{path}"]
    match = re.search(r"(\d+) requests in", harness.load(load))
    return max(1.0, float(match[1]) if match else 0.0)


@contextlib.contextmanager
def caddy(where: Path, server: int) -> Iterator[harness.Subject]:
    """Caddy on one core."""
    port = harness.free_port()
    config = where / "Caddyfile"
    config.write_text(
        f"{{\n admin off\n auto_https off\n}}\nhttp://127.0.0.1:{port} {{\n"
        f" reverse_proxy 127.0.0.1:{server} {{\n  transport http {{\n"
        "   keepalive_idle_conns_per_host 200\n  }\n }\n}\n"
    )
    home = f"XDG_DATA_HOME={where}", f"XDG_CONFIG_HOME={where}", f"HOME={where}", "GOMAXPROCS=1"
    command = ["env", *home, "caddy", "run", "--adapter", "caddyfile", "--config", str(config)]
    with harness.process(command, core=harness.SUBJECT_CORE, port=port) as pid:
        yield harness.Subject("caddy", pid, port)


@contextlib.contextmanager
def nginx(where: Path, server: int) -> Iterator[harness.Subject]:
    """nginx with one process."""
    port = harness.free_port()
    config = where / "nginx-proxy.conf"
    config.write_text(
        f"master_process off; worker_rlimit_nofile 15000; pid {where}/proxy.pid; error_log /dev/null;\n"
        "events { worker_connections 8000; }\nhttp { access_log off; keepalive_requests 1000000000;\n"
        f"upstream one {{ server 127.0.0.1:{server}; keepalive 200; keepalive_requests 1000000000; }}\n"
        f"server {{ listen 127.0.0.1:{port}; location / {{ proxy_pass http://one; proxy_http_version 1.1;\n"
        'proxy_set_header Connection ""; } } }\n'
    )
    command = ["nginx", "-c", str(config), "-g", "daemon off;"]
    with harness.process(command, core=harness.SUBJECT_CORE, port=port) as pid:
        yield harness.Subject("nginx", pid, port)


@contextlib.contextmanager
def proxy_py(where: Path, server: int) -> Iterator[harness.Subject]:
    """proxy.py as a reverse proxy, with threads: its way without them fails with keep-alive clients."""
    port = harness.free_port()
    plugin = where / "to_the_origin.py"
    plugin.write_text(
        "from proxy.http.server import ReverseProxyBasePlugin\n"
        "class ToTheOrigin(ReverseProxyBasePlugin):\n"
        "    def routes(self):\n"
        f"        return [(r'/(.*)', [b'http://127.0.0.1:{server}/100B'])]\n"
    )
    arguments = ["--hostname", "127.0.0.1", "--port", str(port), "--num-workers", "1", "--num-acceptors", "1"]
    arguments += [
        "--threaded",
        "--enable-reverse-proxy",
        "--log-level",
        "CRITICAL",
        "--plugins",
        "to_the_origin.ToTheOrigin",
    ]
    command = ["env", f"PYTHONPATH={where}", f"HOME={where}", sys.executable, "-m", "proxy", *arguments]
    with harness.process(command, core=harness.SUBJECT_CORE, port=port) as pid:
        yield harness.Subject("proxy.py", pid, port)


def benchmark(options: argparse.Namespace) -> list[harness.Row]:
    with ExitStack() as stack:
        where = stack.enter_context(harness.folder())
        server = stack.enter_context(harness.origin(where))
        subjects = [stack.enter_context(harness.hapair(server, mode="http"))]
        for name, there, start in (
            ("nginx", shutil.which("nginx"), nginx),
            ("caddy", shutil.which("caddy"), caddy),
            ("proxy.py", importlib.util.find_spec("proxy"), proxy_py),
        ):
            if there is None:
                print(f"without {name}: it is not installed", file=sys.stderr)
            else:
                subjects.append(stack.enter_context(start(where, server)))
        load = partial(requests, path="100B", seconds=options.seconds)
        compared = harness.compare("http 100B", subjects, options.rounds, load, "request")
        rates = [row for row in compared if row.metric == "rate"]
        ours = rates[0].median
        return [replace(row, ratio=round(ours / row.median, 3)) for row in rates]


if __name__ == "__main__":
    harness.run("Mode http beside other proxies.", benchmark, seconds=3)
