"""Rules between virtual routers, and between them and the pair. Pure."""

from collections.abc import Iterator, Sequence

from hapair.config.errors import Problem
from hapair.config.scalars import EVERY_NODE, on_node
from hapair.config.tree import Path, Tree, problem_at
from hapair.config.types import HapairFile, VirtualRouterSection
from hapair.config.witnesses import witnesses_on
from vrrp.config import OWNER_PRIORITY, Vip


def problems(file: HapairFile, tree: Tree) -> Iterator[Problem]:
    """What clashes between virtual routers that are each well-formed, or with what the pair is."""
    if not all(_speaks_for_every_node(file, router) for router in file.virtual_routers.values()):
        return  # which is a problem already
    yield from _same_vrid(file, tree)
    yield from _same_vip(file, tree)
    yield from _nodes_own_addresses(file, tree)
    for name, router in file.virtual_routers.items():
        yield from _unicast(file, tree, name, router)
        yield from _secret(file, tree, name, router)
        yield from _tracked_pools(file, tree, name, router)
    yield from _families(file, tree)
    yield from _groups(file, tree)
    yield from _witnesses(file, tree)


def _speaks_for_every_node(file: HapairFile, router: VirtualRouterSection) -> bool:
    tables = (router.interface, router.priority)
    return all(EVERY_NODE in table or node in table for table in tables for node in file.pair.nodes)


def _same_vrid(file: HapairFile, tree: Tree) -> Iterator[Problem]:
    """IPv4 and IPv6 count their VRIDs apart (RFC 9568 section 5.2.3)."""
    vrids: dict[object, str] = {}
    for name, router in file.virtual_routers.items():
        for node in file.pair.nodes:
            interface = on_node(router.interface, node)
            key = (node, interface, router.vrid, router.family)
            if vrids.setdefault(key, name) != name:
                place: Path = ("virtual_routers", name, "vrid")
                yield problem_at(tree, place, f"vrid {router.vrid} is already used by {vrids[key]} on {interface}")


def _same_vip(file: HapairFile, tree: Tree) -> Iterator[Problem]:
    """A link-local address is one of its link: each interface may have the same."""
    vips: dict[object, str] = {}
    for name, router in file.virtual_routers.items():
        for place, vip in _placed_addresses(name, router):
            for node in file.pair.nodes:
                scope = (node, on_node(router.interface, node)) if vip.ip.is_link_local else None
                if vips.setdefault((vip.ip, scope), name) != name:
                    yield problem_at(tree, place, f"{vip.ip} already belongs to {vips[vip.ip, scope]}")


def _nodes_own_addresses(file: HapairFile, tree: Tree) -> Iterator[Problem]:
    nodes = {address: node for node, address in file.pair.nodes.items()}
    for name, router in file.virtual_routers.items():
        for place, vip in _placed_addresses(name, router):
            owner = nodes.get(str(vip.ip))
            if owner and on_node(router.priority, owner) != OWNER_PRIORITY:
                message = f"{vip.ip} is the address of node {owner}, whose priority must then be 255"
                yield problem_at(tree, place, message)


def _placed_addresses(name: str, router: VirtualRouterSection) -> Iterator[tuple[Path, Vip]]:
    for key in ("addresses", "excluded_addresses"):
        for i, vip in enumerate(getattr(router, key)):
            yield ("virtual_routers", name, key, i), vip


def _unicast(file: HapairFile, tree: Tree, name: str, router: VirtualRouterSection) -> Iterator[Problem]:
    if router.peers != "unicast":
        return
    place: Path = ("virtual_routers", name, "peers")
    if len(file.pair.nodes) == 1:
        yield problem_at(tree, place, "unicast needs another node in pair.nodes to speak to")
    for node, address in file.pair.nodes.items():
        if (6 if ":" in address else 4) != router.family:
            message = (
                f"unicast needs IPv{router.family} node addresses for IPv{router.family} VIPs; {node} has {address}"
            )
            yield problem_at(tree, place, message)


def _secret(file: HapairFile, tree: Tree, name: str, router: VirtualRouterSection) -> Iterator[Problem]:
    if router.authenticate and file.pair.secret_file is None:
        message = "needs pair.secret_file; `hapair init` makes the file"
        yield problem_at(tree, ("virtual_routers", name, "authenticate"), message)


def _families(file: HapairFile, tree: Tree) -> Iterator[Problem]:
    """The link between the nodes has one family."""
    families = {":" in address for address in file.pair.nodes.values()}
    if file.pair.secret_file is not None and len(families) > 1:
        message = "must be all IPv4 or all IPv6, for the nodes speak to each other by them"
        yield problem_at(tree, ("pair", "nodes"), message)


def _tracked_pools(file: HapairFile, tree: Tree, name: str, router: VirtualRouterSection) -> Iterator[Problem]:
    for pool, tracked in router.track.pools.items():
        if pool in file.pools and tracked.at_least > len(file.pools[pool].servers):
            place: Path = ("virtual_routers", name, "track", "pools", pool, "at_least")
            yield problem_at(tree, place, f"pool {pool} has {len(file.pools[pool].servers)} servers")


def _groups(file: HapairFile, tree: Tree) -> Iterator[Problem]:
    """Members that would rather be on different nodes never agree."""
    first: dict[str, str] = {}
    for name, router in file.virtual_routers.items():
        if router.group is None:
            continue
        other = first.setdefault(router.group, name)
        if _preferred(file, router) != _preferred(file, file.virtual_routers[other]):
            message = f"{name} and {other} of group {router.group} must have their highest priority on the same node"
            yield problem_at(tree, ("virtual_routers", name, "group"), message)


def _preferred(file: HapairFile, router: VirtualRouterSection) -> Sequence[str]:
    priorities = {node: on_node(router.priority, node) for node in file.pair.nodes}
    return [node for node, priority in priorities.items() if priority == max(priorities.values())]


def _witnesses(file: HapairFile, tree: Tree) -> Iterator[Problem]:
    if file.pair.witness in (None, "gateway"):
        return
    vips = {str(vip.ip): name for name, router in file.virtual_routers.items() for vip in router.all_addresses}
    nodes = {address: node for node, address in file.pair.nodes.items()}
    for witness in map(str, file.pair.witness or ()):
        if witness in vips:
            message = f"{witness} is a virtual address of {vips[witness]}: a witness must be another machine"
            yield problem_at(tree, ("pair", "witness"), message)
        elif witness in nodes:
            message = f"{witness} is the address of node {nodes[witness]}: a witness must be another machine"
            yield problem_at(tree, ("pair", "witness"), message)


def warnings(file: HapairFile) -> Iterator[str]:
    """What holds together and is probably not meant."""
    if file.virtual_routers and len(file.pair.nodes) > 1 and file.pair.secret_file is None:
        yield (
            "pair.secret_file is not given: adverts are not authenticated, and the death of a node is noticed by its "
            "silence alone, later than need be; `hapair init` makes the file"
        )
    groups = [router.group for router in file.virtual_routers.values()]
    for name, router in file.virtual_routers.items():
        priorities = [on_node(router.priority, node) for node in file.pair.nodes]
        if len(set(priorities)) < len(priorities):
            yield f"virtual_routers.{name}: equal priorities; the node with the higher address will be Active"
        yield from _owners(file, name, router)
        if router.group is not None and groups.count(router.group) == 1:
            yield f"virtual_routers.{name}: no other virtual router is in group {router.group}"
        if not _witnessed(file, router):
            yield f"virtual_routers.{name}: no witness is on its network; it does without"
        for pool in router.track.pools:
            if pool in file.pools and file.pools[pool].check is None:
                yield f"virtual_routers.{name}.track.pools.{pool}: the pool has no check, so its servers are always UP"


def _owners(file: HapairFile, name: str, router: VirtualRouterSection) -> Iterator[str]:
    """Whoever means no more than the highest priority has a VIP that is never put on, and never taken off."""
    vips = {str(vip.ip) for vip in router.all_addresses}
    for node, address in file.pair.nodes.items():
        if on_node(router.priority, node) == OWNER_PRIORITY and address not in vips:
            yield (
                f"virtual_routers.{name}: priority 255 says that the VIPs are {node}'s own, permanent addresses, which "
                "have no lease and no fence; the highest for VIPs that move is 254"
            )


def _witnessed(file: HapairFile, router: VirtualRouterSection) -> bool:
    asked = {node: witnesses_on(file, node) for node in file.pair.nodes}
    return all(on_node(router.interface, node) in one for node, one in asked.items() if one is not None)
