"""Random faults on a pair of the kernel plane, every few seconds, under streams that come and go.

    python -m benchmarks.kernel_random [--minutes 10] [--seed 1] [--streams 100]

A fault is undone after half a second to three, then the pair is let come together again (both flows processes have
told each other everything), then the next one strikes, on either node; what strikes and when follows from the seed,
which is printed. Every line of every stream is checked (benchmarks/churn.py).

The rules. No fault may corrupt a line. None may break a stream, but for those that it struck in their first 0.3 s: what
is told to the other node is gathered for 20 ms after the handshake, and the handshake may have been under way. Streams
that could not connect within 20 s count as broken. Exit status 1 where a stream broke that none of these rules allows.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import trio

from benchmarks.churn import Ended
from benchmarks.kernel_subjects import PORT, SUBJECTS
from hapair.lab.entry import enter, find_obstacle, inside
from hapair.lab.host import Host
from hapair.lab.kernel_pair import LOG, VIP6, KernelPair, furnish
from hapair.lab.network import open_lab
from hapair.lab.pair import VIP
from hapair.lab.programs import at, hapair
from hapair.lab.streams import serving

PROCESSES = {"kill announcer": "hapair.announcer", "kill node": "up", "kill flows": "hapair.flows"}
FAULTS = (*PROCESSES, "kill all", "term", "unplug", "link down", "blackhole", "freeze", "handover")
YOUNG_S = 0.3
NAT = SUBJECTS[0]


@dataclass(frozen=True, slots=True)
class Struck:
    """A fault. `over_at`: when the pair was together again."""

    fault: str
    node: str
    at: float
    over_at: float


async def strike(fault: str, net: KernelPair, node: Host, for_s: float) -> None:
    """Inflict it, wait, undo it."""
    match fault:
        case "kill all":
            await node.kill_all()
        case _ if fault in PROCESSES:
            node.kill(*node.find(PROCESSES[fault]))
        case "term":
            node.terminate("up")
        case "unplug":
            await node.unplug()
        case "link down":
            await node.link(up=False)
        case "blackhole":
            await node.blackhole(on=True)
        case "freeze":
            node.freeze()
        case "handover":
            await node.run([*hapair("handover"), *at(node)], check=False)
    await trio.sleep(for_s)
    await undo(fault, net, node)


async def undo(fault: str, net: KernelPair, node: Host) -> None:
    """What a fault took."""
    match fault:
        case "kill all" | "kill node" | "term":
            await node.kill_all()
            await net.start(node.name)
        case "unplug":
            await node.plug()
        case "link down":
            await node.link(up=True)
        case "blackhole":
            await node.blackhole(on=False)
        case "freeze":
            node.thaw()
        case _:
            pass


async def together(net: KernelPair) -> bool:
    """One node is Active, and both have told each other of every flow."""
    found = [await net.status(node) for node in net.nodes]
    if sorted(one["role"] for one in found) != ["ACTIVE", "STANDBY"]:
        return False
    return all(one["flows"] and one["flows"]["up"] and not one["flows"]["waiting"] for one in found)


async def strike_on(net: KernelPair, options: argparse.Namespace, struck: list[Struck]) -> None:
    """Faults until the time is over."""
    rng = random.Random(options.seed)
    ends_at = time.monotonic() + 60 * options.minutes
    while time.monotonic() < ends_at:
        fault, node, for_s = rng.choice(options.fault or FAULTS), rng.choice(net.nodes), rng.uniform(0.5, 3)
        began = time.monotonic()
        await strike(fault, net, node, for_s)
        await net.until(lambda: together(net), within_s=60)
        struck.append(Struck(fault, node.name, began, time.monotonic()))
        again_s = struck[-1].over_at - began
        print(
            f"{began:9.1f} {fault:14} {node.name} for {for_s:.1f} s; together again after {again_s:.1f} s", flush=True
        )
        await trio.sleep(rng.uniform(0.2, 1.5))


async def collect(lines: trio.abc.ReceiveStream, ended: list[Ended]) -> None:
    """What the client tells."""
    rest = b""
    async for data in lines:
        *whole, rest = (rest + data).split(b"\n")
        ended += (Ended(**json.loads(line)) for line in whole)


def is_allowed(stream: Ended, struck: list[Struck]) -> bool:
    """Whether a stream broke by one of the rules: a fault struck it when it was young."""
    born_at, reason = stream.connected_at, stream.reason or ""
    if born_at is None or reason.startswith("ValueError line"):
        return False
    return any(born_at <= one.at < born_at + YOUNG_S for one in struck)


async def main(options: argparse.Namespace) -> bool:
    """The whole run; prints what came of it."""
    struck: list[Struck] = []
    ended: list[Ended] = []
    async with open_lab() as lab:
        net = await furnish(lab)
        for server in net.servers:
            await serving(server, PORT)
        await net.start()
        await NAT.until_ready(net)
        argv = [sys.executable, "-m", "benchmarks.churn", "80", str(options.streams), str(options.seed), VIP, VIP6]
        client = await net.client.start(argv, log="churn.log", stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert client.stdin is not None
        assert client.stdout is not None
        async with trio.open_nursery() as nursery:
            nursery.start_soon(collect, client.stdout, ended)
            await trio.sleep(3)
            await strike_on(net, options, struck)
            await trio.sleep(3)
            await client.stdin.aclose()
        kept = tell(ended, struck, options)
        if options.logs:
            options.logs.mkdir(parents=True, exist_ok=True)
            for node in net.nodes:
                (options.logs / f"{node.name}.log").write_text((node.folder / LOG).read_text())
        return kept


def tell(ended: list[Ended], struck: list[Struck], options: argparse.Namespace) -> bool:
    """Print the result; whether the rules were kept."""
    broken = [one for one in ended if not one.whole]
    forbidden = [one for one in broken if not is_allowed(one, struck)]
    print(f"seed {options.seed}: {len(struck)} faults {dict(Counter(one.fault for one in struck))}")
    print(
        f"{len(ended)} streams ended, {len(broken)} broken, {len(forbidden)} of them against the rules; "
        f"corrupt {sum('ValueError line' in (one.reason or '') for one in ended)}; "
        f"longest stall {max((one.stall_s for one in ended), default=0):.2f} s"
    )
    for one in broken:
        last = max((hit for hit in struck if hit.at <= one.ended_at), key=lambda hit: hit.at, default=None)
        print(("NOT ALLOWED " if one in forbidden else "allowed ") + f"{one}; after {last}")
    return not forbidden


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m benchmarks.kernel_random")
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--streams", type=int, default=100)
    parser.add_argument("--fault", choices=FAULTS, action="append", help="these only; all where none is named")
    parser.add_argument("--logs", type=Path, metavar="FOLDER", help="where to keep the nodes' logs")
    parsed = parser.parse_args()
    if obstacle := find_obstacle():
        sys.exit(obstacle)
    if not inside():
        sys.exit(enter([sys.executable, "-m", "benchmarks.kernel_random", *sys.argv[1:]]))
    sys.exit(0 if trio.run(main, parsed) else 1)
