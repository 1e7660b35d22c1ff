"""`show info`."""

import json

from hapair.admin.haproxy_info import info_of, plain, to_json, typed
from hapair.admin.rates import Pace, Rates
from tests.unit.hapair.admin.sample import NODE

RATES = Rates()
RATES.paces["frontend", "web"] = Pace(8, 4, 9, 30, 70, 95.0)
INFO = info_of(NODE, RATES, 1_700_000_000.5)


def test_plain() -> None:
    lines = plain(INFO).splitlines()
    assert lines[:3] == ["Name: hapair", "Version: 0.1.0", "Nbthread: 2"]
    assert {"Pid: 10", "Uptime: 0d 0h01m40s", "Uptime_sec: 100", "Maxconn: 9100", "CurrConns: 4", "CumConns: 44",
            "CumReq: 120", "ConnRate: 4", "MaxConnRate: 9", "node: pi-a", "DroppedLogs: 3", "ConnectedPeers: 1",
            "Start_time_sec: 1700000000"} <= set(lines)  # fmt: skip


def test_typed() -> None:
    assert typed(INFO).splitlines()[5] == "5.Pid.1:SGP:u32:10"


def test_json() -> None:
    assert json.loads(to_json(INFO))[5] == {
        "field": {"pos": 5, "name": "Pid"}, "processNum": 1,
        "tags": {"origin": "Status", "nature": "Gauge", "scope": "Process"}, "value": {"type": "u32", "value": 10},
    }  # fmt: skip
