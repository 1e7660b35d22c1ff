from collections import Counter

from balancer.policies.maglev import SIZE, table


def shares(**weights: float) -> dict[str, int]:
    places = table(weights)
    names = list(weights)
    return dict(Counter(names[index] for index in places))


def test_each_gets_its_share() -> None:
    assert shares(a=1) == {"a": 65_537}
    assert sorted(shares(a=1, b=1, c=1).values()) == [21_845, 21_846, 21_846]
    assert shares(a=3, b=1) == {"a": 49_153, "b": 16_384}
    assert set(shares(**{f"s{number}": 256 for number in range(1000)}).values()) == {65, 66}


def test_the_lightest_gets_a_place_too() -> None:
    weights = {f"s{number}": 256.0 for number in range(900)} | {"light": 1.0}
    assert shares(**weights)["light"] == 1


def test_places_follow_from_names_and_weights_alone() -> None:
    """The same in every process and on every machine; a change here moves the keys of every user at an upgrade."""
    places = table({"web1": 1, "web2": 2, "web3": 1})
    assert list(places[:24]) == PLACES


def test_one_more_server_leaves_the_table_nearly_the_same() -> None:
    names = [f"s{number}" for number in range(21)]
    before = [names[index] for index in table(dict.fromkeys(names[:20], 1.0))]
    after = [names[index] for index in table(dict.fromkeys(names, 1.0))]

    moved = sum(one != other for one, other in zip(before, after, strict=True))

    assert SIZE / 21 - 1 <= moved <= SIZE * (1 / 21 + 0.06)


PLACES = [2, 1, 2, 1, 1, 1, 0, 0, 1, 1, 0, 1, 1, 2, 1, 1, 1, 0, 0, 2, 2, 1, 2, 2]
