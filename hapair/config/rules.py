"""Rules that span several objects of the file. Pure; they read the tree, so that they hold beside errors of type."""

import re
from collections.abc import Iterator

from balancer.config import pools_of
from balancer.fieldtypes import Endpoint
from hapair.config import pool_rules, router_rules
from hapair.config.errors import Problem, nearest
from hapair.config.tree import Path, Tree, problem_at
from hapair.config.types import HapairFile

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}")
_NAMED = (("pair", "nodes"), ("virtual_routers",), ("frontends",), ("pools",))


def is_name(text: str) -> bool:
    """Whether it would do as the name of something."""
    return _NAME.fullmatch(text) is not None


def problems_in_tree(tree: Tree) -> Iterator[Problem]:
    """References to what does not exist, and names that would not do."""
    yield from _names(tree)
    yield from _pool_references(tree)
    yield from pool_rules.problems_in_tree(tree)
    yield from _node_references(tree)


def _names(tree: Tree) -> Iterator[Problem]:
    tables: list[Path] = [*_NAMED, *(("pools", str(pool), "servers") for pool, _ in tree.children("pools"))]
    routers = [str(router) for router, _ in tree.children("virtual_routers")]
    tables += [("virtual_routers", router, "track", kind) for router in routers for kind in ("scripts", "files")]
    for table in tables:
        for name, _ in tree.children(*(str(step) for step in table)):
            if not _NAME.fullmatch(name):
                yield problem_at(tree, (*table, name), "a name is made of letters, digits, _ . and -, at most 63")


def _pool_references(tree: Tree) -> Iterator[Problem]:
    pools = [name for name, _ in tree.children("pools")]
    for place in _places_of_pools(tree):
        pool = tree.at(*place)
        if isinstance(pool, str) and pool not in pools:
            hint = nearest(pool, pools) or "; the file has no pools"
            yield problem_at(tree, place, f"there is no pool {pool}{hint}")
    for router, _ in tree.children("virtual_routers"):
        tracked: Path = ("virtual_routers", router, "track", "pools")
        listed = tree.at(*tracked)
        for i, pool in enumerate(listed if isinstance(listed, (list, dict)) else ()):
            if isinstance(pool, str) and pool not in pools:
                step = i if isinstance(listed, list) else pool
                yield problem_at(tree, (*tracked, step), f"there is no pool {pool}{nearest(pool, pools)}")


def _places_of_pools(tree: Tree) -> Iterator[Path]:
    yield from (("pools", name, "fallback") for name, pool in tree.children("pools") if isinstance(pool, dict))
    for name, frontend in tree.children("frontends"):
        if not isinstance(frontend, dict):
            continue
        yield ("frontends", name, "pool")
        yield ("frontends", name, "acme", "pool")
        routes = frontend.get("routes")
        yield from (
            ("frontends", name, "routes", i, "pool") for i in range(len(routes) if isinstance(routes, list) else 0)
        )


def _node_references(tree: Tree) -> Iterator[Problem]:
    nodes = [name for name, _ in tree.children("pair", "nodes")]
    for place in _per_node_tables(tree) if nodes else ():
        named = [name for name, _ in tree.children(*place)]
        for name in named:
            if name not in nodes:
                yield problem_at(tree, (*place, name), f"there is no node {name}{nearest(name, nodes)}")
        if missing := [node for node in nodes if node not in named]:
            yield problem_at(tree, place, f"says nothing for {', '.join(missing)}")


def _per_node_tables(tree: Tree) -> Iterator[tuple[str, ...]]:
    for router, _ in tree.children("virtual_routers"):
        places: list[tuple[str, ...]] = [("virtual_routers", router, key) for key in ("interface", "priority")]
        tracked = ("virtual_routers", router, "track", "interfaces")
        places += [(*tracked, name, "interface") for name, _ in tree.children(*tracked)]
        yield from (place for place in places if isinstance(tree.at(*place), dict))


def problems_in_file(file: HapairFile, tree: Tree) -> Iterator[Problem]:
    """What clashes between objects that are each well-formed."""
    yield from _listen_clashes(file, tree)
    yield from router_rules.problems(file, tree)
    yield from pool_rules.problems(file, tree)


def _listen_clashes(file: HapairFile, tree: Tree) -> Iterator[Problem]:
    taken_by: dict[bool, dict[Endpoint, str]] = {False: {}, True: {}}
    for name, frontend in file.frontends.items():
        taken = taken_by[frontend.mode == "udp"]
        for i, endpoint in enumerate(frontend.listen):
            for other, owner in taken.items():
                if _overlap(endpoint, other):
                    covered = "" if endpoint == other else f", as {other}"
                    message = f"{endpoint} is already listened on by frontend {owner}{covered}"
                    yield problem_at(tree, ("frontends", name, "listen", i), message)
                    break
            taken.setdefault(endpoint, name)
    if file.admin is not None:
        for endpoint in file.admin.bound:
            for other, owner in taken_by[False].items():
                if _overlap(endpoint, other):
                    yield problem_at(
                        tree, ("admin", "listen"), f"{endpoint} is listened on by frontend {owner}, as {other}"
                    )


def _overlap(one: Endpoint, other: Endpoint) -> bool:
    """Whether the kernel would refuse the second of them. `::` takes IPv4 too."""
    if one.last_port < other.port or other.last_port < one.port:
        return False
    hosts = {one.host, other.host}
    return len(hosts) == 1 or "::" in hosts or ("0.0.0.0" in hosts and not one.is_ipv6 and not other.is_ipv6)


def warnings(file: HapairFile) -> list[str]:
    """What holds together and is probably not meant."""
    found = []
    if len(file.pair.nodes) == 1:
        found.append("pair.nodes has one node: nothing takes over when it fails")
    found += router_rules.warnings(file)
    for name, router in file.virtual_routers.items():
        if file.frontends and not any(_serves(file, str(vip.ip)) for vip in router.all_addresses):
            found.append(f"virtual_routers.{name}: no frontend listens on its addresses")
    used = {pool for frontend in file.frontends.values() for pool in pools_of(frontend)}
    used |= {pool.fallback for pool in file.pools.values() if pool.fallback}
    found += [f"pools.{name}: no frontend uses it" for name in file.pools if name not in used]
    found += [*_circles(file), *pool_rules.warnings(file)]
    for name, pool in file.pools.items():
        if pool.tls is not None and not pool.tls.verify:
            found.append(f"pools.{name}: tls.verify is false: whoever is on the way can read and change everything")
    return found


def _circles(file: HapairFile) -> Iterator[str]:
    """A frontend whose pool has the frontend itself for a server."""
    own = {str(vip.ip) for router in file.virtual_routers.values() for vip in router.all_addresses}
    own |= set(file.pair.nodes.values())
    for listener, frontend in file.frontends.items():
        for pool in dict.fromkeys(pools_of(frontend)):
            for name, server in file.pools[pool].servers.items():
                if server.address is not None and any(_leads_to(server.address, one, own) for one in frontend.listen):
                    where = f"pools.{pool}.servers.{name}"
                    words = f"frontend {listener} itself listens at {server.address}"
                    yield f"{where}: {words}: what is sent there comes back"


def _leads_to(server: Endpoint, listens: Endpoint, own: set[str]) -> bool:
    """`own`: the addresses that the nodes have, or can have."""
    is_every = listens.host in ("::", "0.0.0.0")
    return listens.port <= server.port <= listens.last_port and (
        listens.host == server.host or (is_every and server.host in own)
    )


def _serves(file: HapairFile, vip: str) -> bool:
    return any(endpoint.host in (vip, "::", "0.0.0.0") for f in file.frontends.values() for endpoint in f.listen)
