from collections import Counter
from typing import Any

import pytest

from balancer.config import Pool, Server
from balancer.fieldtypes import Endpoint
from balancer.policies import Request
from balancer.pool import PoolSnapshot, PoolState, ServerSnapshot
from balancer.standing import Place, Standing


def server(port: int = 80, **settings: Any) -> Server:
    return Server(address=Endpoint("192.0.2.1", port), **settings)


def pool(open_now: dict[str, int] | None = None, policy: Any = "round_robin", **servers: Server) -> PoolState:
    return PoolState(Pool(servers=servers, policy=policy), lambda name: (open_now or {}).get(name, 0))


def picks(state: PoolState, number: int, excluded: tuple[str, ...] = ()) -> list[str | None]:
    return [state.choose(excluded) for _ in range(number)]


def test_all_servers_take_work_from_the_start() -> None:
    assert picks(pool(a=server(), b=server()), 4) == ["a", "b", "a", "b"]


def test_a_server_that_is_down_takes_no_work() -> None:
    state = pool(a=server(), b=server())

    assert state.set_health("a", False)
    assert picks(state, 2) == ["b", "b"]

    assert state.set_health("a", True)
    assert sorted(str(name) for name in picks(state, 2)) == ["a", "b"]


def test_health_is_news_only_once() -> None:
    state = pool(a=server())

    assert not state.set_health("a", True)
    assert state.set_health("a", False)
    assert not state.set_health("a", False)


def test_a_server_of_another_pool_is_an_error() -> None:
    state = pool(a=server())

    with pytest.raises(KeyError):
        state.set_health("b", True)
    with pytest.raises(KeyError):
        state.endpoint("b")


def test_weight_zero_takes_no_work() -> None:
    assert picks(pool(a=server(weight=0), b=server()), 2) == ["b", "b"]


def test_no_server_at_all() -> None:
    state = pool(a=server(), b=server(weight=0))
    state.set_health("a", False)

    assert state.choose() is None


def test_a_server_that_was_tried_is_not_chosen_again() -> None:
    state = pool(a=server(), b=server())

    assert picks(state, 2, excluded=("a",)) == ["b", "b"]
    assert state.choose(("a", "b")) is None


@pytest.mark.parametrize("policy", ["round_robin", "least_connections"])
def test_a_full_server_is_passed_over_until_a_connection_ends(policy: str) -> None:
    open_now = {"a": 2, "b": 50}
    state = pool(open_now, policy, a=server(max_connections=2), b=server())

    assert picks(state, 2) == ["b", "b"]
    open_now["a"] = 1
    assert "a" in picks(state, 2)


def test_full_and_excluded_servers_are_both_passed_over() -> None:
    state = pool({"a": 1}, a=server(max_connections=1), b=server(), c=server())

    assert picks(state, 2, excluded=("b",)) == ["c", "c"]


def test_backup_servers_wait_until_no_other_is_left() -> None:
    state = pool(a=server(), b=server(), spare=server(backup=True))
    assert "spare" not in picks(state, 9)

    state.set_health("a", False)
    assert picks(state, 2) == ["b", "b"]

    state.set_health("b", False)
    assert picks(state, 2) == ["spare", "spare"]

    state.set_health("a", True)
    assert picks(state, 2) == ["a", "a"]


def test_a_backup_server_helps_a_request_that_all_others_failed_or_have_no_room_for() -> None:
    state = pool({"b": 1}, a=server(), b=server(max_connections=1), spare=server(backup=True))

    assert state.choose(("a",)) == "spare"
    assert state.choose(("a", "spare")) is None


def test_of_several_backup_servers_the_first_that_can_stands_in() -> None:
    full = server(backup=True, max_connections=1)
    state = pool({"x": 1}, a=server(), w=server(backup=True), x=full, y=server(backup=True))
    state.set_health("a", False)
    assert picks(state, 3) == ["w", "w", "w"]

    state.set_health("w", False)
    assert picks(state, 3) == ["y", "y", "y"]


def test_all_backup_servers_share_by_weight_where_the_file_says_so() -> None:
    servers = {"a": server(), "x": server(backup=True, weight=2), "y": server(backup=True)}
    state = PoolState(Pool(servers=servers, use_all_backups=True), lambda name: 0)
    state.set_health("a", False)

    assert picks(state, 6) == ["x", "y", "x", "x", "y", "x"]


def test_endpoint() -> None:
    assert pool(a=server(8080)).endpoint("a") == Endpoint("192.0.2.1", 8080)


def test_snapshot() -> None:
    state = pool(
        {"a": 3, "b": 5},
        "least_connections",
        a=server(81, weight=2, max_connections=3),
        b=server(82, backup=True),
        c=server(83),
    )
    state.set_health("c", False)

    assert state.snapshot() == PoolSnapshot(
        "least_connections",
        (
            ServerSnapshot("a", Endpoint("192.0.2.1", 81), 2, False, True, False, 3, 3, full_weight=2),
            ServerSnapshot("b", Endpoint("192.0.2.1", 82), 1, True, True, True, 5, None),
            ServerSnapshot("c", Endpoint("192.0.2.1", 83), 1, False, False, False, 0, None),
        ),
    )


def test_a_draining_server_takes_what_belongs_to_it_and_nothing_new() -> None:
    state = pool(a=server(), b=server())

    assert state.set_admin("a", "drain")
    assert not state.set_admin("a", "drain")

    assert picks(state, 2) == ["b", "b"]
    assert state.takes_persistent("a")
    assert state.standing("a") == Standing(admin="drain")


def test_a_server_in_maintenance_takes_nothing() -> None:
    state = pool(a=server(), b=server())

    state.set_admin("a", "maint")

    assert picks(state, 2) == ["b", "b"]
    assert not state.takes_persistent("a")


def test_admin_state_and_health_do_not_change_each_other() -> None:
    state = pool(a=server(), b=server())
    state.set_admin("a", "maint")
    state.set_health("a", False)
    state.set_health("a", True)
    assert picks(state, 2) == ["b", "b"]

    state.set_admin("a", "ready")
    assert sorted(str(name) for name in picks(state, 2)) == ["a", "b"]


def test_a_weight_is_set_and_taken_back() -> None:
    state = pool(a=server(weight=2), b=server(weight=2))

    assert state.set_weight("a", 6)
    assert Counter(picks(state, 80)) == {"a": 60, "b": 20}
    assert not state.set_weight("a", 6)

    state.set_weight("a", 0)
    assert picks(state, 2) == ["b", "b"]
    assert state.takes_persistent("a")

    state.set_weight("a", None)
    assert Counter(picks(state, 80)) == {"a": 40, "b": 40}
    with pytest.raises(ValueError, match="from 0 to 256"):
        state.set_weight("a", 257)


def warming_pool() -> PoolState:
    servers = {"a": server(weight=10, max_connections=100), "b": server(weight=10)}
    return PoolState(Pool(servers=servers, slow_start_s=4.0), lambda name: 0)


def of_a(state: PoolState) -> tuple[int, int, int | None]:
    a = state.snapshot().servers[0]
    return a.weight, a.throttle_percent, a.max_connections


def test_a_server_that_comes_back_warms_up() -> None:
    state = warming_pool()
    assert of_a(state) == (10, 100, 100)
    state.set_health("a", False, now=10.0)
    state.set_health("a", True, now=20.0)
    assert of_a(state) == (1, 6, 1)

    assert state.tick(21.2)
    assert of_a(state) == (4, 31, 25)
    assert Counter(picks(state, 210)) == {"a": 50, "b": 160}

    assert state.tick(23.9)
    assert of_a(state) == (9, 81, 75)
    assert not state.tick(24.0)
    assert of_a(state) == (10, 100, 100)


def test_one_that_returns_from_maintenance_warms_up_and_one_that_drained_does_not() -> None:
    state = warming_pool()
    state.set_admin("a", "drain", now=1.0)
    state.set_admin("a", "ready", now=2.0)
    assert of_a(state) == (10, 100, 100)

    state.set_admin("a", "maint", now=3.0)
    state.set_admin("a", "ready", now=4.0)
    assert of_a(state) == (1, 6, 1)


def test_a_weight_that_is_set_meanwhile_warms_up_too() -> None:
    state = warming_pool()
    state.set_standing("a", Standing(age_s=1.0), now=50.0)
    state.set_weight("a", 20, now=50.5)
    assert of_a(state) == (7, 31, 25)

    assert not state.tick(53.0)
    assert of_a(state) == (20, 100, 100)


def test_what_an_agent_allows_goes_before_the_file() -> None:
    state = pool({"a": 5}, a=server(max_connections=10), b=server())

    assert state.set_standing("a", Standing(max_connections=5))
    assert picks(state, 2) == ["b", "b"]

    state.set_standing("a", Standing())
    assert "a" in picks(state, 2)


def test_a_hash_reads_the_request() -> None:
    state = pool(policy="source_hash", **{f"s{number}": server() for number in range(9)})
    assert state.reads_request

    assert {state.choose((), Request("192.0.2.7")) for _ in range(9)} == {"s6"}
    assert not pool(a=server()).reads_request


def test_backups_by_name() -> None:
    assert pool(a=server(), x=server(backup=True)).backups() == ("x",)


def test_a_server_that_is_known_by_its_name_takes_no_work_before_it_is_found() -> None:
    servers = {"app": Server(address=Endpoint("app.internal", 80)), "old": Server(address=Endpoint("192.0.2.9", 80))}
    pool = PoolState(Pool(servers=servers), lambda name: 0)
    assert {pool.choose() for _ in range(4)} == {"old"}
    assert not pool.takes_persistent("app")

    pool.set_standing("app", Standing(weight=3, place=Place(Endpoint("192.0.2.1", 81), 3)))
    assert sorted(str(pool.choose()) for _ in range(4)) == ["app", "app", "app", "old"]
    assert pool.endpoint("app") == Endpoint("192.0.2.1", 81)

    pool.set_standing("app", Standing(place=Place(Endpoint("192.0.2.1", 81), backup=True)))
    assert {pool.choose() for _ in range(4)} == {"old"}
    assert pool.backups() == ("app",)
    assert pool.choose(("old",)) == "app"
    assert (pool.snapshot().servers[0].endpoint.port, pool.snapshot().servers[0].backup) == (81, True)


def test_whether_a_server_can_be_full_and_whether_any_is_left() -> None:
    open_now = {"a": 3, "b": 1}
    state = pool(open_now, a=server(max_connections=2), b=server(weight=0), c=server(backup=True))
    assert state.is_limited
    assert (state.exceeds("a"), state.exceeds("b")) == (True, False)
    open_now["a"] = 2
    assert not state.exceeds("a")
    assert not state.is_hopeless()
    assert not state.is_hopeless(("a",))
    assert state.is_hopeless(("a", "c"))
    state.set_health("c", False)
    assert state.is_hopeless(("a",))
    assert not pool({}, a=server()).is_limited
