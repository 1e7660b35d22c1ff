"""A real Prometheus that scrapes the admin server: every query of dashboard and alerts runs, and finds something."""

import json
import os
import re
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import trio
import yaml

from balancer.checks.runner import CheckRunner
from balancer.fieldtypes import Endpoint
from hapair.config.admin import AdminSection
from hapair.node_admin import NodeAdmin, open_admin
from hapair.snapshot import DriftView, FlowsView, KernelView, PeerView
from tests.peers.programs import ROOT, free_port, running
from tests.unit.hapair.admin.sample import NODE

RULES = ROOT / "deploy" / "prometheus-rules.yml"
DASHBOARD = ROOT / "deploy" / "grafana-dashboard.json"
FLOWS = FlowsView(
    up=True, waits_for=None, waiting=0, lag_s=0.1, told=1, sent=1, received=1, refused={}, foreign=0, overruns=0,
    resyncs=0, resync_s=0.0,
)  # fmt: skip
PEER = PeerView(
    name="pi-b", address="192.0.2.12", up=True, since_s=9.0, waits_for=None, age_s=0.5,
    drift=DriftView(places=(), count=0, since_s=None),
)  # fmt: skip
ROUTER = replace(NODE.routers[0], lateness_counts=(80, 5, 0, 0, 0, 0, 0, 0, 0, 0, 0), lateness_sum_s=0.01)
WHOLE = replace(
    NODE, kernel=KernelView(obstacle=None, restored=0), flows=FLOWS, peer=PEER, routers=(ROUTER, *NODE.routers[1:])
)
COMPARISON = re.compile(r" (?:==|>|<) [^()]*$")
ACTIVE_A = 'hapair_router_state{job="hapair",instance="a",router="lan",state="Active"}'
ACTIVE_B = ACTIVE_A.replace('"a"', '"b"')


def alerts() -> list[dict[str, Any]]:
    (group,) = yaml.safe_load(RULES.read_text(encoding="utf-8"))["groups"]
    return list(group["rules"])


def dashboard_queries() -> list[str]:
    panels = json.loads(DASHBOARD.read_text(encoding="utf-8"))["panels"]
    queries = [target["expr"] for panel in panels for target in panel["targets"]]
    return [one.replace("$pair", "hapair.*").replace("$__rate_interval", "10s") for one in queries]


def without_threshold(expression: str) -> str:
    """What an alert looks at, without when it is too much."""
    return COMPARISON.sub("", expression)


def test_promtool_has_nothing_to_say_of_the_rules(program: Callable[[str], str]) -> None:
    checked = subprocess.run(
        [program("promtool"), "check", "rules", RULES], capture_output=True, text=True, check=False
    )
    assert checked.returncode == 0, checked.stderr
    assert f"SUCCESS: {len(alerts())} rules found" in checked.stdout


def test_an_alert_says_how_bad_it_is_and_where() -> None:
    names = [alert["alert"] for alert in alerts()]
    assert len(set(names)) == len(names)
    for alert in alerts():
        assert alert["labels"]["severity"] in ("warning", "critical")
        assert "{{ $labels." in alert["annotations"]["summary"]


@pytest.mark.parametrize(
    ("alert", "series", "fires"),
    [
        ("HapairNobodyActive", {ACTIVE_A: "0x3"}, True),
        ("HapairNobodyActive", {ACTIVE_A: "1x3"}, False),
        ("HapairTwoActive", {ACTIVE_A: "1x3", ACTIVE_B: "1x3"}, True),
        ("HapairVipNotHeld", {'hapair_vip_held{job="hapair",instance="a",router="lan",vip="v"}': "0x3",
                              ACTIVE_A: "1x3"}, True),
        ("HapairVipNotHeld", {'hapair_vip_held{job="hapair",instance="a",router="lan",vip="v"}': "0x3",
                              ACTIVE_A: "0x3"}, False),
        ("HapairPoolDown", {'haproxy_backend_status{job="hapair",instance="a",proxy="web",state="UP"}': "0x3"}, True),
        ("HapairPoolDown", {'haproxy_backend_status{job="other",instance="a",proxy="web",state="UP"}': "0x3"}, False),
    ],
)  # fmt: skip
def test_an_alert_fires_when_it_should(
    tmp_path: Path, program: Callable[[str], str], alert: str, series: dict[str, str], fires: bool
) -> None:
    file = tmp_path / "test.yml"
    inputs = [{"series": name, "values": values} for name, values in series.items()]
    # promtool lists what is expected with all labels; a rule of our own says whether it fires, and nothing else.
    expression = f'count(ALERTS{{alertname="{alert}",alertstate="firing"}})'
    samples = [{"labels": "{}", "value": 1}] if fires else []
    tests = [{"interval": "1m", "input_series": inputs,
              "promql_expr_test": [{"expr": expression, "eval_time": "2m", "exp_samples": samples}]}]  # fmt: skip
    file.write_text(json.dumps({"rule_files": [str(RULES)], "evaluation_interval": "1m", "tests": tests}))
    checked = subprocess.run([program("promtool"), "test", "rules", file], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr


async def ask(port: int, expression: str) -> list[Any]:
    """What Prometheus answers to a query now."""
    asked = await trio.run_process(
        [
            "curl",
            "--fail",  # while it starts it says so in words
            "-s",
            "-m",
            "5",
            "--get",
            "--data-urlencode",
            f"query={expression}",
            f"http://127.0.0.1:{port}/api/v1/query",
        ],
        capture_stdout=True,
        check=False,
    )
    if asked.returncode:
        return []
    answer = json.loads(asked.stdout)
    assert answer["status"] == "success", (expression, answer)
    return list(answer["data"]["result"])


@pytest.mark.slow
async def test_every_query_of_dashboard_and_alerts_finds_something(
    tmp_path: Path, program: Callable[[str], str]
) -> None:
    prometheus = program("prometheus")
    program("curl")
    port, own_port = free_port(), free_port()
    file = tmp_path / "prometheus.yml"
    target = {"job_name": "hapair-home", "static_configs": [{"targets": [f"127.0.0.1:{port}"]}]}
    rules = {"rule_files": [str(RULES)], "global": {"scrape_interval": "1s", "evaluation_interval": "1s"}}
    file.write_text(json.dumps({**rules, "scrape_configs": [target]}))
    admin = AdminSection(listen=(Endpoint("127.0.0.1", port),))
    listeners = open_admin(admin)
    node = NodeAdmin(lambda: WHOLE, CheckRunner({}, lambda *_: None), admin, listeners)
    words = [prometheus, "--config.file", str(file), "--storage.tsdb.path", str(tmp_path / "data")]
    words += ["--web.listen-address", f"127.0.0.1:{own_port}", "--log.level", "warn"]
    async with trio.open_nursery() as nursery:
        nursery.start_soon(node.run)
        with running(words, own_port, env=dict(os.environ), log=tmp_path / "prometheus.log"):
            with trio.fail_after(40):
                while not await ask(own_port, "count_over_time(hapair_ready[1m]) > 4"):  # noqa: ASYNC110 - it tells who asks
                    await trio.sleep(0.5)
            for query in dashboard_queries():
                assert await ask(own_port, query), query
            for alert in alerts():
                for part in filter(None, re.split(" and on .*| or ", alert["expr"])):
                    # a rate is there as soon as there are two samples, whatever its span
                    assert await ask(own_port, without_threshold(part)), part
            # one VIP is not held by this Active Router, and one server is DOWN: it says so
            pending = await ask(own_port, 'ALERTS{alertname=~"HapairVipNotHeld|HapairServerDown"}')
            assert {one["metric"]["alertname"] for one in pending} == {"HapairVipNotHeld", "HapairServerDown"}
        nursery.cancel_scope.cancel()
    for listener in listeners.values():
        listener.close()
