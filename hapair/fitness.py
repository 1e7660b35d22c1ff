"""Is this node fit to hold the VIPs? Pure."""

from collections.abc import Collection
from dataclasses import dataclass
from enum import Enum

LOWERED_PRIORITY = 1
"""Any healthy peer wins against it, and without one this node still serves."""


class WorkerState(Enum):
    """What the node knows of one worker."""

    STARTING = "starting"
    SERVING = "serving"
    HUNG = "hung"
    DEAD = "dead"


@dataclass(frozen=True, slots=True)
class Fitness:
    """`takes_part`: whether the node stands for election at all; `lowered`: with what priority, where not its own."""

    takes_part: bool
    lowered: int | None
    reason: str


def judge(workers: Collection[WorkerState]) -> Fitness:
    """By the state of each worker; a node without frontends has none and needs none."""
    if workers and WorkerState.SERVING not in workers:
        return Fitness(takes_part=False, lowered=None, reason="no worker serves")
    if WorkerState.HUNG in workers:
        return Fitness(takes_part=True, lowered=LOWERED_PRIORITY, reason="a worker hangs")
    return Fitness(takes_part=True, lowered=None, reason="workers serve")
