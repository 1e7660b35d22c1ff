"""The file as one node sees it. Pure."""

import difflib
import os
from collections.abc import Mapping
from dataclasses import dataclass

from balancer.config import BalancerConfig
from hapair.config.load import Loaded
from hapair.config.types import EVERY_NODE, HapairFile, VirtualRouterSection
from vrrp.config import VirtualRouterConfig


class UnknownNodeError(Exception):
    """This machine is not named in pair.nodes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeConfig:
    """What one node runs."""

    node: str
    nodes: Mapping[str, str]
    routers: tuple[VirtualRouterConfig, ...]
    balancer: BalancerConfig
    workers: int
    vip_of_frontend: Mapping[str, frozenset[str]]
    """For each frontend the virtual routers that it follows; empty: it serves whatever the roles are."""


def node_view(loaded: Loaded, node: str) -> NodeConfig:
    """What `node` runs. Raises UnknownNodeError."""
    file = loaded.file
    if node not in file.pair.nodes:
        raise UnknownNodeError(_unknown(node, file, loaded.path))
    return NodeConfig(
        node=node,
        nodes=file.pair.nodes,
        routers=tuple(_router(name, section, node) for name, section in file.virtual_routers.items()),
        balancer=BalancerConfig(frontends=file.frontends, pools=file.pools, drain_s=file.drain_s),
        workers=_worker_count(file),
        vip_of_frontend={name: _followed(file, name) for name in file.frontends},
    )


def _unknown(node: str, file: HapairFile, path: str) -> str:
    nodes = list(file.pair.nodes)
    near = difflib.get_close_matches(node, nodes, n=1)
    hint = f"; did you mean {near[0]}?" if near else "."
    return (
        f"this machine calls itself {node!r}, and {path} names {' and '.join(nodes)} in pair.nodes{hint} "
        f"Write this machine's host name there, or start with --node NAME"
    )


def _router(name: str, section: VirtualRouterSection, node: str) -> VirtualRouterConfig:
    return VirtualRouterConfig(
        name=name,
        vrid=section.vrid,
        interface=section.interface.get(node) or section.interface[EVERY_NODE],
        addresses=section.addresses,
        priority=section.priority.get(node) or section.priority[EVERY_NODE],
        advertisement_interval_cs=round(section.advertisement_interval_s * 100),
        preempt=section.preempt,
        checksum=section.checksum,
    )


def _worker_count(file: HapairFile) -> int:
    if file.workers != "auto":
        return file.workers
    return max(1, len(os.sched_getaffinity(0)) - 1)


def _followed(file: HapairFile, frontend: str) -> frozenset[str]:
    """The virtual routers whose VIPs a frontend listens on, where it listens on nothing else."""
    owners = {str(vip.ip): name for name, router in file.virtual_routers.items() for vip in router.addresses}
    followed = [owners.get(endpoint.host) for endpoint in file.frontends[frontend].listen]
    return frozenset(name for name in followed if name is not None) if all(followed) else frozenset()
