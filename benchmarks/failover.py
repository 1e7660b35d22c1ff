"""Failover beside keepalived: what a client sees that pings the VIP every millisecond, and what fresh ARP lookups find.

    python -m benchmarks.failover --rounds 8 --json failover.json
    python -m benchmarks.failover --only "kill all" --only term --interval 100
    python -m benchmarks.failover --soak 10          10 ms adverts, all cores busy, links churning: no takeover
    python -m benchmarks.failover --only handover    a planned one under HTTP load with 200 open downloads
    python -m benchmarks.failover --http             the outage that HTTP clients see (failover_http.py)

Both subjects run in the same topology, in turn, in network namespaces (hapair/lab): two nodes with priorities 200 and
100, a client and a prober on one bridge; keepalived 2.2 is Debian's. Each trial is one fault on the Active node at a
random moment between two adverts; the pair is made well again before the next. Metrics, each min / median / max:

    outage        ms in which no ping was answered (hapair/lab/pings.py)
    lost          pings that were never answered
    answer        ms until the peer's first answer, which its TTL tells apart
    vip off       ms until the victim's kernel no longer held the VIP; where it still did in the end, see `stale`
    stale         share of trials in which it still held the VIP a lease and 1.5 s later
    arp dead      of 20 fresh ARP lookups in the 2 s after the fault: those that led to the victim
    arp 50ms      of the same, from 50 ms after the fault on: those that the victim answered at all

An outage without an end counts as long as was watched. After `cont` (SIGCONT after a SIGSTOP) the victim may have the
VIP again, so the client's view alone counts.

Goals at 100 ms: SIGTERM loses no ping in 9 of 10 trials; after SIGKILL of anything the median outage is at most 15 ms
and no lookup after 50 ms finds the victim, at 1 s the same; link down and blackhole no worse than keepalived.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path

import trio

from benchmarks import failover_handover, failover_http, failover_soak, harness
from benchmarks.failover_trial import Seen, UnhealedError, try_once
from hapair.lab.entry import enter, find_obstacle, inside
from hapair.lab.network import open_lab
from hapair.lab.pair import PLAN, SetupError, bring_up, furnish
from hapair.lab.plan import Plan
from hapair.lab.programs import Hapair, Keepalived, NodeProgram, missing_peer
from hapair.lab.trial import Fault
from hapair.lab.watchers import watching

FAULTS = {
    "term": Fault.TERMINATE,
    "kill all": Fault.KILL_ALL,
    "kill child": Fault.KILL_ANNOUNCER,
    "kill parent": Fault.KILL_NODE,
    "link down": Fault.LINK_DOWN,
    "port down": Fault.UNPLUG,
    "blackhole": Fault.BLACKHOLE,
    "stop": Fault.FREEZE,
    "cont": Fault.THAW,
}
INTERVALS_MS = (1000, 100, 10)
HANDOVER = "handover"
_BLOCKS = 2
"""The subjects take turns that often at each interval, so that a slow minute of the machine hits both."""
_PATIENCE = 3
"""Pairs that may fail one after the other before a subject is given up."""
Trials = dict[tuple[str, str], list[Seen]]
"""By case and subject."""


async def measure(subjects: Sequence[NodeProgram], options: argparse.Namespace) -> Trials:
    """All trials."""
    trials: Trials = defaultdict(list)
    for interval_ms in options.interval:
        for block in range(_BLOCKS):
            rounds = len(range(block, options.rounds, _BLOCKS))
            for subject in subjects:
                plan = replace(PLAN, interval_ms=interval_ms)
                await _series(subject, plan, [fault for fault in options.only for _ in range(rounds)], trials)
    return trials


async def _series(subject: NodeProgram, plan: Plan, faults: Sequence[str], trials: Trials) -> None:
    """These faults one after the other, on one pair as long as it can be made well again."""
    left, failures = list(faults), 0
    while left and failures < _PATIENCE:
        before = len(left)
        try:
            await _one_pair(subject, plan, left, trials)
        except* (UnhealedError, SetupError) as group:
            failures = failures + 1 if len(left) == before else 1
            print(f"{subject.name}, {plan.interval_ms} ms, {left[0]}: {_leaf(group)}", file=sys.stderr)


def _leaf(error: BaseException) -> BaseException:
    return _leaf(error.exceptions[0]) if isinstance(error, BaseExceptionGroup) else error


async def _one_pair(subject: NodeProgram, plan: Plan, left: list[str], trials: Trials) -> None:
    async with open_lab() as lab:
        pair = await furnish(lab, subject, plan=plan)
        await bring_up(pair)
        async with watching(lab, pair) as watchers:
            while left:
                seen = await try_once(FAULTS[left[0]], pair, watchers)
                case = f"{left.pop(0)} {plan.interval_ms}ms"
                trials[case, subject.name].append(seen)
                print(f"{case:18} {subject.name:12} {_in_a_line(seen)}", file=sys.stderr)


def _in_a_line(seen: Seen) -> str:
    spans = {"outage": seen.outage_s, "answer": seen.answer_s, "vip off": seen.vip_off_s}
    said = [f"{name} {'-' if span is None else f'{span * 1000:.1f} ms'}" for name, span in spans.items()]
    return ", ".join([*said, f"lost {seen.lost}, arp {seen.dead_lookups} / {seen.dead_answers}"])


def figures(fault: str, seen: Seen) -> Iterator[tuple[str, str, float]]:
    """Metric, unit and value: what one trial adds to the table."""
    yield "outage", "ms", (seen.watched_s if seen.outage_s is None else seen.outage_s) * 1000
    yield "lost", "pings", float(seen.lost)
    if FAULTS[fault] is Fault.THAW:
        return
    yield "answer", "ms", (seen.watched_s if seen.answer_s is None else seen.answer_s) * 1000
    if seen.vip_off_s is not None:
        yield "vip off", "ms", seen.vip_off_s * 1000
    yield "stale", "share", float(seen.vip_off_s is None)
    yield "arp dead", "of 20", float(seen.dead_lookups)
    yield "arp 50ms", "of 20", float(seen.dead_answers)


def rows_of(trials: Mapping[tuple[str, str], Sequence[Seen]]) -> Iterator[harness.Row]:
    """A row for every case, metric and subject; `ratio` is the subject's median divided by ours."""
    table: dict[tuple[str, str, str], dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for (case, subject), taken in trials.items():
        for seen in taken:
            for metric, unit, value in figures(case.rpartition(" ")[0], seen):
                table[case, metric, unit][subject].append(value)
    for (case, metric, unit), values in table.items():
        for subject, taken_values in values.items():
            yield row(case, subject, metric, unit, taken_values, values.get(harness.OURS, []))


def row(case: str, subject: str, metric: str, unit: str, values: Sequence[float], ours: Sequence[float]) -> harness.Row:
    """One line of the result; of a share the mean stands for the median."""
    middle = statistics.mean if unit == "share" else statistics.median
    base = middle(ours) if ours else 0.0
    ratio = round(middle(values) / base, 3) if base and unit == "ms" else None
    low, high = round(min(values), 2), round(max(values), 2)
    return harness.Row(case, subject, metric, unit, round(middle(values), 2), low, high, ratio)


def publish(rows: Sequence[harness.Row], file: Path | None) -> None:
    """The table, and the rows as JSON."""
    print(f"{'case':20} {'subject':12} {'metric':10} {'unit':8} {'min':>10} {'median':>10} {'max':>10} {'ratio':>8}")
    for one in rows:
        ratio = "" if one.ratio is None else f"{one.ratio:8.2f}"
        spread = f"{one.min:10.2f} {one.median:10.2f} {one.max:10.2f}"
        print(f"{one.case:20} {one.subject:12} {one.metric:10} {one.unit:8} {spread} {ratio}")
    if file:
        file.write_text(json.dumps([asdict(one) for one in rows], indent=1) + "\n")


def parse_arguments(argv: Sequence[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.failover", description="Failover beside keepalived.")
    parser.add_argument("--rounds", type=int, default=8, help="trials of each fault at each interval")
    parser.add_argument("--only", action="append", choices=[*FAULTS, HANDOVER], help="this fault (again: this one too)")
    parser.add_argument("--interval", action="append", type=int, metavar="MS", help="advertisement_interval")
    parser.add_argument("--subject", action="append", choices=["hapair", "keepalived"])
    parser.add_argument("--checkout", type=Path, metavar="DIR", help="measure the hapair of another checkout")
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--http", action="store_true", help="what HTTP clients see, beside keepalived with HAProxy")
    parser.add_argument("--soak", type=float, metavar="MINUTES", help="takeovers without a cause, on a busy machine")
    options = parser.parse_args(argv)
    options.only = options.only or list(FAULTS)
    options.interval = options.interval or list(INTERVALS_MS)
    options.subject = options.subject or ["hapair", "keepalived"]
    return options


def subjects_of(options: argparse.Namespace, *, haproxy: bool) -> list[NodeProgram]:
    """What is measured; without keepalived hapair alone, which is said."""
    subjects: list[NodeProgram] = []
    if "hapair" in options.subject:
        subjects.append(Hapair(options.checkout))
    if "keepalived" in options.subject:
        if missing := missing_peer("keepalived", *(["haproxy"] if haproxy else [])):
            print(f"without keepalived: {missing}", file=sys.stderr)
        else:
            subjects.append(Keepalived(haproxy=haproxy))
    return subjects


def main() -> None:
    """Run what the command line asks for and publish it."""
    options = parse_arguments(sys.argv[1:])
    subjects = subjects_of(options, haproxy=options.http)
    for name, version in (*harness.versions().items(), *((one.name, one.versions()) for one in subjects)):
        print(f"{name}: {version}")
    if options.http:
        rows = list(failover_http.rows_of(trio.run(failover_http.measure, subjects, options.rounds)))
    elif options.soak:
        rows = trio.run(failover_soak.measure, subjects, options.soak * 60)
    elif HANDOVER in options.only:
        rows = trio.run(failover_handover.measure, options.checkout, options.rounds)
    else:
        rows = list(rows_of(trio.run(measure, subjects, options)))
    publish(rows, options.json)


if __name__ == "__main__":
    if obstacle := find_obstacle():
        sys.exit(obstacle)
    if not inside():
        sys.exit(enter([sys.executable, "-m", "benchmarks.failover", *sys.argv[1:]]))
    main()
