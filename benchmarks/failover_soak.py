"""Takeovers without a cause: adverts every 10 ms on a machine whose cores are all busy and whose links come and go."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence
from dataclasses import replace

import trio

from benchmarks import harness
from hapair.lab.network import Lab, open_lab
from hapair.lab.pair import PLAN, Pair, bring_up, furnish
from hapair.lab.pings import lost, outage_s
from hapair.lab.programs import NodeProgram
from hapair.lab.watchers import watching

INTERVAL_MS = 10
_CHURN = 50
"""Links that are made and deleted in one go."""
_SLICE_S = 30.0


async def measure(subjects: Sequence[NodeProgram], seconds: float) -> list[harness.Row]:
    """Each subject for so long."""
    rows = []
    for subject in subjects:
        rows += await _one(subject, seconds)
    return rows


async def _one(subject: NodeProgram, seconds: float) -> list[harness.Row]:
    async with open_lab() as lab:
        pair = await furnish(lab, subject, plan=replace(PLAN, interval_ms=INTERVAL_MS))
        await bring_up(pair)
        async with watching(lab, pair) as watchers, trio.open_nursery() as nursery:
            await watchers.answered_by(pair.plan.preferred)
            before, began_at = _changes(pair), time.monotonic()
            await _occupy(lab, nursery)
            for _ in range(max(1, round(seconds / _SLICE_S))):
                await trio.sleep(min(seconds, _SLICE_S))
                print(f"{subject.name}: {_changes(pair) - before} changes of address", file=sys.stderr)
            pings = watchers.pings.between(began_at, time.monotonic() - 0.1)
            nursery.cancel_scope.cancel()
        outage = outage_s(pings)
        # A takeover and the way back are four: the VIP comes to one node and leaves the other, twice.
        return [
            _row(subject, "changes", "addresses", _changes(pair) - before),
            _row(subject, "outage", "ms", seconds * 1000 if outage is None else outage * 1000),
            _row(subject, "lost", f"of {len(pings)}", lost(pings)),
        ]


def _changes(pair: Pair) -> int:
    """How often the VIP has come or gone so far."""
    vip = pair.plan.vip
    return sum(change.address == vip for node in pair.nodes.values() for change in node.addresses.history)


def _row(subject: NodeProgram, metric: str, unit: str, value: float) -> harness.Row:
    figure = round(float(value), 2)
    return harness.Row(f"soak {INTERVAL_MS}ms", subject.name, metric, unit, figure, figure, figure, None)


async def _occupy(lab: Lab, nursery: trio.Nursery) -> None:
    """Keep every core busy, and the kernel's lock on network configuration."""
    hog = await lab.host("hog", "192.168.1.60")
    for _ in os.sched_getaffinity(0):
        await hog.start([sys.executable, "-c", "while True: pass"])
    churn = await lab.host("churn", "192.168.1.61")
    made = [f"link add c{number} type veth peer name d{number}" for number in range(_CHURN)]
    ended = [f"link delete c{number}" for number in range(_CHURN)]
    script = "\n".join([*made, *ended, ""]).encode()

    async def churn_links() -> None:
        while True:
            await trio.run_process([*churn.entering(), "ip", "-batch", "-"], stdin=script)

    nursery.start_soon(churn_links)
