"""Log lines: a phrase and its fields."""

import logging
import re
import sys

import pytest

from hapair.logs import LineFormatter, set_up


def line(*, journal: bool = True, level: int = logging.INFO, message: str = "vip claimed", **fields: object) -> str:
    record = logging.LogRecord("hapair.x", level, "x.py", 1, message, None, None)
    vars(record).update(fields)
    return LineFormatter("announcer", journal=journal).format(record)


def test_fields_follow_the_phrase_in_the_order_given() -> None:
    assert line(vip="192.0.2.100", vrid=51) == "<6>announcer: vip claimed vip=192.0.2.100 vrid=51"


def test_a_phrase_alone() -> None:
    assert line() == "<6>announcer: vip claimed"


@pytest.mark.parametrize(
    ("level", "priority"),
    [(logging.DEBUG, 7), (logging.INFO, 6), (logging.WARNING, 4), (logging.ERROR, 3), (logging.CRITICAL, 2), (25, 6)],
)
def test_journald_gets_its_priorities(level: int, priority: int) -> None:
    assert line(level=level) == f"<{priority}>announcer: vip claimed"


def test_a_terminal_gets_time_and_level() -> None:
    text = line(journal=False, level=logging.WARNING, why="late")
    assert re.fullmatch(r"\d\d:\d\d:\d\d\.\d{3} warning announcer: vip claimed why=late", text)


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("", "''"),
        ("two words", "'two words'"),
        ("a=b", "'a=b'"),
        ('say "no"', "'say \"no\"'"),
        ("two\nlines", "'two\\nlines'"),
        ("\x1b[31mred", "'\\x1b[31mred'"),
        ("bell\x07\r", "'bell\\x07\\r'"),
        ("plain", "plain"),
        (None, "None"),
        (0.25, "0.25"),
        ("caf\u00e9", "caf\u00e9"),
    ],
)
def test_a_value_cannot_forge_a_line_or_a_field(value: object, written: str) -> None:
    assert line(why=value) == f"<6>announcer: vip claimed why={written}"


def test_an_exception_stands_below_its_line() -> None:
    try:
        raise ValueError("bad")
    except ValueError:
        text = line(exc_info=sys.exc_info(), child="worker 0")
    head, *below = text.splitlines()
    assert head == "<6>announcer: vip claimed child='worker 0'"
    assert below[0] == "Traceback (most recent call last):"
    assert below[-1] == "ValueError: bad"


def test_set_up_writes_to_stderr_in_the_form_that_the_reader_knows(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    try:
        root.handlers.clear()
        monkeypatch.setenv("JOURNAL_STREAM", "8:1")
        set_up("worker", "WARNING")
        logging.getLogger("hapair.test").warning("server flipped", extra={"up": False})
        logging.getLogger("hapair.test").info("not said")
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
    assert capsys.readouterr().err == "<4>worker: server flipped up=False\n"
