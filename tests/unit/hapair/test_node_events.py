"""What a node's parts tell, and how it is asked for."""

from collections.abc import Mapping
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from typing import Any, cast

import pytest
import trio
from trio.testing import MockClock

from balancer.health import Health
from balancer.serverstate import ServerState
from hapair.events.event import Happening
from hapair.events.feed import acting
from hapair.fitness import Fitness
from hapair.handover.events import Moved, Progress
from hapair.node_events import NodeEvents
from hapair.watch_announcer import AnnouncerWatch
from tests.unit.hapair.admin.sample import NODE
from tests.unit.hapair.events.test_routers import ACTIVE, BACKUP, DEAD, UP
from vrrp.liveness.config import LinkSnapshot
from vrrp.snapshot import RouterSnapshot


@dataclass
class Announcer:
    """As far as events go."""

    snapshots: Mapping[str, RouterSnapshot] = field(default_factory=dict)
    link: LinkSnapshot | None = None

    @property
    def watch(self) -> AnnouncerWatch:
        return cast(AnnouncerWatch, self)


@pytest.fixture
async def events() -> NodeEvents:
    """Of pi-a."""
    return NodeEvents("pi-a")


def words(events: NodeEvents) -> list[str]:
    return [event.words for event in events.feed.after()]


async def told(events: NodeEvents, **request: Any) -> list[Any]:
    return [line async for line in events.story({"command": "events", **request})]


async def test_the_peer_dies_and_this_node_takes_over(events: NodeEvents) -> None:
    announcer = Announcer({"lan": BACKUP}, UP)
    events.started("/etc/hapair/hapair.yaml")
    events.reported(announcer.watch)
    events.role("", "STANDBY")
    events.reported(Announcer({"lan": BACKUP}, DEAD).watch)
    events.reported(Announcer({"lan": ACTIVE}, DEAD).watch)
    events.role("STANDBY", "ACTIVE")
    events.stopping("SIGTERM")
    assert words(events) == [
        "hapair 0.1.0 starts",
        "the liveness link to pi-b is up",
        "lan is Backup, was Initialize",
        "pi-a is STANDBY",
        "pi-b died",
        "lan is Active, was Backup",
        "192.0.2.100/24 put on eth0",
        "pi-a is ACTIVE, was STANDBY",
        "pi-a stops",
    ]
    role = events.feed.after()[7]
    assert (role.reason, role.severity) == ("lan: Active_Down_Timer fired", "info")


async def test_servers_and_what_is_looked_at(events: NodeEvents) -> None:
    up = ServerState(1, Health(rise=2, fall=3, count=2))
    events.server_changed("web", "web1", up, replace(up, health=Health(rise=2, fall=3, count=0), flip_reason="no"))
    events.looked(replace(NODE, certificates=(), routers=()))
    events.looked(replace(NODE, certificates=(), routers=(), processes=(replace(NODE.processes[0], pid=99),)))
    assert words(events) == [
        "web/web1 is DOWN",
        "announcer (pid 11) is gone",
        "announcer is running (pid 99)",
    ]


async def test_fitness_is_told_when_it_changes(events: NodeEvents) -> None:
    well = Fitness(takes_part=True, lowered=None, reason="workers serve")
    events.fitness(Fitness(takes_part=False, lowered=None, reason="no worker serves"))
    events.fitness(well)
    events.fitness(well)
    events.fitness(Fitness(takes_part=True, lowered=1, reason="a worker hangs"))
    assert [(one.severity, one.words, one.reason) for one in events.feed.after()] == [
        ("info", "pi-a is not fit to hold VIPs", "no worker serves"),
        ("info", "pi-a is fit to hold VIPs", "workers serve"),
        ("warning", "pi-a lets a healthy peer go first", "a worker hangs"),
    ]


async def test_a_handover(events: NodeEvents) -> None:
    events.handover(Progress("asking pi-b"))
    events.handover(Moved(ok=False, words="pi-b refuses", flows=0, took_s=0.1))
    assert [(one.kind, one.severity, one.words) for one in events.feed.after()] == [
        ("handover", "info", "asking pi-b"),
        ("handover", "warning", "pi-b refuses"),
    ]


async def test_who_lets_a_node_preempt(events: NodeEvents) -> None:
    acting.set("root (runtime socket)")
    events.preempting({"ok": True, "words": "lan: no longer kept from preempting"})
    (told,) = events.feed.after()
    assert (told.kind, told.by) == ("admin", "root (runtime socket)")
    assert told.words == "hapair preempt: lan: no longer kept from preempting"


async def test_those_that_are_kept_are_told_at_once(events: NodeEvents, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in (1, 2, 3):
        monkeypatch.setattr("hapair.node_events.time.time", lambda: 0.0)
        events.feed._wall = lambda number=number: 1000.0 + number  # type: ignore[misc]
        events.record(Happening(kind="pool", subject="web", words=f"event {number}"))
    assert await told(events, last=1) == [
        {
            "id": 3, "at": 1003.0, "node": "pi-a", "kind": "pool", "severity": "info", "subject": "web",
            "words": "event 3", "reason": "", "by": "", "details": {},
        }
    ]  # fmt: skip
    assert [line["words"] for line in await told(events)] == ["event 1", "event 2", "event 3"]
    assert [line["words"] for line in await told(events, since=1002.0)] == ["event 2", "event 3"]
    assert [line["words"] for line in await told(events, after=2)] == ["event 3"]
    assert await told(events, last=0) == []


@pytest.mark.parametrize("wrong", [{"after": "x"}, {"since": []}, {"last": True}, {"since": {"a": 1}}])
async def test_a_request_that_means_nothing(events: NodeEvents, wrong: dict[str, Any]) -> None:
    (answer,) = await told(events, **wrong)
    assert answer["error"].startswith("after, since and last are numbers, not ")


async def test_whoever_follows_hears_each_as_it_happens_and_signs_of_life(
    events: NodeEvents, autojump_clock: MockClock
) -> None:
    events.record(Happening(kind="pool", subject="web", words="before"))
    lines: list[Any] = []

    async def later() -> None:
        await trio.sleep(20)
        events.record(Happening(kind="pool", subject="web", words="one"))
        events.record(Happening(kind="pool", subject="web", words="two"))

    async with trio.open_nursery() as nursery, aclosing(events.story({"last": 5, "follow": True})) as story:
        nursery.start_soon(later)
        while len(lines) < 5:
            line = await anext(story)
            lines.append((trio.current_time(), line.get("words", line)))
    assert lines == [(0.0, "before"), (15.0, {"alive": True}), (20.0, "one"), (20.0, "two"), (35.0, {"alive": True})]
