"""Which server each place belongs to: even shares, and a flip that moves its own places alone."""

from collections import Counter

import pytest

from balancer.kernel.buckets import SIZE, choices

WEIGHTS = {"a": 1.0, "b": 1.0, "c": 2.0}


@pytest.mark.parametrize("in_turn", [False, True])
def test_each_has_its_share(in_turn: bool) -> None:
    found = Counter(choices(WEIGHTS, WEIGHTS, in_turn=in_turn))
    assert sum(found.values()) == SIZE == 4093
    assert {name: abs(count - 4093 * WEIGHTS[name] / 4) < 2 for name, count in found.items()} == {
        "a": True,
        "b": True,
        "c": True,
    }


def test_in_turn_nobody_waits_for_long() -> None:
    assert choices({"a": 1.0, "b": 1.0, "c": 1.0}, "abc", 9, in_turn=True) == ("a", "b", "c") * 3


@pytest.mark.parametrize("in_turn", [False, True])
def test_a_flip_moves_the_places_of_who_flipped_and_no_others(in_turn: bool) -> None:
    at_best = choices(WEIGHTS, "abc", in_turn=in_turn)
    without_a = choices(WEIGHTS, "bc", in_turn=in_turn)
    only_c = choices(WEIGHTS, "c", in_turn=in_turn)
    assert {one for one, other in zip(at_best, without_a, strict=True) if one != other} == {"a"}
    assert {one for one, other in zip(without_a, only_c, strict=True) if one != other} == {"b"}
    assert set(only_c) == {"c"}
    assert choices(WEIGHTS, "abc", in_turn=in_turn) == at_best


def test_the_places_of_who_is_gone_are_shared_by_weight() -> None:
    gone = [other for one, other in zip(choices(WEIGHTS, "abc"), choices(WEIGHTS, "bc"), strict=True) if one == "a"]
    assert 600 < Counter(gone)["c"] < 760  # two thirds of 1023


def test_nobody_is_usable() -> None:
    assert choices(WEIGHTS, ()) == ()


def test_both_nodes_have_the_same_table() -> None:
    assert "".join(choices(WEIGHTS, "abc", 31)) == "acabacbcbacacbccbbcccacbcacbcca"
    assert "".join(choices(WEIGHTS, "bc", 31)) == "bccbccbcbbcccbccbbcccccbcccbccc"
