"""The node keeps an announcer running, and stands in for it in the moment of its death."""

import dataclasses
from collections.abc import AsyncIterator, Collection
from ipaddress import IPv4Interface
from itertools import count
from typing import Any

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from hapair.fitness import Fitness
from hapair.messages import (
    Announce,
    FromPeer,
    Heartbeat,
    Hold,
    LowerPriority,
    Preempt,
    ReloadRouters,
    Resign,
    Resume,
    RouterReport,
    StartRouters,
    Stop,
    Track,
)
from hapair.watch_announcer import AnnouncerWatch
from vrrp.config import VirtualRouterConfig
from vrrp.snapshot import RouterSnapshot
from vrrp.tracking import Tracked

LAN = VirtualRouterConfig(name="lan", vrid=51, interface="eth0", addresses=(IPv4Interface("192.0.2.100/24"),))
DMZ = VirtualRouterConfig(name="dmz", vrid=52, interface="eth1", addresses=(IPv4Interface("198.51.100.1/24"),))

SECRET = bytes(range(32))

FIT = Fitness(takes_part=True, lowered=None, reason="workers serve")
LOWERED = Fitness(takes_part=True, lowered=1, reason="a worker hangs")
UNFIT = Fitness(takes_part=False, lowered=None, reason="no worker serves")


def snapshot(name: str, state: Any, *, stays_backup: bool = False) -> RouterSnapshot:
    return RouterSnapshot(
        name=name, vrid=51, interface="eth0", version=3, group=None, state=state, priority=100,
        configured_priority=100, stays_backup=stays_backup, since_monotonic=1.0, adverts_unsigned=0,
        waiting_for=None, vips=(), vips_held=(), lease_s=1, lease_renewed_at=None, active_router=None, transitions=1,
        adverts_sent=0, adverts_received=0, adverts_rejected={}, unusual_checksums=0, send_errors=0, vips_restored=0,
        lateness_max_ms=0.0, last_reason="",
    )  # fmt: skip


class FakeWill:
    """Remembers what it was asked to do."""

    def __init__(self) -> None:
        self.prepared = 0
        self.fired: list[list[str]] = []
        self.signers: list[Any] = []
        self.closed = False

    def sign_with(self, signer: Any) -> None:
        self.signers.append(signer)

    def prepare(self) -> None:
        self.prepared += 1

    def close(self) -> None:
        self.closed = True

    def fire(self, names_active: Collection[str]) -> list[str]:
        self.fired.append(list(names_active))
        return [f"192.0.2.100/32 of {name}" for name in names_active]


def a_watch(will: Any, routers: tuple[VirtualRouterConfig, ...] = (LAN, DMZ), **changes: Any) -> AnnouncerWatch:
    callbacks = {"next_epoch": lambda: 1, "on_report": lambda: None, "on_message": lambda _: None}
    return AnnouncerWatch(StartRouters(routers=routers, secret=SECRET), will, **(callbacks | changes))


def start(epoch: int, **changes: Any) -> StartRouters:
    return dataclasses.replace(StartRouters(routers=(LAN, DMZ), secret=SECRET, epoch=epoch), **changes)


class Stage:
    """A watch under test and what it did."""

    def __init__(self, children: Any) -> None:
        self.children = children
        self.will = FakeWill()
        self.reports = 0
        self.epochs = count(1)
        self.messages: list[bytes] = []
        self.watch = a_watch(
            self.will,
            next_epoch=lambda: next(self.epochs),
            on_report=self._reported,
            on_message=self.messages.append,
        )

    def _reported(self) -> None:
        self.reports += 1

    @property
    def child(self) -> Any:
        return self.children.started[-1]

    async def report(self, **states: Any) -> None:
        self.child.say(RouterReport(tuple(snapshot(name, state) for name, state in states.items())))
        await wait_all_tasks_blocked()


@pytest.fixture
async def stage(children: Any) -> AsyncIterator[Stage]:
    stage = Stage(children)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(stage.watch.run)
        await wait_all_tasks_blocked()
        yield stage
        nursery.cancel_scope.cancel()


async def test_an_announcer_is_started_after_the_last_will_was_made(autojump_clock: MockClock, stage: Stage) -> None:
    assert stage.will.prepared == 1
    assert [child.module for child in stage.children.started] == ["hapair.announcer"]
    assert stage.watch.pid == 1000
    assert stage.watch.restarts == 0


async def test_it_hears_nothing_until_the_node_is_fit(autojump_clock: MockClock, stage: Stage) -> None:
    stage.watch.set_fitness(UNFIT)
    await trio.sleep(1)
    assert stage.child.heard == []
    stage.watch.set_fitness(FIT)
    await wait_all_tasks_blocked()
    assert stage.child.heard == [start(1), LowerPriority(None), Resume()]


async def test_in_maintenance_from_the_start_it_runs_and_takes_no_part(autojump_clock: MockClock, stage: Stage) -> None:
    stage.watch.set_fitness(Fitness(takes_part=False, lowered=None, reason="in maintenance", present=True))
    await wait_all_tasks_blocked()
    opening = dataclasses.replace(start(1), stays_backup=True)
    assert stage.child.heard == [opening, LowerPriority(None), Resign("in maintenance")]


async def test_it_is_told_of_each_change_of_fitness_once(autojump_clock: MockClock, stage: Stage) -> None:
    for fitness in (FIT, FIT, LOWERED, LOWERED):
        stage.watch.set_fitness(fitness)
        await wait_all_tasks_blocked()
    stage.watch.set_fitness(UNFIT)
    await wait_all_tasks_blocked()
    assert stage.child.heard[3:] == [LowerPriority(1), Resume(), LowerPriority(None), Resign("no worker serves")]


async def test_states_are_what_it_last_reported(autojump_clock: MockClock, stage: Stage) -> None:
    assert stage.watch.states() == {"lan": "Initialize", "dmz": "Initialize"}
    await stage.report(lan="Active", dmz="Backup")
    assert stage.watch.states() == {"lan": "Active", "dmz": "Backup"}
    assert stage.watch.snapshots["lan"] == snapshot("lan", "Active")
    assert stage.reports == 1
    await stage.report(lan="Backup")
    assert stage.watch.states() == {"lan": "Backup", "dmz": "Initialize"}
    assert stage.reports == 2


async def test_a_heartbeat_is_no_report(autojump_clock: MockClock, stage: Stage) -> None:
    stage.child.say(Heartbeat())
    await wait_all_tasks_blocked()
    assert stage.reports == 0


async def test_when_it_dies_its_will_is_carried_out_at_once_and_another_one_started(
    autojump_clock: MockClock, stage: Stage
) -> None:
    stage.watch.set_fitness(FIT)
    await stage.report(lan="Active", dmz="Backup")
    stage.child.die()
    await wait_all_tasks_blocked()
    assert trio.current_time() == stage.children.started[0].started_at
    assert stage.will.fired == [["lan"]]
    assert stage.watch.states() == {"lan": "Initialize", "dmz": "Initialize"}
    assert stage.reports == 2
    assert stage.watch.restarts == 1
    assert stage.watch.pid == 1001
    assert stage.child.heard == [start(2, stays_backup=True), LowerPriority(None), Resume()]


async def test_standing_in_for_one_that_held_nothing_is_no_resignation(autojump_clock: MockClock, stage: Stage) -> None:
    stage.watch.set_fitness(FIT)
    await stage.report(lan="Backup", dmz="Backup")
    stage.child.die()
    await wait_all_tasks_blocked()
    assert stage.child.heard[0] == start(2, stays_backup=False)


async def test_its_will_is_carried_out_even_where_nothing_is_known_to_be_active(
    autojump_clock: MockClock, stage: Stage
) -> None:
    stage.child.die()
    await wait_all_tasks_blocked()
    assert stage.will.fired == [[]]


async def test_one_that_keeps_failing_comes_back_later_and_does_not_preempt(
    autojump_clock: MockClock, stage: Stage
) -> None:
    stage.watch.set_fitness(FIT)
    await wait_all_tasks_blocked()
    for _ in range(4):
        stage.child.die()
        await trio.sleep(5)
    starts = [child.started_at for child in stage.children.started]
    assert [round(start - starts[0], 3) for start in starts] == [0.0, 0.0, 5.5, 11.0, 17.0]
    assert stage.watch.restarts == 4
    meek = (dataclasses.replace(LAN, preempt=False), dataclasses.replace(DMZ, preempt=False))
    assert stage.children.started[1].heard[0] == start(2)
    later = [child.heard[0] for child in stage.children.started[2:]]
    assert later == [start(3, routers=meek), start(4, routers=meek), start(5, routers=meek)]


async def test_one_that_hangs_is_killed_and_its_will_carried_out(autojump_clock: MockClock, stage: Stage) -> None:
    stage.watch.set_fitness(FIT)
    await stage.report(lan="Active")
    stage.child.frozen = True
    await trio.sleep(3)
    assert stage.children.started[0].process.returncode == -9
    assert stage.will.fired == [["lan"]]
    assert len(stage.children.started) == 2


async def test_a_new_one_learns_how_fit_the_node_is_now(autojump_clock: MockClock, stage: Stage) -> None:
    stage.watch.set_fitness(LOWERED)
    stage.child.die()
    await wait_all_tasks_blocked()
    assert stage.child.heard == [start(2), LowerPriority(1), Resume()]


async def test_while_the_node_is_unfit_a_new_one_waits(autojump_clock: MockClock, stage: Stage) -> None:
    stage.watch.set_fitness(FIT)
    await wait_all_tasks_blocked()
    stage.watch.set_fitness(UNFIT)
    stage.child.die()
    await wait_all_tasks_blocked()
    assert stage.child.heard == []


async def test_a_stop_lets_it_resign_by_itself(autojump_clock: MockClock, stage: Stage) -> None:
    stage.watch.set_fitness(FIT)
    await stage.report(lan="Backup")
    stage.child.exits_when_it_hears = Stop
    await stage.watch.stop()
    await wait_all_tasks_blocked()
    assert stage.child.heard[-1] == Stop()
    assert stage.child.process.returncode == 0
    assert stage.will.fired == []
    assert len(stage.children.started) == 1
    assert stage.watch.restarts == 0


async def test_a_stop_that_it_does_not_obey_is_a_kill_after_two_seconds_and_its_will(
    autojump_clock: MockClock, stage: Stage
) -> None:
    stage.watch.set_fitness(FIT)
    await stage.report(lan="Active")
    before = trio.current_time()
    await stage.watch.stop()
    await wait_all_tasks_blocked()
    assert trio.current_time() - before == 2.0
    assert stage.child.process.returncode == -9
    assert stage.will.fired == [["lan"]]
    assert len(stage.children.started) == 1


async def test_a_stop_before_the_start_is_over_at_once(children: Any) -> None:
    watch = Stage(children).watch
    await watch.stop()
    await watch.run()
    assert children.started == []


def test_a_node_without_virtual_routers_needs_none() -> None:
    will: Any = FakeWill()
    assert not a_watch(will, ()).is_needed
    assert a_watch(will, (LAN,)).is_needed


async def test_the_will_is_signed_with_the_epoch_of_the_announcer(autojump_clock: MockClock, stage: Stage) -> None:
    stage.watch.set_fitness(FIT)
    stage.child.die()
    await wait_all_tasks_blocked()
    assert [signer.epoch for signer in stage.will.signers] == [1, 2]


async def test_what_the_peer_says_is_passed_on(autojump_clock: MockClock, stage: Stage) -> None:
    stage.child.say(FromPeer(b"hello"))
    await wait_all_tasks_blocked()
    assert stage.messages == [b"hello"]
    assert stage.reports == 0


async def test_tracks_are_told_at_once_and_to_every_later_announcer(autojump_clock: MockClock, stage: Stage) -> None:
    down, up = (Track("lan", (Tracked("script x", ok, "because", None),)) for ok in (False, True))
    stage.watch.track(down)
    stage.watch.set_fitness(FIT)
    stage.watch.track(up)
    await wait_all_tasks_blocked()
    assert stage.child.heard == [start(1), down, LowerPriority(None), Resume(), up]
    stage.child.die()
    await wait_all_tasks_blocked()
    assert stage.child.heard == [start(2), up, LowerPriority(None), Resume()]


async def test_nothing_is_told_to_an_announcer_that_has_not_begun(autojump_clock: MockClock, stage: Stage) -> None:
    stage.watch.post(Announce())
    stage.watch.set_fitness(FIT)
    stage.watch.post(Announce())
    await wait_all_tasks_blocked()
    assert stage.child.heard == [start(1), LowerPriority(None), Resume(), Announce()]


async def test_a_node_that_has_handed_over_does_not_preempt_with_its_next_announcer(
    autojump_clock: MockClock, stage: Stage
) -> None:
    stage.watch.set_fitness(FIT)
    stage.child.say(RouterReport((snapshot("lan", "Backup", stays_backup=True),)))
    await wait_all_tasks_blocked()
    stage.child.die()
    await wait_all_tasks_blocked()
    assert stage.child.heard[0] == start(2, stays_backup=True)


async def test_a_node_that_is_told_to_preempts_and_so_does_its_next_announcer(
    autojump_clock: MockClock, stage: Stage
) -> None:
    stage.watch.set_fitness(FIT)
    stage.child.say(RouterReport((snapshot("lan", "Backup", stays_backup=True), snapshot("dmz", "Backup"))))
    await wait_all_tasks_blocked()
    assert stage.watch.preempt() == ("lan",)
    await wait_all_tasks_blocked()
    assert stage.child.heard[-1] == Preempt()
    stage.child.die()
    await wait_all_tasks_blocked()
    assert stage.child.heard[0] == start(2, stays_backup=False)


async def test_a_node_that_is_behind_waits_with_preempting_and_so_does_its_next_announcer(
    autojump_clock: MockClock, stage: Stage
) -> None:
    stage.watch.set_fitness(FIT)
    stage.watch.hold_back(True)
    stage.watch.hold_back(True)
    await wait_all_tasks_blocked()
    assert stage.child.heard == [start(1), LowerPriority(None), Resume(), Hold(True)]
    stage.child.die()
    await wait_all_tasks_blocked()
    assert stage.child.heard == [start(2), Hold(True), LowerPriority(None), Resume()]
    stage.watch.hold_back(False)
    await wait_all_tasks_blocked()
    assert stage.child.heard[-1] == Hold(False)


async def test_a_reload_is_for_the_announcer_that_runs_and_for_every_later_one(
    autojump_clock: MockClock, stage: Stage
) -> None:
    stage.watch.set_fitness(FIT)
    await stage.report(lan="Active", dmz="Backup")
    other, will = dataclasses.replace(LAN, priority=50), FakeWill()
    opening = StartRouters(routers=(other,), secret=SECRET, witnesses={"eth0": ()})
    stage.watch.reload(opening, will)  # type: ignore[arg-type]
    await wait_all_tasks_blocked()
    assert stage.child.heard[-1] == ReloadRouters(routers=(other,), witnesses={"eth0": ()})
    assert len(stage.children.started) == 1
    assert stage.watch.states() == {"lan": "Active"}
    assert (stage.will.closed, will.prepared, [signer.epoch for signer in will.signers]) == (True, 1, [1])
    stage.child.die()
    await wait_all_tasks_blocked()
    assert (stage.will.fired, will.fired) == ([], [["lan", "dmz"][:1]])
    assert stage.child.heard[0] == dataclasses.replace(opening, epoch=2, stays_backup=True)


async def test_a_reload_before_the_node_is_fit_is_what_the_announcer_begins_with(
    autojump_clock: MockClock, stage: Stage
) -> None:
    other = dataclasses.replace(LAN, priority=50)
    stage.watch.reload(StartRouters(routers=(other,), secret=SECRET), FakeWill())  # type: ignore[arg-type]
    stage.watch.set_fitness(FIT)
    await wait_all_tasks_blocked()
    assert stage.child.heard == [start(1, routers=(other,)), LowerPriority(None), Resume()]


async def test_one_that_keeps_failing_does_not_preempt_after_a_reload_either(
    autojump_clock: MockClock, stage: Stage
) -> None:
    stage.watch.set_fitness(FIT)
    for _ in range(3):
        stage.child.die()
        await trio.sleep(7)
    stage.watch.reload(StartRouters(routers=(LAN,), secret=SECRET), FakeWill())  # type: ignore[arg-type]
    await wait_all_tasks_blocked()
    assert stage.child.heard[-1] == ReloadRouters(routers=(dataclasses.replace(LAN, preempt=False),))


async def test_without_virtual_routers_it_ends_and_with_some_again_another_one_starts(
    autojump_clock: MockClock, stage: Stage
) -> None:
    stage.watch.set_fitness(FIT)
    await stage.report(lan="Backup", dmz="Backup")
    stage.child.exits_when_it_hears = Stop
    stage.watch.reload(StartRouters(routers=(), secret=SECRET), FakeWill())  # type: ignore[arg-type]
    await wait_all_tasks_blocked()
    assert stage.child.heard[-1] == Stop()
    assert (stage.watch.pid, stage.watch.states(), stage.watch.restarts) == (None, {}, 0)
    stage.watch.reload(StartRouters(routers=(LAN,), secret=SECRET), FakeWill())  # type: ignore[arg-type]
    await wait_all_tasks_blocked()
    assert stage.child.heard[0] == start(2, routers=(LAN,))
