"""Mode http as a real site has it, beside HAProxy configured alike: routes, header rules, request ids, an access log.

    python -m benchmarks.http_featured --rounds 5 --json featured.json

Goal (HAProxy's CPU divided by ours): 0.65. Both choose between two routes (neither takes what is asked for here) and a
default, set and remove a header each way, give each request an id, tell servers about the client, and log a line for
each request in HAProxy's httplog format. hapair writes them in batches to its standard output, which leads nowhere.
HAProxy takes part twice: `haproxy` does the same, `haproxy-syslog` sends each line to a syslog socket, as most do.
"""

from __future__ import annotations

import argparse
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

from benchmarks import harness
from benchmarks.http import requests

_GLOBAL = "global\n  nbthread 1\n  maxconn 4000\n  log {log} local0\n"
_DEFAULTS = "defaults\n  mode http\n  timeout connect 5s\n  timeout client 300s\n  timeout server 300s\n"
_SITE = """frontend main
  bind 127.0.0.1:{port} backlog 4096
  log global
  option httplog
  option forwardfor
  unique-id-format %{{+X}}o%ci:%cp_%fi:%fp_%Ts_%rt:%pid
  unique-id-header X-Request-ID
  acl is_api path_beg /api/
  acl is_static hdr(host) -i static.example.org
  http-request set-header X-Forwarded-Proto http
  http-request set-header X-Site example
  http-request del-header X-Debug
  http-response set-header X-Frame-Options DENY
  http-response del-header X-Powered-By
  use_backend api if is_api
  use_backend static if is_static
  default_backend main
"""


def haproxy_config(port: int, server: int, log: str) -> str:
    """The whole file."""
    backends = "".join(f"backend {name}\n  server one 127.0.0.1:{server}\n" for name in ("main", "api", "static"))
    return _GLOBAL.format(log=log) + _DEFAULTS + _SITE.format(port=port) + backends


@contextmanager
def _haproxy(where: Path, server: int, name: str, log: str) -> Iterator[harness.Subject]:
    port, file = harness.free_port(), where / f"{name}.cfg"
    file.write_text(haproxy_config(port, server, log))
    with harness.process(["haproxy", "-db", "-f", str(file)], core=harness.SUBJECT_CORE, port=port) as pid:
        yield harness.Subject(name, pid, port)


def benchmark(options: argparse.Namespace) -> list[harness.Row]:
    with ExitStack() as stack:
        where = stack.enter_context(harness.folder())
        server = stack.enter_context(harness.origin(where))
        syslog = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        syslog.bind(("127.0.0.1", 0))  # nobody reads: what does not fit is dropped, as by any syslog that is too slow
        logs = {"haproxy": "stdout format raw", "haproxy-syslog": f"127.0.0.1:{syslog.getsockname()[1]}"}
        theirs = [stack.enter_context(_haproxy(where, server, name, log)) for name, log in logs.items()]
        ours = stack.enter_context(harness.worker(server, "benchmarks.featured_worker"))
        load = partial(requests, path="100B", seconds=options.seconds)
        return harness.compare("http featured", [*theirs, ours], options.rounds, load, "request")


if __name__ == "__main__":
    harness.run("Mode http with the features of a real site, beside HAProxy.", benchmark, seconds=3)
