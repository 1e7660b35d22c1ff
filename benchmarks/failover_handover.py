"""A planned handover under HTTP load with many open downloads: how many of them broke, how many requests failed."""

from __future__ import annotations

import sys
from pathlib import Path

import trio

from benchmarks import harness
from hapair.lab.downloads import Report, downloading
from hapair.lab.network import open_lab
from hapair.lab.outage import tally
from hapair.lab.pair import Pair, bring_up, furnish, measuring
from hapair.lab.programs import Hapair

DOWNLOADS, LASTING_S, BEFORE_S = 200, 20.0, 3.0


async def measure(checkout: Path | None, rounds: int) -> list[harness.Row]:
    """As many handovers, each on a pair of its own."""
    program = Hapair(checkout)
    broken, failed, requests = [], [], []
    for _ in range(rounds):
        async with open_lab() as lab:
            pair = await furnish(lab, program)
            await bring_up(pair)
            report, failures, count = await one_handover(pair, program)
        print(
            f"{report.whole} of {report.asked} downloads whole, {failures} of {count} requests failed; "
            f"{report.reasons or ''}",
            file=sys.stderr,
        )
        broken.append(report.asked - report.whole)
        failed.append(failures)
        requests.append(count)
    return [
        _row("broken", f"of {DOWNLOADS}", broken),
        _row("failed", f"of {min(requests)}", failed),
    ]


async def one_handover(pair: Pair, program: Hapair) -> tuple[Report, int, int]:
    """What became of the downloads; requests failed; requests made."""
    async with measuring(pair) as measurement:
        await measurement.answering()
        first = len(measurement.records)
        async with downloading(pair, DOWNLOADS, lasting_s=LASTING_S) as downloads:
            await downloads.all_open()
            await trio.sleep(BEFORE_S)
            await program.hand_over(pair.nodes[pair.plan.preferred])
            report = await downloads.finished()
        counts = tally(measurement.records[first:])
    return report, counts.failed, counts.requests


def _row(metric: str, unit: str, values: list[int]) -> harness.Row:
    low, high = float(min(values)), float(max(values))
    return harness.Row("handover", harness.OURS, metric, unit, float(sorted(values)[len(values) // 2]), low, high, None)
