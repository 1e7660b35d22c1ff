"""Events for those who look at the stats page."""

import json
from contextlib import aclosing
from dataclasses import replace
from typing import Any

import pytest

from hapair.admin.live import MOST_EVENTS, MOST_VIEWERS, Live, TooManyViewers, message
from hapair.admin.rates import Rates
from hapair.events.event import Happening
from hapair.events.feed import EventFeed
from hapair.events.pair import PairEvents
from tests.unit.hapair.admin.sample import NODE
from tests.unit.hapair.events.samples import event

DOWN = Happening(kind="server", subject="web/web1", words="web/web1 is DOWN")


def read(data: bytes) -> list[tuple[str, Any]]:
    found = []
    for block in data.decode().strip().split("\n\n"):
        event, content = block.split("\n")
        found.append((event.removeprefix("event: "), json.loads(content.removeprefix("data: "))))
    return found


def live() -> tuple[Live, EventFeed]:
    made, events = of_both()
    return made, events.own


def of_both() -> tuple[Live, PairEvents]:
    own = EventFeed("pi-a", wall=lambda: 1_700_000_000.0, clock=lambda: 5.0)
    events = PairEvents(own, EventFeed("pi-b", wall=lambda: 0.0, clock=lambda: 5.0, bell=own.bell))
    made = Live(Rates(), lambda: 1_700_000_010.0, events)
    made.tick(NODE, 10.5)
    return made, events


async def test_somebody_new_gets_the_whole_and_then_what_has_changed() -> None:
    page, feed = live()
    feed.record(DOWN)
    async with aclosing(page.watch({"user": "anna"})) as events:
        (hello, whole) = read(await anext(events))
        assert hello == ("hello", {"user": "anna"})
        assert (whole[0], whole[1]["state"]["node"]["name"]) == ("whole", "pi-a")
        assert whole[1]["clock"] == {"second": 10, "now": 10.5, "epoch": 1_700_000_010.0}
        assert [one["words"] for one in whole[1]["events"]] == ["web/web1 is DOWN"]
        feed.record(replace(DOWN, words="web/web1 is UP"))
        page.tick(replace(NODE, role="STANDBY", uptime_s=101.5), 11.5)
        ((name, tick),) = read(await anext(events))
        assert (name, tick["changes"]["node"]) == ("tick", {"role": "STANDBY"})
        assert [one["words"] for one in tick["events"]] == ["web/web1 is UP"]
        assert tick["samples"][""][0] == 0
        page.tick(replace(NODE, role="STANDBY", uptime_s=102.5), 12.5)
        ((_, tick),) = read(await anext(events))
        assert "node" not in tick["changes"]
        assert tick["events"] == []


async def test_who_comes_later_misses_nothing_and_hears_nothing_twice() -> None:
    page, feed = live()
    async with aclosing(page.watch({})) as first, aclosing(page.watch({})) as second:
        await anext(first)
        feed.record(DOWN)
        assert read(await anext(second))[1][1]["events"] == []
        page.tick(NODE, 11.5)
        for viewer in (first, second):
            ((_, tick),) = read(await anext(viewer))
            assert [one["id"] for one in tick["events"]] == [1]


async def test_the_other_nodes_events_are_told_too() -> None:
    page, both = of_both()
    both.theirs.hear(event(70, "role", node="pi-b", at=1_600_000_000.0, words="pi-b is STANDBY"))
    both.own.record(DOWN)
    async with aclosing(page.watch({})) as events:
        (_, whole) = read(await anext(events))
        assert [(one["node"], one["id"]) for one in whole[1]["events"]] == [("pi-b", 70), ("pi-a", 1)]
        both.theirs.hear(event(1, "start", node="pi-b", words="hapair starts"))
        page.tick(NODE, 11.5)
        ((_, tick),) = read(await anext(events))
        assert [(one["node"], one["words"]) for one in tick["events"]] == [("pi-b", "hapair starts")]


async def test_no_more_of_the_past_than_a_page_shows() -> None:
    page, feed = live()
    for _ in range(MOST_EVENTS + 3):
        feed.record(DOWN)
    async with aclosing(page.watch({})) as events:
        (_, whole) = read(await anext(events))
        assert [one["id"] for one in whole[1]["events"]] == list(range(4, MOST_EVENTS + 4))


async def test_a_slow_reader_is_let_go() -> None:
    page, _ = live()
    async with aclosing(page.watch({})) as events:
        await anext(events)
        for second in range(11, 21):
            page.tick(NODE, second + 0.5)
        assert page.viewers == 0
        assert len([one async for one in events]) == 8


async def test_who_has_left_is_forgotten() -> None:
    page, _ = live()
    async with aclosing(page.watch({})) as events:
        await anext(events)
        assert page.viewers == 1
    assert page.viewers == 0


async def test_so_many_and_no_more() -> None:
    page, _ = live()
    viewers = [page.watch({}) for _ in range(MOST_VIEWERS)]
    for viewer in viewers:
        await anext(viewer)
    with pytest.raises(TooManyViewers):
        page.watch({})
    for viewer in viewers:
        await viewer.aclose()


async def test_without_events_there_are_none() -> None:
    page = Live(Rates(), lambda: 0.0)
    page.tick(NODE, 1.0)
    async with aclosing(page.watch({})) as events:
        assert read(await anext(events))[1][1]["events"] == []


def test_a_message_is_one_event_whatever_is_in_it() -> None:
    assert message("tick", {"words": "a\nb\r\nevent: x"}) == b'event: tick\ndata: {"words":"a\\nb\\r\\nevent: x"}\n\n'
