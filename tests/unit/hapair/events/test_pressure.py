"""Limits that are reached are said once, and once more when that is over."""

from dataclasses import replace

from hapair.events.event import Happening
from hapair.events.pressure import Pressure
from hapair.snapshot import NodeSnapshot
from tests.unit.hapair.admin.sample import NODE


def node(*, open: int = 0, lost: int = 0, **causes: int) -> NodeSnapshot:
    web = NODE.frontends[0]
    web = replace(web, name="web", causes=causes, max_connections=100, counts=replace(web.counts, open=open))
    return replace(NODE, frontends=(web,), log_lines_dropped=lost)


def told(pressure: Pressure, one: NodeSnapshot, now: float) -> list[Happening]:
    return list(pressure.looked(one, now))


def test_what_was_counted_before_the_first_look_is_no_news() -> None:
    pressure = Pressure()
    assert told(pressure, node(too_many_requests=500, lost=3), 0.0) == []
    assert told(pressure, node(too_many_requests=500, lost=3), 1.0) == []


def test_a_limit_is_said_when_it_begins_and_when_it_is_over() -> None:
    pressure = Pressure()
    told(pressure, node(), 0.0)
    (begins,) = told(pressure, node(too_many_requests=7), 1.0)
    assert (begins.kind, begins.subject, begins.severity) == ("limits", "web", "warning")
    assert begins.words == "a limit of web is reached: too_many_requests"
    assert begins.reason == "too many requests in too short a time"
    for second in range(2, 40):
        assert told(pressure, node(too_many_requests=7 + second), float(second)) == []
    assert told(pressure, node(too_many_requests=46), 98.9) == []
    (over,) = told(pressure, node(too_many_requests=46), 99.0)
    assert (over.severity, over.words) == ("info", "too_many_requests of web is met no more: 46 times in 39 s")
    assert told(pressure, node(too_many_requests=46), 500.0) == []
    (again,) = told(pressure, node(too_many_requests=47), 501.0)
    assert again.severity == "warning"


def test_each_limit_for_itself_and_what_is_no_limit_not_at_all() -> None:
    pressure = Pressure()
    told(pressure, node(), 0.0)
    found = told(pressure, node(queue_too_long=1, too_many_connections=2, no_server=5, denied=9), 1.0)
    assert sorted(one.words for one in found) == [
        "a limit of web is reached: queue_too_long",
        "a limit of web is reached: too_many_connections",
    ]


def test_a_frontend_that_is_full() -> None:
    pressure = Pressure()
    (full,) = told(pressure, node(open=100), 0.0)
    assert (full.words, full.reason) == (
        "a limit of web is reached: max_connections",
        "as many connections are open as it may have; more wait until one ends",
    )
    assert told(pressure, node(open=99), 1.0) == []
    (over,) = told(pressure, node(open=99), 60.0)
    assert over.words == "max_connections of web is met no more"


def test_lines_of_access_logs_that_are_lost() -> None:
    pressure = Pressure()
    told(pressure, node(), 0.0)
    (lost,) = told(pressure, node(lost=4), 1.0)
    assert (lost.subject, lost.words) == ("access logs", "lines of access logs are lost")
    (over,) = told(pressure, node(lost=4), 61.0)
    assert over.words == "lines of access logs are lost no more: 4 times in 1 s"


def test_counters_that_begin_anew_are_no_news() -> None:
    pressure = Pressure()
    told(pressure, node(too_many_requests=50), 0.0)
    assert told(pressure, node(), 1.0) == []
