import pytest

from balancer.health import Health

FAIL, PASS = False, True


def texts(health: Health, *results: bool) -> list[str]:
    """How the health reads after each of the probes."""
    shown = []
    for passed in results:
        health = health.after(passed, reason="", now=0.0)
        shown.append(health.text)
    return shown


def fully_up(rise: int = 2, fall: int = 3) -> Health:
    return Health.initial(rise=rise, fall=fall).after(PASS, reason="", now=0.0)


def test_the_sequence_measured_on_haproxy() -> None:
    """HAProxy 2.6, rise 2, fall 3: three failures, then two passes."""
    assert fully_up().text == "UP"
    assert texts(fully_up(), FAIL, FAIL, FAIL, PASS, PASS) == ["UP 2/3", "UP 1/3", "DOWN", "DOWN 1/2", "UP"]


def test_a_new_server_is_up_and_one_failure_from_down() -> None:
    new = Health.initial(rise=2, fall=3)

    assert new.up
    assert new.text == "UP 1/3"
    assert texts(new, FAIL) == ["DOWN"]
    assert texts(new, PASS) == ["UP"]


def test_one_pass_while_up_forgives_all_failures() -> None:
    assert texts(fully_up(), FAIL, FAIL, PASS, FAIL, FAIL) == ["UP 2/3", "UP 1/3", "UP", "UP 2/3", "UP 1/3"]


def test_one_failure_while_down_undoes_all_passes() -> None:
    down = Health.initial(rise=3, fall=1).after(FAIL, reason="", now=0.0)

    assert texts(down, PASS, PASS, FAIL, PASS) == ["DOWN 1/3", "DOWN 2/3", "DOWN", "DOWN 1/3"]


def test_a_server_that_comes_back_is_fully_up() -> None:
    assert texts(fully_up(), FAIL, FAIL, FAIL, PASS, PASS, FAIL, FAIL)[-2:] == ["UP 2/3", "UP 1/3"]


def test_more_of_the_same_changes_nothing() -> None:
    assert texts(fully_up(), PASS, PASS) == ["UP", "UP"]
    assert texts(fully_up(), FAIL, FAIL, FAIL, FAIL) == ["UP 2/3", "UP 1/3", "DOWN", "DOWN"]


def test_rise_and_fall_of_one_flip_at_each_probe() -> None:
    assert texts(Health.initial(rise=1, fall=1), FAIL, PASS, FAIL) == ["DOWN", "UP", "DOWN"]


@pytest.mark.parametrize(
    ("results", "settled"),
    [((), False), ((PASS,), True), ((PASS, FAIL), False), ((FAIL,), True), ((FAIL, PASS), False)],
)
def test_settled_where_no_flip_is_under_way(results: tuple[bool, ...], settled: bool) -> None:
    health = Health.initial(rise=2, fall=3)
    for passed in results:
        health = health.after(passed, reason="", now=0.0)

    assert health.settled is settled


def test_the_probe_that_flips_is_remembered_and_no_other() -> None:
    health = fully_up(fall=2)
    assert (health.flip_reason, health.flipped_at) == ("", None)

    health = health.after(FAIL, reason="timeout", now=10.0)
    assert (health.flip_reason, health.flipped_at) == ("", None)

    health = health.after(FAIL, reason="HTTP 503", now=12.0)
    health = health.after(FAIL, reason="connection refused", now=14.0)
    assert (health.flip_reason, health.flipped_at) == ("HTTP 503", 12.0)

    health = health.after(PASS, reason="HTTP 200", now=16.0).after(PASS, reason="HTTP 204", now=18.0)
    assert (health.flip_reason, health.flipped_at) == ("HTTP 204", 18.0)
