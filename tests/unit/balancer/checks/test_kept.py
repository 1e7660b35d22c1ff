"""What holds of a server that is configured otherwise."""

from dataclasses import replace

import pytest

from balancer.checks.kept import initial_state, kept
from balancer.config import Check, Pool, Server
from balancer.fieldtypes import Endpoint
from balancer.health import Health
from balancer.serverstate import ServerState

CHECK = Check(rise=2, fall=3)
HERE, THERE = Endpoint("192.0.2.1", 80), Endpoint("192.0.2.2", 80)
SERVER = Server(address=HERE)
DOWN = replace(
    ServerState.initial(1, CHECK), health=Health(2, 3, 0, "refused", 5.0), weight=7, max_connections=9, admin="drain"
)


def pool(server: Server = SERVER, check: Check | None = CHECK) -> Pool:
    return Pool(servers={"one": server}, check=check)


def test_without_a_change_all_of_it_holds() -> None:
    assert kept(DOWN, "one", pool(), pool(), now=9.0) == DOWN


@pytest.mark.parametrize(
    ("server", "weight", "limit"),
    [
        (replace(SERVER, weight=3), None, 9),
        (replace(SERVER, max_connections=5), 7, None),
        (replace(SERVER, backup=True), 7, 9),
    ],
)
def test_what_the_file_says_anew_wins(server: Server, weight: int | None, limit: int | None) -> None:
    after = kept(DOWN, "one", pool(), pool(server), now=9.0)
    assert (after.weight, after.max_connections, after.admin, after.up) == (weight, limit, "drain", False)
    assert after.weight_in_file == server.weight


def test_at_another_address_health_begins_anew_and_what_people_said_holds() -> None:
    after = kept(DOWN, "one", pool(), pool(replace(SERVER, address=THERE)), now=9.0)
    assert (after.up, after.admin, after.weight) == (True, "drain", 7)


def test_other_numbers_of_a_check_leave_it_as_it_stands() -> None:
    after = kept(DOWN, "one", pool(), pool(check=Check(rise=1, fall=1)), now=9.0)
    assert after.health == Health(1, 1, 0, "refused", 5.0)
    up = kept(replace(DOWN, health=Health(2, 3, 4)), "one", pool(), pool(check=Check(rise=5, fall=2)), now=9.0)
    assert up.health == Health(5, 2, 6)


def test_without_a_check_it_is_up_and_with_a_first_one_it_begins() -> None:
    without = kept(DOWN, "one", pool(), pool(check=None), now=9.0)
    assert (without.up, without.health, without.flip_reason) == (True, None, "its checks are configured otherwise")
    assert kept(without, "one", pool(check=None), pool(), now=9.0).health == Health(2, 3, 2)


def test_a_server_that_the_file_disables_is_in_maint_until_it_says_otherwise() -> None:
    disabled = replace(SERVER, disabled=True)
    assert initial_state(disabled, CHECK).admin == "maint"
    assert initial_state(SERVER, CHECK).admin == "ready"
    assert kept(DOWN, "one", pool(), pool(disabled), now=9.0).admin == "maint"
    ready = kept(initial_state(disabled, CHECK), "one", pool(disabled), pool(), now=9.0)
    assert (ready.admin, ready.admin_by) == ("ready", "the file")
    assert kept(ready, "one", pool(disabled), pool(disabled), now=9.0).admin == "ready"


def test_a_server_that_is_checked_no_more_is_up() -> None:
    after = kept(DOWN, "one", pool(), pool(replace(SERVER, check=False)), now=9.0)
    assert (after.health, after.up) == (None, True)
