"""Open downloads and uploads through the kernel plane while the Active node is killed, or cut off: `python -m
benchmarks.kernel_failover`. Prints how many broke, the longest stall of each kind, and how far the other node knew.

    --downloads N --uploads N   of each, for each address family (default 100: 400 streams in all)
    --fault kill|unplug|both
"""

import argparse
import sys
from typing import Any

import trio

from hapair.lab.entry import enter, inside
from hapair.lab.kernel_pair import SETTLE_S, VIP6, KernelPair, furnish
from hapair.lab.network import open_lab
from hapair.lab.pair import VIP
from hapair.lab.streams import serving, streaming

AFTER_S = 6.0


async def told(net: KernelPair, count: int) -> dict[str, Any]:
    """What the first node says of its flows once it has told of so many."""
    await net.until(lambda: net.has_told(count))
    return await net.flows(net.nodes[0])


async def trial(fault: str, downloads: int, uploads: int) -> bool:
    """One fault; prints a line. Whether every stream lived on."""
    async with open_lab() as lab:
        net = await furnish(lab)
        a, b = net.nodes
        for server in net.servers:
            await serving(server, 8080)
        await net.start()
        await net.until(net.replicates)
        async with streaming(net.client, [VIP, VIP6], 80, downloads=downloads, uploads=uploads) as streams:
            known = await told(net, 2 * (downloads + uploads))
            await (a.kill_all() if fault == "kill" else a.unplug())
            await b.addresses.until(VIP, present=True, within_s=SETTLE_S)
            await trio.sleep(AFTER_S)
            report = await streams.finish()
    print(
        f"{fault:7} {report.whole + report.broken} streams, {report.broken} broken; longest stall of a download "
        f"{report.longest_download_stall_s:.3f} s, of an upload {report.longest_upload_stall_s:.3f} s; "
        f"{known['told']} flows told, {known['lag_s'] * 1000:.0f} ms late {report.reasons or ''}",
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
