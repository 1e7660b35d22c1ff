"""How often one client may name a wrong password."""

import pytest

from hapair.admin.attempts import MOST, Attempts, client_of


def after_failures(count: int, now: float = 100.0) -> Attempts:
    attempts = Attempts()
    for _ in range(count):
        attempts.fail("192.0.2.1", now)
    return attempts


@pytest.mark.parametrize(("failures", "pause_s"), [(0, 0.0), (4, 0.0), (5, 1.0), (6, 2.0), (9, 16.0), (40, 300.0)])
def test_each_failure_after_the_free_ones_shuts_the_door_for_longer(failures: int, pause_s: float) -> None:
    assert after_failures(failures).pause_s("192.0.2.1", 100.0) == pause_s


def test_the_door_opens_again_and_shuts_for_longer_at_the_next_failure() -> None:
    attempts = after_failures(5)
    assert attempts.pause_s("192.0.2.1", 101.0) == 0.0
    attempts.fail("192.0.2.1", 101.0)
    assert attempts.pause_s("192.0.2.1", 101.0) == 2.0


def test_others_are_not_concerned() -> None:
    assert after_failures(5).pause_s("192.0.2.2", 100.0) == 0.0


def test_a_right_password_ends_it_and_so_does_time() -> None:
    attempts = after_failures(5)
    attempts.succeed("192.0.2.1")
    assert attempts.pause_s("192.0.2.1", 100.0) == 0.0
    attempts = after_failures(5)
    attempts.fail("192.0.2.1", 402.0)
    assert attempts.pause_s("192.0.2.1", 402.0) == 0.0


def test_a_bounded_number_of_clients_is_remembered() -> None:
    attempts = after_failures(5)
    for number in range(MOST):
        attempts.fail(f"198.51.{number // 256}.{number % 256}", 100.0)
    assert attempts.pause_s("192.0.2.1", 100.0) == 0.0


def test_what_is_refused_and_failed_is_counted() -> None:
    attempts = after_failures(5)
    attempts.pause_s("192.0.2.1", 100.5)
    assert (attempts.failed, attempts.refused) == (5, 1)


@pytest.mark.parametrize(
    ("address", "client"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8::5:6:7:8", "2001:db8::/64"),
        ("2001:db8:0:1::1", "2001:db8:0:1::/64"),
        ("::1", "::1"),
        ("fe80::1:2:3:4%eth0", "fe80::/64"),
    ],
)
def test_who_has_one_ipv6_address_has_a_network_of_them(address: str, client: str) -> None:
    assert client_of(address) == client
