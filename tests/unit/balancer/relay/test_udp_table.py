"""Which flows there are: bound to their keys, over after so many replies, made room for."""

from typing import Any

from balancer.relay.udp_table import Flow, FlowTable


def flow(home: dict[Any, Flow], key: str, now: float = 0.0) -> Flow:
    return Flow(home, key, now)


def test_a_flow_is_found_by_its_key_until_it_is_removed() -> None:
    table, home = FlowTable[Flow](), dict[Any, Flow]()
    one = flow(home, "a")
    table.add(one)
    assert home == {"a": one}
    assert table.remove(one)
    assert home == {}
    assert not table.remove(one)
    assert table.open == set()


def test_it_is_over_with_as_many_replies_as_are_expected_for_each_datagram() -> None:
    table, home = FlowTable[Flow](replies=2), dict[Any, Flow]()
    one = flow(home, "a")
    table.add(one)
    table.asked(one, 1.0)
    table.asked(one, 1.0)
    assert [table.answered(one) for _ in range(4)] == [False, False, False, True]


def test_without_an_expectation_it_is_never_over() -> None:
    table, home = FlowTable[Flow](), dict[Any, Flow]()
    one = flow(home, "a")
    table.add(one)
    table.asked(one, 1.0)
    assert not any(table.answered(one) for _ in range(10))
    assert not table.is_over(one)


def test_after_so_many_requests_the_next_one_begins_another_while_the_first_waits_for_replies() -> None:
    table, home = FlowTable[Flow](replies=1, requests=2), dict[Any, Flow]()
    one, other = flow(home, "a"), flow(home, "a")
    table.add(one)
    table.asked(one, 1.0)
    assert home == {"a": one}
    table.asked(one, 1.0)
    assert home == {}
    table.add(other)
    assert table.open == {one, other}
    assert not table.answered(one)
    assert table.answered(one)
    assert table.remove(one)
    assert home == {"a": other}


def test_one_way_flows_are_over_with_their_last_request() -> None:
    table, home = FlowTable[Flow](replies=0, requests=1), dict[Any, Flow]()
    one = flow(home, "a")
    table.add(one)
    assert not table.is_over(one)
    table.asked(one, 1.0)
    assert table.is_over(one)


def test_room_is_made_by_the_one_that_was_quiet_for_longest() -> None:
    table, home = FlowTable[Flow](), dict[Any, Flow]()
    a, b, c = (flow(home, key) for key in "abc")
    for one in (a, b, c):
        table.add(one)
    table.asked(a, 5.0)
    assert table.victim() is b
    table.remove(b)
    assert table.victim() is c
    table.remove(c)
    assert table.victim() is a


def test_one_whose_client_has_heard_us_makes_no_room() -> None:
    table, home = FlowTable[Flow](), dict[Any, Flow]()
    real, made_up = flow(home, "a"), flow(home, "b")
    table.add(real)
    table.asked(real, 1.0)
    table.answered(real)
    table.asked(real, 2.0)
    assert real.proven
    assert table.victim() is None
    table.add(made_up)
    table.asked(made_up, 3.0)
    assert table.victim() is made_up
