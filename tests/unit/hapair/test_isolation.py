"""Whether servers are DOWN, or this node is cut off."""

import pytest

from hapair.isolation import Isolation


@pytest.fixture
def isolation() -> Isolation:
    isolation = Isolation(silence_limit_s=1.0)
    isolation.holds(linked=True, server_up=True, now=50.0)
    isolation.server_down(100.0)
    return isolation


def test_at_first_it_cannot_be_told(isolation: Isolation) -> None:
    assert isolation.holds(linked=True, server_up=True, now=101.4)
    assert not isolation.holds(linked=True, server_up=True, now=101.5)


def test_a_peer_that_is_heard_says_that_it_is_the_servers(isolation: Isolation) -> None:
    assert not isolation.holds(linked=True, server_up=False, now=102.0)


def test_a_node_that_reaches_nobody_is_cut_off(isolation: Isolation) -> None:
    assert isolation.holds(linked=False, server_up=False, now=102.0)
    assert isolation.holds(linked=False, server_up=False, now=1000.0)


def test_one_that_was_cut_off_checks_its_servers_anew_before_it_cuts(isolation: Isolation) -> None:
    assert isolation.holds(linked=False, server_up=False, now=102.0)
    assert isolation.holds(linked=True, server_up=False, now=103.0)
    isolation.server_down(103.5)
    assert isolation.holds(linked=True, server_up=True, now=112.9)
    assert not isolation.holds(linked=True, server_up=True, now=113.0)


def test_one_whose_peer_is_dead_still_reaches_a_server(isolation: Isolation) -> None:
    assert not isolation.holds(linked=False, server_up=True, now=102.0)


def test_without_a_link_nobody_can_tell_so_it_is_the_servers() -> None:
    alone = Isolation(silence_limit_s=None)
    alone.server_down(100.0)
    assert not alone.holds(linked=False, server_up=False, now=100.0)
