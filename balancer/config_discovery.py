"""Servers that a file knows by name: how names are resolved, and templates of servers. Frozen. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal

from balancer.fieldtypes import STRICT, Seconds, ServerEndpoint

Family = Literal["ipv4_first", "ipv6_first", "ipv4", "ipv6", "both"]
MOST = 1000
"""Servers of a template."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolve:
    """How the names of a pool's servers are resolved while the node runs."""

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT

    interval_s: Seconds = 10.0
    """From one answer to the next question; less where a TTL is known and shorter."""
    hold_s: Seconds = 30.0
    """How long the last good answer stays while there is none."""
    timeout_s: Seconds = 5.0
    family: Family = "ipv4_first"
    """`ipv4_first`: addresses of IPv6 only where there is none of IPv4."""
    nameservers: tuple[ServerEndpoint, ...] = ()
    """Asked in this order; none: as the system resolves names."""

    def __post_init__(self) -> None:
        if not 1.0 <= self.interval_s <= 86_400:
            raise ValueError("interval must be from 1s to 24h")
        if not 0 <= self.hold_s <= 604_800:
            raise ValueError("hold must be at most 168h")
        if not 0.1 <= self.timeout_s <= 60:
            raise ValueError("timeout must be from 100ms to 1m")
        if any(one.is_unix for one in self.nameservers):
            raise ValueError("nameservers must be IP addresses with ports, for example 192.0.2.53:53")


def expanded(servers: Mapping[str, Any]) -> dict[str, Any]:
    """With `app1`, `app2`, ... for a template `app`. Raises ValueError where two servers get the same name."""
    found: dict[str, Any] = {}
    for name, server in servers.items():
        count = server.count
        names = [name] if count is None else [f"{name}{number}" for number in range(1, count + 1)]
        for one in names:
            if one in found or (one != name and one in servers):
                raise ValueError(f"servers must not have the same name: {one} is one of template {name} as well")
            found[one] = server if count is None else replace(server, count=None)
    return found


def check_names(pool: Any) -> None:
    """What a name has no address for. Raises ValueError."""
    if not any(server.address.is_name for server in pool.servers.values()):
        if pool.resolve != Resolve():
            raise ValueError("resolve needs a server that is known by its name")
        return
    if pool.tls is not None and pool.tls.server_name is None:
        raise ValueError("tls must have a server_name: what a name resolves to is not what a certificate is for")
    if pool.check is not None and pool.check.tls is not None and pool.check.tls.name is None:
        raise ValueError("check must have a tls name: what a name resolves to is not what a certificate is for")
