"""Lines of waiters: who is next, whose turn it is between two lines, what is left to other workers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Container

from balancer.queue import Fate, Queue, Waiter


class House:
    """Servers `a` and `b` with places to give, and other workers' lines."""

    def __init__(self, a: int = 0, b: int = 0) -> None:
        self.free = {"a": a, "b": b}
        self.lost: set[str] = set()
        self.elsewhere: dict[str, float] = {}
        self.woken: Counter[str] = Counter()
        self.queue = Queue(timeout_s=5.0, own_s=2.0)

    def take(self, server: str) -> bool:
        if not self.free[server]:
            return False
        self.free[server] -= 1
        return True

    def take_any(self, waiter: Waiter, besides: Container[str]) -> str | None:
        for server in self.free:
            refused = server in waiter.excluded or server in self.lost or server in besides
            if not refused and self.take(server):
                return server
        return None

    def is_lost(self, server: str) -> bool:
        return server in self.lost

    def is_hopeless(self, excluded: Collection[str]) -> bool:
        return not {"a", "b"} - self.lost - set(excluded)

    def since_elsewhere(self, server: str) -> float | None:
        return self.elsewhere.get(server)

    def enter(
        self, name: str, since: float = 0.0, *, wanted: str | None = None, excluded: tuple[str, ...] = ()
    ) -> Waiter:
        waiter = Waiter(since, lambda: self.woken.update([name]), excluded=excluded, wanted=wanted)
        self.queue.enter(waiter)
        return waiter

    def free_up(self, server: str, now: float = 0.0, places: int = 1) -> None:
        self.free[server] += places
        self.queue.serve(self, now)

    def served_in_turn(self, waiters: Collection[Waiter], server: str, rounds: int) -> str:
        """One place after the other: who gets each, by the letter of the line that it stood in."""
        got = ""
        before = {waiter: waiter.fate for waiter in waiters}
        lines = {waiter: "p" if waiter.wanted else "c" for waiter in waiters}
        for _ in range(rounds):
            self.free_up(server)
            for waiter in waiters:
                if waiter.fate is not before[waiter]:
                    before[waiter] = waiter.fate
                    got += lines[waiter]
        return got


def fates(*waiters: Waiter) -> list[Fate]:
    return [waiter.fate for waiter in waiters]


def test_the_first_to_come_is_the_first_served() -> None:
    house = House()
    one, two, three = (house.enter(name) for name in ("one", "two", "three"))
    house.free_up("b")
    assert fates(one, two, three) == [Fate.CHOSEN, Fate.WAITS, Fate.WAITS]
    assert (one.server, house.woken) == ("b", {"one": 1})
    house.free_up("a", places=5)
    assert (two.server, three.server) == ("a", "a")
    assert house.free["a"] == 3
    assert len(house.queue) == 0


def test_how_many_are_ahead_and_since_when_the_first_waits() -> None:
    house = House()
    assert house.queue.oldest() is None
    ahead = [house.queue.enter(Waiter(since, lambda: None)) for since in (1.0, 2.0, 3.0)]
    assert ahead == [0, 1, 2]
    assert house.queue.enter(Waiter(4.0, lambda: None, wanted="a")) == 0
    assert (house.queue.oldest(), house.queue.oldest("a"), house.queue.oldest("b")) == (1.0, 4.0, None)
    assert (house.queue.length(), house.queue.length("a"), len(house.queue)) == (3, 1, 4)
    assert house.queue.lines() == ("a",)


def test_one_that_leaves_is_not_served_and_not_woken_for_nothing() -> None:
    house = House()
    one, two = house.enter("one"), house.enter("two", wanted="a")
    house.queue.leave(one)
    house.queue.leave(two)
    house.queue.leave(two)
    house.free_up("a")
    assert fates(one, two) == [Fate.LEFT, Fate.LEFT]
    assert not house.woken
    assert house.free["a"] == 1
    assert house.queue.lines() == ()


def test_one_that_was_served_cannot_leave() -> None:
    house = House(a=1)
    one = house.enter("one")
    house.queue.serve(house, 0.0)
    house.queue.leave(one)
    assert one.fate is Fate.CHOSEN


def test_one_that_may_not_have_the_free_server_does_not_hold_up_the_others() -> None:
    house = House()
    picky, other = house.enter("picky", excluded=("a",)), house.enter("other")
    house.free_up("a")
    assert fates(picky, other) == [Fate.WAITS, Fate.CHOSEN]
    house.free_up("b")
    assert picky.server == "b"


def test_a_request_that_belongs_to_a_server_waits_for_that_one() -> None:
    house = House()
    mine = house.enter("mine", wanted="a")
    house.free_up("b")
    assert mine.fate is Fate.WAITS
    house.free_up("a")
    assert mine.server == "a"


def test_who_belongs_there_comes_before_who_came_first() -> None:
    house = House()
    first, mine = house.enter("first", 0.0), house.enter("mine", 1.0, wanted="a")
    house.free_up("a", 1.0)
    assert fates(first, mine) == [Fate.WAITS, Fate.CHOSEN]


def test_every_fourth_place_goes_to_those_who_belong_nowhere() -> None:
    house = House()
    waiters = [house.enter("p", wanted="a") for _ in range(9)] + [house.enter("c") for _ in range(9)]
    assert house.served_in_turn(waiters, "a", 12) == "pppcpppcpppc"


def test_the_share_holds_where_those_who_belong_there_come_one_by_one() -> None:
    house = House()
    common = [house.enter("c") for _ in range(3)]
    mine = []
    for _ in range(8):
        mine.append(house.enter("p", wanted="a"))
        house.free_up("a")
    assert fates(*common) == [Fate.CHOSEN, Fate.CHOSEN, Fate.WAITS]
    assert fates(*mine) == [Fate.CHOSEN] * 6 + [Fate.WAITS] * 2


def test_a_turn_that_nobody_can_take_is_not_lost() -> None:
    house = House()
    waiters = [house.enter("p", wanted="a") for _ in range(6)] + [house.enter("c", excluded=("a",))]
    assert house.served_in_turn(waiters, "a", 6) == "pppppp"


def test_a_server_that_is_lost_sends_its_line_to_where_it_would_stand_in_the_common_one() -> None:
    house = House()
    one, two, three = house.enter("1", 1.0), house.enter("2", 2.0, wanted="a"), house.enter("3", 3.0)
    house.lost.add("a")
    house.queue.serve(house, 4.0)
    assert (two.wanted, house.queue.length(), house.queue.length("a")) == (None, 3, 0)
    assert [house.free_up("b", 4.0) or fates(one, two, three).count(Fate.CHOSEN) for _ in range(2)] == [1, 2]
    assert fates(one, two, three) == [Fate.CHOSEN, Fate.CHOSEN, Fate.WAITS]
    assert two.server == "b"


def test_who_has_waited_enough_for_its_own_server_takes_any() -> None:
    house = House()
    mine, later = house.enter("mine", 0.0, wanted="a"), house.enter("later", 1.0, wanted="a")
    house.queue.expire(house, 1.9)
    assert house.queue.length("a") == 2
    house.queue.expire(house, 2.0)
    assert (mine.wanted, later.wanted) == (None, "a")
    house.free_up("b", 2.0)
    assert mine.server == "b"
    assert house.woken == {"mine": 1}


def test_all_of_the_waiting_has_an_end_and_what_was_waited_for_a_server_counts() -> None:
    house = House()
    mine, other = house.enter("mine", 0.0, wanted="a"), house.enter("other", 0.5)
    house.queue.expire(house, 3.0)
    house.queue.expire(house, 4.9)
    assert fates(mine, other) == [Fate.WAITS, Fate.WAITS]
    house.queue.expire(house, 5.0)
    assert fates(mine, other) == [Fate.LATE, Fate.WAITS]
    house.queue.expire(house, 5.5)
    assert other.fate is Fate.LATE
    assert house.woken == {"mine": 1, "other": 1}


def test_who_waits_in_vain_is_told() -> None:
    house = House()
    any_will_do, tried_b = house.enter("any"), house.enter("picky", excluded=("b",))
    house.lost.add("a")
    house.queue.dismiss(house)
    assert fates(any_will_do, tried_b) == [Fate.WAITS, Fate.NO_SERVER]
    house.lost.add("b")
    house.queue.expire(house, 0.0)
    assert any_will_do.fate is Fate.NO_SERVER
    assert len(house.queue) == 0


def test_places_are_left_to_another_worker_whose_first_has_waited_for_longer() -> None:
    house = House()
    mine = house.enter("mine", 1.0)
    house.elsewhere[""] = 0.8
    house.free_up("a", 1.0)
    assert mine.fate is Fate.WAITS
    house.elsewhere[""] = 0.95  # not by enough
    house.queue.serve(house, 1.05)
    assert mine.fate is Fate.CHOSEN


def test_another_worker_that_does_not_take_its_place_has_it_no_more() -> None:
    house = House()
    mine, next_one = house.enter("mine", 1.0), house.enter("next", 1.0)
    house.elsewhere[""] = 0.0
    house.free_up("a", 1.0, places=2)
    house.queue.serve(house, 1.1)
    assert mine.fate is Fate.WAITS
    house.queue.serve(house, 1.16)
    assert fates(mine, next_one) == [Fate.CHOSEN, Fate.WAITS]
    house.queue.serve(house, 1.3)
    assert next_one.fate is Fate.WAITS
    house.queue.serve(house, 1.32)
    assert next_one.fate is Fate.CHOSEN


def test_a_server_is_left_to_those_who_belong_there_and_wait_elsewhere() -> None:
    house = House()
    mine = house.enter("mine", 1.0)
    house.elsewhere["a"] = 0.5
    house.free_up("a", 1.0)
    assert mine.fate is Fate.WAITS
    house.free_up("b", 1.0)
    assert mine.server == "b"


def test_turns_of_the_common_line_are_kept_for_other_workers_for_a_moment() -> None:
    house = House()
    waiters = [house.enter(str(number), 1.0, wanted="a") for number in range(5)]
    house.elsewhere[""] = 1.0
    house.free_up("a", 1.0, places=4)
    assert [fate is Fate.CHOSEN for fate in fates(*waiters)] == [True, True, True, False, False]
    house.queue.serve(house, 1.1)
    assert waiters[3].fate is Fate.WAITS
    house.queue.serve(house, 1.16)
    assert fates(*waiters[3:]) == [Fate.CHOSEN, Fate.WAITS]


def test_who_comes_now_keeps_behind_those_who_wait_here_or_wait_elsewhere_for_long() -> None:
    house = House()
    assert not house.queue.keeps_from("", house, 1.0)
    house.elsewhere = {"": 0.95, "a": 0.8}
    assert not house.queue.keeps_from("", house, 1.0)
    assert house.queue.keeps_from("a", house, 1.0)
    house.elsewhere = {}
    house.enter("one", wanted="b")
    assert not house.queue.keeps_from("", house, 1.0)
    assert house.queue.keeps_from("b", house, 1.0)
    house.enter("two")
    assert house.queue.keeps_from("", house, 1.0)
