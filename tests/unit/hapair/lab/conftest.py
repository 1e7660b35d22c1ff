"""A demonstration that never was: two faults, the second of which left a stale VIP and no end of outage."""

import pytest

from hapair.lab.demo import Result, Span
from hapair.lab.plan import Plan
from hapair.lab.records import Record
from hapair.lab.trial import Fault, Trial


def trial(**changes) -> Trial:
    values = {
        "fault": Fault.KILL_ALL,
        "victim": "pi-a",
        "peer": "pi-b",
        "fault_at": 102.0,
        "undone_at": 105.0,
        "back_at": 106.0,
        "takeover_s": 0.344,
        "vip_off_s": 1.2,
        "outage_s": 0.352,
        "failed": 78,
        "requests": 900,
        "return_outage_s": 0.0,
        "return_failed": 2,
        "recovered": True,
    }
    return Trial(**(values | changes))


def result(*trials: Trial) -> Result:
    nodes = {"pi-a": "192.168.1.11", "pi-b": "192.168.1.12"}
    records = [Record("probe", 100.0 + tick / 10, 0.002, None, "web1", nodes["pi-a"]) for tick in range(20)]
    records += [Record("probe", 102.0 + tick / 10, 0.25, "timeout", "", "") for tick in range(4)]
    records += [Record("probe", 102.4 + tick / 10, 0.004, None, "web2", nodes["pi-b"]) for tick in range(70)]
    return Result(
        plan=Plan(
            nodes,
            {"pi-a": 200, "pi-b": 100},
            {"web1": "192.168.1.21:8080", "web2": "192.168.1.22:8080"},
            "192.168.1.100",
        ),
        versions="hapair 0 <beta>",
        began_at=100.0,
        ended_at=110.0,
        trials=trials,
        records=records,
        holdings=[Span("pi-a", 99.0, 103.2), Span("pi-b", 102.344, 110.0)],
    )


@pytest.fixture
def good() -> Result:
    return result(trial(), trial(fault=Fault.UNPLUG, fault_at=106.5), trial(fault=Fault.FREEZE, fault_at=108.0))


@pytest.fixture
def bad() -> Result:
    return result(trial(), trial(vip_off_s=None, outage_s=None, takeover_s=None, recovered=False))
