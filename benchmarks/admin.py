"""What the admin server costs the node process, and how fast its page is there.

    python -m benchmarks.admin --json admin.json
    python -m benchmarks.admin --seconds 60 --loads 15

One node of 100 servers (and one of 200 for the page) runs `hapair up` in a network namespace of its own, without VIPs.
Chromium opens the page in it. Figures:

    idle           CPU of the node process while nobody looks, per minute
    page open      the same with the page open, per minute
    scrape         CPU per request for /metrics, and for HAProxy's CSV
    first paint    from the navigation's start to the first paint, and to the first that shows how the node is
    long tasks     how long the page's script held the browser at once, of tasks over 50 ms, while it is open

Goals: first paint 60 ms (median); no long task with 200 servers.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from selenium import webdriver

from benchmarks import harness

INSIDE = "HAPAIR_BENCHMARK_INSIDE"
SERVERS, MANY = 100, 200
PORT = 1338
FLAGS = (
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync", "--disable-dev-shm-usage"),
)
LONG = """
  window.long = [];
  new PerformanceObserver((list) => window.long.push(...list.getEntries().map((one) => one.duration)))
    .observe({type: "longtask"});
"""
PAINTS = """
  const [paint] = performance.getEntriesByName("first-contentful-paint");
  const [mark] = performance.getEntriesByName("shown");
  return paint && mark ? [paint.startTime, mark.startTime] : null;
"""


@contextmanager
def node(where: Path, servers: int) -> Iterator[int]:
    """A node whose pool has that many servers; the pid of its node process."""
    lines = [f"      web{number}: 127.0.{number // 250}.{number % 250 + 1}:9" for number in range(servers)]
    config = where / f"hapair-{servers}.yaml"
    config.write_text(
        f"pair: {{nodes: {{pi-a: 127.0.0.1}}}}\nworkers: 1\nadmin: {{listen: '127.0.0.1:{PORT}'}}\n"
        "frontends:\n  web: {listen: ['127.0.0.1:8080'], pool: web}\n"
        "pools:\n  web:\n    servers:\n" + "\n".join(lines) + "\n"
    )
    runtime = where / f"run-{servers}"
    command = [
        sys.executable,
        "-m",
        "hapair",
        "up",
        "--config",
        str(config),
        "--node",
        "pi-a",
        "--runtime-dir",
        str(runtime),
    ]
    with harness.process(command, core=harness.SUBJECT_CORE, port=PORT) as pid:
        time.sleep(3)  # until all is started
        yield pid


@contextmanager
def browser(where: Path) -> Iterator[webdriver.Chrome]:
    options = webdriver.ChromeOptions()
    options.binary_location = "/usr/bin/chromium"
    for flag in (*FLAGS, f"--user-data-dir={where / 'profile'}"):
        options.add_argument(flag)
    driver = webdriver.Chrome(options, webdriver.ChromeService("/usr/bin/chromedriver"))
    try:
        driver.set_window_size(1440, 900)
        yield driver
    finally:
        driver.quit()


def per_minute(pid: int, seconds: float) -> float:
    """CPU milliseconds of a process in a minute, as it is now."""
    before, began_at = harness.cpu_seconds(pid), time.monotonic()
    time.sleep(seconds)
    return (harness.cpu_seconds(pid) - before) * 60_000 / (time.monotonic() - began_at)


def scrapes(pid: int, path: str, count: int = 100) -> float:
    """CPU milliseconds of one request."""
    before = harness.cpu_seconds(pid)
    for _ in range(count):
        with urllib.request.urlopen(f"http://127.0.0.1:{PORT}{path}", timeout=5) as answer:
            answer.read()
    return (harness.cpu_seconds(pid) - before) * 1000 / count


def paints(driver: webdriver.Chrome, loads: int) -> tuple[list[float], list[float]]:
    """Milliseconds to the first paint, and until it was shown how the node is."""
    first, shown = [], []
    for _ in range(loads):
        driver.get(f"http://127.0.0.1:{PORT}/healthz")  # a process of its own for this origin is there already
        driver.get(f"http://127.0.0.1:{PORT}/")
        for _ in range(200):
            found = driver.execute_script(PAINTS)
            if found:
                first.append(found[0])
                shown.append(found[1])
                break
            time.sleep(0.02)
    return first, shown


def benchmark(options: argparse.Namespace) -> list[harness.Row]:
    rows = []

    def row(case: str, metric: str, unit: str, *values: float) -> None:
        middle, least, most = (round(of(values), 2) for of in (statistics.median, min, max))
        rows.append(harness.Row(case, harness.OURS, metric, unit, middle, least, most, None))

    with harness.folder() as where:
        with node(where, SERVERS) as pid:
            row("nobody looks", "cpu", "ms/minute", per_minute(pid, options.seconds / 3))
            row(f"/metrics, {SERVERS} servers", "cpu", "ms/scrape", *(scrapes(pid, "/metrics") for _ in range(3)))
            row(f"CSV, {SERVERS} servers", "cpu", "ms/scrape", *(scrapes(pid, "/haproxy?stats;csv") for _ in range(3)))
            with browser(where) as driver:
                first, shown = paints(driver, options.loads)
                row("first paint", "time", "ms", *first)
                row("first paint of the state", "time", "ms", *shown)
                time.sleep(2)
                row("page open", "cpu", "ms/minute", per_minute(pid, options.seconds))
        with node(where, MANY) as pid, browser(where) as driver:
            paints(driver, 1)
            time.sleep(2)
            driver.execute_script(LONG)
            row(f"page open, {MANY} servers", "cpu", "ms/minute", per_minute(pid, options.seconds / 3))
            long: list[Any] = driver.execute_script("return window.long")
            row(f"long tasks, {MANY} servers", "count", "tasks", len(long))
            row(f"long tasks, {MANY} servers", "longest", "ms", max(long, default=0.0))
    return rows


def enter() -> None:
    """The rest in a network namespace of its own: a node is not started beside what else this machine does."""
    script = 'ip link set lo up && exec "$@"'
    command = ["unshare", "--net", "sh", "-c", script, "sh", sys.executable, "-m", "benchmarks.admin", *sys.argv[1:]]
    sys.exit(subprocess.run(command, env=os.environ | {INSIDE: "1"}, check=False).returncode)


if __name__ == "__main__":
    if INSIDE not in os.environ:
        enter()
    harness.run("What the admin server costs.", benchmark, seconds=60, loads=15)
