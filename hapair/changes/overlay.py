"""Servers that were added or removed while a node runs, laid over the pools of its file. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from balancer.config_pools import Pool
from hapair.changes.change import Change, Key, Said, read


def with_change(pools: Mapping[str, Pool], change: Change) -> dict[str, Pool]:
    """These pools after a server was added or removed. Raises ValueError where its pool cannot have it, KeyError where
    there is no such pool."""
    pool = pools[change.pool]
    servers = {name: one for name, one in pool.servers.items() if name != change.server}
    if change.value is not None:
        servers[change.server] = read(str(change.value))
    return {**pools, change.pool: replace(pool, servers=servers)}


def why_not(said: Said, pools: Mapping[str, Pool], change: Change) -> str | None:
    """Why a server cannot be added to these pools, or removed; None: it can."""
    try:
        return said.obstacle(with_change(pools, change))
    except KeyError:
        return f"there is no pool {change.pool}"
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
