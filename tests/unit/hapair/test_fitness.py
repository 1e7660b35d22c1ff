"""What the state of the workers means for the election."""

import pytest

from hapair.fitness import Fitness, WorkerState, judge

STARTING, SERVING, HUNG, DEAD = WorkerState.STARTING, WorkerState.SERVING, WorkerState.HUNG, WorkerState.DEAD


@pytest.mark.parametrize(
    ("workers", "fitness"),
    [
        ([], Fitness(takes_part=True, lowered=None, reason="workers serve")),
        ([SERVING], Fitness(takes_part=True, lowered=None, reason="workers serve")),
        ([SERVING, DEAD], Fitness(takes_part=True, lowered=None, reason="workers serve")),
        ([SERVING, STARTING], Fitness(takes_part=True, lowered=None, reason="workers serve")),
        ([SERVING, HUNG], Fitness(takes_part=True, lowered=1, reason="a worker hangs")),
        ([STARTING], Fitness(takes_part=False, lowered=None, reason="no worker serves")),
        ([DEAD, DEAD], Fitness(takes_part=False, lowered=None, reason="no worker serves")),
        ([HUNG], Fitness(takes_part=False, lowered=None, reason="no worker serves")),
        ([DEAD, HUNG, STARTING], Fitness(takes_part=False, lowered=None, reason="no worker serves")),
    ],
)
def test_fitness(workers: list[WorkerState], fitness: Fitness) -> None:
    assert judge(workers) == fitness
