"""Two tallies at once."""

from balancer.tally import Tee


class Sum:
    def __init__(self) -> None:
        self.total = 0

    def add(self, slot: int, amount: int = 1) -> None:
        self.total += slot * amount


def test_both_add_up() -> None:
    one, other = Sum(), Sum()
    Tee(one, other).add(2, 5)
    Tee(one, other).add(1)
    assert (one.total, other.total) == (11, 11)
