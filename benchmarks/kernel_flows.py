"""How fast flows of the kernel plane reach the other node: `python -m benchmarks.kernel_flows`.

Flows are entered into the Active node's kernel as if clients had opened them. First at a rate, for the lag; then as
many as are asked for, and the flows process of the other node is killed, for the resync.

    --rate N --seconds S   new flows per second, and for how long (default 5000, 8)
    --flows N              in all, before the resync (default 100000)
"""

import argparse
import json
import os
import sys
import time
from ipaddress import ip_address
from pathlib import Path

import trio

from balancer.kernel.conntrack import TCP, Flow, Tcp
from balancer.kernel.ctnetlink import Entries
from balancer.kernel.flows import Put
from hapair.lab.entry import enter, inside
from hapair.lab.host import Host
from hapair.lab.kernel_pair import furnish
from hapair.lab.network import open_lab
from hapair.lab.pair import VIP

SERVERS = ("192.168.1.21", "192.168.1.22", "192.168.1.23", "192.168.1.24")
FILE = f"""\
frontends:
  web: {{listen: ["{VIP}:80"], mode: tcp, plane: kernel, pool: web}}
pools:
  web: {{servers: {json.dumps({f"web{number}": f"{address}:8080" for number, address in enumerate(SERVERS, 1)})}}}
"""
"""Four servers that are never asked anything: flows are entered, no packet belongs to them."""
_BURST = 100
_TICKS = os.sysconf("SC_CLK_TCK")


def fill(first: int, count: int, rate: int) -> None:
    """Runs on the Active node: enters so many flows, at a rate where one is given."""
    entries, vip = Entries(), ip_address(VIP).packed
    servers = [ip_address(address).packed for address in SERVERS]
    began_at = time.monotonic()
    for start in range(first, first + count, _BURST):
        flows = [Put(_flow(number, vip, servers)) for number in range(start, min(start + _BURST, first + count))]
        for _ in range(2):  # the second is news of what is there, as the end of a handshake is; beginnings are not told
            entries.enter(flows)
        if rate:
            time.sleep(max(0.0, began_at + (start + _BURST - first) / rate - time.monotonic()))
    print(json.dumps({"took_s": time.monotonic() - began_at, "refused": dict(entries.refused)}))


def _flow(number: int, vip: bytes, servers: list[bytes]) -> Flow:
    client, port = (0x0A000000 + number // 50_000).to_bytes(4, "big"), 10_000 + number % 50_000
    server = servers[number % len(servers)]
    return Flow(
        *(TCP, client, port, vip, 80, server, 8080, vip, port),
        *(0x0E, 3_600, Tcp(3, (7, 7), (1, 1))),
    )


def process_of(host: Host) -> int:
    """The flows process of a node."""
    [pid] = host.find("hapair.flows")
    return pid


def cpu_s(pid: int) -> float:
    """CPU seconds of a process."""
    words = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(words[11]) + int(words[12])) / _TICKS


def rss_mib(pid: int) -> float:
    """Resident memory of a process."""
    lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS:"))


async def filled(node: Host, *numbers: int) -> str:
    """What `fill` printed."""
    argv = [sys.executable, "-m", "benchmarks.kernel_flows", "--fill", *map(str, numbers)]
    return (await node.run(argv)).stdout.decode().strip()


async def main(options: argparse.Namespace) -> None:
    """Both parts, a line for each."""
    async with open_lab() as lab:
        net = await furnish(lab, FILE)
        await net.start()
        await net.until(net.replicates)
        a, b = net.nodes
        pids, count = [process_of(a), process_of(b)], options.rate * options.seconds
        before, lags = [cpu_s(pid) for pid in pids], []
        async with trio.open_nursery() as nursery:

            async def watch() -> None:
                while True:
                    await trio.sleep(0.5)
                    lags.append((await net.flows(a))["lag_s"])

            nursery.start_soon(watch)
            said = await filled(a, 0, count, options.rate)
            nursery.cancel_scope.cancel()
        await net.until(lambda: net.has_told(count))
        spent = [cpu_s(pid) - one for pid, one in zip(pids, before, strict=True)]
        each = ", ".join(f"{1000 * one / count:.3f} s" for one in spent)
        lag_ms = max(lags, default=0.0) * 1000
        print(f"{options.rate} new flows/s: {said}; lag at most {lag_ms:.0f} ms; CPU per 1000 flows {each}")
        await filled(a, count, max(0, options.flows - count), 0)
        await net.until(lambda: net.has_told(options.flows), within_s=60)
        told = await net.flows(a)
        print(f"{told['told']} flows told, {told['overruns']} overruns; memory {rss_mib(pids[0]):.0f} MiB", flush=True)
        b.kill(pids[1])
        began_at = time.monotonic()

        async def knows_again() -> bool:
            return (await net.flows(a))["resyncs"] >= 2 and await net.has_told(options.flows)

        await net.until(knows_again, within_s=60)
        after_s, told = time.monotonic() - began_at, await net.flows(a)
        there = (await b.run(["cat", "/proc/sys/net/netfilter/nf_conntrack_count"])).stdout.decode().strip()
        print(f"resync of {told['told']} flows took {told['resync_s']:.2f} s, {after_s:.2f} s after the other one died")
        print(f"{there} entries there; memory {rss_mib(process_of(b)):.0f} MiB there")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m benchmarks.kernel_flows")
    parser.add_argument("--rate", type=int, default=5000)
    parser.add_argument("--seconds", type=int, default=8)
    parser.add_argument("--flows", type=int, default=100_000)
    parser.add_argument("--fill", type=int, nargs=3)
    parsed = parser.parse_args()
    if parsed.fill:
        fill(*parsed.fill)
    elif not inside():
        sys.exit(enter([sys.executable, "-m", "benchmarks.kernel_flows", *sys.argv[1:]]))
    else:
        trio.run(main, parsed)
