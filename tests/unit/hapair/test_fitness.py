"""What the state of the workers means for the election."""

import pytest

from hapair.fitness import Fitness, WorkerState, judge, servers_in_reach

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


def test_a_node_that_finds_no_server_up_lets_its_peer_go_first() -> None:
    assert judge([WorkerState.SERVING], servers_in_reach=False) == Fitness(True, 1, "no server is UP")


def test_a_node_whose_kernel_plane_is_not_in_place_lets_its_peer_go_first() -> None:
    reason = "the kernel plane is not in place: nft refuses"
    assert judge([], kernel_plane_obstacle="nft refuses") == Fitness(True, 1, reason)


def test_a_node_without_a_worker_is_out_whatever_its_servers_do() -> None:
    assert judge([WorkerState.DEAD], servers_in_reach=False) == Fitness(False, None, "no worker serves")


def test_in_maintenance_a_node_takes_no_part_and_is_there() -> None:
    fitness = judge([WorkerState.SERVING], servers_in_reach=False, maintenance="in maintenance, by anna")
    assert fitness == Fitness(False, None, "in maintenance, by anna", present=True)
    for state in (WorkerState.STARTING, WorkerState.DEAD):
        assert judge([state], maintenance="by anna") == Fitness(False, None, "by anna", present=True)


@pytest.mark.parametrize(
    ("up_by_pool", "expected"),
    [
        pytest.param([], True, id="nothing-is-checked"),
        pytest.param([[False, False], [False]], False, id="all-down"),
        pytest.param([[False, False], [True]], True, id="one-pool-has-one-up"),
    ],
)
def test_servers_in_reach(up_by_pool: list[list[bool]], expected: bool) -> None:
    assert servers_in_reach(up_by_pool) is expected
