"""Mode http beside HAProxy: keep-alive requests with small and middling bodies.

    python -m benchmarks.http --rounds 5 --json http.json

Goals (HAProxy's CPU divided by ours): 0.6 with 100 bytes, 0.8 with 10 KB. Two HAProxys take part: `haproxy` as it comes
out of the box, against which the goals are set, and `haproxy-alike`, which tells servers about the client as we always
do (X-Forwarded-For, X-Forwarded-Proto, Forwarded and Via). wrk asks the same again and again, which suits hapair: it
remembers heads that it has seen. So there is a case in which no two requests are the same.
"""

from __future__ import annotations

import argparse
import re
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from benchmarks import harness

CONNECTIONS = 50
ALIKE = (
    "option forwardfor\n"
    "  http-request set-header X-Forwarded-Proto http\n"
    "  http-request set-header Forwarded for=%[src];proto=http\n"
    '  http-request add-header Via "1.1 haproxy"'
)
EACH_ONCE = """
local number = 0
request = function()
  number = number + 1
  return wrk.format("GET", wrk.path .. "?" .. number)
end
"""
_TROUBLE = re.compile(r"Non-2xx|Socket errors: (?!connect 0, read 0, write 0, timeout 0)")


def requests(port: int, path: str, seconds: int, script: Path | None = None) -> float:
    """Keep-alive requests over CONNECTIONS connections; how many were answered, all of them with 200."""
    extra = [] if script is None else ["-s", str(script)]
    load = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", *extra, f"http://127.0.0.1:{port}/{path}"]
    shown = harness.load(load)
    match = re.search(r"(\d+) requests in", shown)
    assert match, shown
    assert not _TROUBLE.search(shown), shown
    return float(match[1])


def benchmark(options: argparse.Namespace) -> list[harness.Row]:
    with ExitStack() as stack:
        where = stack.enter_context(harness.folder())
        server = stack.enter_context(harness.origin(where))
        ours = stack.enter_context(harness.hapair(server, mode="http"))
        plain = stack.enter_context(harness.haproxy(where, server, mode="http"))
        alike = stack.enter_context(harness.haproxy(where, server, mode="http", name="haproxy-alike", options=ALIKE))
        each_once = where / "each_once.lua"
        each_once.write_text(EACH_ONCE)
        rows = []
        for case, path, script in (
            ("http 100B", "100B", None),
            ("http 10KB", "10KB", None),
            ("http 100B each once", "100B", each_once),
        ):
            load = partial(requests, path=path, seconds=options.seconds, script=script)
            rows += harness.compare(case, [plain, alike, ours], options.rounds, load, "request")
        return rows


if __name__ == "__main__":
    harness.run("Mode http beside HAProxy.", benchmark, seconds=3)
