"""What a person should look at, in words."""

from dataclasses import replace

import pytest

from balancer.config import BalancerConfig, Frontend, Pool, Server
from balancer.fieldtypes import Endpoint
from balancer.slots import Counts
from hapair.snapshot import (
    FenceView,
    FlowsView,
    KernelView,
    LinkView,
    PoolView,
    ProcessView,
    RouterView,
    ServerView,
    TrackedView,
)
from hapair.snapshot_warnings import warnings_of

NOTHING = Counts(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
CONFIG = BalancerConfig(
    frontends={"web": Frontend(listen=(Endpoint("192.0.2.100", 80),), pool="web")},
    pools={"web": Pool(servers={"web1": Server(address=Endpoint("192.0.2.21", 80))})},
)
ROUTER = RouterView(
    name="lan", vrid=51, interface="eth0", version=3, group=None, stays_backup=False, tracked=(),
    adverts_unsigned=0, state="Active", since_s=1.0, reason="", waiting_for=None, priority=100,
    configured_priority=100, vips=("192.0.2.100/24",), vips_held=("192.0.2.100/32",), lease_s=1, lease_age_s=0.1,
    active_router=None, transitions=1, adverts_sent=1, adverts_received=0, adverts_rejected={}, unusual_checksums=0,
    vips_restored=0, lateness_max_ms=0.0,
)  # fmt: skip
SERVER = ServerView(
    name="web1", address="192.0.2.21:80", weight=1, backup=False, health="UP", up=True, reason="", since_s=1.0,
    counts=NOTHING,
)  # fmt: skip
DOWN = replace(SERVER, name="web2", health="DOWN", up=False, reason="connection refused")
WORKER = ProcessView(name="worker 0", pid=7, state="serving")


def pool(*servers: ServerView) -> PoolView:
    return PoolView(name="web", policy="round_robin", servers=servers)


def test_all_is_well() -> None:
    announcer = ProcessView(name="announcer", pid=6, state="running")
    assert warnings_of(CONFIG, [ROUTER], [pool(SERVER)], [announcer, WORKER]) == ()


@pytest.mark.parametrize(
    ("router", "warning"),
    [
        (replace(ROUTER, waiting_for="interface eth0 to exist", state="Initialize", vips_held=()),
         "virtual router lan waits for interface eth0 to exist"),
        (replace(ROUTER, state="Backup", stays_backup=True, reason="handed over to pi-b", vips_held=()),
         "virtual router lan does not preempt: it handed over, or gave up (handed over to pi-b); "
         "`hapair preempt` ends that"),
        (replace(ROUTER, priority=1), "virtual router lan stands with priority 1 in place of 100"),
        (replace(ROUTER, vips_held=()), "virtual router lan is Active and does not hold all of its addresses"),
        (replace(ROUTER, adverts_rejected={"TTL": 2, "CHECKSUM": 3}),
         "virtual router lan rejected 5 adverts (CHECKSUM 3, TTL 2)"),
    ],
)  # fmt: skip
def test_a_virtual_router_to_look_at(router: RouterView, warning: str) -> None:
    assert warnings_of(CONFIG, [router], [pool(SERVER)], [WORKER]) == (warning,)


@pytest.mark.parametrize(
    ("changes", "warnings"),
    [
        ({}, ()),
        ({"up": False, "waiting_for": "192.0.2.12 port 1339: Connection refused"},
         ("the liveness link to pi-b is down (waits for 192.0.2.12 port 1339: Connection refused): "
          "its death would be noticed by silence alone",)),
        ({"up": False, "waiting_for": "the peer", "last_detail": "it stops"},
         ("the liveness link to pi-b is down (waits for the peer; ended: it stops): "
          "its death would be noticed by silence alone",)),
        ({"up": False, "last_detail": "nothing came for 1 s"},
         ("the liveness link to pi-b is down (ended: nothing came for 1 s): "
          "its death would be noticed by silence alone",)),
        ({"rejected": {"proof": 2, "name": 1}}, ("the liveness link refused connections (name 1, proof 2)",)),
    ],
)  # fmt: skip
def test_a_link_to_look_at(changes: dict[str, object], warnings: tuple[str, ...]) -> None:
    link = LinkView(
        peer="pi-b", peer_address="192.0.2.12", up=True, since_s=1.0, lost=0, last_cause=None, last_detail=None,
        waiting_for=None, rejected={}, round_trip_ms=0.2,
    )  # fmt: skip
    assert warnings_of(CONFIG, [], [], [], replace(link, **changes), None) == warnings  # type: ignore[arg-type]


def test_a_fence_to_look_at() -> None:
    def about(obstacle: str | None, restored: int) -> tuple[str, ...]:
        return warnings_of(CONFIG, [], [], [], None, FenceView(obstacle=obstacle, restored=restored))

    assert about(None, 0) == ()
    assert about(None, 2) == ("somebody flushed the fence 2 times; it was put back",)
    assert about("this kernel lacks nf_tables", 0) == (
        "no fence around the VIPs: this kernel lacks nf_tables; a dead node answers for them until the lease ends",
    )


def test_a_backup_holds_no_addresses_and_that_is_well() -> None:
    assert warnings_of(CONFIG, [replace(ROUTER, state="Backup", vips_held=())], [], []) == ()


def test_a_pool_with_some_servers_down_and_one_with_all() -> None:
    assert warnings_of(CONFIG, [], [pool(SERVER, DOWN)], []) == ("pool web: DOWN: web2 (connection refused)",)
    assert warnings_of(CONFIG, [], [pool(DOWN)], []) == ("pool web has no server that is UP; its clients get 503",)


def test_a_process_that_does_not_do_its_work() -> None:
    assert warnings_of(CONFIG, [], [], [replace(WORKER, pid=None, state="dead")]) == ("worker 0 is dead",)


def test_a_node_that_serves_nothing() -> None:
    assert warnings_of(BalancerConfig(frontends={}, pools={}), [], [], []) == (
        "there are no frontends: this node serves nothing",
    )


def test_an_active_node_that_hears_nothing_of_its_peer_says_that_both_may_be_active() -> None:
    link = LinkView(
        peer="pi-b", peer_address="192.0.2.12", up=False, since_s=3.0, lost=1, last_cause="ended",
        last_detail="nothing came for 1 s", waiting_for=None, rejected={}, round_trip_ms=None,
    )  # fmt: skip
    split = (
        "lan Active here, and nothing is heard of pi-b: it is dead, or Active too (split brain): "
        "ask it, `hapair status` on pi-b (192.0.2.12); where both are, "
        "`hapair maintenance on --force` on one of them takes its VIPs off"
    )
    down = (
        "the liveness link to pi-b is down (ended: nothing came for 1 s): its death would be noticed by silence alone"
    )
    assert warnings_of(CONFIG, [ROUTER], [pool(SERVER)], [WORKER], link) == (split, down)
    cut_off = (
        "this node hears no peer and finds no server: probably it is the one that is cut off: look at its cable, its "
        "switch port and its firewall first"
    )
    nobody = "pool web has no server that is UP; its clients get 503"
    assert warnings_of(CONFIG, [ROUTER], [pool(DOWN)], [WORKER], link) == (split, cut_off, down, nobody)
    backup = replace(ROUTER, state="Backup", vips_held=())
    assert warnings_of(CONFIG, [backup], [pool(SERVER)], [WORKER], link) == (down,)
    assert warnings_of(CONFIG, [ROUTER], [pool(SERVER)], [WORKER], replace(link, up=True)) == ()


def test_a_kernel_plane_that_does_not_work_or_was_robbed() -> None:
    lacking = "this machine does not forward: sysctl -w net.ipv4.ip_forward=1"
    kernel = KernelView(obstacle="nft refuses", restored=2, lacking=(lacking,))
    assert warnings_of(CONFIG, [], [], [], kernel=kernel) == (
        f"kernel plane: {lacking}",
        "the kernel plane does not work: nft refuses",
        "somebody has removed the rules of the kernel plane, 2 times; they were put back",
    )
    assert warnings_of(CONFIG, [], [], [], kernel=KernelView(obstacle=None, restored=0)) == ()


def test_why_a_virtual_router_goes_last() -> None:
    tracked = TrackedView(name="script dns", ok=False, weight=-120, reason="exit status 1", since_s=2.0)
    router = replace(ROUTER, priority=1, tracked=(tracked, replace(tracked, name="file x", ok=True)))
    assert warnings_of(CONFIG, [router], [pool(SERVER)], [WORKER], why_lowered="no server is UP") == (
        "virtual router lan stands with priority 1 in place of 100 (no server is UP, script dns: exit status 1)",
    )


def test_flows_to_look_at() -> None:
    well = FlowsView(
        up=True, waits_for=None, waiting=0, lag_s=0.01, told=9, sent=9, received=0, refused={}, foreign=0, overruns=1,
        resyncs=2, resync_s=0.1,
    )  # fmt: skip
    assert warnings_of(CONFIG, [], [], [], flows=well) == ()
    ill = replace(well, up=False, waits_for="the peer", lag_s=2.5, refused={"ENOMEM": 3}, untold=4, rejected={"mac": 5})
    assert warnings_of(CONFIG, [], [], [], flows=ill) == (
        "flows are not told to the peer: waits for the peer; a failover would cut them",
        "the peer is told of flows 2.5 s late",
        "this kernel did not take flows of the peer: 3 ENOMEM",
        "more flows are open than the peer can be told of: 4 changes were passed over",
        "the link for flows refused connections (mac 5)",
    )
