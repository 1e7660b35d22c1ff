"""What is shown of frontends, their certificates, pools and servers. Pure: the node fills it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from balancer.queue_counts import QueueCounts
from balancer.slots import Counts


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
    replaced: bool = False
    """Somebody put another one in its place, by `set ssl cert`: until the file changes, or the node ends."""


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
    added: bool = False  # while the node runs: no file has it


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
    expects: int = 0
    """How many connections it is expected to have at most: a tenth of those of its frontends, as HAProxy has it."""

    @property
    def up(self) -> int:
        """How many of its servers are UP."""
        return sum(server.up and server.admin != "maint" for server in self.servers)
