"""What a simulation plays (vrrp.simulation): who there is, and what goes wrong when. Pure."""

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

FaultKind = Literal["kill", "stop", "pause", "cut", "deafen", "lose", "refuse", "reconfigure"]


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that goes wrong from `at` to `until`, to the router with this index."""

    kind: FaultKind
    at: float
    until: float
    node: int
    otherwise: "Machine | None" = None
    """As what `reconfigure` has it go on, in place, until then; its clock stays."""


@dataclass(frozen=True, slots=True)
class Machine:
    """One router of a plan."""

    priority: int
    preempt: bool
    clock_rate: float
    """How fast its clock goes."""
    interval_cs: int | None = None
    """Another advertisement interval than the plan's."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A run, completely described."""

    seed: int
    machines: tuple[Machine, ...]
    interval_cs: int
    delay_s: float
    jitter_s: float
    duplicates: float
    """The share of packets that arrive twice."""
    link: bool
    """The routers hold liveness links and know how many they are."""
    faults: tuple[Fault, ...]
    length_s: float


def random_plan(seed: int, *, length_s: float = 60.0) -> Plan:
    """A plan with faults in most of its time and calm in between, so that every invariant has its turn."""
    rng = random.Random(seed)
    count = rng.choice((2, 2, 3))
    interval_cs = rng.choice((1, 10, 10, 100))
    machines = tuple(
        Machine(rng.choice((50, 100, 100, 150, 200, 254)), rng.random() < 0.7, 1 + rng.uniform(-0.005, 0.005))
        for _ in range(count)
    )
    return Plan(
        seed=seed,
        machines=machines,
        interval_cs=interval_cs,
        delay_s=rng.choice((0.0, 0.0002, 0.001)),
        jitter_s=rng.choice((0.0, 0.0005, 0.002)),
        duplicates=rng.choice((0.0, 0.0, 0.1)),
        link=rng.random() < 0.5,
        faults=tuple(_random_faults(rng, count, interval_cs / 100, length_s)),
        length_s=length_s,
    )


def _random_faults(rng: random.Random, count: int, interval_s: float, length_s: float) -> Iterator[Fault]:
    kinds: list[FaultKind] = ["kill", "kill", "stop", "pause", "pause", "cut", "deafen", "lose", "refuse"]
    if rng.random() < 0.5:  # longer intervals make every bound longer: half of the plans stay strict
        kinds += ["reconfigure"] * 4
    at = 10 * interval_s
    while at < length_s:
        lasting = interval_s * rng.choice((0.3, 1.5, 3.0, 8.0, 20.0))
        kind, node = rng.choice(kinds), rng.randrange(count)
        otherwise = None
        if kind == "reconfigure":
            interval_cs = max(1, round(interval_s * rng.choice((20, 50, 100, 100, 300))))
            otherwise = Machine(rng.choice((1, 50, 100, 200, 254)), rng.random() < 0.7, 1.0, interval_cs)
        yield Fault(kind, at, at + lasting, node, otherwise)
        at += lasting + interval_s * rng.choice((0.1, 1.0, 5.0, 15.0, 40.0))


def script(plan: Plan) -> str:
    """Python that plays the plan again."""
    faults = "\n".join(f"        {fault!r}," for fault in plan.faults)
    head = repr(replace(plan, faults=()))
    return (
        "from vrrp.simulation import Fault, Machine, Plan, Simulation\n"
        f"Simulation({head.replace('faults=()', f'faults=({chr(10)}{faults}{chr(10)}    )')}).run()"
    )
