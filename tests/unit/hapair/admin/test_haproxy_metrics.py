"""HAProxy's metrics, read by prometheus_client's parser."""

from dataclasses import replace

import pytest
from prometheus_client.parser import text_string_to_metric_families

from hapair.admin.exposition import exposition
from hapair.admin.haproxy_metrics import metrics_of, state_of
from hapair.admin.haproxy_rows import rows_of
from hapair.admin.rates import Rates
from tests.unit.hapair.admin.sample import NODE

SAMPLES = {
    (one.name, *sorted(one.labels.items())): one.value
    for family in text_string_to_metric_families(
        exposition(metrics_of(NODE, rows_of(NODE, Rates(), 100.0), 1_700_000_000.5)).decode()
    )
    for one in family.samples
}


def value(name: str, **labels: str) -> float | None:
    return SAMPLES.get((name, *sorted(labels.items())))


def test_each_kind_of_proxy_has_its_prefix_and_labels() -> None:
    assert value("haproxy_frontend_http_requests_total", proxy="web") == 120
    assert value("haproxy_backend_http_requests_total", proxy="web") == 110
    assert value("haproxy_server_sessions_total", proxy="web", server="web1") == 110
    assert value("haproxy_frontend_http_requests_total", proxy="dns") == 0
    assert value("haproxy_frontend_http_responses_total", proxy="web", code="4xx") == 10
    assert value("haproxy_server_http_responses_total", proxy="web", server="web1", code="5xx") == 2


def test_states_are_labels() -> None:
    assert value("haproxy_server_status", proxy="web", server="web1", state="UP") == 1
    assert value("haproxy_server_status", proxy="web", server="web1", state="DOWN") == 0
    assert value("haproxy_server_status", proxy="web", server="web3", state="DRAIN") == 1
    assert value("haproxy_frontend_status", proxy="web", state="UP") == 1
    assert value("haproxy_frontend_status", proxy="dns", state="UP") == 1
    assert value("haproxy_backend_status", proxy="web", state="UP") == 1
    assert value("haproxy_backend_agg_server_status", proxy="web", state="DOWN") == 1
    assert value("haproxy_backend_agg_server_check_status", proxy="web", state="DOWN") == 1
    assert value("haproxy_backend_agg_check_status", proxy="web", state="L4CON") == 1
    assert value("haproxy_server_check_status", proxy="web", server="web2", state="L4CON") == 1
    assert value("haproxy_server_check_status", proxy="web", server="web3", state="L4CON") is None


def test_spans_are_seconds() -> None:
    assert value("haproxy_server_check_duration_seconds", proxy="web", server="web1") == 0.002
    assert value("haproxy_server_downtime_seconds_total", proxy="web", server="web2") == 71


def test_the_process() -> None:
    assert value("haproxy_process_start_time_seconds") == 1_700_000_000
    assert value("haproxy_process_nbthread") == 2
    assert value("haproxy_process_current_connections") == 4
    assert value("haproxy_process_hard_max_connections") == value("haproxy_process_max_connections") == 9100
    assert value("haproxy_process_current_connection_rate") == 0
    assert (value("haproxy_process_active_peers"), value("haproxy_process_connected_peers")) == (1, 1)
    assert value("haproxy_process_build_info", version="hapair 0.1.0") == 1


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ("UP 1/3", "UP"),
        ("no check", "UP"),
        ("DOWN (agent)", "DOWN"),
        ("OPEN", "UP"),
        ("MAINT", "MAINT"),
    ],
)
def test_a_status_as_a_state(status: str, state: str) -> None:
    assert state_of({"status": status}) == state


def test_a_node_that_serves_nothing() -> None:
    empty = replace(NODE, frontends=(), pools=())
    assert b"haproxy_server" not in exposition(metrics_of(empty, [], 0.0))
