"""What a load balancer is told: frontends, routes, pools, servers, checks. Frozen; each type validates itself. Pure.

Objects do not hold their own names: a name is the key under which an object stands, in the file and here.
`__pydantic_config__` is read by a decoder that knows it (unknown keys are errors; units are left out of keys) and by
nobody else.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, Literal

from balancer.fieldtypes import ByteCount, Endpoint, ListenEndpoint, Seconds, ServerEndpoint, Shorthand, without_unit

STRICT: dict[str, Any] = {"extra": "forbid", "alias_generator": without_unit, "strict": True}

Mode = Literal["tcp", "http"]
Policy = Literal["round_robin", "least_connections"]

_STATUS_RANGE = re.compile(r"([1-5][0-9]{2})(?:-([1-5][0-9]{2}))?")
_REQUEST_LINE = re.compile(r"(?:GET|HEAD|OPTIONS) /[!-~]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """How a server's health is told. Either `http` (a request line) or `tcp: connect`; `tcp` where neither is given."""

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT

    http: str | None = None
    """A method and a path, for example `GET /healthz`."""
    tcp: Literal["connect"] | None = None
    host: str | None = None
    """The Host header of an HTTP check; the server's address where not given."""
    expect: str = "200-399"
    """The status codes that pass: `200`, `200-399`, `200,204,301-302`."""
    port: int | None = None
    """Probe this port instead of the server's own."""
    interval_s: Seconds = 2.0
    fast_interval_s: Seconds | None = None
    """Between probes while health is in transition; `interval` where not given."""
    down_interval_s: Seconds | None = None
    """Between probes of a server that is DOWN; `interval` where not given."""
    timeout_s: Seconds = 2.0
    rise: int = 2
    fall: int = 3

    def __post_init__(self) -> None:
        if self.http is not None and self.tcp is not None:
            raise ValueError("a check is either http or tcp, not both")
        if self.http is not None and not _REQUEST_LINE.fullmatch(self.http):
            raise ValueError(f"{self.http!r} is not a request; write a method and a path, for example GET /healthz")
        if self.host is not None and not re.fullmatch(r"[!-~]+", self.host):
            raise ValueError(f"{self.host!r} is not a host name")
        if self.port is not None and not 1 <= self.port <= 65535:
            raise ValueError("port must be from 1 to 65535")
        if self.rise < 1 or self.fall < 1:
            raise ValueError("rise and fall must be at least 1")
        for span in (self.interval_s, self.fast_interval_s, self.down_interval_s, self.timeout_s):
            if span is not None and span < 0.01:
                raise ValueError("intervals and timeout must be at least 10ms")
        parse_status_ranges(self.expect)


def parse_status_ranges(text: str) -> tuple[range, ...]:
    """Ranges of status codes from `200-399` or `200,301-302`. Raises ValueError."""
    ranges = []
    for part in text.split(","):
        match = _STATUS_RANGE.fullmatch(part.strip(" "))
        if not match or (match[2] and match[2] < match[1]):
            raise ValueError(f"{text!r} is not a set of status codes; write for example 200-399 or 200,204")
        ranges.append(range(int(match[1]), int(match[2] or match[1]) + 1))
    return tuple(ranges)


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """One upstream server. In a file `web1: 192.0.2.1:80` is short for `web1: {address: "192.0.2.1:80"}`."""

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT

    address: ServerEndpoint
    weight: int = 1
    """0 to 256; 0 takes no new work."""
    max_connections: int | None = None
    """Over all workers; a server that is full is passed over."""
    backup: bool = False
    """Used only while no other server of the pool is usable."""

    def __post_init__(self) -> None:
        if not 0 <= self.weight <= 256:
            raise ValueError("weight must be from 0 to 256")
        if self.max_connections is not None and self.max_connections < 1:
            raise ValueError("max_connections must be at least 1")


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolTimeouts:
    """Limits on what a server may take."""

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT

    connect_s: Seconds = 5.0
    response_s: Seconds = 60.0
    """From the end of the request to the end of the response head: 504 after it."""
    idle_s: Seconds = 300.0
    """An upstream connection that is kept for reuse is closed after this."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """Servers that do the same work, and how one of them is chosen."""

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT

    servers: Mapping[str, Annotated[Server, Shorthand("address")]]
    policy: Policy = "round_robin"
    check: Check | None = None
    """None: servers are taken to be UP."""
    retries: int = 2
    """Further attempts where no byte of the request can have been acted upon."""
    timeouts: PoolTimeouts = field(default_factory=PoolTimeouts)

    def __post_init__(self) -> None:
        if not self.servers:
            raise ValueError("a pool needs at least one server")
        if not 0 <= self.retries <= 100:
            raise ValueError("retries must be from 0 to 100")


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
class FrontendTimeouts:
    """Limits on what a client may take."""

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT

    header_s: Seconds = 10.0
    """For a whole request head, from its first byte (a deadline, not idle time): 408 after it."""
    keep_alive_s: Seconds = 60.0
    """Between two requests of a connection."""
    idle_s: Seconds = 300.0
    """Without a byte in either direction, in a body, a tunnel or a tcp connection."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpLimits:
    """What a request head may be: 431 or 414 beyond it."""

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT

    head_bytes: ByteCount = 16_384
    header_count: int = 100
    target_bytes: ByteCount = 8_192

    def __post_init__(self) -> None:
        if self.head_bytes < 1024 or self.header_count < 1 or self.target_bytes < 64:
            raise ValueError("head must be at least 1KiB, header_count 1 and target 64B")


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
    """Per worker; beyond it connections wait in the kernel's queue."""
    timeouts: FrontendTimeouts = field(default_factory=FrontendTimeouts)
    http: HttpLimits = field(default_factory=HttpLimits)

    def __post_init__(self) -> None:
        if not self.listen:
            raise ValueError("a frontend needs at least one address to listen on")
        if len(set(self.listen)) != len(self.listen):
            raise ValueError("the same address is listed twice in listen")
        if self.max_connections < 1:
            raise ValueError("max_connections must be at least 1")
        if self.mode == "tcp" and self.routes:
            raise ValueError("routes need mode: http")
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

    def listeners(self) -> dict[Endpoint, str]:
        """Every address that is listened on and the name of its frontend."""
        return {endpoint: name for name, frontend in self.frontends.items() for endpoint in frontend.listen}


def pools_of(frontend: Frontend) -> tuple[str, ...]:
    """The names of the pools that a frontend can send work to, the default one last."""
    default = () if frontend.pool is None else (frontend.pool,)
    return (*(route.pool for route in frontend.routes), *default)
