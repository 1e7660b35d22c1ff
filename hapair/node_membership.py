"""Servers that people add to the pools of a running node, and remove: on both nodes, until the file says otherwise."""

from collections.abc import Callable

from balancer.config_pools import Server
from hapair.config.rules import is_name
from hapair.node_changes import NodeChanges
from hapair.node_traffic import NotPossible
from hapair.snapshot import NodeSnapshot, PoolView, ServerView


class Membership:
    """Of one node's pools; `look` shows them."""

    def __init__(self, changes: NodeChanges, look: Callable[[], NodeSnapshot]) -> None:
        self._changes = changes
        self._look = look

    def pool(self, name: str) -> PoolView | None:
        """None: there is none."""
        return next((one for one in self._look().pools if one.name == name), None)

    def server(self, pool: str, name: str) -> ServerView | None:
        """None: there is none."""
        found = self.pool(pool)
        return None if found is None else next((one for one in found.servers if one.name == name), None)

    async def add(
        self,
        pool: str,
        name: str,
        server: Server,
        *,
        by: str,
        checks: bool = True,
        agent: bool = True,
        local: bool = False,
    ) -> None:
        """It is known to every process once this returns; checks and agent wait to be started where they are off.

        Raises NotPossible.
        """
        if not is_name(name):
            raise NotPossible("a name is made of letters, digits, _ . and -, at most 63")
        if self.server(pool, name) is not None:
            raise NotPossible(f"there is a server {pool}/{name} already")
        self._set(pool, name, server, by=by, local=local)
        operator = self._changes.here if local else self._changes.everywhere
        known = self._changes.pools[pool]
        if not checks and known.check_of(name) is not None:
            operator.watch(pool, name, checks=False)
        if not agent and known.agent is not None:
            operator.watch(pool, name, agent=False)
        await self._changes.settled()

    async def remove(self, pool: str, name: str, *, by: str, local: bool = False) -> None:
        """No process knows it once this returns. Raises NotPossible, also where it is in use or may be."""
        known = self.server(pool, name)
        if known is None:
            raise NotPossible(f"there is no server {pool}/{name}")
        if (reason := in_use(known)) is not None:
            raise NotPossible(f"{pool}/{name} {reason}")
        self._set(pool, name, None, by=by, local=local)
        await self._changes.settled()

    def _set(self, pool: str, name: str, server: Server | None, *, by: str, local: bool) -> None:
        try:
            self._changes.set_server(pool, name, server, by=by, local=local)
        except KeyError:
            raise NotPossible(f"there is no pool {pool}") from None
        except ValueError as error:
            raise NotPossible(str(error)) from error


def in_use(server: ServerView) -> str | None:
    """What stands in the way of removing a server."""
    if server.admin != "maint":
        return "must be in MAINT before it is removed"
    if server.counts.open or server.queue.waiting:
        return f"still has connections ({server.counts.open} open, {server.queue.waiting} waiting)"
    return None
