"""A planned handover: make before break. What the two nodes say to each other meanwhile is not of this library."""

import pytest
import trio

from vrrp.events import HandedOver, HandOver, TakeOver

VIP = "192.0.2.10/32"
LAN = ["lan"]


@pytest.fixture
async def handed_over(linked):
    """A has handed over to B at 2.01."""
    a, b, link = linked
    a.runner.tell(LAN, HandOver(until=7.0))
    b.runner.tell(LAN, TakeOver(until=7.0, reason="a hands over"))
    await trio.sleep(0.01)
    assert (b.state, b.vips) == ("Active", [VIP])
    a.runner.tell(LAN, HandedOver("b"))
    return a, b, link


async def test_the_new_one_is_active_before_the_old_one_leaves(autojump_clock, handed_over, sent):
    a, b, _ = handed_over
    assert b.transitions()[-1] == (2.0, "Active")
    assert a.transitions()[-1] == (2.01, "Backup")
    assert (a.router.last_reason, b.router.last_reason) == ("handed over to b", "a hands over")
    await trio.sleep(0.001)
    assert (a.vips, b.vips) == ([], [VIP])
    assert sent("a", 2.0) == []  # neither a resignation, nor an answer to the advertisements of the new one


async def test_the_new_one_announces_before_the_old_one_leaves(autojump_clock, handed_over, lan):
    announced = [(name, round(at, 4)) for at, name, _ in lan.frames if at >= 2.0]
    assert announced[0] == ("b", 2.0005)
    await trio.sleep(8)
    assert {name for at, name, _ in lan.frames if at >= 2.0} == {"b"}


async def test_nothing_flaps_afterwards(autojump_clock, handed_over):
    a, b, _ = handed_over
    await trio.sleep(30)
    assert [len(each.transitions()) for each in (a, b)] == [3, 2]
    assert (a.state, a.router.stays_backup, b.state) == ("Backup", True, "Active")


async def test_both_may_be_active_for_as_long_as_it_takes(autojump_clock, linked, sent):
    a, b, _ = linked
    a.runner.tell(LAN, HandOver(until=7.0))
    b.runner.tell(LAN, TakeOver(until=7.0, reason="a hands over"))
    await trio.sleep(2)
    assert (a.vips, b.vips) == ([VIP], [VIP])
    assert (set(sent("a", 2.0)), set(sent("b", 2.0))) == ({200}, {100})
    a.runner.tell(LAN, HandedOver("b"))
    await trio.sleep(5)
    assert [len(each.transitions()) for each in (a, b)] == [3, 2]


async def test_one_that_is_never_finished_ends_as_the_election_has_it(autojump_clock, linked):
    a, b, _ = linked
    a.runner.tell(LAN, HandOver(until=4.0))
    b.runner.tell(LAN, TakeOver(until=4.0, reason="a hands over"))
    await trio.sleep(2.2)
    assert (a.state, b.state) == ("Active", "Backup")
    await trio.sleep(5)
    assert [len(each.transitions()) for each in (a, b)] == [2, 3]


async def test_the_old_one_takes_back_when_the_new_one_dies(autojump_clock, handed_over):
    a, b, _ = handed_over
    await trio.sleep(3)
    died_at = b.crash()
    await trio.sleep(0.01)
    assert a.entered("Active") == pytest.approx(died_at + 0.002, abs=1e-6)
    assert not a.router.stays_backup


async def test_the_old_one_takes_back_when_the_new_one_resigns(autojump_clock, handed_over):
    a, b, _ = handed_over
    await trio.sleep(3)
    resigned_at = trio.current_time()
    await b.runner.resign("maintenance")
    await trio.sleep(0.01)
    assert a.entered("Active") == pytest.approx(resigned_at + 0.001, abs=1e-6)


async def test_the_old_one_takes_back_when_it_is_told_to(autojump_clock, handed_over):
    a, b, _ = handed_over
    await trio.sleep(5)
    a.runner.stay_backup(stay=False)
    await trio.sleep(1)
    assert (a.state, b.state) == ("Active", "Backup")


async def test_and_back_again(autojump_clock, handed_over):
    a, b, _ = handed_over
    await trio.sleep(3)
    until = trio.current_time() + 5
    b.runner.tell(LAN, HandOver(until))
    a.runner.tell(LAN, TakeOver(until, "b hands over"))
    await trio.sleep(0.01)
    b.runner.tell(LAN, HandedOver("a"))
    await trio.sleep(10)
    assert [len(each.transitions()) for each in (a, b)] == [4, 3]
    assert (a.vips, b.vips) == ([VIP], [])


async def test_back_again_too_the_old_one_stays_until_the_new_one_has_all_of_it(autojump_clock, handed_over):
    """Whose priority is the lower one hears the higher one of who takes over, and leaves no sooner for that."""
    a, b, _ = handed_over
    await trio.sleep(3)
    until = trio.current_time() + 5
    b.runner.tell(LAN, HandOver(until))
    a.runner.tell(LAN, TakeOver(until, "b hands over"))
    await trio.sleep(2)
    assert (a.vips, b.vips) == ([VIP], [VIP])
    b.runner.tell(LAN, HandedOver("a"))
    await trio.sleep(10)
    assert [len(each.transitions()) for each in (a, b)] == [4, 3]
    assert (a.vips, b.vips, b.router.last_reason) == ([VIP], [], "handed over to a")


async def test_back_again_and_never_finished_ends_as_the_election_has_it(autojump_clock, handed_over):
    a, b, _ = handed_over
    await trio.sleep(3)
    until = trio.current_time() + 2
    b.runner.tell(LAN, HandOver(until))
    a.runner.tell(LAN, TakeOver(until, "b hands over"))
    await trio.sleep(2.2)
    assert (a.state, b.state) == ("Active", "Backup")


async def test_an_old_one_that_dies_on_the_way_is_not_missed(autojump_clock, linked):
    a, b, _ = linked
    a.runner.tell(LAN, HandOver(until=7.0))
    b.runner.tell(LAN, TakeOver(until=7.0, reason="a hands over"))
    a.crash()
    await trio.sleep(1)
    assert b.transitions() == [(0.0, "Backup"), (2.0, "Active")]
