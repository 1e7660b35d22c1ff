"""Rules about pools that no single type can see. Pure."""

from collections.abc import Iterator

from balancer.config import Frontend, Pool, QueueSettings, fallback_circle, pools_of
from balancer.config_kernel import pool_obstacle
from balancer.config_pools import READS_REQUEST
from hapair.config.errors import Problem
from hapair.config.tree import Tree, problem_at
from hapair.config.types import HapairFile


def problems_in_tree(tree: Tree) -> Iterator[Problem]:
    """Pools without a server; pools that fall back on each other in a circle, told once, where it is first met."""
    for name, pool in tree.children("pools"):
        if isinstance(pool, dict) and pool.get("servers") == {}:
            yield problem_at(tree, ("pools", name), "a pool needs at least one server")
    fallbacks = {name: pool["fallback"] for name, pool in tree.children("pools") if _names_fallback(pool)}
    told: set[str] = set()
    for name in fallbacks:
        circle = fallback_circle(fallbacks, name)
        if circle and told.isdisjoint(circle):
            told.update(circle)
            yield problem_at(tree, ("pools", name, "fallback"), f"leads back to itself: {' -> '.join(circle)}")


def _names_fallback(pool: object) -> bool:
    return isinstance(pool, dict) and isinstance(pool.get("fallback"), str)


def problems(file: HapairFile, tree: Tree) -> Iterator[Problem]:
    """Policies that read a request, where there is none to read; what the kernel plane cannot do."""
    yield from _fragments(file, tree)
    for name, frontend in file.frontends.items():
        if frontend.mode == "http":
            continue
        if frontend.plane == "kernel":
            yield from _behind_kernel(file, tree, name, frontend)
        for pool in _reached(file, pools_of(frontend)):
            if file.pools[pool].policy in READS_REQUEST:
                message = f"reads a request, and frontend {name} is of mode {frontend.mode}; source_hash would do"
                yield problem_at(tree, ("pools", pool, "policy"), message)
            yield from _connections_only(file, tree, name, pool)
            persistence = file.pools[pool].persistence
            if persistence is not None and persistence.cookie is not None:
                message = f"is for requests, and frontend {name} is of mode {frontend.mode}; source would do"
                yield problem_at(tree, ("pools", pool, "persistence", "cookie"), message)


def obstacle(file: HapairFile) -> str | None:
    """Why such a file would be refused, its pools being others than those it was read with; None: it would not be."""
    found = (f"{problem.where}: {problem.message}" for problem in problems(file, Tree()))
    return next(found, None)


def _behind_kernel(file: HapairFile, tree: Tree, name: str, frontend: Frontend) -> Iterator[Problem]:
    """What the kernel cannot do for this frontend."""
    pool = file.pools.get(frontend.pool or "")
    if pool is None:
        return
    place = ("pools", str(frontend.pool))
    if (obstacle := pool_obstacle(pool, direct=frontend.forward == "dsr")) is not None:
        key, why = obstacle
        yield problem_at(tree, (*place, key), f"{why}, and frontend {name} is of plane: kernel")
    families = {server.address.is_ipv6 for server in pool.servers.values()}
    for i, endpoint in enumerate(frontend.listen):
        if endpoint.is_ipv6 not in families:
            family = "IPv6" if endpoint.is_ipv6 else "IPv4"
            message = f"pool {frontend.pool} has no server with {family}, and plane: kernel does not translate families"
            yield problem_at(tree, ("frontends", name, "listen", i), message)
    if frontend.forward == "dsr":
        yield from _behind_dsr(file, tree, name, frontend)
    vips = (str(vip.ip) for router in file.virtual_routers.values() for vip in router.all_addresses)
    own = {*file.pair.nodes.values(), *vips}
    for server, config in pool.servers.items():
        if config.address.host in own:
            message = f"is on a node of the pair, and frontend {name} only forwards (plane: kernel); use plane: proxy"
            yield problem_at(tree, (*place, "servers", server), message)
    if frontend.forward != "dsr":
        yield from _behind_ranges(tree, name, frontend, pool)


def _behind_ranges(tree: Tree, name: str, frontend: Frontend, pool: Pool) -> Iterator[Problem]:
    """A range of ports leads to as many of each server, whose `address` has the first of them."""
    ranges = [one for one in frontend.listen if one.ports > 1]
    first = next((one.address.port for one in pool.servers.values()), 0)
    for server, config in pool.servers.items() if ranges else ():
        place = ("pools", str(frontend.pool), "servers", server)
        if config.address.port != first:
            yield problem_at(tree, place, f"must have port {first} as the others: frontend {name} has a range of ports")
        elif beyond := [one for one in ranges if first + one.ports - 1 > 65535]:
            yield problem_at(
                tree, place, f"has no {beyond[0].ports} ports from {first} on, as {beyond[0]} of {name} has"
            )


def _fragments(file: HapairFile, tree: Tree) -> Iterator[Problem]:
    """A fragment names no port: all that comes by UDP to one VIP must go to one pool."""
    pool_of: dict[str, str] = {}
    for name, frontend in file.frontends.items():
        if frontend.forward == "dsr" and frontend.mode == "udp":
            for i, host in enumerate(endpoint.host for endpoint in frontend.listen):
                first = pool_of.setdefault(host, str(frontend.pool))
                if first != frontend.pool:
                    message = (
                        f"{host} is served by UDP from pool {first} too, and with forward: dsr it must be one pool"
                    )
                    yield problem_at(tree, ("frontends", name, "listen", i), message)


def _behind_dsr(file: HapairFile, tree: Tree, name: str, frontend: Frontend) -> Iterator[Problem]:
    """Frames are sent on as they are: to the same port, on the LAN of the VIP."""
    vips = {str(vip.ip) for router in file.virtual_routers.values() for vip in router.all_addresses}
    for i, endpoint in enumerate(frontend.listen):
        if endpoint.host not in vips:
            message = "must be an address of a virtual router: forward: dsr must know on which interface packets come"
            yield problem_at(tree, ("frontends", name, "listen", i), message)
    for server, config in file.pools[str(frontend.pool)].servers.items():
        if not any(config.address.port in one.all_ports for one in frontend.listen):
            message = f"must have the port that frontend {name} listens on: forward: dsr changes no port"
            yield problem_at(tree, ("pools", str(frontend.pool), "servers", server), message)


def _connections_only(file: HapairFile, tree: Tree, frontend: str, pool: str) -> Iterator[Problem]:
    for name, server in file.pools[pool].servers.items() if file.frontends[frontend].mode == "udp" else ():
        if server.address.is_unix:
            message = f"{server.address} takes no datagrams, and frontend {frontend} is of mode udp"
            yield problem_at(tree, ("pools", pool, "servers", name), message)
    for key in ("send_proxy", "tls") if file.frontends[frontend].mode == "udp" else ():
        if getattr(file.pools[pool], key) is not None:
            message = f"is for connections, and frontend {frontend} is of mode udp"
            yield problem_at(tree, ("pools", pool, key), message)


def _reached(file: HapairFile, pools: tuple[str, ...]) -> list[str]:
    """These pools and those that they fall back on."""
    reached: list[str] = []
    waiting = [pool for pool in pools if pool in file.pools]
    while waiting:
        pool = waiting.pop()
        if pool not in reached:
            reached.append(pool)
            fallback = file.pools[pool].fallback
            waiting += [fallback] if fallback is not None and fallback in file.pools else []
    return reached


def warnings(file: HapairFile) -> Iterator[str]:
    """What holds together and is probably not meant."""
    for name, pool in file.pools.items():
        servers = pool.servers.values()
        if pool.policy == "first" and any(one.max_connections is None for one in list(servers)[:-1]):
            yield f"pools.{name}: policy first without max_connections sends everything to the first server"
        if pool.use_all_backups and not any(one.backup for one in servers):
            yield f"pools.{name}: use_all_backups and no server is a backup"
        yield from _idle_queues(name, pool)


def _idle_queues(name: str, pool: Pool) -> Iterator[str]:
    """Nobody waits for servers that are never full. An agent may say that they are."""
    if pool.agent is not None:
        return
    for server, one in pool.servers.items():
        if one.max_queue is not None and one.max_connections is None:
            yield f"pools.{name}: max_queue of {server} does nothing without max_connections"
    if pool.queue != QueueSettings() and all(one.max_connections is None for one in pool.servers.values()):
        yield f"pools.{name}: queue, and no server has max_connections"
