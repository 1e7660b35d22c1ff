"""The one typed status that every surface reads. Pure: the node fills it, `hapair status` and its --json show it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from balancer.config import BalancerConfig
from balancer.queue_counts import QueueCounts
from balancer.slots import Counts
from hapair.notifications.outbox import NotificationView
from hapair.persistence.views import PersistencePeerView, PersistenceView
from hapair.snapshot_kernel import FlowsView as FlowsView
from hapair.snapshot_kernel import KernelView as KernelView

VERSION = 1
LAGS_S = 1.0
"""Flows of which the peer hears later than this are warned about."""
EXPIRES_SOON_S = 14 * 86_400.0
"""A certificate that has no longer than this to go is warned about."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackedView:
    """Something that a virtual router's standing depends on."""

    name: str
    ok: bool
    weight: int | None
    """None: a gate."""
    reason: str
    since_s: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkView:
    """The liveness link to the peer's announcer."""

    peer: str
    peer_address: str
    up: bool
    since_s: float
    lost: int
    last_cause: str | None
    last_detail: str | None
    waiting_for: str | None
    rejected: Mapping[str, int]
    round_trip_ms: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FenceView:
    """What keeps this machine from answering for VIPs that it does not hold."""

    obstacle: str | None
    """Why there is none; None: it stands."""
    restored: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RouterView:
    """A virtual router on this node."""

    name: str
    vrid: int
    interface: str
    version: int
    group: str | None
    state: str
    """Initialize, Backup or Active."""
    since_s: float | None
    """How long it has been in this state; None while the announcer is restarted."""
    reason: str
    waiting_for: str | None
    priority: int
    configured_priority: int
    stays_backup: bool
    """It does not preempt until it is told to, or has been Active again."""
    tracked: tuple[TrackedView, ...]
    vips: tuple[str, ...]
    vips_held: tuple[str, ...]
    lease_s: int | None
    lease_age_s: float | None
    active_router: str | None
    transitions: int
    adverts_sent: int
    adverts_received: int
    adverts_rejected: Mapping[str, int]
    adverts_unsigned: int
    unusual_checksums: int
    vips_restored: int
    lateness_max_ms: float
    lateness_counts: tuple[int, ...] = ()
    """How late adverts were sent, in the classes of vrrp.lateness.BOUNDS_S and one more for all that were later."""
    lateness_sum_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class FrontendView:
    """A frontend and its counters over all workers."""

    name: str
    mode: str
    listen: tuple[str, ...]
    active: bool
    """False: its VIP is not here."""
    plane: str = "proxy"
    """Who moves its bytes: proxy or kernel."""
    counts: Counts
    causes: Mapping[str, int] = field(default_factory=dict)
    """How often connections and requests ended otherwise than well, by cause; causes that were not met are left out."""
    max_connections: int = 0
    latencies: tuple[int, ...] = ()
    """How many responses took how long: one count for each bucket of balancer/latencies.py. Mode http, proxy plane."""
    disabled: bool = False  # somebody had it listen no more


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateView:
    """A certificate that is served with, or a file that should hold one."""

    owner: str
    """`frontend web`, `pool db`."""
    source: str
    names: tuple[str, ...]
    key: str
    """`EC`, `RSA`, `Ed25519`, `other`; empty where there is none."""
    expires_in_s: float | None
    """None: it could not be read."""
    trouble: str | None
    """Why the file, as it is now, is not used."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerView:
    """A server: what it is told to be, how it is, what it does."""

    name: str
    address: str
    weight: int
    backup: bool
    health: str
    """For example UP, `UP 2/3`, DOWN, `DOWN 1/2`, or `no check`."""
    up: bool
    reason: str
    """Of the last flip; before the first one what the last check said."""
    since_s: float | None
    """Since the last flip: UP, DOWN, into MAINT or back."""
    counts: Counts
    admin: str = "ready"
    """ready, drain or maint; kept apart from health."""
    full_weight: int = 1
    """Once it is warm; `weight` is what it has now."""
    throttle_percent: int = 100
    """Of its weight; less than 100 while it warms up."""
    last_check: str = ""
    """What the last check said."""
    last_check_code: str = ""
    """HAProxy's word for that: L4OK, L7STS, ..."""
    last_check_ms: float | None = None
    agent: str = ""
    """What its agent said last."""
    agent_up: bool | None = None
    """None: it has no agent."""
    max_connections: int | None = None
    """None: no limit."""
    failed_checks: int = 0
    downs: int = 0
    """How often it went DOWN."""
    down_s: float = 0.0
    """For how long in all."""
    rise: int | None = None
    """None: there are no checks."""
    fall: int | None = None
    known_as: str | None = None
    """The name in the file that `address` was found by; None: the file says the address itself."""
    health_count: int | None = None
    """Of its health, from 0 to rise + fall - 1; below `rise` is DOWN."""
    weight_in_file: int = 1
    checks_on: bool = True
    """False: somebody stopped them."""
    agent_on: bool = True
    max_queue: int | None = None
    """None: no limit of its own."""
    queue: QueueCounts = field(default_factory=QueueCounts)
    """Of requests that belong to it and waited for it; the times are of all that it was given."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolView:
    """A pool and its servers."""

    name: str
    policy: str
    servers: tuple[ServerView, ...]
    mode: str = "http"
    """That of the frontends that use it."""
    redispatch: bool = True  # an attempt more goes to another server
    queue: QueueCounts = field(default_factory=QueueCounts)
    """Of requests that waited for any server."""

    @property
    def up(self) -> int:
        """How many of its servers are UP."""
        return sum(server.up and server.admin != "maint" for server in self.servers)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessView:
    """One process of the node."""

    name: str
    pid: int | None
    state: str
    ended: str = ""
    """How the one before it ended; empty: there was none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DriftView:
    """How the files differ that the two nodes run with."""

    places: tuple[str, ...]
    """The first of them, in words: `pools.web.servers.web2.weight`, `frontends.api is only on pi-a`."""
    count: int
    """How many there are; 0: they say the same."""
    since_s: float | None
    """How long they have differed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerView:
    """The other node, as it says of itself by the link between the node processes."""

    name: str
    address: str
    up: bool
    """The link stands."""
    since_s: float
    """How long it has stood, or not."""
    waits_for: str | None
    """What keeps it down."""
    age_s: float | None = None
    """Of `snapshot`; None: nothing was ever heard."""
    snapshot: "NodeSnapshot | None" = None
    """The last that was heard."""
    trouble: str | None = None
    """Why what it says cannot be read."""
    drift: DriftView | None = None
    """None: what its file says is not known."""
    warnings: tuple[str, ...] = ()
    """Of the peer's own, and of what stands between the two."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MaintenanceView:
    """A person took this node out of the pair."""

    by: str
    since: float
    """In seconds of the Unix epoch; 0: not known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeSnapshot:
    """Everything about one node at one moment."""

    version: int
    hapair: str
    node: str
    role: str
    """ACTIVE or STANDBY."""
    uptime_s: float
    config: str
    routers: tuple[RouterView, ...]
    frontends: tuple[FrontendView, ...]
    pools: tuple[PoolView, ...]
    processes: tuple[ProcessView, ...]
    link: LinkView | None
    """None: there is none."""
    fence: FenceView | None
    kernel: KernelView | None = None
    """None: no frontend is of the kernel plane."""
    flows: FlowsView | None = None
    """None: there are none to tell, or nobody to be told, or the process has just started."""
    certificates: tuple[CertificateView, ...] = ()
    restarts: int
    """Processes that had to be started again."""
    warnings: tuple[str, ...]
    log_lines_dropped: int = 0
    """Lines of access logs that were not written."""
    ready: bool = False
    """Its workers serve, and it is fit to hold VIPs."""
    pid: int = 0
    maintenance: MaintenanceView | None = None
    persistence: tuple[PersistenceView, ...] = ()
    """Of each pool that has it."""
    persistence_peer: PersistencePeerView | None = None
    """None: there is nobody, or nothing, to be told."""
    notifications: tuple[NotificationView, ...] = ()
    peer: PeerView | None = None
    """None: there is no secret, or not exactly one peer; or this is what a node tells its peer."""


def warnings_of(
    config: BalancerConfig,
    routers: Iterable[RouterView],
    pools: Iterable[PoolView],
    processes: Iterable[ProcessView],
    link: LinkView | None = None,
    fence: FenceView | None = None,
    certificates: Iterable[CertificateView] = (),
    kernel: KernelView | None = None,
    flows: FlowsView | None = None,
) -> tuple[str, ...]:
    """What a person should look at, in words."""
    routers = tuple(routers)
    found = [*_about_split(routers, link), *_about_link(link), *_about_fence(fence)]
    found += [*_about_kernel(kernel), *_about_flows(flows), *warnings_of_certificates(certificates)]
    found += [
        f"virtual router {router.name} waits for {router.waiting_for}" for router in routers if router.waiting_for
    ]
    for router in routers:
        if router.priority < router.configured_priority:
            found.append(f"virtual router {router.name} stands with a lowered priority ({router.priority})")
        if router.state == "Active" and len(router.vips_held) < len(router.vips):
            found.append(f"virtual router {router.name} is Active and does not hold all of its addresses")
        if router.stays_backup:
            found.append(
                f"virtual router {router.name} does not preempt: it handed over, or gave up ({router.reason}); "
                "`hapair preempt` ends that"
            )
        found += _strangers(router)
    for pool in pools:
        if pool.up == 0:
            found.append(f"pool {pool.name} has no server that is UP; its clients get 503")
        elif down := ", ".join(f"{server.name} ({server.reason})" for server in pool.servers if not server.up):
            found.append(f"pool {pool.name}: DOWN: {down}")
        aside = ", ".join(f"{server.name} {server.admin.upper()}" for server in pool.servers if server.admin != "ready")
        if aside:
            found.append(f"pool {pool.name}: out of service by an administrator: {aside}")
    found += [
        f"{process.name} is {process.state}" for process in processes if process.state not in ("serving", "running")
    ]
    if not config.frontends:
        found.append("there are no frontends: this node serves nothing")
    return tuple(found)


def _about_split(routers: Iterable[RouterView], link: LinkView | None) -> Iterable[str]:
    """What an Active Router cannot know without its link: a Backup Router is silent too."""
    active = ", ".join(router.name for router in routers if router.state == "Active")
    if active and link is not None and not link.up:
        yield (
            f"{active} Active here, and nothing is heard of {link.peer}: it is dead, or Active too (split brain): "
            f"ask it, `hapair status` on {link.peer} ({link.peer_address})"
        )


def _about_link(link: LinkView | None) -> Iterable[str]:
    if link is None:
        return
    if not link.up:
        why = link.waiting_for or link.last_detail or "no reason is known"
        yield f"the liveness link to {link.peer} is down ({why}): its death would be noticed by silence alone"
    if link.rejected:
        reasons = ", ".join(f"{reason} {count}" for reason, count in sorted(link.rejected.items()))
        yield f"the liveness link refused connections ({reasons})"


def _about_flows(flows: FlowsView | None) -> list[str]:
    if flows is None:
        return []
    found = []
    if not flows.up:
        found.append(f"flows are not told to the peer: waits for {flows.waits_for}; a failover would cut them")
    if flows.lag_s > LAGS_S:
        found.append(f"the peer is told of flows {flows.lag_s:.1f} s late")
    if flows.refused:
        refused = ", ".join(f"{count} {name}" for name, count in flows.refused.items())
        found.append(f"this kernel did not take flows of the peer: {refused}")
    return found


def _about_kernel(kernel: KernelView | None) -> list[str]:
    if kernel is None:
        return []
    found = [f"kernel plane: {one}" for one in kernel.lacking]
    if kernel.obstacle is not None:
        found.append(f"the kernel plane does not work: {kernel.obstacle}")
    if kernel.restored:
        found.append(f"somebody has removed the rules of the kernel plane, {kernel.restored} times; they were put back")
    return found


def _about_fence(fence: FenceView | None) -> Iterable[str]:
    if fence is None:
        return
    if fence.obstacle is not None:
        yield f"no fence around the VIPs: {fence.obstacle}; a dead node answers for them until the lease ends"
    if fence.restored:
        yield f"somebody flushed the fence {fence.restored} times; it was put back"


def warnings_of_certificates(certificates: Iterable[CertificateView]) -> Iterable[str]:
    """Those that are not used, and those that will not do for long."""
    for one in certificates:
        if one.trouble is not None:
            yield f"{one.owner}: {one.source}: {one.trouble}"
        if one.expires_in_s is not None and one.expires_in_s < EXPIRES_SOON_S:
            days = int(one.expires_in_s // 86_400)
            when = "has expired" if days < 0 else "expires today" if not days else f"expires in {days} days"
            yield f"{one.owner}: the certificate in {one.source} {when}"


def _strangers(router: RouterView) -> Iterable[str]:
    rejected = sum(router.adverts_rejected.values())
    if rejected:
        reasons = ", ".join(f"{reason} {count}" for reason, count in sorted(router.adverts_rejected.items()))
        yield f"virtual router {router.name} rejected {rejected} adverts ({reasons})"
