"""The shape of hapair.yaml. What belongs to the load balancer is decoded into balancer's own types."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, Literal

from balancer.config import AccessLog, Frontend, Pool
from balancer.fieldtypes import STRICT, Seconds, Shorthand
from hapair.config.admin import AdminSection
from hapair.config.notifications import NotificationSection
from hapair.config.runtime import RuntimeSection
from hapair.config.scalars import (
    EVERY_NODE,
    Authenticate,
    InterfaceName,
    NodeAddress,
    PerNode,
    Vip,
    Witness,
    check_command,
)
from hapair.config.tracks import TrackSection
from vrrp.config import OWNER_PRIORITY, check_addresses, check_interval, check_version, link_local_for

DEFAULT_INTERVAL_S: Mapping[int, float] = {2: 1.0, 3: 0.1}
"""By VRRP version: version 2 knows whole seconds only."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PairSection:
    """The machines that make the pair, by host name, and each one's own address; how they know each other."""

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT

    nodes: Mapping[str, NodeAddress]
    secret_file: str | None = None
    """Relative to the folder of this file."""
    port: int = 1339
    """TCP, on each node's own address: the link between the two announcers. The next one is for flows of the kernel
    plane, the one after that for the two node processes."""
    witness: Witness | None = None
    """Who else on the LAN tells a node that cannot hear its peer which of the two is cut off."""

    def __post_init__(self) -> None:
        if not self.nodes:
            raise ValueError("name at least one node and its address")
        if len(set(self.nodes.values())) != len(self.nodes):
            raise ValueError("nodes must have an address each: two of them have the same one")
        if not 1 <= self.port <= 65533:
            raise ValueError("port must be from 1 to 65533: the next two are used as well")
        if self.secret_file is not None and not (self.secret_file and self.secret_file.isprintable()):
            raise ValueError("secret_file must be the path of a file, for example pair.key")


@dataclass(frozen=True, slots=True, kw_only=True)
class VirtualRouterSection:
    """Virtual IP addresses that move together between the nodes (RFC 9568, or RFC 3768 with version 2)."""

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT

    vrid: int
    """1 to 255, the same on both nodes and used by nobody else on this network."""
    interface: Annotated[Mapping[str, InterfaceName], PerNode()]
    addresses: tuple[Vip, ...]
    excluded_addresses: tuple[Vip, ...] = ()
    """Move along, and do not stand in the advertisement; of either family."""
    priority: Annotated[Mapping[str, int], PerNode()] = field(default_factory=lambda: {EVERY_NODE: 100})
    """1 to 254; the node with the highest is Active while it is well. 255 is for the owner of the addresses."""
    advertisement_interval_s: Seconds | None = None
    """None: DEFAULT_INTERVAL_S."""
    version: Literal[2, 3] = 3
    password: str | None = field(default=None, repr=False)
    """VRRPv2's cleartext password."""
    authenticate: Authenticate | None = None
    """None: true where the pair has a secret and the version is 3."""
    checksum: Literal["rfc5798", "rfc9568"] = "rfc5798"
    """The form that is sent; both are understood. Today's keepalived and FRR drop the newer one."""
    peers: Literal["multicast", "unicast"] = "multicast"
    group: str | None = None
    """Virtual routers of one group are Active on the same node, all together or none."""
    preempt: bool = True
    """A node with a higher priority takes over from one with a lower one that is Active."""
    preempt_delay_s: Seconds = 0.0
    startup_delay_s: Seconds = 0.0
    hold_down_s: Seconds = 10.0
    """How long at most a node that has just got its interface stays out while it has heard nothing at all."""
    virtual_mac: bool = False
    accept: bool = True
    announce_every_s: Seconds | None = None
    track: TrackSection = field(default_factory=TrackSection)
    notify: tuple[str, ...] = ()
    """A command and its arguments, run at each transition."""

    def __post_init__(self) -> None:
        if not 1 <= self.vrid <= 255:
            raise ValueError("vrid must be from 1 to 255")
        _check_link_local(self)
        check_addresses(self.addresses, self.excluded_addresses)
        check_version(self.version, self.password, family=self.family, authentication=_asked_for(self.authenticate))
        interval_cs = self.interval_s * 100
        check_interval(self.version, round(interval_cs) if abs(interval_cs - round(interval_cs)) < 1e-6 else 0)
        _check_priorities(self)
        _check_spans(self)
        if self.notify:
            check_command("notify", self.notify)

    @property
    def family(self) -> Literal[4, 6]:
        """The IP version of `addresses`."""
        return self.addresses[0].version

    @property
    def all_addresses(self) -> tuple[Vip, ...]:
        """Everything that moves with this virtual router."""
        return self.addresses + self.excluded_addresses

    @property
    def interval_s(self) -> float:
        """The advertisement interval, or what it is where none is written."""
        return (
            DEFAULT_INTERVAL_S[self.version] if self.advertisement_interval_s is None else self.advertisement_interval_s
        )


def _check_link_local(router: VirtualRouterSection) -> None:
    families = {vip.version for vip in router.addresses}
    if families == {6} and not router.addresses[0].ip.is_link_local:
        raise ValueError(
            "addresses must begin with a link-local one for IPv6 (RFC 9568 section 5.2.9): "
            f"put {link_local_for(router.vrid)} first"
        )


def _asked_for(authenticate: bool | str | None) -> Literal["off", "required"]:
    return "required" if authenticate else "off"


def _check_priorities(router: VirtualRouterSection) -> None:
    for node, priority in router.priority.items():
        if not 1 <= priority <= OWNER_PRIORITY:
            raise ValueError(f"priority {'' if node == EVERY_NODE else f'of {node} '}must be from 1 to 255")
    if router.virtual_mac and OWNER_PRIORITY in router.priority.values():
        raise ValueError(
            "virtual_mac must be false with priority 255: an owner's addresses stand on its real interface"
        )


def _check_spans(router: VirtualRouterSection) -> None:
    longest_s = max(router.preempt_delay_s, router.startup_delay_s, router.hold_down_s)
    if longest_s > 3600:
        raise ValueError("preempt_delay, startup_delay and hold_down are at most 1h")
    if router.announce_every_s is not None and not 1 <= router.announce_every_s <= 3600:
        raise ValueError("announce_every must be from 1s to 1h")


@dataclass(frozen=True, slots=True, kw_only=True)
class HapairFile:
    """The whole file; the same on both nodes."""

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT

    pair: PairSection
    virtual_routers: Mapping[str, VirtualRouterSection] = field(default_factory=dict)
    frontends: Mapping[str, Frontend] = field(default_factory=dict)
    pools: Mapping[str, Pool] = field(default_factory=dict)
    workers: int | Literal["auto"] = "auto"
    """Processes that carry traffic; auto is the number of cores less one, at least 1."""
    max_connections: int | None = None
    """That a node takes at once, over all frontends and workers; None: each frontend has its own limit alone."""
    drain_s: Seconds = 30.0
    """How long open connections may go on once a node is told to stop."""
    access_log: Annotated[AccessLog, Shorthand("format")] | None = None
    """Of every frontend that says nothing of its own."""
    notifications: Mapping[str, NotificationSection] = field(default_factory=dict)
    """Who is told of what happens, by a name."""
    admin: AdminSection | None = None
    """None: nothing is served by HTTP but what the frontends serve."""
    runtime: RuntimeSection = field(default_factory=RuntimeSection)

    def __post_init__(self) -> None:
        if self.workers != "auto" and not 1 <= self.workers <= 64:
            raise ValueError("workers must be auto or from 1 to 64")
        if self.max_connections is not None and self.max_connections < 1:
            raise ValueError("max_connections must be at least 1")
