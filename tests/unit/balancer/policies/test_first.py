from balancer.policies import Candidate
from balancer.policies.first import First


def first(**weights: int) -> First:
    policy = First(lambda server: 0)
    policy.update([Candidate(name, weight) for name, weight in weights.items()])
    return policy


def test_the_first_one_that_is_not_refused() -> None:
    policy = first(b=1, a=9, c=1)

    assert [policy.choose(()), policy.choose(("b",)), policy.choose(("a", "b"))] == ["b", "a", "c"]
    assert policy.choose(("a", "b", "c")) is None


def test_one_without_weight_is_passed_over() -> None:
    assert first(a=0, b=1).choose(()) == "b"
