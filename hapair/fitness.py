"""Is this node fit to hold the VIPs? Pure."""

from collections.abc import Collection, Iterable
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
    present: bool = False
    """It takes no part and yet is there, as in maintenance: its routers listen, and the peer hears its announcer."""


def judge(
    workers: Collection[WorkerState],
    *,
    servers_in_reach: bool = True,
    kernel_plane_obstacle: str | None = None,
    maintenance: str | None = None,
) -> Fitness:
    """By the state of each worker (a node without frontends has none and needs none), by checks and by people.

    A node whose checks find no server at all UP lets a peer that finds some go first: after its cable was pulled and
    plugged in again, say. Where neither finds any, both stand lowered and the VIPs stay where they are.
    """
    if maintenance is not None:  # first: who ends it while workers are about to start is not to preempt then either
        return Fitness(takes_part=False, lowered=None, reason=maintenance, present=True)
    if workers and WorkerState.SERVING not in workers:
        return Fitness(takes_part=False, lowered=None, reason="no worker serves")
    if WorkerState.HUNG in workers:
        return Fitness(takes_part=True, lowered=LOWERED_PRIORITY, reason="a worker hangs")
    if kernel_plane_obstacle is not None:
        reason = f"the kernel plane is not in place: {kernel_plane_obstacle}"
        return Fitness(takes_part=True, lowered=LOWERED_PRIORITY, reason=reason)
    if not servers_in_reach:
        return Fitness(takes_part=True, lowered=LOWERED_PRIORITY, reason="no server is UP")
    return Fitness(takes_part=True, lowered=None, reason="workers serve")


def servers_in_reach(up_by_pool: Iterable[Iterable[bool]]) -> bool:
    """False where there are checked servers and every one of them is DOWN; given is each pool's servers' health."""
    checked = [up for pool in up_by_pool for up in pool]
    return not checked or any(checked)
