from collections import Counter

from balancer.policies import Candidate, Policy
from balancer.policies.round_robin import RoundRobin


def round_robin(**weights: int) -> RoundRobin:
    policy = RoundRobin(lambda server: 0)
    policy.update(candidates(**weights))
    return policy


def candidates(**weights: int) -> list[Candidate]:
    return [Candidate(name, weight) for name, weight in weights.items()]


def picks(policy: Policy, number: int, refused: tuple[str, ...] = ()) -> str:
    return "".join(str(policy.choose(refused)) for _ in range(number))


def test_round_robin_takes_equal_servers_in_order() -> None:
    assert picks(round_robin(a=1, b=1, c=1), 7) == "abcabca"
    assert picks(round_robin(a=256, b=256), 4) == "abab"


def test_round_robin_spreads_the_turns_of_a_heavy_server() -> None:
    assert picks(round_robin(a=5, b=1, c=1), 14) == "abaaacaabaaaca"
    assert picks(round_robin(a=2, b=1), 6) == "abaaba"


def test_round_robin_gives_exactly_its_weight_in_every_round() -> None:
    policy = round_robin(a=7, b=3, c=1, d=256)

    for _ in range(50):
        assert Counter(picks(policy, 267)) == {"a": 7, "b": 3, "c": 1, "d": 256}


def test_round_robin_passes_over_refused_servers() -> None:
    policy = round_robin(a=1, b=1, c=1)

    assert picks(policy, 4, refused=("b",)) == "acac"
    assert policy.choose(("a", "b", "c")) is None


def test_a_server_that_was_refused_for_long_does_not_catch_up() -> None:
    policy = round_robin(a=1, b=1, c=1)
    picks(policy, 300, refused=("b",))

    assert Counter(picks(policy, 30)) == {"a": 10, "b": 11, "c": 9}


def test_round_robin_goes_on_where_it_was_when_a_server_goes_or_comes() -> None:
    policy = round_robin(a=1, b=1, c=1, d=1)
    assert picks(policy, 2) == "ab"

    policy.update(candidates(a=1, b=1, c=1))
    assert picks(policy, 2) == "ca"

    policy.update(candidates(a=1, b=1, c=1, d=1))
    assert Counter(picks(policy, 40)) == {"a": 10, "b": 10, "c": 10, "d": 10}


def test_flips_as_frequent_as_picks_do_not_favour_the_first_server() -> None:
    policy = round_robin(a=1, b=1, c=1, d=1)
    chosen = ""
    for _ in range(30):
        policy.update(candidates(a=1, b=1, c=1))
        chosen += picks(policy, 1)
        policy.update(candidates(a=1, b=1, c=1, d=1))
        chosen += picks(policy, 1)

    shares = Counter(chosen)
    assert max(shares[name] for name in "abc") - min(shares[name] for name in "abc") <= 2


def test_a_changed_weight_counts_from_now_on() -> None:
    policy = round_robin(a=1, b=1)
    picks(policy, 100)

    policy.update(candidates(a=3, b=1))

    assert Counter(picks(policy, 40)) == {"a": 30, "b": 10}
