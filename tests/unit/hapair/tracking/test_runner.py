"""Looking again and again, and telling only of what changes."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from ipaddress import IPv4Interface
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from hapair.config.tracks import TrackedFile, TrackedGateway, TrackedPool, TrackedScript
from hapair.config.view import RouterTracks
from hapair.processes import Ended
from hapair.tracking import Tracking
from hapair.tracking.watch import Finding
from vrrp.config import VirtualRouterConfig
from vrrp.tracking import Tracked, standing

LAN = VirtualRouterConfig(name="lan", vrid=51, interface="eth0", addresses=(IPv4Interface("192.0.2.100/24"),))
WAN = replace(LAN, name="wan", vrid=52)
DNS = TrackedScript(command=("/bin/check", "dns"), interval_s=1.0, timeout_s=0.5, rise=2, fall=2)


class World:
    """What the tracked things say, and what was told of them."""

    def __init__(self) -> None:
        self.ok = True
        self.runs: list[tuple[Sequence[str], Mapping[str, str], float]] = []
        self.gateway_ok = True
        self.closed = False
        self.told: list[tuple[float, str, tuple[Tracked, ...]]] = []

    async def run(self, command: Sequence[str], environment: Mapping[str, str], limit_s: float) -> Ended:
        self.runs.append((command, environment, limit_s))
        await trio.sleep(0.1)
        return Ended(True, "exited with status 0") if self.ok else Ended(False, "exited with status 1", "no answer")

    async def look(self, limit_s: float) -> Finding:
        await trio.lowlevel.checkpoint()
        return Finding(self.gateway_ok, "192.0.2.1 answers" if self.gateway_ok else "192.0.2.1 does not answer")

    def close(self) -> None:
        self.closed = True

    def changed(self, router: str, tracked: tuple[Tracked, ...]) -> None:
        self.told.append((round(trio.current_time(), 3), router, tracked))

    def tracking(self, **tracks: RouterTracks) -> Tracking:
        routers = [router for router in (LAN, WAN) if router.name in tracks]
        return Tracking(routers, tracks, self.changed, run=self.run, gateway=lambda *_: self)  # type: ignore[arg-type, return-value]


@pytest.fixture
def world() -> World:
    return World()


async def until(moment: float) -> None:
    await trio.sleep_until(moment)
    await wait_all_tasks_blocked()


async def test_what_is_not_looked_at_yet_is_not_well_and_the_first_look_decides(
    world: World, nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    tracking = world.tracking(lan=RouterTracks(scripts={"dns": DNS}))
    assert standing(100, tracking.tracked("lan")).closed == "script dns: not looked at yet"
    nursery.start_soon(tracking.run)
    await until(0.5)
    assert world.told == [
        (0.0, "lan", (Tracked("script dns", False, "not looked at yet", None),)),
        (0.1, "lan", (Tracked("script dns", True, "exited with status 0", None),)),
    ]
    assert world.runs == [(("/bin/check", "dns"), {}, 0.5)]


async def test_failures_are_told_after_fall_of_them_and_passes_after_rise(
    world: World, nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    nursery.start_soon(world.tracking(lan=RouterTracks(scripts={"dns": DNS})).run)
    await until(0.5)
    world.told.clear()
    world.ok = False
    await until(3.5)
    world.ok = True
    await until(9.5)
    assert world.told == [
        (2.1, "lan", (Tracked("script dns", False, "exited with status 1: no answer", None),)),
        (5.1, "lan", (Tracked("script dns", True, "exited with status 0", None),)),
    ]
    assert len(world.runs) == 10


async def test_every_router_hears_of_its_own_things_all_of_them(
    world: World, nursery: trio.Nursery, autojump_clock: MockClock, tmp_path: Path
) -> None:
    tracking = world.tracking(
        lan=RouterTracks(
            scripts={"dns": DNS},
            gateway=TrackedGateway(weight=-20, rise=1, fall=1),
            pools={"web": TrackedPool(at_least=2, weight=-30)},
        ),
        wan=RouterTracks(files={"away": TrackedFile(path=str(tmp_path / "away"), expect="absent")}),
    )
    nursery.start_soon(tracking.run)
    tracking.pool_health({"web": [True, False], "other": [False]})
    await until(0.5)
    assert tracking.tracked("lan") == (
        Tracked("script dns", True, "exited with status 0", None),
        Tracked("gateway", True, "192.0.2.1 answers", -20),
        Tracked("pool web", False, "1 of 2 servers UP", -30),
    )
    assert standing(100, tracking.tracked("lan")).priority == 70
    assert tracking.tracked("nobody") == ()
    assert {router for _, router, _ in world.told} == {"lan", "wan"}


async def test_a_pool_is_told_of_when_it_flips(world: World) -> None:
    tracking = world.tracking(lan=RouterTracks(pools={"web": TrackedPool()}))
    for up in ([True, True], [True, False], [False, False], [False, True]):
        tracking.pool_health({"web": up})
    assert [tracked[0].reason for _, _, tracked in world.told] == [
        "2 of 2 servers UP",
        "0 of 2 servers UP",
        "1 of 2 servers UP",
    ]


async def test_a_pool_that_was_not_spoken_of_is_well(world: World, nursery: trio.Nursery) -> None:
    nursery.start_soon(world.tracking(lan=RouterTracks(pools={"web": TrackedPool(at_least=2)})).run)
    await wait_all_tasks_blocked()
    assert [tracked for _, _, tracked in world.told] == [(Tracked("pool web", True, "no server has flipped", None),)]


async def test_a_pool_that_was_found_ill_before_the_start_stays_so(world: World, nursery: trio.Nursery) -> None:
    tracking = world.tracking(lan=RouterTracks(pools={"web": TrackedPool(at_least=2)}))
    tracking.pool_health({"web": [True, False]})
    nursery.start_soon(tracking.run)
    await wait_all_tasks_blocked()
    assert tracking.tracked("lan") == (Tracked("pool web", False, "1 of 2 servers UP", None),)


async def test_the_same_script_of_two_routers_runs_once(
    world: World, nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    tracking = world.tracking(
        lan=RouterTracks(scripts={"dns": DNS}), wan=RouterTracks(scripts={"names": replace(DNS, weight=-50)})
    )
    nursery.start_soon(tracking.run)
    await until(2.5)
    assert len(world.runs) == 3
    assert tracking.tracked("lan")[0] == Tracked("script dns", True, "exited with status 0", None)
    assert tracking.tracked("wan")[0] == Tracked("script names", True, "exited with status 0", -50)


async def test_its_end_closes_what_it_opened(world: World) -> None:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(world.tracking(lan=RouterTracks(gateway=TrackedGateway())).run)
        await wait_all_tasks_blocked()
        assert not world.closed
        nursery.cancel_scope.cancel()
    assert world.closed


async def test_a_router_that_tracks_nothing_is_not_spoken_of(
    world: World, nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    nursery.start_soon(world.tracking(lan=RouterTracks()).run)
    await until(2)
    assert world.told == []


async def test_the_snapshot_shows_the_last_reason_and_since_when(
    world: World, nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    tracking = world.tracking(lan=RouterTracks(scripts={"dns": DNS}))
    (view,) = tracking.snapshot("lan")
    assert (view.name, view.ok, view.weight, view.reason, view.since) == (
        *("script dns", False, None, "not looked at yet", None),
    )
    nursery.start_soon(tracking.run)
    await until(0.5)
    world.ok = False
    await until(1.5)
    (view,) = tracking.snapshot("lan")
    assert (view.ok, view.reason, view.since) == (True, "exited with status 1: no answer", 0.1)


async def test_a_real_script(tmp_path: Path, nursery: trio.Nursery) -> None:
    told: list[tuple[Tracked, ...]] = []
    heard = trio.Event()

    def changed(_: str, tracked: tuple[Tracked, ...]) -> None:
        told.append(tracked)
        if len(told) == 2:
            heard.set()

    script = TrackedScript(command=("/bin/sh", "-c", "echo out of coffee; exit 1"), timeout_s=10)
    nursery.start_soon(Tracking([LAN], {"lan": RouterTracks(scripts={"coffee": script})}, changed).run)
    with trio.fail_after(20):
        await heard.wait()
    assert told[1] == (Tracked("script coffee", False, "exited with status 1: out of coffee", None),)
