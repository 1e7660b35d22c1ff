"""At once after a first death, later and later after more of them."""

from hapair.restart import Restarts


def test_a_first_death_is_made_good_at_once() -> None:
    assert Restarts().died(1000.0) == 0.0


def test_deaths_within_a_minute_double_the_delay_up_to_half_a_minute() -> None:
    deaths = Restarts()
    delays = [deaths.died(1000.0 + second) for second in range(9)]
    assert delays == [0.0, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0]


def test_a_minute_without_a_death_is_a_new_beginning() -> None:
    deaths = Restarts()
    deaths.died(1000.0)
    deaths.died(1001.0)
    assert deaths.died(1061.0) == 0.0


def test_only_deaths_of_the_last_minute_count() -> None:
    deaths = Restarts()
    deaths.died(1000.0)
    deaths.died(1030.0)
    assert deaths.died(1060.0) == 0.5


def test_it_keeps_failing_from_the_second_death_on_until_a_minute_has_gone_by() -> None:
    deaths = Restarts()
    assert not deaths.keeps_failing(1000.0)
    deaths.died(1000.0)
    assert not deaths.keeps_failing(1000.0)
    deaths.died(1010.0)
    assert deaths.keeps_failing(1010.0)
    assert deaths.keeps_failing(1059.0)
    assert not deaths.keeps_failing(1060.0)
