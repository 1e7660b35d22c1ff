"""Open downloads and uploads through the kernel plane while the Active node is killed, or cut off: `python -m
benchmarks.kernel_failover`. Prints how many broke, the longest stall of each kind, and how far the other node knew.

    --downloads N --uploads N   of each, for each address family (default 100: 400 streams in all)
    --fault kill|unplug|both
"""

import argparse
import json
import sys
from typing import Any

import trio

from hapair import secret
from hapair.lab.entry import enter, inside
from hapair.lab.host import Host
from hapair.lab.network import Lab, open_lab
from hapair.lab.pair import NODES, SERVERS, VIP
from hapair.lab.programs import at, hapair
from hapair.lab.streams import serving, streaming

VIP6 = "fd00:51::100"
FILE = """\
pair:
  nodes: {pi-a: 192.168.1.11, pi-b: 192.168.1.12}
  secret_file: pair.key
virtual_routers:
  lan:
    vrid: 51
    interface: eth0
    addresses: [192.168.1.100/24]
    excluded_addresses: ["fd00:51::100/64"]
    priority: {pi-a: 200, pi-b: 100}
    advertisement_interval: 100ms
    hold_down: 0s
frontends:
  web: {listen: ["192.168.1.100:80", "[fd00:51::100]:80"], mode: tcp, plane: kernel, pool: web}
pools:
  web:
    check: {tcp: connect, interval: 1s, timeout: 1s}
    servers:
      web1: 192.168.1.21:8080
      web2: 192.168.1.22:8080
      web3: 192.168.1.23:8080
      six1: "[fd00:51::21]:8080"
      six2: "[fd00:51::22]:8080"
"""
SETTLE_S, AFTER_S = 20.0, 6.0


async def furnish(lab: Lab) -> dict[str, Host]:
    """Servers, a client, and two nodes that run the real program."""
    hosts = {name: await lab.host(name, address) for name, address in (SERVERS | NODES).items()}
    hosts["client"] = await lab.host("client", "192.168.1.50")
    for name in SERVERS:
        await serving(hosts[name], 8080)
    for name in NODES:
        node = hosts[name]
        file = node.folder.parent / "hapair.yaml"
        if not file.exists():
            file.write_text(FILE)
            secret.make(file.with_name("pair.key"))
        (node.folder / "run").mkdir()
        await node.start([*hapair("up"), "--config", str(file), "--node", name, *at(node)], log="hapair.log")
    return hosts


async def flows(node: Host) -> dict[str, Any]:
    """What the status of a node says of its flows."""
    run = await node.run([*hapair("status"), *at(node), "--json"], check=False)
    told = json.loads(run.stdout)["flows"] if run.returncode == 0 else None
    return dict(told or {"up": False, "told": 0, "waiting": 0})


async def until_told(nodes: list[Host], count: int) -> dict[str, Any]:
    """Wait until both talk and the first has told of so many flows. Raises trio.TooSlowError."""
    with trio.fail_after(SETTLE_S):
        while True:
            found = [await flows(node) for node in nodes]
            if all(one["up"] for one in found) and found[0]["told"] >= count and not found[0]["waiting"]:
                return found[0]
            await trio.sleep(0.1)


async def trial(fault: str, downloads: int, uploads: int) -> bool:
    """One fault; prints a line. Whether every stream lived on."""
    async with open_lab() as lab:
        hosts = await furnish(lab)
        a, b = hosts["pi-a"], hosts["pi-b"]
        await until_told([a, b], 0)
        await a.addresses.until(VIP, present=True, within_s=SETTLE_S)
        async with streaming(hosts["client"], [VIP, VIP6], 80, downloads=downloads, uploads=uploads) as streams:
            told = await until_told([a, b], 2 * (downloads + uploads))
            await (a.kill_all() if fault == "kill" else a.unplug())
            await b.addresses.until(VIP, present=True, within_s=SETTLE_S)
            await trio.sleep(AFTER_S)
            report = await streams.finish()
    print(
        f"{fault:7} {report.whole + report.broken} streams, {report.broken} broken; longest stall of a download "
        f"{report.longest_download_stall_s:.3f} s, of an upload {report.longest_upload_stall_s:.3f} s; "
        f"{told['told']} flows told, {told['lag_s'] * 1000:.0f} ms late {report.reasons or ''}",
        flush=True,
    )
    return report.broken == 0


async def main(options: argparse.Namespace) -> bool:
    """Every fault that is asked for."""
    faults = ["kill", "unplug"] if options.fault == "both" else [options.fault]
    return all([await trial(fault, options.downloads, options.uploads) for fault in faults])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m benchmarks.kernel_failover")
    parser.add_argument("--downloads", type=int, default=100)
    parser.add_argument("--uploads", type=int, default=100)
    parser.add_argument("--fault", choices=["kill", "unplug", "both"], default="both")
    parsed = parser.parse_args()
    if not inside():
        sys.exit(enter([sys.executable, "-m", "benchmarks.kernel_failover", *sys.argv[1:]]))
    sys.exit(0 if trio.run(main, parsed) else 1)
