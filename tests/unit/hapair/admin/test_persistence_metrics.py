"""Persistence in metrics, where there is some."""

from dataclasses import replace

from hapair.admin.exposition import exposition
from hapair.admin.persistence_metrics import metrics_of
from hapair.persistence.views import PersistencePeerView, PersistenceView
from tests.unit.hapair.admin.sample import NODE


def test_cookies_tables_and_the_peer() -> None:
    one = PersistenceView(pool="web", cookie="H", cookies={"set": 3, "forged": 1}, size=100, used=7, evicted=2)
    peer = PersistencePeerView(up=True, waiting=4, lag_s=0.5, resyncs=1)
    node = replace(NODE, persistence=(one,), persistence_peer=peer)
    lines = exposition(metrics_of(node)).decode().splitlines()
    assert [line for line in lines if not line.startswith("#")] == [
        'hapair_persistence_cookies_total{proxy="web",verdict="accepted"} 0',
        'hapair_persistence_cookies_total{proxy="web",verdict="forged"} 1',
        'hapair_persistence_cookies_total{proxy="web",verdict="stale"} 0',
        'hapair_persistence_cookies_total{proxy="web",verdict="moved"} 0',
        'hapair_persistence_cookies_total{proxy="web",verdict="set"} 3',
        'haproxy_sticktable_size{name="web",type="ip"} 100',
        'haproxy_sticktable_used{name="web",type="ip"} 7',
        'hapair_persistence_evicted_total{name="web",type="ip"} 2',
        "hapair_persistence_peer_up 1",
        "hapair_persistence_waiting 4",
        "hapair_persistence_lag_seconds 0.5",
        "hapair_persistence_resyncs_total 1",
    ]


def test_nothing_is_nothing() -> None:
    assert list(metrics_of(NODE)) == []
