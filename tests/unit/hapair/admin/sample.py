"""A node as the surfaces see it: one frontend of each mode, a pool with one server of each kind of standing."""

from dataclasses import replace

from balancer.slots import Counts
from hapair.snapshot import (
    CertificateView,
    FenceView,
    FrontendView,
    LinkView,
    NodeSnapshot,
    PoolView,
    ProcessView,
    RouterView,
    ServerView,
    TrackedView,
)

NOTHING = Counts(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
FRONTEND_COUNTS = Counts(
    open=3, connections=40, bytes_in=1000, bytes_out=90_000, requests=120, status_1xx=0, status_2xx=100, status_3xx=5,
    status_4xx=10, status_5xx=5, failed=1, retries=2, bad_requests=4, bad_responses=1, timeouts=1, resets=2,
)  # fmt: skip
SERVER_COUNTS = Counts(
    open=2, connections=30, bytes_in=900, bytes_out=80_000, requests=110, status_1xx=0, status_2xx=98, status_3xx=5,
    status_4xx=5, status_5xx=2, failed=1, retries=2, bad_requests=0, bad_responses=1, timeouts=1, resets=2,
)  # fmt: skip
ROUTER = RouterView(
    name="lan", vrid=51, interface="eth0", version=3, group=None, stays_backup=False,
    tracked=(TrackedView(name="script web", ok=False, weight=-20, reason="exit status 1", since_s=9.0),),
    adverts_unsigned=0, state="Active", since_s=12.5, reason="", waiting_for=None, priority=180,
    configured_priority=200, vips=("192.0.2.100/24", "192.0.2.101/24"), vips_held=("192.0.2.100/32",), lease_s=1,
    lease_age_s=0.125, active_router=None, transitions=3, adverts_sent=90, adverts_received=7,
    adverts_rejected={"TTL": 2}, unusual_checksums=0, vips_restored=1, lateness_max_ms=2.5,
)  # fmt: skip
WEB1 = ServerView(
    name="web1", address="192.0.2.21:80", weight=5, full_weight=5, weight_in_file=5, backup=False, health="UP 2/3",
    up=True, reason="", since_s=None, counts=SERVER_COUNTS, last_check="200 OK", last_check_code="L7OK",
    last_check_ms=2.25, max_connections=50, failed_checks=1, rise=2, fall=3, health_count=3,
)  # fmt: skip
WEB2 = replace(
    WEB1, name="web2", address="192.0.2.22:80", health="DOWN 1/2", up=False, since_s=7.9, counts=NOTHING,
    last_check="connection refused", last_check_code="L4CON", last_check_ms=0.4, failed_checks=9, downs=2, down_s=71.5,
    health_count=1, max_connections=None, agent_up=False, agent="down",
)  # fmt: skip
WEB3 = ServerView(
    name="web3", address="[2001:db8::3]:80", weight=2, full_weight=4, throttle_percent=50, backup=True,
    health="no check", up=True, reason="", since_s=3.0, counts=NOTHING, admin="drain",
)  # fmt: skip
NODE = NodeSnapshot(
    version=1,
    hapair="0.1.0",
    node="pi-a",
    role="ACTIVE",
    uptime_s=100.5,
    config="/etc/hapair/hapair.yaml",
    routers=(ROUTER,),
    frontends=(
        FrontendView(
            name="web", mode="http", listen=("192.0.2.100:80", "[::]:81"), active=True, counts=FRONTEND_COUNTS,
            causes={"denied": 2, "too_many_requests": 1, "too_many_connections": 5}, max_connections=9000,
        ),
        FrontendView(
            name="dns", mode="udp", listen=("192.0.2.100:53",), active=False,
            counts=replace(NOTHING, open=1, connections=4, datagrams_in=9, datagrams_out=8, dropped=1),
            max_connections=100,
        ),
    ),
    pools=(PoolView(name="web", policy="least_connections", servers=(WEB1, WEB2, WEB3)),),
    processes=(
        ProcessView(name="announcer", pid=11, state="running"),
        ProcessView(name="worker 0", pid=12, state="serving"),
        ProcessView(name="worker 1", pid=None, state="dead"),
    ),
    link=LinkView(
        peer="pi-b", peer_address="192.0.2.12", up=True, since_s=60.0, lost=1, last_cause="died", last_detail=None,
        waiting_for=None, rejected={"address": 2}, round_trip_ms=0.5,
    ),
    fence=FenceView(obstacle=None, restored=2),
    certificates=(
        CertificateView(
            owner="frontend web", source="web.pem", names=("a.example",), key="EC", expires_in_s=86_400.0, trouble=None
        ),
        CertificateView(
            owner="pool db", source="db.pem", names=(), key="", expires_in_s=None, trouble="cannot be read"
        ),
    ),
    restarts=2,
    warnings=("look",),
    log_lines_dropped=3,
    ready=True,
    pid=10,
)  # fmt: skip
