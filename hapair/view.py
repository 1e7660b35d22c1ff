"""The node's parts to the one snapshot. Reads, never changes."""

from collections.abc import Mapping
from dataclasses import fields, replace

from balancer.checks.runner import ServerHealth
from balancer.config import Frontend, Pool, pools_of
from balancer.counts import Counts, added
from balancer.slots import Slots
from balancer.standing import WHOLE, shown_weight, throttle_percent, warmth
from hapair import __version__
from hapair.config import NodeConfig
from hapair.kernel import counters
from hapair.kernel.plane import KernelPlane
from hapair.role import active_frontends, node_role
from hapair.snapshot import (
    VERSION,
    CertificateView,
    FenceView,
    FlowsView,
    FrontendView,
    KernelView,
    LinkView,
    NodeSnapshot,
    PoolView,
    ProcessView,
    RouterView,
    ServerView,
    TrackedView,
)
from hapair.snapshot_warnings import warnings_of
from hapair.tracking import Tracking
from hapair.watch_announcer import AnnouncerWatch
from hapair.watch_flows import FlowsWatch
from hapair.watch_workers import WorkersWatch
from vrrp.config import VirtualRouterConfig
from vrrp.liveness.config import LinkSnapshot
from vrrp.snapshot import FenceSnapshot, RouterSnapshot

Healths = Mapping[str, Mapping[str, ServerHealth]]


def node_snapshot(
    config: NodeConfig,
    *,
    path: str,
    announcer: AnnouncerWatch,
    workers: WorkersWatch,
    slots: Slots,
    kernel: KernelPlane,
    flows: FlowsWatch,
    healths: Healths,
    tracking: Tracking,
    certificates: tuple[CertificateView, ...] = (),
    started_at: float,
    now: float,
    monotonic: float,
    ready: bool = False,
    pid: int = 0,
) -> NodeSnapshot:
    """The status of this node. `now` and `started_at` are on trio's clock, `monotonic` is CLOCK_MONOTONIC."""
    states = announcer.states()
    routers = tuple(_router(router, announcer.snapshots.get(router.name), monotonic) for router in config.routers)
    routers = tuple(replace(one, tracked=_tracked(tracking, one.name, now)) for one in routers)
    pools = tuple(_pool(config, name, slots, kernel, healths, now) for name in config.balancer.pools)
    processes = _processes(announcer, workers, flows)
    link, fence = _link(announcer.link, monotonic), _fence(announcer.fence)
    return NodeSnapshot(
        version=VERSION,
        hapair=__version__,
        node=config.node,
        role=node_role(states),
        uptime_s=now - started_at,
        config=path,
        routers=routers,
        frontends=_frontends(config, slots, kernel, states),
        pools=pools,
        processes=processes,
        link=link,
        fence=fence,
        kernel=_kernel(kernel),
        flows=_flows(flows),
        certificates=certificates,
        restarts=announcer.restarts + workers.restarts + flows.restarts,
        warnings=warnings_of(
            *(config.balancer, routers, pools, processes, link, fence, certificates),
            _kernel(kernel),
            _flows(flows),
            why_lowered=announcer.why_lowered,
        ),
        log_lines_dropped=slots.log_lines_dropped(),
        ready=ready,
        max_connections=config.balancer.max_connections,
        pid=pid,
    )


def _router(config: VirtualRouterConfig, seen: RouterSnapshot | None, now: float) -> RouterView:
    vips = tuple(str(address) for address in config.all_addresses)
    if seen is None:
        return RouterView(
            name=config.name, vrid=config.vrid, interface=config.interface, version=config.version,
            group=config.group, stays_backup=False, tracked=(), adverts_unsigned=0, state="Initialize", since_s=None,
            reason="the announcer is not running", waiting_for="the announcer", priority=config.priority,
            configured_priority=config.priority, vips=vips, vips_held=(), lease_s=None, lease_age_s=None,
            active_router=None, transitions=0, adverts_sent=0, adverts_received=0, adverts_rejected={},
            unusual_checksums=0, vips_restored=0, lateness_max_ms=0.0,
        )  # fmt: skip
    return RouterView(
        name=seen.name, vrid=seen.vrid, interface=seen.interface, version=seen.version, group=seen.group,
        stays_backup=seen.stays_backup, tracked=(), adverts_unsigned=seen.adverts_unsigned, state=seen.state,
        since_s=now - seen.since_monotonic, reason=seen.last_reason, waiting_for=seen.waiting_for,
        priority=seen.priority, configured_priority=seen.configured_priority, vips=vips, vips_held=seen.vips_held,
        lease_s=seen.lease_s, lease_age_s=None if seen.lease_renewed_at is None else now - seen.lease_renewed_at,
        active_router=seen.active_router, transitions=seen.transitions, adverts_sent=seen.adverts_sent,
        adverts_received=seen.adverts_received, adverts_rejected=seen.adverts_rejected,
        unusual_checksums=seen.unusual_checksums, vips_restored=seen.vips_restored,
        lateness_max_ms=seen.lateness_max_ms, lateness_counts=seen.lateness_counts,
        lateness_sum_s=seen.lateness_sum_s,
    )  # fmt: skip


def _tracked(tracking: Tracking, router: str, now: float) -> tuple[TrackedView, ...]:
    return tuple(
        TrackedView(
            name=one.name,
            ok=one.ok,
            weight=one.weight,
            reason=one.reason,
            since_s=None if one.since is None else now - one.since,
        )
        for one in tracking.snapshot(router)
    )


def _link(link: LinkSnapshot | None, monotonic: float) -> LinkView | None:
    if link is None:
        return None
    return LinkView(
        peer=link.peer,
        peer_address=link.peer_address,
        up=link.up,
        since_s=monotonic - link.since_monotonic,
        lost=link.lost,
        last_cause=link.last_cause,
        last_detail=link.last_detail,
        waiting_for=link.waiting_for,
        rejected=link.rejected,
        round_trip_ms=None if link.round_trip_s is None else round(link.round_trip_s * 1000, 3),
    )


def _fence(fence: FenceSnapshot | None) -> FenceView | None:
    return None if fence is None else FenceView(obstacle=fence.obstacle, restored=fence.restored)


def _frontends(
    config: NodeConfig, slots: Slots, kernel: KernelPlane, states: Mapping[str, str]
) -> tuple[FrontendView, ...]:
    active = active_frontends(config.vip_of_frontend, states)
    return tuple(
        FrontendView(
            name=name,
            mode=frontend.mode,
            listen=tuple(str(endpoint) for endpoint in frontend.listen),
            active=active[name],
            plane=frontend.plane,
            counts=_frontend_counts(name, frontend, slots, kernel),
            causes=_causes(name, frontend, slots, kernel),
            max_connections=frontend.max_connections,
            latencies=slots.latency_counts(name) if (frontend.mode, frontend.plane) == ("http", "proxy") else (),
        )
        for name, frontend in config.balancer.frontends.items()
    )


def _frontend_counts(name: str, frontend: Frontend, slots: Slots, kernel: KernelPlane) -> Counts:
    if frontend.plane == "kernel":
        return counters.of_frontend(kernel.services, name, kernel.counters)
    return slots.frontend_counts(name)


def _causes(name: str, frontend: Frontend, slots: Slots, kernel: KernelPlane) -> dict[str, int]:
    if frontend.plane == "kernel":
        refused = counters.refused(kernel.services, name, kernel.counters)
        return {"client_limit": refused} if refused else {}
    return {cause.label: count for cause, count in slots.cause_counts(name).items()}


def _flows(flows: FlowsWatch) -> FlowsView | None:
    report = flows.report
    if report is None:
        return None
    plain = {field.name: getattr(report, field.name) for field in fields(FlowsView)}
    return FlowsView(**plain | {"lag_s": round(report.lag_s, 4), "resync_s": round(report.resync_s, 3)})


def _kernel(kernel: KernelPlane) -> KernelView | None:
    if not kernel.is_needed:
        return None
    return KernelView(obstacle=kernel.obstacle, restored=kernel.restored, lacking=kernel.warnings)


def _pool(config: NodeConfig, name: str, slots: Slots, kernel: KernelPlane, healths: Healths, now: float) -> PoolView:
    pool = config.balancer.pools[name]

    def counts(server: str) -> Counts:
        by_kernel = counters.of_server(kernel.services, name, server, kernel.counters)
        return added(slots.server_counts(name, server), by_kernel)

    servers = tuple(
        replace(
            _server(pool, server, counts(server), healths[name][server], now), queue=slots.queue_counts(name, server)
        )
        for server in pool.servers
    )
    queue = slots.queue_counts(name)
    return PoolView(
        name=name,
        policy=pool.policy,
        servers=servers,
        mode=_mode_of(config, name),
        redispatch=pool.redispatch,
        queue=queue,
        expects=expected_connections(config, name),
    )


def expected_connections(config: NodeConfig, pool: str) -> int:
    """A tenth of what the frontends that lead to it may have: what HAProxy takes a backend to be made for."""
    leading = (one.max_connections for one in config.balancer.frontends.values() if pool in pools_of(one))
    return -(-sum(leading) // 10)


def _mode_of(config: NodeConfig, pool: str) -> str:
    """A pool has none of its own: that of the first frontend that leads to it."""
    modes = (frontend.mode for frontend in config.balancer.frontends.values() if pool in pools_of(frontend))
    return next(modes, "http")


def _server(pool: Pool, name: str, counts: Counts, health: ServerHealth, now: float) -> ServerView:
    server, check, result = pool.servers[name], pool.check_of(name), health.last_result
    full_weight = server.weight if health.weight is None else health.weight
    warm = WHOLE if health.returned_at is None else warmth(now - health.returned_at, pool.slow_start_s)
    return ServerView(
        name=name,
        address=str(server.address if health.place is None else health.place.endpoint),
        weight=shown_weight(full_weight, warm),
        full_weight=full_weight,
        throttle_percent=throttle_percent(full_weight, warm),
        backup=server.backup or (health.place is not None and health.place.backup),
        health=health.text,
        admin=health.admin,
        up=health.up and health.resolved,
        reason=health.resolution or health.flip_reason or (result.reason if result else ""),
        since_s=None if health.flipped_at is None else now - health.flipped_at,
        counts=counts,
        last_check=result.reason if result else "",
        last_check_code=result.code if result else "",
        last_check_ms=round(result.duration_s * 1000, 3) if result else None,
        agent=health.agent_text,
        agent_up=health.agent_up,
        max_connections=health.max_connections or server.max_connections,
        max_queue=server.max_queue,
        failed_checks=health.failed_probes,
        downs=health.downs,
        down_s=round(health.down_before_s + (0.0 if health.down_at is None else now - health.down_at), 3),
        rise=None if check is None else check.rise,
        fall=None if check is None else check.fall,
        health_count=health.count,
        weight_in_file=server.weight,
        checks_on=health.checks_on,
        agent_on=health.agent_on,
        known_as=str(server.address) if server.address.is_name else None,
    )


def _processes(announcer: AnnouncerWatch, workers: WorkersWatch, flows: FlowsWatch) -> tuple[ProcessView, ...]:
    state = "running" if announcer.pid else "starting"
    seats = []
    if announcer.is_needed:
        seats.append(ProcessView(name="announcer", pid=announcer.pid, state=state, ended=announcer.ended))
    for index, pid in enumerate(workers.pids):
        ended = workers.ended.get(index, "")
        seats.append(ProcessView(name=f"worker {index}", pid=pid, state=workers.states[index].value, ended=ended))
    if flows.is_needed:
        state = "running" if flows.pid else "starting"
        seats.append(ProcessView(name="flows", pid=flows.pid, state=state, ended=flows.ended))
    return tuple(seats)
