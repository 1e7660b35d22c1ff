"""What a peer says of an event, however much sense it makes."""

from typing import Any

import pytest

from hapair.events.event import TEXT_LENGTH
from hapair.events.messages import event_heard
from hapair.wire import to_plain
from tests.unit.hapair.events.samples import event

PLAIN = {
    "id": 7, "at": 1_700_000_000.25, "node": "pi-b", "kind": "server", "severity": "warning", "subject": "web/web1",
    "words": "web/web1 is DOWN", "reason": "refused", "by": "", "details": {"up": False, "weight": 3, "load": 0.5},
}  # fmt: skip


def test_it_is_what_it_was_there() -> None:
    heard = event_heard(PLAIN, "pi-b")
    assert heard is not None
    assert to_plain(heard) == PLAIN
    assert event_heard(to_plain(event(3, "role")), "pi-b") is not None


def test_nobody_speaks_for_another_node() -> None:
    heard = event_heard(PLAIN | {"node": "pi-a"}, "pi-b")
    assert heard is not None
    assert heard.node == "pi-b"


def test_its_text_is_clean_and_of_a_bounded_length() -> None:
    details = {f"n{number}": "\x1b[31m" + "x" * 400 for number in range(20)}
    heard = event_heard(PLAIN | {"words": "a\nb" + "x" * 400, "details": details}, "pi-b")
    assert heard is not None
    assert heard.words.startswith("a bx")
    assert len(heard.words) == TEXT_LENGTH
    assert len(heard.details) == 12
    assert all(isinstance(one, str) and one.isprintable() and len(one) == TEXT_LENGTH for one in heard.details.values())


@pytest.mark.parametrize(
    "other",
    [
        {"id": 0}, {"id": "7"}, {"id": True}, {"at": float("nan")}, {"at": float("inf")}, {"at": -1.0}, {"at": 1e12},
        {"kind": "of a later version"}, {"kind": "missed"}, {"severity": "grave"}, {"words": None}, {"more": 1},
        {"details": {"x": []}}, {"details": {"x": float("nan")}}, {"details": 5},
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_none(other: dict[str, Any]) -> None:
    assert event_heard(PLAIN | other, "pi-b") is None


def test_what_lacks_something_is_none() -> None:
    assert [event_heard({key: one for key, one in PLAIN.items() if key != left_out}, "pi-b") for left_out in PLAIN] == [
        None
    ] * len(PLAIN)
