"""What a load balancer is told: frontends, routes, pools, servers, checks. Frozen; each type validates itself. Pure.

Objects do not hold their own names: a name is the key under which an object stands, in the file and here.
`__pydantic_config__` is read by a decoder that knows it (unknown keys are errors; units are left out of keys) and by
nobody else.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from balancer.config_checks import Check as Check
from balancer.config_limits import ClientLimits as ClientLimits
from balancer.config_limits import FrontendTimeouts as FrontendTimeouts
from balancer.config_limits import HttpLimits as HttpLimits
from balancer.config_limits import RequestLimit as RequestLimit
from balancer.config_pools import Policy as Policy
from balancer.config_pools import Pool as Pool
from balancer.config_pools import PoolTimeouts as PoolTimeouts
from balancer.config_pools import Server as Server
from balancer.fieldtypes import STRICT as STRICT
from balancer.fieldtypes import Endpoint, ListenEndpoint
from balancer.networks import NetworkText

Mode = Literal["tcp", "http"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """Where a request goes: all conditions that are given must hold; the first route that matches wins."""

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT

    pool: str
    host: str | None = None
    """Exact (`api.example.org`) or every name below one (`*.example.org`)."""
    path: str | None = None
    """Exact, or a prefix when it ends with `*` (`/v1/*`)."""

    def __post_init__(self) -> None:
        if self.path is not None and not self.path.startswith("/"):
            raise ValueError("path must begin with /")
        if self.path is not None and "*" in self.path[:-1]:
            raise ValueError("path may have a * only at its end")
        if self.host is not None and "*" in self.host.removeprefix("*."):
            raise ValueError("host may have a * only as its first label, for example *.example.org")


@dataclass(frozen=True, slots=True, kw_only=True)
class Frontend:
    """What clients connect to."""

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT

    listen: tuple[ListenEndpoint, ...]
    pool: str | None = None
    """Where everything goes that no route takes; 503 where not given."""
    mode: Mode = "http"
    routes: tuple[Route, ...] = ()
    max_connections: int = 9_000
    """Over all workers of a node; beyond it connections wait in the kernel's queue."""
    timeouts: FrontendTimeouts = field(default_factory=FrontendTimeouts)
    http: HttpLimits = field(default_factory=HttpLimits)
    trusted_proxies: tuple[NetworkText, ...] = ()
    """For `mode: http`: who is believed about the client of a request (X-Forwarded-For and its kind)."""
    limits: ClientLimits = field(default_factory=ClientLimits)

    accept_proxy: tuple[NetworkText, ...] = ()
    """Who begins each connection with a PROXY header, and must."""

    def __post_init__(self) -> None:
        if not self.listen:
            raise ValueError("a frontend needs at least one address to listen on")
        if len(set(self.listen)) != len(self.listen):
            raise ValueError("the same address is listed twice in listen")
        if self.max_connections < 1:
            raise ValueError("max_connections must be at least 1")
        if self.mode == "tcp" and self.limits.requests:
            raise ValueError("limits.requests needs mode: http")
        if self.mode == "tcp" and self.routes:
            raise ValueError("routes need mode: http")
        if self.mode == "tcp" and self.trusted_proxies:
            raise ValueError("trusted_proxies needs mode: http")
        if self.mode == "tcp" and self.pool is None:
            raise ValueError("mode: tcp needs a pool")
        if self.pool is None and not self.routes:
            raise ValueError("a frontend needs a pool or routes")


@dataclass(frozen=True, slots=True, kw_only=True)
class BalancerConfig:
    """All that one load balancer serves. References between its parts are checked here."""

    frontends: Mapping[str, Frontend]
    pools: Mapping[str, Pool]
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
        """Every address that is listened on and the name of its frontend."""
        return {endpoint: name for name, frontend in self.frontends.items() for endpoint in frontend.listen}


def fallback_circle(fallbacks: Mapping[str, str | None], start: str) -> tuple[str, ...]:
    """The way from a pool by its fallbacks back to itself; empty where there is none. Unknown pools end a way."""
    way = [start]
    while (following := fallbacks.get(way[-1])) is not None and following not in way:
        way.append(following)
    return (*way, start) if following == start else ()


def pools_of(frontend: Frontend) -> tuple[str, ...]:
    """The names of the pools that a frontend can send work to, the default one last."""
    default = () if frontend.pool is None else (frontend.pool,)
    return (*(route.pool for route in frontend.routes), *default)
