"""A pool at run time: which of its servers can take work, and which one takes the next. Pure.

Health (what checks say) is kept apart from configuration (what the file says) and from load (what `connections` says
at the moment of asking). A server is *eligible* by health and weight, which change rarely: the policy is told of
changes. Whether it is full is asked for the servers that the policy is about to choose, and only where the file gives
a limit.
"""

from collections.abc import Collection, Container, Iterator, Mapping
from dataclasses import dataclass

from balancer.config import Pool, Server
from balancer.fieldtypes import Endpoint
from balancer.policy import POLICIES, Candidate, Connections


@dataclass(frozen=True, slots=True)
class ServerSnapshot:
    """One server as it stands now. `usable`: it could be chosen for a new request (a backup, if its time came)."""

    name: str
    endpoint: Endpoint
    weight: int
    backup: bool
    up: bool
    usable: bool
    connections: int
    max_connections: int | None


@dataclass(frozen=True, slots=True)
class PoolSnapshot:
    """One pool as it stands now, its servers in the order of the file."""

    policy: str
    servers: tuple[ServerSnapshot, ...]


class PoolState:
    """The servers of one pool and their health. All of them are UP until told otherwise.

    `connections` gives the open connections of a server of this pool, over all workers.
    """

    def __init__(self, config: Pool, connections: Connections) -> None:
        self._policy_name = config.policy
        self._servers = dict(config.servers)
        self._connections = connections
        self._up = dict.fromkeys(self._servers, True)
        limits = {name: server.max_connections for name, server in self._servers.items()}
        self._limits = {name: limit for name, limit in limits.items() if limit is not None}
        self._full = _Refused((), self._limits, connections)
        self._primary = POLICIES[config.policy](connections)
        self._backup = POLICIES[config.policy](connections)
        self._tell_policies()

    def choose(self, excluded: Collection[str] = ()) -> str | None:
        """The name of the server for the next attempt, or None where no server can take it.

        `excluded` are servers that were already tried for this request. Backup servers stand in when every other is
        DOWN, full or excluded: an answer from a backup is better than none.
        """
        refused = self._refused(excluded) if self._limits else excluded
        chosen = self._primary.choose(refused)
        return self._backup.choose(refused) if chosen is None else chosen

    def set_health(self, server: str, up: bool) -> bool:
        """Take note of a check's verdict; True where it is news. Raises KeyError for a server that is not ours."""
        if self._up[server] == up:
            return False
        self._up[server] = up
        self._tell_policies()
        return True

    def endpoint(self, server: str) -> Endpoint:
        """Where to connect to. Raises KeyError for a server that is not ours."""
        return self._servers[server].address

    def snapshot(self) -> PoolSnapshot:
        return PoolSnapshot(self._policy_name, tuple(self._snapshot_of(name) for name in self._servers))

    def _snapshot_of(self, name: str) -> ServerSnapshot:
        server = self._servers[name]
        return ServerSnapshot(
            name=name,
            endpoint=server.address,
            weight=server.weight,
            backup=server.backup,
            up=self._up[name],
            usable=self._is_eligible(name, server) and name not in self._full,
            connections=self._connections(name),
            max_connections=server.max_connections,
        )

    def _is_eligible(self, name: str, server: Server) -> bool:
        return self._up[name] and server.weight > 0

    def _candidates(self, *, backup: bool) -> Iterator[Candidate]:
        for name, server in self._servers.items():
            if server.backup == backup and self._is_eligible(name, server):
                yield Candidate(name, server.weight)

    def _tell_policies(self) -> None:
        self._primary.update(self._candidates(backup=False))
        self._backup.update(self._candidates(backup=True))

    def _refused(self, excluded: Collection[str]) -> Container[str]:
        return _Refused(excluded, self._limits, self._connections) if excluded else self._full


@dataclass(frozen=True, slots=True)
class _Refused:
    """The servers that must not be chosen now. A container, so that only servers that are asked about are counted."""

    excluded: Collection[str]
    limits: Mapping[str, int]
    connections: Connections

    def __contains__(self, name: object) -> bool:
        if name in self.excluded:
            return True
        return isinstance(name, str) and name in self.limits and self.connections(name) >= self.limits[name]
