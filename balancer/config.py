"""What a load balancer is told: frontends, routes, pools, servers, checks. Frozen; each type validates itself. Pure.

Objects do not hold their own names: a name is the key under which an object stands, in the file and here.
`__pydantic_config__` is read by a decoder that knows it (unknown keys are errors; units are left out of keys) and by
nobody else.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, ClassVar, Literal

from balancer.config_checks import Check as Check
from balancer.config_compression import Compression as Compression
from balancer.config_headers import HeaderRules as HeaderRules
from balancer.config_headers import Hsts as Hsts
from balancer.config_headers import RequestId as RequestId
from balancer.config_headers import check_request_rules
from balancer.config_http2 import Http2 as Http2
from balancer.config_kernel import Forward as Forward
from balancer.config_kernel import Plane as Plane
from balancer.config_kernel import check_plane
from balancer.config_limits import ClientLimits as ClientLimits
from balancer.config_limits import FrontendTimeouts as FrontendTimeouts
from balancer.config_limits import HttpLimits as HttpLimits
from balancer.config_limits import RequestLimit as RequestLimit
from balancer.config_log import AccessLog as AccessLog
from balancer.config_persistence import CookieSettings as CookieSettings
from balancer.config_persistence import PersistenceSettings as PersistenceSettings
from balancer.config_persistence import SourceSettings as SourceSettings
from balancer.config_pools import Policy as Policy
from balancer.config_pools import Pool as Pool
from balancer.config_pools import PoolTimeouts as PoolTimeouts
from balancer.config_pools import Server as Server
from balancer.config_queue import QueueSettings as QueueSettings
from balancer.config_routes import Acme as Acme
from balancer.config_routes import Maintenance as Maintenance
from balancer.config_routes import Route as Route
from balancer.config_routes import check_error_pages, check_tcp_route, files_of
from balancer.config_sockets import KeepAlive as KeepAlive
from balancer.config_sockets import ListenTcp as ListenTcp
from balancer.config_sockets import ServerTcp as ServerTcp
from balancer.config_sockets import UnixFile as UnixFile
from balancer.config_tls import CertificateFiles as CertificateFiles
from balancer.config_tls import FrontendTls as FrontendTls
from balancer.config_tls import PoolTls as PoolTls
from balancer.config_udp import UdpSettings as UdpSettings
from balancer.fieldtypes import STRICT as STRICT
from balancer.fieldtypes import Endpoint, ListenPorts, Shorthand, Switch
from balancer.networks import NetworkText

Mode = Literal["tcp", "http", "udp"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Frontend:
    """What clients connect to."""

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT

    listen: tuple[ListenPorts, ...]
    pool: str | None = None
    """Where everything goes that no route takes; 503 where not given."""
    mode: Mode = "http"
    plane: Plane = "proxy"
    """Who moves the bytes: processes of ours, or the kernel."""
    forward: Forward | None = None
    """For `plane: kernel`; None: nat."""
    tls: FrontendTls | None = None
    """None: clients speak in clear, or their TLS is passed through."""
    routes: tuple[Route, ...] = ()
    acme: Annotated[Acme, Shorthand("directory")] | None = None
    maintenance: Annotated[Maintenance | None, Switch("page")] = None
    """Every request gets this page, but for those of `acme`."""
    request: HeaderRules = field(default_factory=HeaderRules)
    """For all requests that go to a pool; those of a route come after them."""
    response: HeaderRules = field(default_factory=HeaderRules)
    """For all responses, our own ones as well."""
    request_id: Annotated[RequestId | None, Switch("header")] = None
    hsts: Annotated[Hsts | None, Switch("max_age")] = None
    error_pages: Mapping[str, str] = field(default_factory=dict)
    """By status: the file that is shown with an error of ours."""
    max_connections: int = 9_000
    """Over all workers of a node; beyond it connections wait in the kernel's queue."""
    timeouts: FrontendTimeouts = field(default_factory=FrontendTimeouts)
    http: HttpLimits = field(default_factory=HttpLimits)
    trusted_proxies: tuple[NetworkText, ...] = ()
    """For `mode: http`: who is believed about the client of a request (X-Forwarded-For and its kind)."""
    limits: ClientLimits = field(default_factory=ClientLimits)
    compression: Compression | None = None
    """For `mode: http`; None: responses go on as they are."""
    http2: Annotated[Http2 | None, Switch()] = None
    """HTTP/2 beside HTTP/1.1."""
    accept_proxy: tuple[NetworkText, ...] = ()
    """Who begins each connection with a PROXY header, and must."""
    access_log: Annotated[AccessLog, Shorthand("format")] | None = None
    """None: what `access_log` of the file says, for all frontends."""
    tcp: ListenTcp = field(default_factory=ListenTcp)
    """How its TCP sockets are set up."""
    unix: UnixFile = field(default_factory=UnixFile)
    """Who may connect to those of `listen` that are unix sockets."""
    udp: UdpSettings = field(default_factory=UdpSettings)
    """For `mode: udp`."""
    syn_proxy: bool = False
    """For `plane: kernel`: the kernel shakes hands with a client before a server hears of it."""

    def __post_init__(self) -> None:
        if not self.listen:
            raise ValueError("a frontend needs at least one address to listen on")
        if len(set(self.listen)) != len(self.listen):
            raise ValueError("listen must not name the same address twice")
        if self.max_connections < 1:
            raise ValueError("max_connections must be at least 1")
        check_plane(self)
        if self.mode != "http" and self.limits.requests:
            raise ValueError("limits.requests needs mode: http")
        if self.mode != "http" and (needing := _http_features(self)):
            raise ValueError(f"{needing[0]} need{'' if needing[0].endswith('s') else 's'} mode: http")
        check_error_pages(self.error_pages)
        check_request_rules(self.request)
        if self.mode == "tcp":
            for route in self.routes:
                check_tcp_route(route)
        if self.mode == "http" and self.tls is not None and self.tls.alpn:
            raise ValueError("tls.alpn needs mode: tcp; with mode: http it follows from what we speak")
        if self.mode != "http" and self.pool is None:
            raise ValueError(f"mode: {self.mode} needs a pool")
        self._check_transport()
        if self.pool is None and not self.routes and self.maintenance is None:
            raise ValueError("a frontend needs a pool or routes")

    def _check_transport(self) -> None:
        if self.mode != "udp" and self.udp != UdpSettings():
            raise ValueError("udp needs mode: udp")
        if self.mode == "udp" and self.timeouts != FrontendTimeouts():
            raise ValueError("timeouts must be those of streams; for mode: udp write udp: {idle: 60s}")
        if self.mode == "udp" and (self.accept_proxy or self.tls is not None):
            raise ValueError(f"{'accept_proxy' if self.accept_proxy else 'tls'} needs a mode with connections")
        if self.unix != UnixFile() and not any(one.is_unix for one in self.listen):
            raise ValueError("unix must go with a unix socket in listen: unix:/run/NAME.sock")
        if self.mode == "udp" and any(one.is_unix for one in self.listen):
            raise ValueError("listen must have addresses and ports for mode: udp")
        if self.mode == "udp" and self.tcp != ListenTcp():
            raise ValueError("tcp needs a mode with connections")
        if self.timeouts.download_rate is not None and any(one.is_unix for one in self.listen):
            raise ValueError(
                "timeouts.download_rate needs TCP, whose peers acknowledge what they get; not a unix socket"
            )
        if self.mode == "udp" and self.routes:
            raise ValueError("routes need a mode with connections: of a datagram nothing is read")


_HTTP_ALONE = (
    "compression",
    *("acme", "maintenance", "request", "response", "request_id", "hsts", "error_pages", "trusted_proxies"),
    "http2",
)


def _http_features(frontend: Frontend) -> list[str]:
    """The keys that are given and mean nothing to mere connections."""
    return [key for key in _HTTP_ALONE if getattr(frontend, key)]


@dataclass(frozen=True, slots=True, kw_only=True)
class BalancerConfig:
    """All that one load balancer serves. References between its parts are checked here."""

    frontends: Mapping[str, Frontend]
    pools: Mapping[str, Pool]
    files: Mapping[str, bytes] = field(default_factory=dict)
    """What stands in the files that answers are made of, by name as it is written."""
    max_connections: int | None = None
    """Over all frontends with connections, and all workers; None: each has its own limit alone."""
    drain_s: float = 30.0
    """How long open connections may go on once the process is told to stop."""

    def __post_init__(self) -> None:
        for name, frontend in self.frontends.items():
            for pool in pools_of(frontend):
                if pool not in self.pools:
                    raise ValueError(f"frontend {name!r} names pool {pool!r}, which does not exist")
        for name, pool_config in self.pools.items():
            if pool_config.fallback is not None and pool_config.fallback not in self.pools:
                raise ValueError(f"pool {name!r} falls back on {pool_config.fallback!r}, which does not exist")
            if circle := fallback_circle({one: pool.fallback for one, pool in self.pools.items()}, name):
                raise ValueError(f"pools fall back on each other in a circle: {' -> '.join(circle)}")

    def listeners(self) -> dict[Endpoint, str]:
        """Every address at which connections are taken, and the name of its frontend."""
        frontends = ((name, one) for name, one in self.proxied.frontends.items() if one.mode != "udp")
        return {endpoint: name for name, one in frontends for endpoint in one.listen}

    def stream_frontends(self) -> dict[Endpoint, Frontend]:
        """As `listeners`, with the frontends themselves."""
        return {endpoint: self.frontends[name] for endpoint, name in self.listeners().items()}

    def datagram_listeners(self) -> dict[Endpoint, str]:
        """Every address at which datagrams are taken, and the name of its frontend."""
        frontends = ((name, one) for name, one in self.proxied.frontends.items() if one.mode == "udp")
        return {endpoint: name for name, one in frontends for endpoint in one.listen}

    @property
    def proxied(self) -> "BalancerConfig":
        """The part that processes of ours serve; the kernel serves the rest."""
        return replace(self, frontends={name: one for name, one in self.frontends.items() if one.plane == "proxy"})


def fallback_circle(fallbacks: Mapping[str, str | None], start: str) -> tuple[str, ...]:
    """The way from a pool by its fallbacks back to itself; empty where there is none. Unknown pools end a way."""
    way = [start]
    while (following := fallbacks.get(way[-1])) is not None and following not in way:
        way.append(following)
    return (*way, start) if following == start else ()


def pools_of(frontend: Frontend) -> tuple[str, ...]:
    """The names of the pools that a frontend can send work to, the default one last."""
    named = [route.pool for route in frontend.routes]
    if frontend.acme is not None:
        named.insert(0, frontend.acme.pool)
    return tuple(pool for pool in (*named, frontend.pool) if pool is not None)


def files_named(frontends: Mapping[str, Frontend], pools: Mapping[str, Pool]) -> tuple[str, ...]:
    """The files that answers are made of, each once, as they are written."""
    found: dict[str, None] = {}
    for frontend in frontends.values():
        answers = [route.respond for route in frontend.routes]
        found |= dict.fromkeys(files_of(*answers, frontend.maintenance, pages=frontend.error_pages))
    for pool in pools.values():
        found |= dict.fromkeys(files_of(pool.sorry_page, pages={}))
    return tuple(found)
