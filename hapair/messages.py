"""What the processes of a node say to each other. Data only; hapair/wire.py decodes each type by its annotations."""

from collections.abc import Mapping
from dataclasses import dataclass

from balancer.config import BalancerConfig
from balancer.fieldtypes import Endpoint
from vrrp.config import VirtualRouterConfig
from vrrp.snapshot import RouterSnapshot


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """Either way, every heartbeat.INTERVAL_S: this process's loop turns."""


@dataclass(frozen=True, slots=True)
class StartRouters:
    """Node to announcer, first of all."""

    routers: tuple[VirtualRouterConfig, ...]


@dataclass(frozen=True, slots=True)
class Resign:
    """Node to announcer: give the VIPs up and stay out of the election until Resume."""

    reason: str


@dataclass(frozen=True, slots=True)
class Resume:
    """Node to announcer: take part again."""


@dataclass(frozen=True, slots=True)
class LowerPriority:
    """Node to announcer: use this priority where the configured one is higher; None ends it."""

    priority: int | None


@dataclass(frozen=True, slots=True)
class Stop:
    """Node to announcer: resign and exit."""


@dataclass(frozen=True, slots=True)
class RouterReport:
    """Announcer to node, at each transition and with each heartbeat."""

    routers: tuple[RouterSnapshot, ...]


@dataclass(frozen=True, slots=True)
class Serve:
    """Node to worker, first of all. With it come the slots' memfd and then a listening socket for each of `listen`."""

    worker: int
    workers: int
    config: BalancerConfig
    listen: tuple[Endpoint, ...]
    active: Mapping[str, bool]
    """For each frontend whether its VIP is here."""


@dataclass(frozen=True, slots=True)
class FrontendRole:
    """Node to worker: a frontend's VIP came or went."""

    frontend: str
    active: bool


@dataclass(frozen=True, slots=True)
class ServerHealth:
    """Node to worker: a server's health as it is now."""

    pool: str
    server: str
    up: bool


@dataclass(frozen=True, slots=True)
class Drain:
    """Node to worker: accept nothing more, finish what is open, exit."""

    limit_s: float


@dataclass(frozen=True, slots=True)
class Serving:
    """Worker to node: connections are accepted from now on."""


TO_ANNOUNCER = (Heartbeat, StartRouters, Resign, Resume, LowerPriority, Stop)
FROM_ANNOUNCER = (Heartbeat, RouterReport)
TO_WORKER = (Heartbeat, Serve, FrontendRole, ServerHealth, Drain)
FROM_WORKER = (Heartbeat, Serving)
