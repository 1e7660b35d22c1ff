"""Failover beside keepalived with HAProxy: how long until the peer holds the VIP, until it is off the victim, until
clients are served again.

    python -m benchmarks.failover --http --rounds 10 --json failover.json

Goals at advertisement_interval 100 ms: the median outage after a SIGKILL of everything is at most Active_Down_Interval
(361 ms) + 50 ms, and the VIP is off the victim by the end of its lease (1 s) + 0.4 s in the median and + 1.5 s at most;
after a SIGKILL of the announcer or of the node process alone the peer holds the VIP within Skew_Time (61 ms) + 20 ms.

Everything runs in network namespaces (hapair/lab). A round is one trial of each fault on each subject, in turn, at a
random moment between two adverts. Metrics, in ms after the fault: `takeover` (the peer's kernel holds the VIP), `vip
off` (the victim's does not), `outage` (what a client saw that opened a new connection every 4 ms, see
hapair/lab/outage.py);
`return` is the outage while the victim came back. A VIP that did not leave the victim in time has no `vip off`: it
counts in the row `stale`.
"""

from __future__ import annotations

import random
import statistics
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

import trio

from benchmarks import harness
from hapair.lab.network import open_lab
from hapair.lab.pair import bring_up, furnish, measuring
from hapair.lab.programs import NodeProgram
from hapair.lab.trial import Fault, Trial, try_fault

FAULTS = {
    "kill all": Fault.KILL_ALL,
    "kill announcer": Fault.KILL_ANNOUNCER,
    "kill node": Fault.KILL_NODE,
    "unplug": Fault.UNPLUG,
    "freeze": Fault.FREEZE,
}
METRICS = {
    "takeover": lambda trial: trial.takeover_s,
    "vip off": lambda trial: trial.vip_off_s,
    "outage": lambda trial: trial.outage_s,
    "return": lambda trial: trial.return_outage_s,
}
Trials = Mapping[tuple[str, str], Sequence[Trial]]
"""By case and subject."""


async def measure(subjects: Sequence[NodeProgram], rounds: int) -> Trials:
    """All rounds, the subjects in turn in each."""
    trials = defaultdict(list)
    for number in range(1, rounds + 1):
        for subject in subjects:
            for case, trial in (await one_round(subject)).items():
                trials[case, subject.name].append(trial)
        print(f"round {number} of {rounds}", file=sys.stderr)
    return trials


async def one_round(subject: NodeProgram) -> dict[str, Trial]:
    """Each fault once, on a pair that is up for it."""
    async with open_lab() as lab:
        pair = await furnish(lab, subject)
        await bring_up(pair)
        async with measuring(pair) as measurement:
            found = {}
            for case, fault in FAULTS.items():
                await measurement.answering(in_a_row=200)
                await trio.sleep(random.uniform(0.3, 0.3 + 3 * pair.plan.interval_ms / 1000))
                found[case] = await try_fault(fault, pair, measurement, watch_s=0.5)
            return found


def rows_of(trials: Trials) -> Iterator[harness.Row]:
    """Rows for every case, metric and subject; `ratio` is the subject's median divided by ours."""
    for case in FAULTS:
        names = [name for fault, name in trials if fault == case]
        for metric, span in METRICS.items():
            values = {
                name: [span(trial) * 1000 for trial in trials[case, name] if span(trial) is not None] for name in names
            }
            yield from _rows(case, metric, "ms", values)
        stale = {name: [float(trial.stale_vip) for trial in trials[case, name]] for name in names}
        yield from _rows(case, "stale", "share", stale)


def _rows(case: str, metric: str, unit: str, values: Mapping[str, Sequence[float]]) -> Iterator[harness.Row]:
    ours = statistics.median(values[harness.OURS]) if values[harness.OURS] else 0.0
    for subject, taken in values.items():
        if taken:
            median = statistics.mean(taken) if metric == "stale" else statistics.median(taken)
            ratio = round(median / ours, 3) if ours and metric != "stale" else None
            low, high = round(min(taken), 1), round(max(taken), 1)
            yield harness.Row(case, subject, metric, unit, round(median, 2), low, high, ratio)
