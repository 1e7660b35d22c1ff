"""The node's parts to the one snapshot."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from balancer.checks.runner import ServerHealth
from balancer.kernel.services import Count, Service, services
from balancer.queue_counts import QUEUE_WAITING
from balancer.slots import BYTES_IN, OPEN, REQUESTS, Slots
from hapair.config import NodeConfig, load_text, node_view
from hapair.fitness import WorkerState
from hapair.snapshot import FenceView, KernelView, LinkView, NodeSnapshot, TrackedView
from hapair.tracking import TrackView
from hapair.view import node_snapshot
from hapair.watch_flows import FlowsWatch
from hapair.wire import from_plain, to_plain
from vrrp.liveness.config import LinkSnapshot
from vrrp.snapshot import FenceSnapshot, RouterSnapshot

TEXT = """\
pair: {nodes: {pi-a: 192.0.2.11}}
virtual_routers:
  lan: {vrid: 51, interface: eth0, addresses: [192.0.2.100/24], priority: 200}
frontends:
  web: {listen: ["192.0.2.100:80"], pool: web}
  any: {listen: [":81"], pool: web}
  raw: {listen: ["192.0.2.100:82"], mode: tcp, plane: kernel, pool: web}
pools:
  web: {servers: {web1: "192.0.2.21:80", web2: {address: "192.0.2.22:80", backup: true, weight: 3}}}
workers: 2
"""

ACTIVE = RouterSnapshot(
    name="lan", vrid=51, interface="eth0", version=3, group=None, stays_backup=False,
    adverts_unsigned=0, state="Active", priority=200, configured_priority=200,
    since_monotonic=1000.0, waiting_for=None, vips=("192.0.2.100",), vips_held=("192.0.2.100/32",), lease_s=1,
    lease_renewed_at=1009.75, active_router="192.0.2.11", transitions=2, adverts_sent=90, adverts_received=1,
    adverts_rejected={}, unusual_checksums=0, send_errors=0, vips_restored=0, lateness_max_ms=0.5,
    last_reason="Active_Down_Timer fired",
)  # fmt: skip


@dataclass
class FakeAnnouncer:
    snapshots: dict[str, RouterSnapshot] = field(default_factory=dict)
    pid: int | None = None
    restarts: int = 0
    ended: str = "it was killed by SIGKILL"
    why_lowered: str = ""
    is_needed: bool = True
    link: LinkSnapshot | None = None
    fence: FenceSnapshot | None = None

    def states(self) -> dict[str, str]:
        return {"lan": "Initialize"} | {name: one.state for name, one in self.snapshots.items()}


@dataclass
class FakeTracking:
    def snapshot(self, router: str) -> tuple[TrackView, ...]:
        return (TrackView(name=f"script {router}", ok=False, weight=-20, reason="exit status 1", since=480.0),)


@dataclass
class FakeKernel:
    services: tuple[Service, ...]
    is_needed: bool = True
    obstacle: str | None = None
    restored: int = 1
    warnings: tuple[str, ...] = ()
    counters = {  # noqa: RUF012 - a fake
        "f0_raw_4_0_web1_new": Count(7, 420),
        "f0_raw_4_0_web1_in": Count(9, 900),
        "f0_raw_4_refused": Count(2, 120),
    }


@dataclass
class FakeWorkers:
    pids: list[int | None]
    states: list[WorkerState]
    restarts: int = 0
    ended: dict[int, str] = field(default_factory=dict)


@pytest.fixture
def config() -> NodeConfig:
    return node_view(load_text(TEXT), "pi-a")


@pytest.fixture
def slots(config: NodeConfig) -> Iterator[Slots]:
    slots = Slots.create(config.balancer, 2)
    yield slots
    slots.close()


def look(config: NodeConfig, slots: Slots, announcer: FakeAnnouncer, workers: FakeWorkers) -> NodeSnapshot:
    return node_snapshot(
        config,
        path="/etc/hapair/hapair.yaml",
        announcer=announcer,  # type: ignore[arg-type]
        workers=workers,  # type: ignore[arg-type]
        slots=slots,
        flows=FlowsWatch(None),
        kernel=FakeKernel(services(config.balancer, {}, 3)),  # type: ignore[arg-type]
        healths={
            "web": {
                "web1": ServerHealth(True, "UP 2/3", None, 499.0, "", None),
                "web2": ServerHealth(False, "DOWN", None, 499.0, "connection refused", 440.0),
            }
        },
        tracking=FakeTracking(),  # type: ignore[arg-type]
        started_at=400.0,
        now=500.0,
        monotonic=1010.0,
    )


def test_a_node_that_is_active(config: NodeConfig, slots: Slots) -> None:
    announcer = FakeAnnouncer({"lan": ACTIVE}, pid=11, restarts=1)
    workers = FakeWorkers([21, 22], [WorkerState.SERVING, WorkerState.SERVING], restarts=2)
    for worker, requests in ((0, 5), (1, 7)):
        slots.frontend(worker, "web").add(REQUESTS, requests)
        slots.server(worker, "web", "web1").add(OPEN, 1)
        slots.queue(worker, "web", "web1").add(QUEUE_WAITING, 2)
        slots.queue(worker, "web").add(QUEUE_WAITING, 3)
    slots.frontend(0, "any").add(BYTES_IN, 512)
    view = look(config, slots, announcer, workers)
    assert (view.version, view.hapair, view.node, view.role) == (1, "0.1.0", "pi-a", "ACTIVE")
    assert (view.uptime_s, view.config, view.restarts) == (100.0, "/etc/hapair/hapair.yaml", 3)
    (router,) = view.routers
    assert (router.state, router.since_s, router.lease_age_s) == ("Active", 10.0, 0.25)
    assert (router.vips, router.vips_held) == (("192.0.2.100/24",), ("192.0.2.100/32",))
    assert [(one.name, one.listen, one.active, one.counts.requests) for one in view.frontends] == [
        ("web", ("192.0.2.100:80",), True, 12),
        ("any", ("[::]:81",), True, 0),
        ("raw", ("192.0.2.100:82",), True, 0),
    ]
    raw = view.frontends[2]
    assert (raw.plane, raw.counts.connections, raw.counts.bytes_in, raw.causes) == (
        "kernel",
        7,
        900,
        {"client_limit": 2},
    )
    assert view.frontends[1].counts.bytes_in == 512
    (pool,) = view.pools
    assert (pool.name, pool.policy, pool.up) == ("web", "round_robin", 1)
    assert [(one.name, one.address, one.weight, one.backup) for one in pool.servers] == [
        ("web1", "192.0.2.21:80", 1, False),
        ("web2", "192.0.2.22:80", 3, True),
    ]
    assert (pool.queue.waiting, [one.queue.waiting for one in pool.servers]) == (6, [4, 0])
    assert [(one.health, one.up, one.reason, one.since_s, one.counts.open) for one in pool.servers] == [
        ("UP 2/3", True, "", None, 2),
        ("DOWN", False, "connection refused", 60.0, 0),
    ]
    assert [(one.name, one.pid, one.state) for one in view.processes] == [
        ("announcer", 11, "running"),
        ("worker 0", 21, "serving"),
        ("worker 1", 22, "serving"),
    ]
    robbed = "somebody has removed the rules of the kernel plane, 1 times; they were put back"
    assert view.warnings == (robbed, "pool web: DOWN: web2 (connection refused)")
    assert view.kernel == KernelView(obstacle=None, restored=1)


def test_a_node_whose_announcer_is_not_there(config: NodeConfig, slots: Slots) -> None:
    view = look(config, slots, FakeAnnouncer(), FakeWorkers([None, 22], [WorkerState.DEAD, WorkerState.SERVING]))
    assert view.role == "STANDBY"
    (router,) = view.routers
    assert (router.state, router.waiting_for, router.since_s) == ("Initialize", "the announcer", None)
    assert (router.priority, router.vips_held, router.lease_age_s) == (200, (), None)
    assert [one.active for one in view.frontends] == [False, True, False]
    assert view.warnings == (
        "somebody has removed the rules of the kernel plane, 1 times; they were put back",
        "virtual router lan waits for the announcer",
        "pool web: DOWN: web2 (connection refused)",
        "announcer is starting",
        "worker 0 is dead",
    )


def test_the_snapshot_survives_the_wire(config: NodeConfig, slots: Slots) -> None:
    view = look(config, slots, FakeAnnouncer({"lan": ACTIVE}), FakeWorkers([1, 2], [WorkerState.SERVING] * 2))
    assert from_plain(to_plain(view), NodeSnapshot) == view


def test_link_fence_and_what_is_tracked(config: NodeConfig, slots: Slots) -> None:
    link = LinkSnapshot(
        up=True, since_monotonic=1004.0, peer="pi-b", peer_address="192.0.2.12", lost=1, last_cause="died",
        last_detail="end of file", waiting_for=None, rejected={"proof": 1}, round_trip_s=0.00025,
    )  # fmt: skip
    announcer = FakeAnnouncer({"lan": ACTIVE}, pid=11, link=link, fence=FenceSnapshot(obstacle=None, restored=1))
    view = look(config, slots, announcer, FakeWorkers([], []))
    assert view.link == LinkView(
        peer="pi-b", peer_address="192.0.2.12", up=True, since_s=6.0, lost=1, last_cause="died",
        last_detail="end of file", waiting_for=None, rejected={"proof": 1}, round_trip_ms=0.25,
    )  # fmt: skip
    assert view.fence == FenceView(obstacle=None, restored=1)
    assert view.routers[0].tracked == (
        TrackedView(name="script lan", ok=False, weight=-20, reason="exit status 1", since_s=20.0),
    )
