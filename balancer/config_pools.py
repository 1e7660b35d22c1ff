"""Servers and pools: who does the work, and how one of them is chosen. Frozen; each type validates itself. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, Literal

from balancer.config_checks import Check
from balancer.fieldtypes import STRICT, Seconds, ServerEndpoint, Shorthand

Policy = Literal["round_robin", "least_connections"]


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
