"""Events as lines of the log."""

import logging
from typing import Any

import pytest

from hapair.events.event import Happening
from hapair.events.feed import EventFeed
from hapair.events.logged import write
from hapair.logs import LineFormatter
from tests.unit.hapair.events.samples import event


@pytest.mark.parametrize(
    ("fields", "line"),
    [
        (
            {"words": "web/web1 is DOWN", "severity": "warning", "reason": "connection refused"},
            "<4>node: web/web1 is DOWN kind=server subject=web/web1 reason='connection refused'",
        ),
        (
            {"words": "web/web1 is DRAIN, was READY", "by": "anna from 192.0.2.7"},
            "<6>node: web/web1 is DRAIN, was READY kind=server subject=web/web1 by='anna from 192.0.2.7'",
        ),
        ({"words": "100%s of %d", "severity": "error"}, "<3>node: 100%s of %d kind=server subject=web/web1"),
    ],
)
def test_words_and_what_is_known_of_it(fields: dict[str, Any], line: str, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        write(event(1, **fields))
    (record,) = caplog.records
    assert LineFormatter("node", journal=True).format(record) == line


def test_each_event_has_a_line_but_for_those_that_have_one_already() -> None:
    lines: list[str] = []
    feed = EventFeed("pi-a", wall=lambda: 0.0, clock=lambda: 0.0, write=lambda one: lines.append(one.words))
    feed.record(Happening(kind="role", subject="pi-a", words="pi-a is ACTIVE"))
    feed.record(Happening(kind="router", subject="lan", words="lan is Active", logged=True))
    feed.hear(event(9, "role", node="pi-b", words="pi-b is STANDBY"))
    assert lines == ["pi-a is ACTIVE"]
    assert [one.words for one in feed.after()] == ["pi-a is ACTIVE", "lan is Active", "pi-b is STANDBY"]
