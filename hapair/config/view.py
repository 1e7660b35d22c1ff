"""The file as one node sees it. Pure."""

import difflib
import ipaddress
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from balancer.config import BalancerConfig, Frontend
from hapair.config.admin import AdminSection
from hapair.config.load import Loaded
from hapair.config.notifications import NotificationSection
from hapair.config.runtime import CommandSocket
from hapair.config.scalars import on_node
from hapair.config.tracks import TrackedFile, TrackedGateway, TrackedPool, TrackedScript, TrackSection
from hapair.config.types import HapairFile, VirtualRouterSection
from hapair.config.witnesses import witnesses_on
from vrrp.config import Address, Authentication, VirtualRouterConfig
from vrrp.tracking import InterfaceTrack


class UnknownNodeError(Exception):
    """This machine is not named in pair.nodes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkSettings:
    """What the link between two nodes needs."""

    node: str
    peer: str
    address: Address
    """This node's own."""
    peer_address: Address
    port: int
    secret_file: str
    """A whole path, or one relative to where the file was opened from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RouterTracks:
    """What one virtual router's standing depends on here. The announcer watches interfaces, the node all else."""

    interfaces: tuple[InterfaceTrack, ...] = ()
    scripts: Mapping[str, TrackedScript] = field(default_factory=dict)
    gateway: TrackedGateway | None = None
    files: Mapping[str, TrackedFile] = field(default_factory=dict)
    pools: Mapping[str, TrackedPool] = field(default_factory=dict)


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
    tracks: Mapping[str, RouterTracks] = field(default_factory=dict)
    """By virtual router; every one of them is there."""
    notify: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Commands by virtual router; only those that have one."""
    secret_file: str | None = None
    """What adverts are signed with; None: they are not."""
    link: LinkSettings | None = None
    """None: there is no secret, or not exactly one peer."""
    witnesses: Mapping[str, tuple[Address, ...]] | None = None
    """By interface: who is asked there; none listed: the gateway. None: nobody is asked anywhere."""
    admin: AdminSection | None = None
    notifications: Mapping[str, NotificationSection] = field(default_factory=dict)
    file: HapairFile | None = field(default=None, repr=False, compare=False)
    """The whole file, to be compared with the peer's."""
    watch_file: bool = False
    """Reload when the file has changed."""
    command_sockets: Mapping[str, CommandSocket] = field(default_factory=dict)
    """By path."""


def node_view(loaded: Loaded, node: str) -> NodeConfig:
    """What `node` runs. Raises UnknownNodeError."""
    file = loaded.file
    if node not in file.pair.nodes:
        raise UnknownNodeError(_unknown(node, file, loaded.path))
    secret_file = _beside(loaded.path, file.pair.secret_file)
    witnesses = witnesses_on(file, node)
    return NodeConfig(
        node=node,
        nodes=file.pair.nodes,
        routers=tuple(_router(file, name, node, witnesses) for name in file.virtual_routers),
        balancer=BalancerConfig(
            frontends=_frontends(file), pools=file.pools, drain_s=file.drain_s, max_connections=file.max_connections
        ),
        workers=_worker_count(file),
        vip_of_frontend={name: _followed(file, name) for name in file.frontends},
        tracks={name: _tracks(router.track, node) for name, router in file.virtual_routers.items()},
        notify={name: router.notify for name, router in file.virtual_routers.items() if router.notify},
        secret_file=secret_file,
        link=None if secret_file is None else _link(file, node, secret_file),
        witnesses=witnesses,
        admin=file.admin,
        notifications=file.notifications,
        file=file,
        watch_file=file.runtime.watch_file,
        command_sockets=file.runtime.sockets,
    )


def _frontends(file: HapairFile) -> dict[str, Frontend]:
    """Each with its log: its own, or the one for all."""
    return {
        name: replace(frontend, access_log=file.access_log) if frontend.access_log is None else frontend
        for name, frontend in file.frontends.items()
    }


def _unknown(node: str, file: HapairFile, path: str) -> str:
    nodes = list(file.pair.nodes)
    near = [one for one in nodes if one.lower() == node.lower()] or difflib.get_close_matches(node, nodes, n=1)
    hint = f"; did you mean {near[0]}?" if near else "."
    return (
        f"this machine calls itself {node!r}, and {path} names {' and '.join(nodes)} in pair.nodes{hint} "
        f"Write this machine's host name there, or start with --node NAME"
    )


def _beside(file: str, name: str | None) -> str | None:
    """A path that is relative is so to the folder of the file that names it."""
    return None if name is None else os.path.join(os.path.dirname(file), name)


def _link(file: HapairFile, node: str, secret_file: str) -> LinkSettings | None:
    others = [name for name in file.pair.nodes if name != node]
    if len(others) != 1:
        return None
    return LinkSettings(
        node=node,
        peer=others[0],
        address=ipaddress.ip_address(file.pair.nodes[node]),
        peer_address=ipaddress.ip_address(file.pair.nodes[others[0]]),
        port=file.pair.port,
        secret_file=secret_file,
    )


def _router(
    file: HapairFile, name: str, node: str, witnesses: Mapping[str, tuple[Address, ...]] | None
) -> VirtualRouterConfig:
    section = file.virtual_routers[name]
    unicast = section.peers == "unicast"
    others = tuple(ipaddress.ip_address(address) for other, address in file.pair.nodes.items() if other != node)
    interface = on_node(section.interface, node)
    return VirtualRouterConfig(
        name=name,
        vrid=section.vrid,
        interface=interface,
        addresses=section.addresses,
        excluded_addresses=section.excluded_addresses,
        priority=on_node(section.priority, node),
        version=section.version,
        password=section.password,
        advertisement_interval_cs=round(section.interval_s * 100),
        preempt=section.preempt,
        preempt_delay_s=section.preempt_delay_s,
        startup_delay_s=section.startup_delay_s,
        hold_down_s=section.hold_down_s,
        accept=section.accept,
        virtual_mac=section.virtual_mac,
        peers=others if unicast else (),
        source=ipaddress.ip_address(file.pair.nodes[node]) if unicast else None,
        group=section.group,
        checksum=section.checksum,
        authentication=_authentication(file, section),
        announce_every_s=section.announce_every_s,
        witnessed=witnesses is not None and interface in witnesses,
        rivals=None if file.pair.secret_file is None else len(others),
    )


def _authentication(file: HapairFile, section: VirtualRouterSection) -> Authentication:
    if section.authenticate == "permissive":
        return "permissive"
    wanted = section.version == 3 if section.authenticate is None else section.authenticate
    return "required" if wanted and file.pair.secret_file is not None else "off"


def _tracks(section: TrackSection, node: str) -> RouterTracks:
    interfaces = tuple(
        InterfaceTrack(
            name=name,
            interface=name if tracked.interface is None else on_node(tracked.interface, node),
            weight=tracked.weight,
        )
        for name, tracked in section.interfaces.items()
    )
    return RouterTracks(
        interfaces=interfaces,
        scripts=section.scripts,
        gateway=section.gateway,
        files=section.files,
        pools=section.pools,
    )


def _worker_count(file: HapairFile) -> int:
    if file.workers != "auto":
        return file.workers
    return max(1, len(os.sched_getaffinity(0)) - 1)


def _followed(file: HapairFile, frontend: str) -> frozenset[str]:
    """The virtual routers whose VIPs a frontend listens on, where it listens on nothing else."""
    owners = {str(vip.ip): name for name, router in file.virtual_routers.items() for vip in router.all_addresses}
    followed = [owners.get(endpoint.host) for endpoint in file.frontends[frontend].listen]
    return frozenset(name for name in followed if name is not None) if all(followed) else frozenset()
