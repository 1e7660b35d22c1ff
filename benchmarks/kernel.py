"""The kernel plane beside the proxies: what a balancer costs between a client and a server, all in one run.

    python -m benchmarks.kernel --rounds 5 --json kernel.json

Client, server and node are network namespaces on one bridge (hapair/lab). The client's programs run on one core, the
server (nginx) on the other; the node's processes run where the scheduler puts them, as the kernel's own forwarding
does. The subjects are up for the whole run and take turns in each round:

    direct      no balancer: the limit
    nat, dsr    hapair's kernel plane, both ways to forward
    proxy       hapair's proxy plane, mode tcp
    haproxy     HAProxy, mode tcp, one thread, with its splicing
    nginx       nginx stream, one process

Cases: bulk (GB/s of four downloads), new connections and requests on 50 kept ones, each a second (wrk), p50 and p99 in
us of one request at a time (pacer.py). `/haproxy` and `/direct` are rates divided by theirs, or their times divided by
the subject's: more is better. `node cpu` is the machine's CPU time for an operation (us; s for a GB) less what a direct
one takes: the price of the balancer, wherever the kernel books it.

Goals: nat to HAProxy 1.23 (new connections), 1.40 (requests), 2.6 (bulk); direct to nat at most 1.64, 1.49 and 0.93;
dsr to direct at least 0.9; p50 of nat and dsr at most 1.2 times direct's.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import statistics
import sys
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path

import trio

from benchmarks import harness, kernel_files
from benchmarks.kernel_files import RETURNING, SERVER, TARGETS
from hapair import secret
from hapair.lab.entry import enter, find_obstacle, inside
from hapair.lab.host import Host
from hapair.lab.network import Lab, open_lab
from hapair.lab.pair import CLIENT, NODES, VIP, SetupError
from hapair.lab.programs import at, hapair, missing_peer

CLIENT_CORE, SERVER_CORE = min(os.sched_getaffinity(0)), max(os.sched_getaffinity(0))
STREAMS = 4
_TRIES = 150
UNITS = {"bulk": "GB/s", "connections": "1/s", "requests": "1/s", "p50": "us", "p99": "us"}
LATENCIES = ("p50", "p99")


@dataclass(frozen=True, slots=True)
class Sample:
    """A load on one subject: the figures by metric, and the machine's CPU time for each operation."""

    figures: Mapping[str, float]
    cpu_s: float


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the result."""

    metric: str
    subject: str
    median: float
    min: float
    max: float
    to_haproxy: float
    to_direct: float
    node_cpu: float


async def bulk(client: Host, address: str, port: int, options: argparse.Namespace) -> tuple[float, dict[str, float]]:
    """GB over a few downloads at once."""
    arguments = [str(port), str(STREAMS), str(options.megabytes), address]
    began = time.monotonic()
    moved = int(await _on_client(client, sys.executable, "-m", "benchmarks.download", *arguments)) / 1e9
    return moved, {"bulk": moved / (time.monotonic() - began)}


async def connections(
    client: Host, address: str, port: int, options: argparse.Namespace
) -> tuple[float, dict[str, float]]:
    """A connection for each request."""
    done, rate = await _wrk(client, address, port, options.seconds, "-H", "Connection: close")
    return done, {"connections": rate}


async def requests(
    client: Host, address: str, port: int, options: argparse.Namespace
) -> tuple[float, dict[str, float]]:
    """Requests on connections that stay."""
    done, rate = await _wrk(client, address, port, options.seconds)
    return done, {"requests": rate}


async def latency(client: Host, address: str, port: int, options: argparse.Namespace) -> tuple[float, dict[str, float]]:
    """One request after the other."""
    arguments = [str(port), "100B", str(options.requests), "0", address]
    shown = await _on_client(client, sys.executable, "-m", "benchmarks.pacer", *arguments)
    times = sorted(map(float, shown.split()))
    return len(times), {"p50": times[len(times) // 2], "p99": times[len(times) * 99 // 100]}


async def _wrk(client: Host, address: str, port: int, seconds: int, *words: str) -> tuple[float, float]:
    """How many requests were answered, and how many a second."""
    url = f"http://{address}:{port}/100B"
    shown = await _on_client(client, "wrk", "-t1", "-c50", f"-d{seconds}s", *words, url)
    done, rate = re.search(r"(\d+) requests in", shown), re.search(r"Requests/sec:\s+([\d.]+)", shown)
    if not done or not rate or "Socket errors" in shown or "Non-2xx" in shown:
        raise RuntimeError(f"{url}: {shown}")
    return float(done[1]), float(rate[1])


async def _on_client(client: Host, *argv: str) -> str:
    return (await client.run(["taskset", "-c", str(CLIENT_CORE), *argv])).stdout.decode()


def machine_s() -> float:
    """CPU time that the whole machine has spent, interrupts included."""
    fields = Path("/proc/stat").read_text().splitlines()[0].split()[1:]
    user, nice, system, _idle, _iowait, irq, softirq = map(int, fields[:7])
    return (user + nice + system + irq + softirq) / os.sysconf("SC_CLK_TCK")


async def furnish(lab: Lab, folder: Path) -> Host:
    """Everything up and answering; the client. Raises trio.TooSlowError where a subject does not answer."""
    # A server that holds the VIP itself, as direct server return wants it, takes nothing from the VIP as NAT wants it.
    await _start_server(await lab.host("web1", SERVER), folder)
    await _start_server(await _holding_the_vip(lab), folder)
    node = await lab.host("pi-a", NODES["pi-a"])
    client = await lab.host("client", CLIENT)
    await _start_node(node)
    try:
        for address, port in TARGETS.values():
            await _answering(client, address, port)
    except RuntimeError as error:
        logs = "\n".join(file.read_text()[-3000:] for file in node.folder.glob("*.log"))
        raise SetupError(f"{error}\n{logs}") from None
    return client


async def _holding_the_vip(lab: Lab) -> Host:
    server = await lab.host("web2", RETURNING)
    await server.run(["sysctl", "-w", "net.ipv4.conf.all.arp_ignore=1", "net.ipv4.conf.all.arp_announce=2"])
    await server.run(["ip", "address", "add", f"{VIP}/32", "dev", "lo"])
    return server


async def _start_server(server: Host, folder: Path) -> None:
    for name, size in harness.BODIES.items():
        with (folder / name).open("wb") as file:
            file.truncate(size)
    file = server.folder / "web.conf"
    file.write_text(kernel_files.web(folder, server.folder))
    await server.start(
        ["taskset", "-c", str(SERVER_CORE), "nginx", "-c", str(file), "-g", "daemon off;"], log="web.log"
    )


async def _start_node(node: Host) -> None:
    (node.folder / "run").mkdir()
    for name, text in kernel_files.of_node(node.folder).items():
        (node.folder / name).write_text(text)
    secret.make(node.folder / "pair.key")
    options = ["--config", str(node.folder / "hapair.yaml"), "--node", node.name, *at(node)]
    await node.start([*hapair("up"), *options], log="hapair.log")
    await node.start(["haproxy", "-db", "-f", str(node.folder / "haproxy.cfg")], log="haproxy.log")
    await node.start(["nginx", "-c", str(node.folder / "stream.conf"), "-g", "daemon off;"], log="stream.log")


async def _answering(client: Host, address: str, port: int) -> None:
    url = f"http://{address}:{port}/100B"
    for _ in range(_TRIES):
        if (await client.run(["curl", "-sf", "-m1", "-o", "/dev/null", url], check=False)).returncode == 0:
            return
        await trio.sleep(0.2)
    raise RuntimeError(f"nothing answers at {url}")


async def measure(options: argparse.Namespace) -> list[Row]:
    """All rounds of all cases."""
    seen: dict[str, dict[str, list[Sample]]] = defaultdict(lambda: defaultdict(list))
    with ExitStack() as stack:
        folder = stack.enter_context(harness.folder())
        async with open_lab() as lab:
            client = await furnish(lab, folder)
            for case in (bulk, connections, requests, latency):
                for number in range(options.rounds + 1):
                    for name, target in TARGETS.items():
                        before = machine_s()
                        done, figures = await case(client, *target, options)
                        if number:  # the first round warms up
                            seen[case.__name__][name].append(Sample(figures, (machine_s() - before) / done))
                            print(
                                name, *(f"{metric} {value:.1f}" for metric, value in figures.items()), file=sys.stderr
                            )
    return [row for samples in seen.values() for row in rows(samples)]


def rows(samples: Mapping[str, Sequence[Sample]]) -> list[Row]:
    """The lines of one case."""
    cpu = {name: statistics.median(one.cpu_s for one in taken) for name, taken in samples.items()}
    found = []
    for metric in samples["direct"][0].figures:
        values = {name: [one.figures[metric] for one in taken] for name, taken in samples.items()}
        middle = {name: statistics.median(taken) for name, taken in values.items()}
        unit = 1 if metric == "bulk" else 1e6
        for name, taken in values.items():
            to = {
                other: middle[other] / middle[name] if metric in LATENCIES else middle[name] / middle[other]
                for other in ("haproxy", "direct")
            }
            added = (cpu[name] - cpu["direct"]) * unit
            found.append(Row(metric, name, middle[name], min(taken), max(taken), to["haproxy"], to["direct"], added))
    return found


def show(result: Sequence[Row]) -> None:
    """The table."""
    print(
        f"{'':12} {'':8} {'':5} {'median':>10} {'min':>10} {'max':>10} {'/haproxy':>9} {'/direct':>8} {'node cpu':>9}"
    )
    for row in result:
        figures = f"{row.median:10.2f} {row.min:10.2f} {row.max:10.2f} {row.to_haproxy:9.2f} {row.to_direct:8.2f}"
        print(f"{row.metric:12} {row.subject:8} {UNITS[row.metric]:5} {figures} {row.node_cpu:9.2f}")


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.kernel", description="The kernel plane beside the proxies."
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=3, help="of each load of wrk")
    parser.add_argument("--megabytes", type=int, default=4096, help="of each bulk load")
    parser.add_argument("--requests", type=int, default=4000, help="of each load that measures latency")
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args()
    obstacle = find_obstacle() or missing_peer("haproxy", "nginx", "wrk", "curl", "nft")
    if obstacle:
        sys.exit(obstacle)
    if not inside():
        return enter([sys.executable, "-m", "benchmarks.kernel", *sys.argv[1:]])
    for name, version in harness.versions().items():
        print(f"{name}: {version}")
    result = trio.run(measure, options)
    show(result)
    if options.json:
        options.json.write_text(json.dumps([asdict(row) for row in result], indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
