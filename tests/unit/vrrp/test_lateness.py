"""How late adverts were, in classes."""

import pytest

from vrrp.lateness import BOUNDS_S, Lateness


@pytest.mark.parametrize(
    ("late_s", "place"),
    [(-0.1, 0), (0.0, 0), (0.0005, 0), (0.0006, 1), (0.02, 5), (0.025, 5), (0.9, 9), (1.0, 9), (1.1, 10), (99.0, 10)],
)
def test_each_is_counted_in_its_class(late_s: float, place: int) -> None:
    lateness = Lateness()
    lateness.add(late_s)
    assert [n for n, count in enumerate(lateness.counts) if count] == [place]
    assert lateness.sum_s == max(0.0, late_s)


def test_they_add_up() -> None:
    lateness = Lateness()
    for late_s in (0.0001, 0.0002, 0.5):
        lateness.add(late_s)
    assert lateness.counts == [2, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0]
    assert lateness.sum_s == pytest.approx(0.5003)
    assert list(BOUNDS_S) == sorted(BOUNDS_S)
