"""Rules that span several objects of the file. Pure; they read the tree, so that they hold beside errors of type."""

import re
from collections.abc import Iterator

from balancer.fieldtypes import Endpoint
from hapair.config.errors import Problem, nearest
from hapair.config.tree import Path, Tree, dotted
from hapair.config.types import EVERY_NODE, HapairFile
from vrrp.config import OWNER_PRIORITY

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}")
_NAMED = (("pair", "nodes"), ("virtual_routers",), ("frontends",), ("pools",))


def problems_in_tree(tree: Tree) -> Iterator[Problem]:
    """References to what does not exist, and names that would not do."""
    yield from _names(tree)
    yield from _pool_references(tree)
    yield from _node_references(tree)


def _names(tree: Tree) -> Iterator[Problem]:
    tables: list[Path] = [*_NAMED, *(("pools", str(pool), "servers") for pool, _ in tree.children("pools"))]
    for table in tables:
        for name, _ in tree.children(*(str(step) for step in table)):
            if not _NAME.fullmatch(name):
                yield _problem(tree, (*table, name), "a name is made of letters, digits, _ . and -, at most 63")


def _pool_references(tree: Tree) -> Iterator[Problem]:
    pools = [name for name, _ in tree.children("pools")]
    for name, frontend in tree.children("frontends"):
        if not isinstance(frontend, dict):
            continue
        routes = frontend.get("routes")
        places: list[Path] = [("frontends", name, "pool")]
        places += [
            ("frontends", name, "routes", i, "pool") for i in range(len(routes) if isinstance(routes, list) else 0)
        ]
        for place in places:
            pool = tree.at(*place)
            if isinstance(pool, str) and pool not in pools:
                yield _problem(tree, place, f"there is no pool {pool}{nearest(pool, pools)}")


def _node_references(tree: Tree) -> Iterator[Problem]:
    nodes = [name for name, _ in tree.children("pair", "nodes")]
    if not nodes:
        return
    for router, _ in tree.children("virtual_routers"):
        for key in ("interface", "priority"):
            if not isinstance(tree.at("virtual_routers", router, key), dict):
                continue
            named = [name for name, _ in tree.children("virtual_routers", router, key)]
            for name in named:
                if name not in nodes:
                    message = f"there is no node {name}{nearest(name, nodes)}"
                    yield _problem(tree, ("virtual_routers", router, key, name), message)
            if missing := [node for node in nodes if node not in named]:
                yield _problem(tree, ("virtual_routers", router, key), f"says nothing for {', '.join(missing)}")


def problems_in_file(file: HapairFile, tree: Tree) -> Iterator[Problem]:
    """What clashes between objects that are each well-formed."""
    yield from _listen_clashes(file, tree)
    yield from _router_clashes(file, tree)


def _listen_clashes(file: HapairFile, tree: Tree) -> Iterator[Problem]:
    taken: dict[Endpoint, str] = {}
    for name, frontend in file.frontends.items():
        for i, endpoint in enumerate(frontend.listen):
            for other, owner in taken.items():
                if _overlap(endpoint, other):
                    covered = "" if endpoint == other else f", as {other}"
                    message = f"{endpoint} is already listened on by frontend {owner}{covered}"
                    yield _problem(tree, ("frontends", name, "listen", i), message)
                    break
            taken.setdefault(endpoint, name)


def _overlap(one: Endpoint, other: Endpoint) -> bool:
    """Whether the kernel would refuse the second of them. `::` takes IPv4 too."""
    if one.port != other.port:
        return False
    hosts = {one.host, other.host}
    return len(hosts) == 1 or "::" in hosts or ("0.0.0.0" in hosts and not one.is_ipv6 and not other.is_ipv6)


def _router_clashes(file: HapairFile, tree: Tree) -> Iterator[Problem]:
    vrids: dict[object, str] = {}
    vips: dict[object, str] = {}
    nodes = {address: node for node, address in file.pair.nodes.items()}
    for name, router in file.virtual_routers.items():
        for node in file.pair.nodes:
            key = (node, router.interface.get(node, router.interface.get(EVERY_NODE)), router.vrid)
            if vrids.setdefault(key, name) != name:
                place: Path = ("virtual_routers", name, "vrid")
                yield _problem(tree, place, f"vrid {router.vrid} is already used by {vrids[key]} on {key[1]}")
        for i, vip in enumerate(router.addresses):
            place = ("virtual_routers", name, "addresses", i)
            if vips.setdefault(vip.ip, name) != name:
                yield _problem(tree, place, f"{vip.ip} already belongs to {vips[vip.ip]}")
            owner = nodes.get(str(vip.ip))
            if owner and router.priority.get(owner, router.priority.get(EVERY_NODE)) != OWNER_PRIORITY:
                yield _problem(tree, place, f"{vip.ip} is the address of node {owner}, whose priority must then be 255")


def warnings(file: HapairFile) -> list[str]:
    """What holds together and is probably not meant."""
    found = []
    if len(file.pair.nodes) == 1:
        found.append("pair.nodes has one node: nothing takes over when it fails")
    for name, router in file.virtual_routers.items():
        priorities = [router.priority.get(node, router.priority.get(EVERY_NODE, 100)) for node in file.pair.nodes]
        if len(set(priorities)) < len(priorities):
            found.append(f"virtual_routers.{name}: equal priorities; the node with the higher address will be Active")
        if file.frontends and not any(_serves(file, str(vip.ip)) for vip in router.addresses):
            found.append(f"virtual_routers.{name}: no frontend listens on its addresses")
    used = {route.pool for f in file.frontends.values() for route in f.routes}
    used |= {f.pool for f in file.frontends.values() if f.pool}
    found += [f"pools.{name}: no frontend uses it" for name in file.pools if name not in used]
    return found


def _serves(file: HapairFile, vip: str) -> bool:
    return any(endpoint.host in (vip, "::", "0.0.0.0") for f in file.frontends.values() for endpoint in f.listen)


def _problem(tree: Tree, path: Path, message: str) -> Problem:
    _, position = tree.find(path)
    return Problem(position, dotted(path), message)
