"""Servers that were added, removed or changed while a node runs, laid over the pools of its file. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from balancer.config_pools import Pool, Server
from balancer.fieldtypes import Endpoint
from hapair.changes.change import Change, Key, Said, read


def with_change(pools: Mapping[str, Pool], change: Change) -> dict[str, Pool]:
    """These pools after a server was added, removed or changed.

    Raises ValueError where its pool cannot have it so, KeyError where there is no such pool or server.
    """
    pool = pools[change.pool]
    if change.what != "server":
        edited = _edited(pool.servers[change.server], change)
        return {**pools, change.pool: replace(pool, servers={**pool.servers, change.server: edited})}
    servers = {name: one for name, one in pool.servers.items() if name != change.server}
    if change.value is not None:
        servers[change.server] = read(str(change.value))
    return {**pools, change.pool: replace(pool, servers=servers)}


def _edited(server: Server, change: Change) -> Server:
    value: Any = change.value
    match change.what:
        case "name":
            if server.srv is not None:
                raise ValueError("its address is what SRV records say")
            return replace(server, address=Endpoint.parse_server(f"{value}:{server.address.port}"))
        case "check_address" | "agent_address":
            value = Endpoint.parse(str(value))
    said: dict[str, Any] = {change.what: value}
    return replace(server, **said)


def why_not(said: Said, pools: Mapping[str, Pool], change: Change) -> str | None:
    """Why a server of these pools cannot be added, removed or changed so; None: it can."""
    try:
        return said.obstacle(with_change(pools, change))
    except KeyError:
        return f"there is no pool {change.pool}" if change.what == "server" else "there is no such server"
    except ValueError as error:
        return str(error)


def overlaid(said: Said, changes: Iterable[Change]) -> tuple[Mapping[str, Pool], frozenset[Key]]:
    """The pools of a file with what was said of servers, the oldest first; and what of it does not fit there."""
    pools, misfits = said.pools, set()
    for change in changes:
        if why_not(said, pools, change) is None:
            pools = with_change(pools, change)
        else:
            misfits.add(change.key)
    return pools, frozenset(misfits)
