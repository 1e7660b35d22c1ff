"""Log lines: a phrase and its fields."""

import ast
import json
import logging
import re
import subprocess
import sys
from ipaddress import ip_address
from pathlib import Path

import pytest

from hapair.config import load_text
from hapair.logs import JsonFormatter, LineFormatter, choose, set_up
from hapair.messages import StartRouters
from vrrp.liveness.config import LinkConfig


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
        monkeypatch.setenv("HAPAIR_LOG_LEVEL", "")
        monkeypatch.setenv("HAPAIR_LOG_FORMAT", "")
        choose("WARNING", "text")
        set_up("worker")
        logging.getLogger("hapair.test").warning("server flipped", extra={"up": False})
        logging.getLogger("hapair.test").info("not said")
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
    assert capsys.readouterr().err == "<4>worker: server flipped up=False\n"


def as_json(*, journal: bool = False, **fields: object) -> str:
    record = logging.LogRecord("hapair.x", logging.WARNING, "x.py", 1, "vip claimed", None, None)
    record.created = 1_700_000_000.25
    vars(record).update(fields)
    return JsonFormatter("announcer", journal=journal).format(record)


def test_json_for_machines_with_journalds_priorities_where_it_listens() -> None:
    assert as_json(vip="192.0.2.100", vrid=51, late_s=0.5, why=None, up=True) == (
        '{"time":"2023-11-14T22:13:20.250+00:00","level":"warning","process":"announcer","message":"vip claimed",'
        '"vip":"192.0.2.100","vrid":51,"late_s":0.5,"why":null,"up":true}'
    )
    assert as_json(journal=True).startswith('<4>{"time":')


def test_whatever_a_field_holds_json_is_one_line_of_its_own() -> None:
    try:
        raise ValueError("two\nlines")
    except ValueError:
        text = as_json(reason='"\n}{\x1b', level="mine", path=Path("/x"), span=float("nan"), exc_info=sys.exc_info())
    assert "\n" not in text
    plain = json.loads(text)
    assert (plain["reason"], plain["level"], plain["level_"]) == ('"\n}{\x1b', "warning", "mine")
    assert (plain["path"], plain["span"]) == ("/x", "nan")
    assert plain["exception"].endswith("ValueError: two\nlines")


def test_what_was_chosen_holds_for_the_processes_that_are_started(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HAPAIR_LOG_LEVEL", "")
    monkeypatch.setenv("HAPAIR_LOG_FORMAT", "")
    monkeypatch.delenv("JOURNAL_STREAM", raising=False)
    choose("ERROR", "json")
    code = (
        "import logging; from hapair.logs import set_up; set_up('worker'); "
        "logging.getLogger('x').warning('no'); logging.getLogger('x').error('yes', extra={'why': 'because'})"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    (line,) = run.stderr.splitlines()
    assert (json.loads(line)["process"], json.loads(line)["message"], json.loads(line)["why"]) == (
        "worker", "yes", "because",
    )  # fmt: skip


HUSH = """\
pair: {nodes: {a: 192.0.2.1, b: 192.0.2.2}, secret_file: pair.key}
virtual_routers:
  lan: {vrid: 51, interface: eth0, addresses: [192.0.2.100/24], version: 2, password: hush-pw}
notifications:
  ops: {url: "https://h.example/hush-token"}
admin:
  listen: ":1338"
  users: {anna: "scrypt:14:8:5:00112233445566778899aabbccddeeff:0123456789abcdef0123456789abcdef"}
"""


def test_what_holds_a_secret_does_not_show_it() -> None:
    shown = repr(load_text(HUSH).file)
    assert "ops" in shown
    for secret in ("hush-pw", "hush-token", "0123456789abcdef"):
        assert secret not in shown
    link = LinkConfig(
        node="a", peer="b", address=ip_address("192.0.2.1"), peer_address=ip_address("192.0.2.2"), port=1,
        secret=b"hush" * 8, interval_s=0.1,
    )  # fmt: skip
    assert "hush" not in repr(link) + repr(StartRouters(routers=(), secret=b"hush" * 8, link=link))


def test_no_log_line_has_a_field_for_a_secret() -> None:
    never = {"secret", "password", "authorization", "token", "cookie", "url", "body", "material", "key"}
    root = Path(__file__).parents[3]
    found = []
    for path in [one for package in ("hapair", "vrrp", "balancer") for one in (root / package).rglob("*.py")]:
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not (isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute)):
                continue
            if not (isinstance(call.func.value, ast.Name) and call.func.value.id == "log"):
                continue
            for keyword in call.keywords:
                if keyword.arg == "extra" and isinstance(keyword.value, ast.Dict):
                    names = {key.value for key in keyword.value.keys if isinstance(key, ast.Constant)}
                    found += [f"{path.name}:{call.lineno}: {name}" for name in names & never]
    assert found == []
