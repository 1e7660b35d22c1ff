from balancer.policies import Candidate, Policy
from balancer.policies.least_connections import LeastConnections


class Connections:
    """Open connections by server, as a test sets them."""

    def __init__(self, **open_now: int) -> None:
        self.open_now = open_now
        self.reads = 0

    def __call__(self, server: str) -> int:
        self.reads += 1
        return self.open_now.get(server, 0)


def candidates(**weights: int) -> list[Candidate]:
    return [Candidate(name, weight) for name, weight in weights.items()]


def picks(policy: Policy, number: int, refused: tuple[str, ...] = ()) -> str:
    return "".join(str(policy.choose(refused)) for _ in range(number))


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


def test_least_connections_notices_a_free_server_of_a_large_pool_within_a_fifth_as_many_picks() -> None:
    connections = Connections(**{f"s{number}": 50 for number in range(80)})
    policy = LeastConnections(connections)
    policy.update(candidates(**{f"s{number}": 1 for number in range(80)}))
    policy.choose(())

    connections.open_now["s79"] = 0

    assert "s79" in {policy.choose(()) for _ in range(16)}


def large_pool(connections: Connections) -> LeastConnections:
    """Sixteen servers, the first of weight 2; loads are read at every third pick."""
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
