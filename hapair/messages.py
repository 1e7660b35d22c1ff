"""What the processes of a node say to each other. Data only; hapair/wire.py decodes each type by its annotations."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from balancer.clients import Session
from balancer.config import BalancerConfig
from balancer.evidence import Evidence
from balancer.fieldtypes import Endpoint
from balancer.persistence.table import Entry
from balancer.standing import Standing
from balancer.tls.material import Material
from vrrp.config import Address, VirtualRouterConfig
from vrrp.events import HandedOver, HandOver, TakeOver
from vrrp.liveness.config import LinkConfig, LinkSnapshot
from vrrp.snapshot import FenceSnapshot, RouterSnapshot
from vrrp.tracking import InterfaceTrack, Tracked

TRANSPARENT = "transparent"
"""An argument of a worker: it keeps CAP_NET_RAW, which IP_TRANSPARENT asks for at each socket."""


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """Either way, every heartbeat.INTERVAL_S: this process's loop turns."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StartRouters:
    """Node to announcer, first of all."""

    routers: tuple[VirtualRouterConfig, ...]
    secret: bytes | None = field(default=None, repr=False)
    """The pair's; None: adverts are not signed."""
    link: LinkConfig | None = None
    """To the peer's announcer; None: there is no secret, or no single peer."""
    epoch: int = 0
    """Of the signatures: higher at each start of an announcer on this node."""
    witnesses: Mapping[str, tuple[Address, ...]] | None = None
    """By interface; see hapair.config.view.NodeConfig."""
    tracked: Mapping[str, tuple[InterfaceTrack, ...]] = field(default_factory=dict)
    """By virtual router: the interfaces that its standing depends on."""
    stays_backup: bool = False
    """Do not preempt, as when the announcer before this one had handed over."""
    record_to: str | None = None
    """A file for a recording (vrrp.recording); None: none is made."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReloadRouters:
    """Node to announcer: go on with these, in place. The fields are those of StartRouters."""

    routers: tuple[VirtualRouterConfig, ...]
    link: LinkConfig | None = None
    """The same nodes, with another interval perhaps."""
    witnesses: Mapping[str, tuple[Address, ...]] | None = None
    tracked: Mapping[str, tuple[InterfaceTrack, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Resign:
    """Node to announcer: give the VIPs up and stay out of the election until Resume."""

    reason: str
    stay: bool = True
    """Do not preempt after that, where VIPs were given up."""


@dataclass(frozen=True, slots=True)
class Resume:
    """Node to announcer: take part again."""


@dataclass(frozen=True, slots=True)
class LowerPriority:
    """Node to announcer: use this priority where the configured one is higher; None ends it."""

    priority: int | None


@dataclass(frozen=True, slots=True)
class Track:
    """Node to announcer: what a virtual router's standing depends on, as it is now; interfaces are not in it."""

    router: str
    tracked: tuple[Tracked, ...]


@dataclass(frozen=True, slots=True)
class Preempt:
    """Node to announcer: preempt as configured, whatever was handed over or given up before."""


@dataclass(frozen=True, slots=True)
class Announce:
    """Node to announcer: announce the VIPs that are held once more."""


@dataclass(frozen=True, slots=True)
class Hold:
    """Node to announcer: do not preempt for the moment, or do so again as configured."""

    hold: bool


@dataclass(frozen=True, slots=True)
class Tell:
    """Node to announcer: a step of a handover, for each of these virtual routers. `until` is on CLOCK_MONOTONIC."""

    routers: tuple[str, ...]
    event: HandOver | TakeOver | HandedOver


@dataclass(frozen=True, slots=True)
class ToPeer:
    """Node to announcer: say this to the peer's node, by the liveness link. Lost where it is down."""

    data: bytes


@dataclass(frozen=True, slots=True)
class FromPeer:
    """Announcer to node: the peer's node says this."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Stop:
    """Node to announcer: resign and exit."""


@dataclass(frozen=True, slots=True)
class RouterReport:
    """Announcer to node, at each transition and with each heartbeat."""

    routers: tuple[RouterSnapshot, ...]
    link: LinkSnapshot | None = None
    """None: there is none."""
    fence: FenceSnapshot | None = None
    """None: nothing runs yet."""


@dataclass(frozen=True, slots=True)
class FrontendRole:
    """Node to worker: a frontend's VIP came or went."""

    frontend: str
    active: bool
    lives_on: bool = False
    """It went by a handover: open connections go on."""


@dataclass(frozen=True, slots=True)
class Serve:
    """Node to worker, first of all. With it come the slots' memfd, a listening socket for each of `listen`, and a
    descriptor for each file of `logs`, a socket of the worker's own for each of `datagrams`."""

    worker: int
    workers: int
    config: BalancerConfig
    listen: tuple[Endpoint, ...]
    roles: tuple[FrontendRole, ...]
    """Of each frontend."""
    material: Material = field(default_factory=Material)
    """Certificates and keys: a worker reads no file."""
    logs: tuple[str, ...] = ()
    """Paths of the files that access logs go to."""
    datagrams: tuple[Endpoint, ...] = ()
    cookie_key: bytes = field(default=b"", repr=False)
    """What cookies that name servers are signed with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reload:
    """Node to worker: serve this from now on. With it come other slots, where `new_slots` says so, and a descriptor or
    socket for each of `listen`, `logs` and `datagrams`, as with Serve; sockets are those that it has not got yet."""

    serial: int
    workers: int
    config: BalancerConfig
    roles: tuple[FrontendRole, ...]
    """Of each frontend."""
    material: Material
    new_slots: bool
    listen: tuple[Endpoint, ...]
    logs: tuple[str, ...]
    datagrams: tuple[Endpoint, ...]


@dataclass(frozen=True, slots=True)
class Reloaded:
    """Worker to node: the Reload of this serial is carried out, or why it is not: then nothing has changed."""

    serial: int
    trouble: str | None = None


@dataclass(frozen=True, slots=True)
class Renew:
    """Node to worker: serve new connections with these certificates."""

    material: Material


@dataclass(frozen=True, slots=True)
class ServerStanding:
    """Node to worker: what checks, agents and people say of a server now."""

    pool: str
    server: str
    standing: Standing


@dataclass(frozen=True, slots=True)
class ServerErrors:
    """Worker to node: real traffic met too many errors in a row with a server."""

    pool: str
    server: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """Node to worker: tell of connections, or end some; stop a frontend, or let it go on, or limit it."""

    serial: int
    what: Literal["list", "end", "end_server", "pause", "resume", "limit", "forget_maxima", "forget_counts", "errors"]
    frontend: str = ""
    pool: str = ""
    server: str = ""
    number: int = 0
    """The connection to end, by its id; or how many there may be."""


@dataclass(frozen=True, slots=True)
class Obeyed:
    """Worker to node: the Order of this serial is carried out."""

    serial: int
    count: int = 0
    """What it concerned here."""
    sessions: tuple[Session, ...] = ()
    errors: tuple[Evidence, ...] = ()


@dataclass(frozen=True, slots=True)
class Sources:
    """Either way: clients of a pool and the server of each. `used_at` of each is on CLOCK_MONOTONIC."""

    pool: str
    entries: tuple[Entry, ...]


@dataclass(frozen=True, slots=True)
class ForgetSources:
    """Node to worker: forget this client of a pool; None: all."""

    pool: str
    client: str | None


@dataclass(frozen=True, slots=True)
class CookieCounts:
    """Worker to node: what this worker has met in cookies of a pool (balancer.persistence.cookies)."""

    pool: str
    counts: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class LogsReopened:
    """Node to worker: with it comes a descriptor for each of these log files, to be used from now on."""

    paths: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Drain:
    """Node to worker: accept nothing more, finish what is open, exit."""

    limit_s: float
    has_successor: bool = False
    """Other workers go on: no datagram that they could take is to come here any more."""


@dataclass(frozen=True, slots=True)
class Serving:
    """Worker to node: connections are accepted from now on."""


@dataclass(frozen=True, slots=True)
class KernelFrontend:
    """A frontend of the kernel plane."""

    name: str
    protocol: Literal["tcp", "udp"]
    listen: tuple[Endpoint, ...]


@dataclass(frozen=True, slots=True)
class StartFlows:
    """Node to flows process, first of all."""

    link: LinkConfig
    frontends: tuple[KernelFrontend, ...]


@dataclass(frozen=True, slots=True)
class ActiveFrontends:
    """Node to flows process: the frontends whose VIPs are here."""

    names: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowsReport:
    """Flows process to node, with each heartbeat: how telling the peer of flows goes."""

    up: bool
    """The peer's flows process listens."""
    waits_for: str | None
    waiting: int
    """Changes that the peer is yet to be told."""
    lag_s: float
    """From a change here to its entry in the peer's kernel."""
    told: int
    """Flows of this node that the peer knows."""
    open: Mapping[str, int]
    """The same, by frontend."""
    sent: int
    received: int
    """Records, since the process started."""
    refused: Mapping[str, int]
    """What this kernel did not take, by errno."""
    foreign: int
    """Records of frontends that this node does not have, or that are here."""
    overruns: int
    """How often more happened than could be taken in; each led to a resync."""
    resyncs: int
    resync_s: float
    """How long the last one took."""
    untold: int = 0
    """News of flows that were passed over, for as many as may be are known to the peer."""
    rejected: Mapping[str, int] = field(default_factory=dict)
    """Conversations that ended with something that is not from the peer, or makes no sense, by reason."""
    caught_up: bool = False
    """This node knows what the peer's kernel knows of the flows that are there."""


TO_ANNOUNCER = (
    *(Heartbeat, StartRouters, ReloadRouters, Resign, Resume, LowerPriority, Track, Preempt, Hold, Announce, Tell),
    *(ToPeer, Stop),
)
FROM_ANNOUNCER = (Heartbeat, RouterReport, FromPeer)
TO_WORKER = (
    *(Heartbeat, Serve, Reload, Renew, FrontendRole, ServerStanding, Sources, ForgetSources, LogsReopened),
    *(Order, Drain),
)
TO_FLOWS = (Heartbeat, StartFlows, ActiveFrontends)
FROM_FLOWS = (Heartbeat, FlowsReport)
FROM_WORKER = (Heartbeat, Serving, Reloaded, Obeyed, ServerErrors, Sources, CookieCounts)
