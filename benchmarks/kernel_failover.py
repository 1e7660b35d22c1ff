"""Open downloads and uploads through a pair while the Active node is killed, or its cable is pulled.

    python -m benchmarks.kernel_failover [--streams 200] [--only "hapair nat"] [--fault kill|unplug|both]

So many downloads and as many uploads, over both address families where the subject has both. Each carries numbered
lines, which its taker checks. Prints how many broke, and the longest time for which one of each kind stood still.
Subjects: benchmarks/kernel_subjects.py. Goal: none of hapair's breaks.
"""

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path

import trio

from benchmarks.kernel_subjects import PORT, SUBJECTS, Subject
from hapair.lab.entry import enter, find_obstacle, inside
from hapair.lab.kernel_pair import SETTLE_S, KernelPair, furnish
from hapair.lab.network import open_lab
from hapair.lab.pair import VIP
from hapair.lab.programs import missing_peer
from hapair.lab.streams import Report, serving, streaming

FAULTS = ("kill", "unplug")
AFTER_S = 6.0


async def trial(subject: Subject, fault: str, streams: int) -> Report:
    """One fault."""
    each = streams // len(subject.vips)
    async with open_lab() as lab:
        net = await (furnish(lab, subject.file) if subject.file else furnish(lab))
        for server in net.servers:
            await serving(server, PORT)
        await subject.start(net)
        await subject.until_ready(net)
        await trio.sleep(1)
        async with streaming(net.client, subject.vips, subject.port, downloads=each, uploads=each) as client:
            if subject.name == "hapair nat":
                await net.until(lambda: net.has_told(2 * streams))
            await trio.sleep(1)
            await _inflict(fault, net)
            await trio.sleep(AFTER_S)
            return await client.finish()


async def _inflict(fault: str, net: KernelPair) -> None:
    first, second = net.nodes
    await (first.kill_all() if fault == "kill" else first.unplug())
    await second.addresses.until(VIP, present=True, within_s=SETTLE_S)


def line(subject: Subject, fault: str, report: Report) -> str:
    """For people."""
    return (
        f"{subject.name:11} {fault:7} {report.broken:4} of {report.whole + report.broken} broken; longest stall of a "
        f"download {report.longest_download_stall_s:.3f} s, of an upload {report.longest_upload_stall_s:.3f} s"
        f"{' ' if report.reasons else ''}{report.reasons or ''}"
    )


async def main(options: argparse.Namespace) -> bool:
    """Every subject and fault that is asked for. Whether every stream of hapair lived on."""
    kept, rows = True, []
    for subject in SUBJECTS:
        for fault in options.fault if subject.name in options.only else ():
            report = await trial(subject, fault, options.streams)
            print(line(subject, fault, report), flush=True)
            rows.append({"subject": subject.name, "fault": fault, **asdict(report)})
            kept = kept and not (subject.is_ours and report.broken)
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1) + "\n")
    return kept


if __name__ == "__main__":
    names = [subject.name for subject in SUBJECTS]
    parser = argparse.ArgumentParser(prog="python -m benchmarks.kernel_failover")
    parser.add_argument("--streams", type=int, default=200, help="downloads, and as many uploads")
    parser.add_argument("--fault", choices=FAULTS, action="append")
    parser.add_argument("--only", choices=names, action="append")
    parser.add_argument("--json", type=Path, metavar="FILE")
    parsed = parser.parse_args()
    parsed.fault, parsed.only = parsed.fault or FAULTS, parsed.only or names
    wanted = {program for one in SUBJECTS if one.name in parsed.only for program in one.programs}
    obstacle = find_obstacle() or missing_peer(*sorted(wanted))
    if obstacle:
        sys.exit(obstacle)
    if not inside():
        sys.exit(enter([sys.executable, "-m", "benchmarks.kernel_failover", *sys.argv[1:]]))
    sys.exit(0 if trio.run(main, parsed) else 1)
