from collections import Counter

from balancer.policies.base import Candidate, Request
from balancer.policies.consistent_hash import ConsistentHash
from balancer.policies.keys import source

CLIENTS = [Request(f"10.0.{number // 250}.{number % 250}") for number in range(4000)]


def hashing(open_now: dict[str, int] | None = None, percent: int = 0, **weights: float) -> ConsistentHash:
    policy = ConsistentHash(lambda server: (open_now or {}).get(server, 0), source, percent)
    policy.update(candidates(**weights))
    return policy


def candidates(**weights: float) -> list[Candidate]:
    return [Candidate(name, weight, weight) for name, weight in weights.items()]


def chosen(policy: ConsistentHash, refused: tuple[str, ...] = ()) -> list[str | None]:
    return [policy.choose(refused, client) for client in CLIENTS]


def test_a_client_gets_the_same_server_in_every_process() -> None:
    """Another one here would mean that an upgrade moves every client."""
    policy = hashing(web1=1, web2=1, web3=1)

    eight = [policy.choose((), Request(f"192.0.2.{number}")) for number in range(1, 9)]

    assert eight == ["web3", "web2", "web1", "web2", "web2", "web1", "web3", "web3"]


def test_clients_are_spread_by_weight() -> None:
    shares = Counter(chosen(hashing(a=1, b=2, c=1)))

    assert 900 < shares["a"] < 1100
    assert 1850 < shares["b"] < 2150


def test_a_server_that_goes_moves_its_own_clients_and_no_other() -> None:
    policy = hashing(a=1, b=1, c=1, d=1)
    before = chosen(policy)

    policy.update([Candidate("a", 0, 1), *candidates(b=1, c=1, d=1)])
    after = chosen(policy)

    assert all(one == other for one, other in zip(before, after, strict=True) if one != "a")
    heirs = Counter(other for one, other in zip(before, after, strict=True) if one == "a")
    assert min(heirs[name] for name in "bcd") > 0.25 * before.count("a")
    assert chosen(hashing(a=1, b=1, c=1, d=1), refused=("a",)) == after

    policy.update(candidates(a=1, b=1, c=1, d=1))
    assert chosen(policy) == before


def test_a_server_that_warms_up_gets_a_part_of_its_clients() -> None:
    before = chosen(hashing(a=1, b=1, c=1))
    policy = hashing(a=1, b=1, c=1)
    policy.update([Candidate("a", 0.25, 1), *candidates(b=1, c=1)])

    after = chosen(policy)

    assert all(one == other for one, other in zip(before, after, strict=True) if one != "a")
    # a quarter of its own, and of those that it hands on none
    assert 0.15 < after.count("a") / before.count("a") < 0.35


def test_the_last_of_many_gets_everything() -> None:
    policy = hashing(**{f"s{number}": 1 for number in range(100)})

    assert set(chosen(policy, refused=tuple(f"s{number}" for number in range(99)))) == {"s99"}


def test_nearly_all_gone_the_rest_share_by_weight_and_keep_what_they_have() -> None:
    names = {f"s{number}": 1.0 for number in range(100)} | {"x": 1.0, "y": 1.0, "z": 2.0}
    policy = hashing(**names)
    gone = tuple(f"s{number}" for number in range(100))
    before = chosen(policy, refused=gone)
    after = chosen(policy, refused=(*gone, "x"))

    shares = Counter(before)
    assert 800 < shares["x"] < 1200
    assert 1800 < shares["z"] < 2200
    assert all(one == other for one, other in zip(before, after, strict=True) if one != "x")


def test_without_a_key_servers_take_turns() -> None:
    policy = hashing(a=1, b=1)

    assert [policy.choose(()) for _ in range(4)] == ["a", "b", "a", "b"]
    assert [policy.choose((), Request("")) for _ in range(2)] == ["a", "b"]


def test_a_bound_passes_over_who_has_too_much() -> None:
    open_now = {"a": 0, "b": 0, "c": 0}
    policy = hashing(open_now, percent=125, a=1, b=1, c=1)
    favourite = policy.choose((), CLIENTS[0])
    assert favourite is not None

    for _ in range(300):
        name = policy.choose((), CLIENTS[0])
        assert name is not None
        open_now[name] += 1

    assert max(open_now.values()) <= 126
    assert open_now[favourite] >= 124


def test_a_bound_never_means_no_server() -> None:
    open_now = {"a": 50, "b": 50}
    assert hashing(open_now, percent=101, a=1, b=1).choose((), CLIENTS[0]) in ("a", "b")
    assert hashing(open_now, percent=101, a=1, b=1).choose(("a",), CLIENTS[0]) == "b"
