from collections import Counter

import pytest

from balancer.policy import POLICIES, Candidate, LeastConnections, Policy, RoundRobin


class Connections:
    """Open connections by server, as a test sets them."""

    def __init__(self, **open_now: int) -> None:
        self.open_now = open_now
        self.reads = 0

    def __call__(self, server: str) -> int:
        self.reads += 1
        return self.open_now.get(server, 0)


def round_robin(**weights: int) -> RoundRobin:
    policy = RoundRobin(Connections())
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


@pytest.mark.parametrize("name", ["round_robin", "least_connections"])
def test_no_candidates_no_choice(name: str) -> None:
    policy = POLICIES[name](Connections())
    assert policy.choose(()) is None

    policy.update(candidates(a=1))
    assert policy.choose(()) == "a"

    policy.update([])
    assert policy.choose(()) is None


def test_least_connections_takes_the_least_loaded_for_its_weight() -> None:
    connections = Connections(a=3, b=2, c=5)
    policy = LeastConnections(connections)
    policy.update(candidates(a=1, b=1, c=4))

    assert policy.choose(()) == "c"
    connections.open_now["c"] = 9
    assert policy.choose(()) == "b"
    assert policy.choose(("b",)) == "c"
    assert policy.choose(("b", "c")) == "a"


def test_least_connections_takes_equals_in_turn() -> None:
    policy = LeastConnections(Connections())
    policy.update(candidates(a=1, b=1, c=1))

    assert picks(policy, 7) == "abcabca"


def test_least_connections_sees_connections_end_in_a_small_pool_at_once() -> None:
    connections = Connections(a=9, b=9, c=9)
    policy = LeastConnections(connections)
    policy.update(candidates(a=1, b=1, c=1))
    policy.choose(())

    connections.open_now["c"] = 0

    assert policy.choose(()) == "c"


def test_least_connections_evens_out_a_large_pool() -> None:
    connections = Connections()
    policy = LeastConnections(connections)
    policy.update(candidates(**{f"s{number}": 1 for number in range(100)}))

    for _ in range(1000):
        chosen = policy.choose(())
        assert chosen
        connections.open_now[chosen] = connections.open_now.get(chosen, 0) + 1

    assert set(connections.open_now.values()) == {10}


def test_least_connections_reads_few_loads_per_pick_in_a_large_pool() -> None:
    connections = Connections()
    policy = LeastConnections(connections)
    policy.update(candidates(**{f"s{number}": 1 for number in range(1000)}))

    for _ in range(1250):
        policy.choose(())

    assert connections.reads < 1250 * 12


def test_least_connections_notices_a_free_server_of_a_large_pool_within_an_eighth_as_many_picks() -> None:
    connections = Connections(**{f"s{number}": 50 for number in range(80)})
    policy = LeastConnections(connections)
    policy.update(candidates(**{f"s{number}": 1 for number in range(80)}))
    policy.choose(())

    connections.open_now["s79"] = 0

    assert "s79" in {policy.choose(()) for _ in range(10)}


def large_pool(connections: Connections) -> LeastConnections:
    """Sixteen servers, the first of weight 2; loads are read at every second pick."""
    policy = LeastConnections(connections)
    policy.update(candidates(s0=2, **{f"s{number}": 1 for number in range(1, 16)}))
    return policy


def test_least_connections_counts_what_it_chose_before_the_connection_is_open() -> None:
    policy = large_pool(Connections(**{f"s{number}": 9 for number in range(2, 16)}, s0=1, s1=0))

    assert [policy.choose(()), policy.choose(())] == ["s1", "s0"]


def test_least_connections_reads_the_one_that_it_is_about_to_choose() -> None:
    connections = Connections(**{f"s{number}": 5 for number in range(1, 16)}, s0=0)
    policy = large_pool(connections)
    assert policy.choose(()) == "s0"

    connections.open_now["s0"] = 40

    assert policy.choose(()) == "s1"
