"""The kernel plane in a file: which plane moves a frontend's packets, and what it cannot do. Frozen. Pure."""

from dataclasses import fields
from typing import Any, Literal

from balancer.fieldtypes import Endpoint

Plane = Literal["proxy", "kernel"]
Forward = Literal["nat", "dsr"]

POLICIES = ("round_robin", "random", "source_hash")
"""Of pools behind the kernel plane."""
_FRONTEND_KEYS = (
    *("listen", "pool", "mode", "plane", "forward", "limits", "syn_proxy"),
    "max_connections",  # every frontend has one; said in the page that it is the proxy plane's
)
_POOL_KEYS = (*("servers", "policy", "check", "agent", "use_all_backups", "on_down"), "compression")


def check_plane(frontend: Any) -> None:
    """Raises ValueError on a key that would do nothing where the kernel moves the packets, or only there."""
    if frontend.plane == "proxy":
        if frontend.forward is not None:
            raise ValueError("forward needs plane: kernel")
        if frontend.syn_proxy:
            raise ValueError(
                "syn_proxy needs plane: kernel; where processes of ours take connections, the kernel has SYN cookies"
            )
        if wide := [one for one in frontend.listen if one.ports > 1]:
            raise ValueError(f"listen must name one port with each address; {wide[0]} needs plane: kernel")
        return
    if frontend.mode == "http":
        raise ValueError("plane: kernel needs mode: tcp or mode: udp; requests of HTTP are read by the proxy plane")
    if given := changed(frontend, _FRONTEND_KEYS):
        raise ValueError(f"{given[0]} needs plane: proxy; the kernel moves packets and reads nothing of them")
    if frontend.syn_proxy and (frontend.mode != "tcp" or frontend.forward == "dsr"):
        raise ValueError("syn_proxy needs mode: tcp and forward: nat")
    if frontend.forward == "dsr" and frontend.limits.any:
        raise ValueError("limits needs forward: nat; with dsr nothing is remembered of a client")
    for endpoint in frontend.listen:
        if endpoint.host in ("0.0.0.0", "::") or not is_plain(endpoint):
            raise ValueError(f"plane: kernel must listen on an address, a VIP for example, and not on {endpoint}")


def pool_obstacle(pool: Any, *, direct: bool = False) -> tuple[str, str] | None:
    """A key of a pool that does nothing behind the kernel plane, and why; None: there is none."""
    if pool.policy not in POLICIES:
        return "policy", f"the kernel knows {', '.join(POLICIES[:-1])} and {POLICIES[-1]}"
    if direct and pool.policy == "round_robin":
        return "policy", "forward: dsr remembers no turn, so it must be random or source_hash"
    if given := changed(pool, _POOL_KEYS):
        return given[0], "it does nothing where the kernel moves the packets"
    for name, server in pool.servers.items():
        if not is_plain(server.address):
            return "servers", f"the kernel forwards to IP addresses that the file says, and {name} has {server.address}"
        if server.max_connections is not None:
            return "servers", f"max_connections of {name} does nothing where the kernel moves the packets"
    return None


def is_plain(endpoint: Endpoint) -> bool:
    """An IP address that means the same on every interface."""
    return not endpoint.is_unix and not endpoint.is_name and "%" not in endpoint.host


def changed(config: Any, but: tuple[str, ...]) -> list[str]:
    """The keys of a dataclass that differ from their defaults, those of `but` left out, by their names in a file."""
    found = []
    for one in fields(config):
        default = one.default_factory() if callable(one.default_factory) else one.default
        if one.name not in but and getattr(config, one.name) != default:
            found.append(one.name.removesuffix("_s"))
    return found
