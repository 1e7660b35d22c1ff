"""What a node needs to run a file: privileges, and what its announcer is started with."""

from pathlib import Path

from hapair import privileges
from hapair import secret as secret_file
from hapair.config import NodeConfig
from hapair.messages import StartRouters
from vrrp.liveness.config import LinkConfig


def opening_of(config: NodeConfig, record_to: Path | None = None) -> StartRouters:
    """What every announcer of a node is started with, but for its epoch. Raises hapair.secret.SecretError."""
    secret = None if config.secret_file is None else secret_file.load(config.secret_file)
    link = None
    if config.link is not None and secret is not None:
        link = LinkConfig(
            node=config.link.node,
            peer=config.link.peer,
            address=config.link.address,
            peer_address=config.link.peer_address,
            port=config.link.port,
            secret=secret,
            interval_s=min((router.advertisement_interval_cs for router in config.routers), default=100) / 100,
        )
    return StartRouters(
        routers=config.routers,
        secret=secret,
        link=link,
        witnesses=config.witnesses,
        tracked={name: tracks.interfaces for name, tracks in config.tracks.items() if tracks.interfaces},
        record_to=None if record_to is None else str(record_to),
    )


def missing_privileges(config: NodeConfig) -> str | None:
    """What this process may not do and would have to, and how it may; None: nothing."""
    has_kernel_plane = len(config.balancer.proxied.frontends) < len(config.balancer.frontends)
    needed = (privileges.CAP_NET_ADMIN, privileges.CAP_NET_RAW) if config.routers or has_kernel_plane else ()
    if any(pool.transparent for pool in config.balancer.pools.values()) and privileges.CAP_NET_RAW not in needed:
        needed = (*needed, privileges.CAP_NET_RAW)
    missing = privileges.missing_capabilities(needed)
    if not missing:
        return None
    what = "plane: kernel" if has_kernel_plane else "transparent: true"
    what = "holding virtual IP addresses" if config.routers else what
    return (
        f"{what} needs {' and '.join(missing)}: start hapair as root (sudo hapair up), "
        f"or from deploy/hapair.service, which grants just these"
    )
