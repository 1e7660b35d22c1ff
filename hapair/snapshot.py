"""The one typed status that every surface reads. Pure: the node fills it, `hapair status` and its --json show it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from balancer.config import BalancerConfig
from balancer.slots import Counts

VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class RouterView:
    """A virtual router on this node."""

    name: str
    vrid: int
    interface: str
    state: str
    """Initialize, Backup or Active."""
    since_s: float | None
    """How long it has been in this state; None while the announcer is restarted."""
    reason: str
    waiting_for: str | None
    priority: int
    configured_priority: int
    vips: tuple[str, ...]
    vips_held: tuple[str, ...]
    lease_s: int | None
    lease_age_s: float | None
    active_router: str | None
    transitions: int
    adverts_sent: int
    adverts_received: int
    adverts_rejected: Mapping[str, int]
    unusual_checksums: int
    vips_restored: int
    lateness_max_ms: float


@dataclass(frozen=True, slots=True, kw_only=True)
class FrontendView:
    """A frontend and its counters over all workers."""

    name: str
    mode: str
    listen: tuple[str, ...]
    active: bool
    """False: its VIP is not here."""
    counts: Counts


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
    """Of the last flip."""
    since_s: float | None
    counts: Counts


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolView:
    """A pool and its servers."""

    name: str
    policy: str
    servers: tuple[ServerView, ...]

    @property
    def up(self) -> int:
        """How many of its servers are UP."""
        return sum(server.up for server in self.servers)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessView:
    """One process of the node."""

    name: str
    pid: int | None
    state: str


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
    restarts: int
    """Processes that had to be started again."""
    warnings: tuple[str, ...]


def warnings_of(
    config: BalancerConfig, routers: Iterable[RouterView], pools: Iterable[PoolView], processes: Iterable[ProcessView]
) -> tuple[str, ...]:
    """What a person should look at, in words."""
    found = [f"virtual router {router.name} waits for {router.waiting_for}" for router in routers if router.waiting_for]
    for router in routers:
        if router.priority < router.configured_priority:
            found.append(f"virtual router {router.name} stands with a lowered priority ({router.priority})")
        if router.state == "Active" and len(router.vips_held) < len(router.vips):
            found.append(f"virtual router {router.name} is Active and does not hold all of its addresses")
        found += _strangers(router)
    for pool in pools:
        if pool.up == 0:
            found.append(f"pool {pool.name} has no server that is UP; its clients get 503")
        elif pool.up < len(pool.servers):
            down = ", ".join(f"{server.name} ({server.reason})" for server in pool.servers if not server.up)
            found.append(f"pool {pool.name}: DOWN: {down}")
    found += [
        f"{process.name} is {process.state}" for process in processes if process.state not in ("serving", "running")
    ]
    if not config.frontends:
        found.append("there are no frontends: this node serves nothing")
    return tuple(found)


def _strangers(router: RouterView) -> Iterable[str]:
    rejected = sum(router.adverts_rejected.values())
    if rejected:
        reasons = ", ".join(f"{reason} {count}" for reason, count in sorted(router.adverts_rejected.items()))
        yield f"virtual router {router.name} rejected {rejected} adverts ({reasons})"
