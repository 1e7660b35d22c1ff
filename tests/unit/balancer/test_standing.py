import pytest

from balancer.standing import Standing, shown_weight, throttle_percent, warm_limit, warmth


@pytest.mark.parametrize(
    ("standing", "in_service", "takes_persistent"),
    [
        (Standing(), True, True),
        (Standing(admin="drain"), False, True),
        (Standing(admin="maint"), False, False),
        (Standing(up=False), False, False),
        (Standing(up=False, admin="drain"), False, False),
    ],
)
def test_who_takes_what(standing: Standing, in_service: bool, takes_persistent: bool) -> None:
    assert (standing.in_service, standing.takes_persistent) == (in_service, takes_persistent)


@pytest.mark.parametrize(
    ("elapsed_s", "weight", "percent"),
    [(0.0, 1, 6), (0.9, 1, 6), (1.0, 4, 31), (2.0, 6, 56), (3.5, 9, 81), (4.0, 10, 100), (99.0, 10, 100)],
)
def test_a_slow_start_of_four_seconds_at_weight_ten(elapsed_s: float, weight: int, percent: int) -> None:
    """As it was seen on HAProxy 2.6."""
    sixteenths = warmth(elapsed_s, 4.0)

    assert (shown_weight(10, sixteenths), throttle_percent(10, sixteenths)) == (weight, percent)


def test_a_slow_start_shorter_than_a_second_ends_with_it() -> None:
    assert [warmth(elapsed_s, 0.5) for elapsed_s in (0.0, 0.9, 1.0)] == [1, 1, 16]
    assert warmth(0.0, 0.0) == 16


@pytest.mark.parametrize(("elapsed_s", "limit"), [(0.0, 1), (1.0, 50), (2.9, 100), (3.0, 150), (4.0, 200)])
def test_the_limit_of_connections_grows_along(elapsed_s: float, limit: int) -> None:
    assert warm_limit(200, elapsed_s, 4.0) == limit


def test_no_weight_is_never_throttled() -> None:
    assert (shown_weight(0, 5), throttle_percent(0, 5)) == (0, 100)
