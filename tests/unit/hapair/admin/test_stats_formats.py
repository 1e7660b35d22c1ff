"""Rows as CSV, JSON and typed lines."""

import csv as csv_module
import json

from hapair.admin.columns import COLUMNS
from hapair.admin.haproxy_rows import Row, rows_of
from hapair.admin.rates import Rates
from hapair.admin.stats_formats import csv, to_json, typed
from tests.unit.hapair.admin.sample import NODE

ROWS = rows_of(NODE, Rates(), 100.0)
SMALL: Row = {"pxname": "web", "svname": "web1", "scur": 2, "type": 2, "iid": 3, "sid": 1, "last_chk": None}


def test_csv_as_its_consumers_want_it() -> None:
    lines = csv(ROWS).split("\n")
    assert lines[0].startswith("# pxname,svname,qcur,qmax,scur,")
    assert lines[-1] == ""
    assert all(line.endswith(",-,") for line in lines[:-1])
    cells = [line.split(",") for line in lines[:-1]]
    assert {len(line) for line in cells} == {105}
    web1 = cells[3]
    assert (web1[0], web1[1], web1[17], web1[32], web1[58], web1[73]) == (
        "web",
        "web1",
        "UP 2/3",
        "2",
        "0",
        "192.0.2.21:80",
    )


def test_csv_quotes_only_what_needs_it() -> None:
    text = csv([{**SMALL, "last_chk": 'no "200", but 503'}])
    (_, row) = csv_module.reader(text.splitlines())
    assert row[COLUMNS.index("last_chk")] == 'no "200", but 503'
    assert text.count('"') == 6


def test_typed_lines() -> None:
    assert typed([SMALL]) == (
        "S.3.1.0.pxname.1:KNS:str:web\nS.3.1.1.svname.1:KNS:str:web1\nS.3.1.4.scur.1:MGP:u32:2\n"
        "S.3.1.27.iid.1:KGS:u32:3\nS.3.1.28.sid.1:KGS:u32:1\nS.3.1.32.type.1:CGS:u32:2\n"
    )
    assert {line[0] for line in typed(ROWS).splitlines()} == {"F", "B", "S"}


def test_json() -> None:
    (row,) = json.loads(to_json([SMALL]))
    assert row[2] == {
        "objType": "Server", "proxyId": 3, "id": 1, "field": {"pos": 4, "name": "scur"}, "processNum": 1,
        "tags": {"origin": "Metric", "nature": "Gauge", "scope": "Process"}, "value": {"type": "u32", "value": 2},
    }  # fmt: skip
    assert len(json.loads(to_json(ROWS))) == 6
