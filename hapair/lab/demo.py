"""The demonstration: a pair under load whose Active node is killed, unplugged and frozen in turn."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import trio

from hapair.lab.addresses import Change
from hapair.lab.pair import Measurement, Pair, SetupError, logs_of
from hapair.lab.plan import Plan
from hapair.lab.records import Record
from hapair.lab.trial import Fault, Note, Trial, try_fault

FAULTS = (Fault.KILL_ALL, Fault.UNPLUG, Fault.FREEZE)
_CALM_S = 1.5
"""Before each fault and at the end: what all being well looks like."""


@dataclass(slots=True)
class Stage:
    """What is going on, for whoever shows it."""

    pair: Pair
    measurement: Measurement
    began_at: float
    notes: list[Note] = field(default_factory=list)
    trials: list[Trial] = field(default_factory=list)

    def condition(self, node: str) -> str:
        """What the last note about a node said it was."""
        return next((note.condition for note in reversed(self.notes) if note.node == node), "well")


@dataclass(frozen=True, slots=True)
class Span:
    """A time in which a node's kernel held the VIP."""

    node: str
    since: float
    until: float


@dataclass(frozen=True, slots=True)
class Result:
    """All that a demonstration brought to light."""

    plan: Plan
    versions: str
    began_at: float
    ended_at: float
    trials: Sequence[Trial]
    records: Sequence[Record]
    holdings: Sequence[Span]

    @property
    def passed(self) -> bool:
        """Whether every takeover happened, no stale VIP was left and the pair was itself again each time."""
        return len(self.trials) == len(FAULTS) and all(trial.passed for trial in self.trials)


async def demonstrate(stage: Stage, told: Callable[[Note], None]) -> Result:
    """Run all the faults. Raises SetupError where the pair does not even answer."""

    def tell(note: Note) -> None:
        stage.notes.append(note)
        told(note)

    if not await stage.measurement.answering():
        raise SetupError("the VIP does not answer\n" + logs_of(stage.pair))
    for fault in FAULTS:
        await trio.sleep(_CALM_S)
        stage.trials.append(await try_fault(fault, stage.pair, stage.measurement, told=tell))
    await trio.sleep(_CALM_S)
    return result_of(stage, time.monotonic())


def result_of(stage: Stage, now: float) -> Result:
    """What the stage has seen until now."""
    plan = stage.pair.plan
    holdings = [
        span
        for name, host in stage.pair.nodes.items()
        for span in spans(name, [change for change in host.addresses.history if change.address == plan.vip], now)
    ]
    return Result(
        plan=plan,
        versions=stage.pair.program.versions(),
        began_at=stage.began_at,
        ended_at=now,
        trials=tuple(stage.trials),
        records=tuple(stage.measurement.records),
        holdings=holdings,
    )


def spans(node: str, changes: Sequence[Change], now: float) -> list[Span]:
    """The times in which a node held an address, from its coming and going."""
    found, since = [], None
    for change in changes:
        if change.present:
            since = change.at
        elif since is not None:
            found.append(Span(node, since, change.at))
            since = None
    return found if since is None else [*found, Span(node, since, now)]
