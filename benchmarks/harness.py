"""How every benchmark here is run: HAProxy and hapair in turn, on the same core, against the same server.

The figure that counts is CPU time per operation of the proxy's process, as the kernel accounts it: HAProxy's divided by
ours, so 1.0 is equal and more is better. Rates depend on what else the machine does; CPU time does so much less. The
subjects stay up for the whole run and take turns in each round, so that a slow minute of the machine hits all of them.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import platform
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SUBJECT_CORE, LOAD_CORE = 0, max(os.sched_getaffinity(0))
OURS = "hapair"
BODIES = {"100B": 100, "10KB": 10_240, "bulk": 1 << 30}
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Subject:
    """A proxy that is up: its process and where it listens."""

    name: str
    pid: int
    port: int


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the result. `ratio`: this subject's median divided by ours, where less is better."""

    case: str
    subject: str
    metric: str
    unit: str
    median: float
    min: float
    max: float
    ratio: float | None


@dataclass(frozen=True, slots=True)
class Sample:
    """One subject in one round."""

    operations: float
    cpu_s: float
    wall_s: float


def compare(case: str, subjects: Sequence[Subject], rounds: int, load: Callable[[int], float], unit: str) -> list[Row]:
    """Put `load(port)`, which returns the number of operations, on each subject in turn. One round more warms up."""
    samples: dict[str, list[Sample]] = {subject.name: [] for subject in subjects}
    for number in range(rounds + 1):
        for subject in subjects:
            sample = _measure(subject, load)
            if number:
                samples[subject.name].append(sample)
    costs = {name: [sample.cpu_s * 1e6 / sample.operations for sample in taken] for name, taken in samples.items()}
    rates = {name: [sample.operations / sample.wall_s for sample in taken] for name, taken in samples.items()}
    return [*rows(case, "cpu", f"us/{unit}", costs), *rows(case, "rate", f"{unit}/s", rates, comparable=False)]


def rows(
    case: str, metric: str, unit: str, values: Mapping[str, Sequence[float]], *, comparable: bool = True
) -> list[Row]:
    """A row for each subject; with ratios where the metric is one of which less is better."""
    ours = statistics.median(values[OURS])
    return [
        Row(
            case,
            subject,
            metric,
            unit,
            median=round(statistics.median(taken), 3),
            min=round(min(taken), 3),
            max=round(max(taken), 3),
            ratio=round(statistics.median(taken) / ours, 3) if comparable else None,
        )
        for subject, taken in values.items()
    ]


def _measure(subject: Subject, load: Callable[[int], float]) -> Sample:
    before, started_at = cpu_seconds(subject.pid), time.monotonic()
    operations = load(subject.port)
    return Sample(operations, cpu_seconds(subject.pid) - before, time.monotonic() - started_at)


def cpu_seconds(pid: int) -> float:
    """User and system time of a process, all threads."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def pss_bytes(pid: int) -> int:
    """Memory of a process, shared pages by share."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    raise ValueError(f"no Pss for pid {pid}")


@contextlib.contextmanager
def folder() -> Iterator[Path]:
    """A temporary folder in memory, so that no disk is measured."""
    with tempfile.TemporaryDirectory(prefix="hapair-bench-", dir="/dev/shm") as name:
        Path(name).chmod(0o755)
        yield Path(name)


@contextlib.contextmanager
def process(arguments: Sequence[str], *, core: int, port: int | None = None) -> Iterator[int]:
    """A program on one core, up (listening on `port`) when this enters, ended by its pid when it leaves."""
    child = subprocess.Popen([*_pinned(core), *arguments], cwd=ROOT, stdout=subprocess.DEVNULL)
    try:
        if port is not None:
            _await_listening(port, child)
        yield child.pid
    finally:
        child.terminate()
        try:
            child.wait(5)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def _pinned(core: int) -> list[str]:
    """Run on one core, and (for root only) before whatever else the machine does: it would empty the caches."""
    urgent = ["nice", "-n", "-10"] if os.geteuid() == 0 else []
    return [*urgent, "taskset", "-c", str(core)]


def _await_listening(port: int, child: subprocess.Popen[bytes]) -> None:
    for _ in range(500):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        if child.poll() is not None:
            raise RuntimeError(f"{child.args!r} ended with {child.returncode}")
        time.sleep(0.02)
    raise RuntimeError(f"{child.args!r} does not listen on {port}")


def free_port() -> int:
    """A port of the loopback that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def origin(where: Path, *, core: int = LOAD_CORE) -> Iterator[int]:
    """nginx with one process, on the load's core, serving a file for each of BODIES. Gives its port."""
    port = free_port()
    for name, size in BODIES.items():
        with (where / name).open("wb") as file:
            file.truncate(size)
    config = where / "nginx.conf"
    config.write_text(
        f"master_process off; worker_rlimit_nofile 15000; pid {where}/nginx.pid; error_log /dev/null;\n"
        "events { worker_connections 12000; }\n"
        "http { access_log off; sendfile on; tcp_nopush on; keepalive_requests 1000000000; keepalive_timeout 600s;\n"
        f"server {{ listen 127.0.0.1:{port} backlog=4096; root {where}; }} }}\n"
    )
    with process(["nginx", "-c", str(config), "-g", "daemon off;"], core=core, port=port):
        yield port


@contextlib.contextmanager
def haproxy(
    where: Path,
    server: int,
    *,
    mode: str,
    name: str = "haproxy",
    options: str = "",
    maxconn: int = 4000,
    bind: str = "",
) -> Iterator[Subject]:
    """HAProxy with one thread on the subject's core."""
    port = free_port()
    config = where / f"{name}.cfg"
    config.write_text(
        f"global\n  nbthread 1\n  maxconn {maxconn}\n"
        f"defaults\n  mode {mode}\n  timeout connect 5s\n  timeout client 300s\n  timeout server 300s\n"
        f"listen main\n  bind 127.0.0.1:{port} backlog 4096 {bind}\n  server one 127.0.0.1:{server}\n  {options}\n"
    )
    with process(["haproxy", "-db", "-f", str(config)], core=SUBJECT_CORE, port=port) as pid:
        yield Subject(name, pid, port)


@contextlib.contextmanager
def hapair(server: int, *, mode: str, extra: Sequence[str] = ()) -> Iterator[Subject]:
    """One hapair worker on the subject's core."""
    with worker(server, "balancer.serve", ("--mode", mode, *extra)) as subject:
        yield subject


@contextlib.contextmanager
def worker(server: int, module: str, extra: Sequence[str] = ()) -> Iterator[Subject]:
    """A module that serves as `balancer.serve` does, on the subject's core."""
    port = free_port()
    arguments = ["--listen", f"127.0.0.1:{port}", "--server", f"127.0.0.1:{server}", *extra]
    with process([sys.executable, "-m", module, *arguments], core=SUBJECT_CORE, port=port) as pid:
        yield Subject(OURS, pid, port)


def load(arguments: Sequence[str]) -> str:
    """Run a load generator on the load's core; what it printed."""
    command = [*_pinned(LOAD_CORE), *arguments]
    return subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout


def versions() -> dict[str, str]:
    """What is measured with what."""
    found = {"python": platform.python_version(), "kernel": platform.release()}
    for program, flag in (("haproxy", "-v"), ("nginx", "-v"), ("wrk", "-v")):
        if shutil.which(program):
            shown = subprocess.run([program, flag], capture_output=True, text=True, check=False)
            found[program] = (shown.stdout or shown.stderr).splitlines()[0].strip()
    return found


def run(description: str, benchmark: Callable[[argparse.Namespace], list[Row]], **defaults: int) -> None:
    """The command line that all benchmarks share. Further `defaults` become options with whole numbers."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path, metavar="FILE")
    for name, value in defaults.items():
        parser.add_argument(f"--{name}", type=int, default=value)
    options = parser.parse_args()
    for name, version in versions().items():
        print(f"{name}: {version}")
    result = benchmark(options)
    for row in result:
        ratio = "" if row.ratio is None else f"{row.ratio:6.2f}"
        spread = f"{row.median:12.3f} {row.min:12.3f} {row.max:12.3f}"
        print(f"{row.case:24} {row.subject:16} {row.metric:8} {row.unit:16} {spread} {ratio}")
    if options.json:
        options.json.write_text(json.dumps([asdict(row) for row in result], indent=1) + "\n")
