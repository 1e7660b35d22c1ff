import pytest

from balancer.http2.budget import Budget
from balancer.http2.errors import Reason, Violation


def test_so_many_and_no_more():
    budget = Budget(3, Reason.TOO_MANY_RESETS, 0.0)
    for _ in range(3):
        budget.spend(0.0)
    with pytest.raises(Violation) as caught:
        budget.spend(0.0)
    assert caught.value.reason is Reason.TOO_MANY_RESETS


def test_it_fills_up_within_ten_seconds():
    budget = Budget(10, Reason.TOO_MANY_RESETS, 0.0)
    for _ in range(10):
        budget.spend(0.0)
    budget.spend(1.0)
    with pytest.raises(Violation):
        budget.spend(1.5)


def test_never_beyond_its_size():
    budget = Budget(2, Reason.TOO_MANY_RESETS, 0.0)
    for now in (0.0, 0.0, 1000.0, 1000.0):
        budget.spend(now)
    with pytest.raises(Violation):
        budget.spend(1000.0)
