"""Who hears neither the peer nor a witness is not Active; who hears a witness, and not the peer, is."""

import pytest
import trio

from vrrp.testing import FakeWitness

VIP = "192.0.2.10/32"


@pytest.fixture
def witness(lan):
    return FakeWitness(lan, "gateway")


@pytest.fixture
async def witnessed(start, joined, config, witness):
    a, b, link = joined(*(config(priority=priority, rivals=1, witnessed=True) for priority in (200, 100)))
    await start(a, b)
    await trio.sleep(2)
    assert (a.state, b.state) == ("Active", "Backup")
    return a, b, link


async def test_while_the_peer_is_heard_nobody_is_asked(autojump_clock, witnessed, witness):
    assert witness.asked == [(0.321875, "a")]  # before it became Active, while it had heard nobody yet


async def test_a_blackholed_node_releases_and_does_not_claim(autojump_clock, witnessed, lan, witness):
    a, b, link = witnessed
    lan.partition({"b", "gateway"}, {"a"})
    link.silent = True
    await trio.sleep(5)
    assert (a.state, a.vips, b.state, b.vips) == ("Backup", [], "Active", [VIP])
    assert b.router.last_reason == "192.0.2.1 fell silent, and a witness answers"
    assert a.router.last_reason == "it hears neither the peer nor a witness"
    assert [state for _, state in a.transitions()] == ["Backup", "Active", "Backup"]


async def test_healed_there_is_one_active_within_an_interval(autojump_clock, witnessed, lan):
    a, b, link = witnessed
    lan.partition({"b", "gateway"}, {"a"})
    link.silent = True
    await trio.sleep(5)
    lan.heal()
    link.silent = False
    healed_at, frames = trio.current_time(), len(lan.frames)
    await trio.sleep(0.11)
    assert sorted([a.state, b.state]) == ["Active", "Backup"]
    await trio.sleep(3)
    assert (a.state, b.state) == ("Active", "Backup")
    assert (a.vips, b.vips) == ([VIP], [])
    announced = [at - healed_at for at, name, _ in lan.frames[frames:] if name == "a"]
    assert len(announced) == 5


async def test_where_each_side_has_a_witness_both_are_active(autojump_clock, witnessed, lan):
    """What two nodes cannot know. Healed, one interval ends it, and the winner announces again."""
    a, b, link = witnessed
    FakeWitness(lan, "the other gateway")
    lan.partition({"a", "gateway"}, {"b", "the other gateway"})
    link.silent = True
    await trio.sleep(3)
    assert (a.state, b.state) == ("Active", "Active")
    lan.heal()
    link.silent = False
    healed_at, frames = trio.current_time(), len(lan.frames)
    await trio.sleep(0.101)
    assert (a.state, b.state) == ("Active", "Backup")
    await trio.sleep(1.2)
    announced = [at - healed_at for at, name, _ in lan.frames[frames:] if name == "a"]
    assert len(announced) == 5
    assert (a.vips, b.vips) == ([VIP], [])


async def test_a_dead_witness_does_not_matter_while_the_peer_is_heard(autojump_clock, witnessed, witness):
    a, b, _ = witnessed
    witness.answers = False
    await trio.sleep(5)
    assert [len(each.transitions()) for each in (a, b)] == [2, 1]


async def test_a_silent_link_does_not_matter_while_a_witness_is_heard(autojump_clock, witnessed, witness):
    a, b, link = witnessed
    link.silent = True
    await trio.sleep(5)
    assert [len(each.transitions()) for each in (a, b)] == [2, 1]
    assert len(witness.asked) > 40


async def test_a_crash_by_the_link_needs_no_witness(autojump_clock, witnessed, witness):
    a, b, _ = witnessed
    witness.answers = False
    assert a.crash() == 2.0
    await trio.sleep(0.01)
    assert b.entered("Active") == 2.002
