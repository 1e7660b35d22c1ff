from collections import Counter
from itertools import cycle
from random import Random

from balancer.policies import Candidate
from balancer.policies.two_choices import TwoChoices


def two_choices(draws: list[float], open_now: dict[str, int], **weights: float) -> TwoChoices:
    numbers = cycle(draws)
    policy = TwoChoices(lambda server: open_now.get(server, 0), lambda: next(numbers))
    policy.update([Candidate(name, weight) for name, weight in weights.items()])
    return policy


def test_of_two_that_are_drawn_the_less_loaded_one() -> None:
    assert two_choices([0.1, 0.9], {"a": 3, "b": 2, "c": 5}, a=1, b=1, c=1).choose(()) == "a"
    assert two_choices([0.1, 0.5], {"a": 3, "b": 2, "c": 5}, a=1, b=1, c=1).choose(()) == "b"


def test_load_is_measured_by_weight() -> None:
    assert two_choices([0.1, 0.9], {"a": 3, "c": 5}, a=1, b=1, c=4).choose(()) == "c"


def test_the_heavier_is_drawn_more_often() -> None:
    policy = TwoChoices(lambda server: 0, Random(3).random)
    policy.update([Candidate("a", 3), Candidate("b", 1)])

    shares = Counter(policy.choose(()) for _ in range(4000))

    assert 2850 < shares["a"] < 3150


def test_a_product_that_rounds_up_to_the_sum_is_the_last_one() -> None:
    assert two_choices([1.0], {}, a=0.1, b=0.2).choose(()) == "b"


def test_refused_ones_are_drawn_again_and_then_looked_for() -> None:
    assert two_choices([0.1, 0.1, 0.4, 0.9], {"b": 4, "c": 1}, a=1, b=1, c=1).choose(("a",)) == "c"
    assert two_choices([0.1], {"b": 4, "c": 1}, a=1, b=1, c=1).choose(("a",)) == "c"
    assert two_choices([0.1], {}, a=1, b=1).choose(("a", "b")) is None
