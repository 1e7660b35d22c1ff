"""One event: numbered, dated, and of clean text."""

from hapair.events.event import Event, Happening, clean, event_of


def test_a_happening_gets_a_number_a_time_and_a_node() -> None:
    happening = Happening(
        kind="admin", subject="web/web1", words="web/web1 is DRAIN", by="somebody", details={"admin": "drain"}
    )
    assert event_of(happening, id=7, at=12.5, node="pi-a") == Event(
        id=7, at=12.5, node="pi-a", kind="admin", severity="info", subject="web/web1", words="web/web1 is DRAIN",
        reason="", by="somebody", details={"admin": "drain"},
    )  # fmt: skip


def test_who_acts_is_known_better_than_by_what() -> None:
    happening = Happening(kind="admin", subject="web/web1", words="it is DRAIN", by="hapair server")
    assert event_of(happening, id=1, at=1.0, node="pi-a", acting="root (runtime socket)").by == "root (runtime socket)"


def test_what_a_server_says_cannot_move_the_cursor_or_begin_a_line() -> None:
    assert clean("evil\x1b[2Jtext\nnext\u202eline") == "evil [2Jtext next line"
    event = event_of(
        Happening(kind="server", subject="a\0b", words="w\r", reason="\x07", by="\t", details={"k\n": "v\n", "n": 1}),
        id=1, at=1.0, node="pi-a",
    )  # fmt: skip
    assert (event.subject, event.words, event.reason, event.by) == ("a b", "w ", " ", " ")
    assert event.details == {"k ": "v ", "n": 1}


def test_its_size_is_bounded() -> None:
    details = {f"key {n}": "x" * 1000 for n in range(50)}
    event = event_of(
        Happening(kind="server", subject="s" * 1000, words="w" * 1000, reason="r" * 1000, details=details),
        id=1, at=1.0, node="pi-a",
    )  # fmt: skip
    assert [len(text) for text in (event.subject, event.words, event.reason)] == [300, 300, 300]
    assert event.words.endswith("w...")
    assert len(event.details) == 12
    assert {len(str(one)) for one in event.details.values()} == {300}
