"""The table and the document."""

from hapair.lab.demo import Result
from hapair.lab.report import COLUMNS, document, row, verdict


def test_a_row_of_the_table(good: Result) -> None:
    assert dict(zip(COLUMNS, row(good.trials[0]), strict=True)) == {
        "Fault": "SIGKILL to every process",
        "Node": "pi-a",
        "VIP on peer": "344 ms",
        "Outage": "352 ms",
        "Requests failed": "78 of 900",
        "VIP off node": "1200 ms",
        "Stale VIP": "no",
        "Outage on return": "0 ms",
    }


def test_a_row_of_a_trial_that_went_wrong(bad: Result) -> None:
    assert row(bad.trials[1])[2:] == ("never", "without end", "78 of 900", "not in time", "yes", "did not come back")


def test_the_verdict(good: Result, bad: Result) -> None:
    assert verdict(good) == "3 of 3 takeovers happened, no stale VIP left"
    assert verdict(bad) == "1 of 2 takeovers happened, 1 stale VIP left, and the pair did not always recover"


def test_the_document(good: Result) -> None:
    found = document(good)
    faults = found.pop("faults")
    assert found == {
        "version": 1,
        "passed": True,
        "software": "hapair 0 <beta>",
        "elapsed_s": 10.0,
        "advertisement_interval_ms": 100,
        "active_down_interval_ms": 360.9,
        "lease_ms": 1000,
        "requests": {
            "total": 94,
            "failed": 4,
            "per_server": {"web1": 20, "web2": 70},
            "per_node": {"192.168.1.11": 20, "192.168.1.12": 70},
            "errors": {"timeout": 4},
        },
        "probe_latency_ms": {"p50": 4.0, "p99": 4.0, "max": 4.0},
    }
    assert faults[0] == {
        "fault": "SIGKILL to every process",
        "victim": "pi-a",
        "peer": "pi-b",
        "at_s": 2.0,
        "takeover_ms": 344.0,
        "outage_ms": 352.0,
        "requests": 900,
        "requests_failed": 78,
        "vip_off_victim_ms": 1200.0,
        "stale_vip": False,
        "return_outage_ms": 0.0,
        "return_requests_failed": 2,
        "recovered": True,
        "passed": True,
    }
