"""The result of a demonstration as a table and as a document for machines. Pure.

The document (`hapair demo --json`), version 1; spans in milliseconds, null where a thing did not happen in time:

    version                     1; a change that could break a reader raises it
    passed                      true: every takeover happened, no stale VIP, the pair recovered each time
    software                    what ran
    elapsed_s                   from the first request to the end
    advertisement_interval_ms, active_down_interval_ms, lease_ms
    requests                    total, failed, per_server, per_node (answers), errors (by reason)
    probe_latency_ms            p50, p99, max of the probes that succeeded
    faults                      one object each, in order:
      fault, victim, peer       what was done, to which node, and which other node there was
      at_s                      when, after the first request
      takeover_ms               until the peer's kernel held the VIP
      outage_ms                 the longest outage that the client saw: from the sending of the first of a run of failed
                                probes until the first probe sent after them that succeeded was answered; 0: none failed
      requests, requests_failed from just before the fault until it was undone
      vip_off_victim_ms         until the victim's kernel held the VIP no more
      stale_vip                 true: it still held it 1.5 s after the lease had ended
      return_outage_ms, return_requests_failed
                                the same while the victim came back and took the VIP again
      recovered                 whether the preferred node was Active in the end, and alone
"""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from hapair.lab.demo import Result
from hapair.lab.outage import quantile, tally
from hapair.lab.plan import Plan
from hapair.lab.records import Record
from hapair.lab.trial import Trial

VERSION = 1
COLUMNS = ("Fault", "Node", "VIP on peer", "Outage", "Requests failed", "VIP off node", "Stale VIP", "Outage on return")


def row(trial: Trial) -> tuple[str, ...]:
    """A trial as the words of one line of the table."""
    return (
        trial.fault.value,
        trial.victim,
        span(trial.takeover_s, missing="never"),
        span(trial.outage_s, missing="without end"),
        f"{trial.failed} of {trial.requests}",
        span(trial.vip_off_s, missing="not in time"),
        "yes" if trial.stale_vip else "no",
        span(trial.return_outage_s, missing="without end") if trial.recovered else "did not come back",
    )


def span(seconds: float | None, *, missing: str) -> str:
    """`352 ms`"""
    return missing if seconds is None else f"{seconds * 1000:.0f} ms"


def verdict(result: Result) -> str:
    """The result in one line."""
    taken = sum(trial.takeover_s is not None for trial in result.trials)
    stale = sum(trial.stale_vip for trial in result.trials)
    left = f"{stale or 'no'} stale VIP{'s' if stale > 1 else ''} left"
    outcome = f"{taken} of {len(result.trials)} takeovers happened, {left}"
    back = all(trial.recovered for trial in result.trials)
    return outcome + ("" if back else ", and the pair did not always recover")


def document(result: Result) -> dict[str, Any]:
    """The whole result for machines."""
    counts = tally(result.records)
    return {
        "version": VERSION,
        "passed": result.passed,
        "software": result.versions,
        "elapsed_s": round(result.ended_at - result.began_at, 3),
        **_timers(result.plan),
        "requests": {
            "total": counts.requests,
            **{key: value for key, value in asdict(counts).items() if key != "requests"},
        },
        "probe_latency_ms": _latency(result.records),
        "faults": [_fault(trial, result.began_at) for trial in result.trials],
    }


def _timers(plan: Plan) -> dict[str, Any]:
    return {
        "advertisement_interval_ms": plan.interval_ms,
        "active_down_interval_ms": _ms(plan.active_down_s),
        "lease_ms": plan.lease_s * 1000,
    }


def _latency(records: Sequence[Record]) -> dict[str, float | None]:
    took = [record.took_s for record in records if record.kind == "probe" and record.ok]
    return {"p50": _ms(quantile(took, 0.5)), "p99": _ms(quantile(took, 0.99)), "max": _ms(max(took, default=None))}


def _fault(trial: Trial, began_at: float) -> dict[str, Any]:
    return {
        "fault": trial.fault.value,
        "victim": trial.victim,
        "peer": trial.peer,
        "at_s": round(trial.fault_at - began_at, 3),
        "takeover_ms": _ms(trial.takeover_s),
        "outage_ms": _ms(trial.outage_s),
        "requests": trial.requests,
        "requests_failed": trial.failed,
        "vip_off_victim_ms": _ms(trial.vip_off_s),
        "stale_vip": trial.stale_vip,
        "return_outage_ms": _ms(trial.return_outage_s),
        "return_requests_failed": trial.return_failed,
        "recovered": trial.recovered,
        "passed": trial.passed,
    }


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1000, 1)
