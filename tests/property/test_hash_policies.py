"""What holds for every policy that hashes, whatever servers, weights and flips there are."""

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from balancer.policies.base import Candidate, Request
from balancer.policies.consistent_hash import ConsistentHash
from balancer.policies.keys import source
from balancer.policies.maglev import SIZE, table

CLIENTS = [Request(f"10.{number // 250}.{number % 250}.7") for number in range(3000)]
NAMES = st.lists(st.text("abcdefgh0123456789-", min_size=1, max_size=12), min_size=2, max_size=30, unique=True)
WEIGHTS = st.lists(st.integers(1, 256), min_size=30, max_size=30)


def hashing(weights: dict[str, int], gone: frozenset[str] = frozenset()) -> ConsistentHash:
    policy = ConsistentHash(lambda server: 0, source)
    policy.update(candidates(weights, gone))
    return policy


def candidates(weights: dict[str, int], gone: frozenset[str]) -> list[Candidate]:
    return [Candidate(name, 0 if name in gone else weight, weight) for name, weight in weights.items()]


@settings(max_examples=5, deadline=None)
@given(NAMES, WEIGHTS)
def test_each_place_is_somebodys_and_shares_are_by_weight(names: list[str], weights: list[int]) -> None:
    by_name = dict(zip(names, map(float, weights), strict=False))

    shares = Counter(table(by_name))

    assert sum(shares.values()) == SIZE
    for index, weight in enumerate(by_name.values()):
        assert abs(shares[index] - SIZE * weight / sum(by_name.values())) <= 1


@settings(max_examples=5, deadline=None)
@given(NAMES, WEIGHTS)
def test_keys_are_spread_by_weight(names: list[str], weights: list[int]) -> None:
    by_name = dict(zip(names, weights, strict=False))

    policy = hashing(by_name)
    shares = Counter(policy.choose((), client) for client in CLIENTS)

    for name, weight in by_name.items():
        expected = len(CLIENTS) * weight / sum(by_name.values())
        assert abs(shares[name] - expected) <= 6 * expected**0.5 + 3


@settings(max_examples=5, deadline=None)
@given(NAMES, WEIGHTS, st.data())
def test_whoever_goes_moves_nobody_elses_keys(names: list[str], weights: list[int], data: st.DataObject) -> None:
    by_name = dict(zip(names, weights, strict=False))
    gone = data.draw(st.frozensets(st.sampled_from(names), max_size=len(names) - 1))
    goes = data.draw(st.sampled_from([name for name in names if name not in gone]))
    clients = CLIENTS[:1500]
    policy = hashing(by_name, gone)
    before = [policy.choose((), client) for client in clients]

    policy.update(candidates(by_name, gone | {goes}))
    after = [policy.choose((), client) for client in clients]

    assert all(one == other for one, other in zip(before, after, strict=True) if one != goes)
    assert goes not in after
    policy.update(candidates(by_name, gone))
    assert [policy.choose((), client) for client in clients] == before


@settings(max_examples=5, deadline=None)
@given(NAMES, st.data())
def test_a_server_less_in_the_file_moves_its_own_share_and_a_little(names: list[str], data: st.DataObject) -> None:
    """One of n goes for good: 1/n of the keys must move, and a few per cent more may."""
    leaver = data.draw(st.sampled_from(names))
    before = hashing(dict.fromkeys(names, 1))
    after = hashing({name: 1 for name in names if name != leaver})

    moved = sum(before.choose((), client) != after.choose((), client) for client in CLIENTS)

    assert moved / len(CLIENTS) <= 1 / len(names) + 0.08


@settings(max_examples=5, deadline=None)
@given(NAMES, WEIGHTS, st.frozensets(st.integers(0, 29), max_size=10))
def test_two_nodes_agree_whatever_each_went_through(names: list[str], weights: list[int], went: frozenset[int]) -> None:
    by_name = dict(zip(names, weights, strict=False))
    one, other = hashing(by_name), hashing(by_name)
    for which in went:
        other.update(candidates(by_name, frozenset({names[which % len(names)]})))
        other.choose((), CLIENTS[which])
    other.update(candidates(by_name, frozenset()))

    clients = CLIENTS[:500]
    assert [one.choose((), client) for client in clients] == [other.choose((), client) for client in clients]
