"""The metrics of the pair."""

from dataclasses import replace

from prometheus_client.parser import text_string_to_metric_families

from balancer.latencies import bucket_of
from hapair.admin.exposition import exposition
from hapair.admin.pair_metrics import metrics_of
from hapair.notifications.outbox import NotificationView
from hapair.snapshot import DriftView, FlowsView, KernelView, MaintenanceView, NodeSnapshot, PeerView
from tests.unit.hapair.admin.sample import NODE


def lines(node: NodeSnapshot = NODE) -> set[str]:
    return {line for line in exposition(metrics_of(node)).decode().splitlines() if not line.startswith("#")}


def test_role_and_virtual_routers() -> None:
    assert lines() >= {
        'hapair_node_role{role="ACTIVE"} 1',
        'hapair_node_role{role="STANDBY"} 0',
        "hapair_ready 1",
        "hapair_warnings 1",
        'hapair_router_state{router="lan",state="Active"} 1',
        'hapair_router_state{router="lan",state="Backup"} 0',
        'hapair_router_state_seconds{router="lan"} 12.5',
        'hapair_router_transitions_total{router="lan"} 3',
        'hapair_router_priority{router="lan"} 180',
        'hapair_router_configured_priority{router="lan"} 200',
        'hapair_vip_held{router="lan",vip="192.0.2.100/24"} 1',
        'hapair_vip_held{router="lan",vip="192.0.2.101/24"} 0',
        'hapair_lease_age_seconds{router="lan"} 0.125',
        'hapair_adverts_sent_total{router="lan"} 90',
        'hapair_adverts_rejected_total{router="lan",reason="TTL"} 2',
        'hapair_advert_lateness_max_seconds{router="lan"} 0.0025',
        'hapair_tracked_ok{router="lan",tracked="script web"} 0',
    }


def test_link_fence_certificates_and_processes() -> None:
    assert lines() >= {
        'hapair_peer_link_up{peer="pi-b"} 1',
        'hapair_peer_link_lost_total{peer="pi-b"} 1',
        'hapair_peer_link_rejected_total{peer="pi-b",reason="address"} 2',
        'hapair_peer_link_round_trip_seconds{peer="pi-b"} 0.0005',
        "hapair_fence_up 1",
        "hapair_fence_restored_total 2",
        'hapair_certificate_expires_in_seconds{owner="frontend web",source="web.pem"} 86400',
        'hapair_certificate_usable{owner="pool db",source="db.pem"} 0',
        'hapair_process_up{process="worker 0"} 1',
        'hapair_process_up{process="worker 1"} 0',
        "hapair_process_restarts_total 2",
        "hapair_log_lines_dropped_total 3",
        'hapair_frontend_active{frontend="dns"} 0',
        'hapair_frontend_causes_total{frontend="web",cause="denied"} 2',
        'hapair_frontend_datagrams_in_total{frontend="dns"} 9',
    }
    assert not [line for line in lines() if line.startswith("hapair_certificate_expires") and "db.pem" in line]


def test_the_kernel_plane_and_flows() -> None:
    flows = FlowsView(
        up=True, waits_for=None, waiting=4, lag_s=0.25, told=9, open={"web": 9}, sent=0, received=0,
        refused={"EBUSY": 2}, foreign=3,
        overruns=1, resyncs=2, resync_s=0.5, untold=6, rejected={"mac": 7},
    )  # fmt: skip
    node = replace(NODE, kernel=KernelView(obstacle="no nft", restored=3), flows=flows)
    assert lines(node) - lines() == {
        "hapair_kernel_plane_up 0",
        "hapair_kernel_plane_restored_total 3",
        "hapair_flows_link_up 1",
        "hapair_flows_lag_seconds 0.25",
        "hapair_flows_waiting 4",
        "hapair_flows_told 9",
        'hapair_flows_open{frontend="web"} 9',
        'hapair_flows_refused{errno="EBUSY"} 2',
        "hapair_flows_overruns_total 1",
        "hapair_flows_resyncs_total 2",
        "hapair_flows_resync_seconds 0.5",
        "hapair_flows_untold_total 6",
        "hapair_flows_foreign_total 3",
        'hapair_flows_rejected_total{reason="mac"} 7',
    }


def test_without_a_pair() -> None:
    alone = lines(replace(NODE, routers=(), link=None, fence=None, certificates=()))
    assert not [line for line in alone if line.startswith(("hapair_router", "hapair_peer", "hapair_fence"))]
    assert 'hapair_node_role{role="ACTIVE"} 1' in alone


def test_the_parser_reads_it_and_no_name_comes_twice() -> None:
    families = [family.name for family in text_string_to_metric_families(exposition(metrics_of(NODE)).decode())]
    assert len(families) == len(set(families)) > 30


def test_who_is_told() -> None:
    ops = NotificationView(name="ops", sent=9, failed=4, dropped=2, waiting=1, trouble=None)
    assert lines(replace(NODE, notifications=(ops,))) >= {
        'hapair_notifications_sent_total{name="ops"} 9',
        'hapair_notifications_dropped_total{name="ops"} 2',
        'hapair_notifications_waiting{name="ops"} 1',
    }


def test_how_late_adverts_are() -> None:
    late = replace(NODE.routers[0], lateness_counts=(80, 5, 0, 0, 3, 0, 0, 0, 0, 1, 1), lateness_sum_s=1.5)
    found = lines(replace(NODE, routers=(late,)))
    assert found >= {
        'hapair_advert_lateness_seconds_bucket{router="lan",le="0.0005"} 80',
        'hapair_advert_lateness_seconds_bucket{router="lan",le="0.01"} 88',
        'hapair_advert_lateness_seconds_bucket{router="lan",le="1.0"} 89',
        'hapair_advert_lateness_seconds_bucket{router="lan",le="+Inf"} 90',
        'hapair_advert_lateness_seconds_sum{router="lan"} 1.5',
        'hapair_advert_lateness_seconds_count{router="lan"} 90',
    }
    assert not [line for line in lines() if line.startswith("hapair_advert_lateness_seconds")]


def test_the_peer_drift_and_maintenance() -> None:
    drift = DriftView(places=("pools.web",), count=3, since_s=12.5)
    peer = PeerView(name="pi-b", address="192.0.2.12", up=True, since_s=9.0, waits_for=None, age_s=0.5, drift=drift)
    found = lines(replace(NODE, peer=peer, maintenance=MaintenanceView(by="anna", since=1.0)))
    assert found >= {
        'hapair_peer_state_up{peer="pi-b"} 1',
        'hapair_peer_state_age_seconds{peer="pi-b"} 0.5',
        'hapair_drift{peer="pi-b"} 3',
        'hapair_drift_seconds{peer="pi-b"} 12.5',
        "hapair_maintenance 1",
    }
    same = replace(peer, drift=DriftView(places=(), count=0, since_s=None))
    assert lines(replace(NODE, peer=same)) >= {'hapair_drift{peer="pi-b"} 0', 'hapair_drift_seconds{peer="pi-b"} 0'}
    assert "hapair_maintenance 0" in lines()
    unknown = lines(replace(NODE, peer=replace(peer, drift=None, age_s=None, up=False)))
    assert not [line for line in unknown if "drift" in line or ("age" in line and "peer_state" in line)]


def test_how_long_clients_waited_is_a_histogram() -> None:
    taken = [0] * 64
    taken[bucket_of(0.002)], taken[bucket_of(0.7)] = 3, 1
    web, dns = NODE.frontends
    node = replace(NODE, frontends=(replace(web, latencies=tuple(taken)), dns))
    lines = exposition(metrics_of(node)).decode().splitlines()
    found = [line for line in lines if "latency" in line and not line.startswith("#")]
    assert len(found) == 22
    assert {
        'hapair_frontend_latency_seconds_bucket{frontend="web",le="0.001"} 0',
        'hapair_frontend_latency_seconds_bucket{frontend="web",le="0.0025"} 3',
        'hapair_frontend_latency_seconds_bucket{frontend="web",le="1.0"} 4',
        'hapair_frontend_latency_seconds_count{frontend="web"} 4',
    } <= set(found)
