from typing import Any

import pytest

from balancer.config import Pool, Server
from balancer.fieldtypes import Endpoint
from balancer.pool import PoolSnapshot, PoolState, ServerSnapshot


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


def test_backup_servers_share_by_weight() -> None:
    state = pool(a=server(), x=server(backup=True, weight=2), y=server(backup=True))
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
            ServerSnapshot("a", Endpoint("192.0.2.1", 81), 2, False, True, False, 3, 3),
            ServerSnapshot("b", Endpoint("192.0.2.1", 82), 1, True, True, True, 5, None),
            ServerSnapshot("c", Endpoint("192.0.2.1", 83), 1, False, False, False, 0, None),
        ),
    )
