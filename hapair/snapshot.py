"""The one typed status that every surface reads. Pure: the node fills it, `hapair status` and its --json show it.

Its parts stand by subject in snapshot_routers.py, snapshot_traffic.py and snapshot_kernel.py, and are to be had here.
"""

from dataclasses import dataclass

from hapair.notifications.outbox import NotificationView
from hapair.persistence.views import PersistencePeerView, PersistenceView
from hapair.snapshot_kernel import FlowsView as FlowsView
from hapair.snapshot_kernel import KernelView as KernelView
from hapair.snapshot_routers import FenceView as FenceView
from hapair.snapshot_routers import LinkView as LinkView
from hapair.snapshot_routers import RouterView as RouterView
from hapair.snapshot_routers import TrackedView as TrackedView
from hapair.snapshot_traffic import CertificateView as CertificateView
from hapair.snapshot_traffic import FrontendView as FrontendView
from hapair.snapshot_traffic import PoolView as PoolView
from hapair.snapshot_traffic import ServerView as ServerView

VERSION = 1


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
    max_connections: int | None = None
    """At once, of all its frontends together; None: each has its own limit alone."""
    max_connections_in_file: int | None = None
    maintenance: MaintenanceView | None = None
    persistence: tuple[PersistenceView, ...] = ()
    """Of each pool that has it."""
    persistence_peer: PersistencePeerView | None = None
    """None: there is nobody, or nothing, to be told."""
    notifications: tuple[NotificationView, ...] = ()
    peer: PeerView | None = None
    """None: there is no secret, or not exactly one peer; or this is what a node tells its peer."""
