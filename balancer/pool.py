"""A pool at run time: which of its servers can take work, and which one takes the next. Pure.

How a server stands (balancer.standing: what checks, agents and people say) is kept apart from configuration (what the
file says) and from load (what `connections` says at the moment of asking). Standing and weight change rarely: the
policy is told of changes. Whether a server is full is asked for those that the policy is about to choose, and only
where there is a limit.
"""

from collections.abc import Collection, Container, Iterator, Mapping
from dataclasses import dataclass, replace
from random import Random

from balancer.config import Pool, Server
from balancer.config_pools import READS_REQUEST
from balancer.fieldtypes import Endpoint
from balancer.persistence.belonging import Belonging
from balancer.policies import Candidate, Chance, Connections, First, Policy, Request, policy_of
from balancer.standing import WHOLE, Admin, Standing, shown_weight, throttle_percent, warm_limit, warmth


@dataclass(frozen=True, slots=True)
class ServerSnapshot:
    """One server as it stands now. `usable`: it could be chosen for a new request (a backup, if its time came)."""

    name: str
    endpoint: Endpoint
    weight: int
    """As it is now: while the server is warming up less than `full_weight`."""
    backup: bool
    up: bool
    usable: bool
    connections: int
    max_connections: int | None
    admin: Admin = "ready"
    full_weight: int = 1
    throttle_percent: int = 100


@dataclass(frozen=True, slots=True)
class PoolSnapshot:
    """One pool as it stands now, its servers in the order of the file."""

    policy: str
    servers: tuple[ServerSnapshot, ...]


GONE_S = 60.0
"""For so long at least a server that left the file is known: a request may wait to try it again."""


class _Member:
    """One server of the pool at run time."""

    __slots__ = ("backup", "config", "endpoint", "gone_at", "limit", "since", "sixteenths", "standing", "weight")

    def __init__(self, config: Server) -> None:
        self.config = config
        self.standing = Standing(admin="maint" if config.disabled else "ready", resolved=not config.address.is_name)
        self.endpoint = config.address
        self.backup = config.backup
        self.since: float | None = None
        """When it began to warm up; None: it is warm."""
        self.sixteenths = WHOLE
        self.weight = config.weight
        """What is set, whether or not it can take work."""
        self.limit = config.max_connections
        self.gone_at: float | None = None
        """Since when it is no longer in the file; None: it is."""

    def set_up(self, config: Server) -> None:
        """It is configured otherwise."""
        if config.address != self.config.address and self.standing.place is None:
            self.endpoint = config.address
        place = self.standing.place
        self.config = config
        self.backup = config.backup or (place is not None and place.backup)
        self.weight = config.weight if self.standing.weight is None else self.standing.weight


class PoolState:
    """The servers of one pool and how they stand. All of them are UP, READY and warm until told otherwise.

    `connections` gives the open connections of a server of this pool, over all workers; `chance` random numbers.
    `now` is on any one clock, in seconds.
    """

    def __init__(self, config: Pool, connections: Connections, *, chance: Chance | None = None) -> None:
        self._config = config
        self._connections = connections
        self._members = {name: _Member(server) for name, server in config.servers.items()}
        self._limits: dict[str, int] = {}
        self._full = _Refused((), self._limits, connections)
        self._warming: set[str] = set()
        self._chance = Random().random if chance is None else chance
        self.belonging: Belonging | None = None
        """Who knows whom a request belongs to; None: requests belong to nobody."""
        self._make_policies()
        self._tell_policies()

    def _make_policies(self) -> None:
        config, connections = self._config, self._connections
        self._primary = policy_of(config.policy, config.hash, connections, self._chance)
        self._backup: Policy = First(connections)
        if config.use_all_backups:
            self._backup = policy_of(config.policy, config.hash, connections, self._chance)
        self.reads_request = self.belonging is not None or config.policy in (*READS_REQUEST, "source_hash")
        """Whether `choose` wants to know the request."""

    def reconfigure(self, config: Pool, now: float) -> tuple[str, ...]:
        """Go on as configured now. What is said of servers holds, as long as nobody says otherwise.

        A server that is no longer configured takes no work, and is forgotten GONE_S later, when it has no connections.
        Returns the names of those that are forgotten.
        """
        before, self._config = self._config, config
        chosen_by = (config.policy, config.hash, config.use_all_backups)
        if chosen_by != (before.policy, before.hash, before.use_all_backups):
            self._make_policies()
        known, self._members = self._members, {}
        for name, server in config.servers.items():
            member = known.pop(name, None)
            if member is None or member.gone_at is not None:
                member = _Member(server)
            member.set_up(server)
            self._members[name] = member
        forgotten = [name for name, member in known.items() if self._is_forgotten(name, member, now)]
        self._members |= {name: member for name, member in known.items() if name not in forgotten}
        self._warming &= config.servers.keys()
        for name in config.servers:
            self._warm_up(name, now)
        self._tell_policies()
        return tuple(forgotten)

    def _is_forgotten(self, name: str, member: _Member, now: float) -> bool:
        if member.gone_at is None:
            member.gone_at = now
            member.standing = replace(member.standing, admin="maint")
        return now - member.gone_at >= GONE_S and not self._connections(name)

    def belong(self, belonging: Belonging | None) -> None:
        """Requests belong to servers from now on; None: they do not."""
        self.belonging = belonging
        self.reads_request = belonging is not None or self._config.policy in (*READS_REQUEST, "source_hash")

    def wanted(self, request: Request | None) -> str | None:
        """The server that a request belongs to, where that takes persistent work; it may be full. None: any will do."""
        if self.belonging is None or request is None:
            return None
        server = self.belonging.server_of(request)
        if server is None or server not in self._config.servers or not self.takes_persistent(server):
            return None
        return server

    def cookie_of(self, request: Request) -> tuple[str, str]:
        """HAProxy's letter for the cookie of a request (those of Reading, or Down), and the server that it names.

        Both are empty where there are no cookies.
        """
        if self.belonging is None or self.belonging.jar is None:
            return "", ""
        server, code = self.belonging.jar.read(request.fields).server, self.belonging.jar.code_of(request.fields)
        if server is None:
            return code, ""
        return code if server in self._config.servers and self.takes_persistent(server) else "D", server

    def choose(self, excluded: Container[str] = (), request: Request | None = None) -> str | None:
        """The name of the server for the next attempt, or None where no server can take it.

        `excluded` are servers that were already tried for this request. Backup servers stand in when every other is
        DOWN, full or excluded: an answer from a backup is better than none. Before all others comes the server that a
        request belongs to, whatever its weight and load.
        """
        if self.belonging is not None and request is not None:
            return self._choose_wanted(self.belonging, excluded, request)
        return self.choose_any(excluded, request)

    def _choose_wanted(self, belonging: Belonging, excluded: Container[str], request: Request) -> str | None:
        server = self.wanted(request)
        if server is None or server in excluded:
            server = self.choose_any(excluded, request)
        if server is not None:
            belonging.went_to(request, server)
        return server

    def choose_any(self, excluded: Container[str] = (), request: Request | None = None) -> str | None:
        """As `choose`, wherever the request belongs."""
        refused = self._refused(excluded) if self._limits else excluded
        chosen = self._primary.choose(refused, request)
        return self._backup.choose(refused, request) if chosen is None else chosen

    def went_to(self, request: Request | None, server: str) -> None:
        """Take note of a choice that `choose` has not made."""
        if self.belonging is not None and request is not None:
            self.belonging.went_to(request, server)

    @property
    def is_limited(self) -> bool:
        """Whether a server may become full."""
        return bool(self._limits)

    def exceeds(self, server: str) -> bool:
        """Whether a server has more connections than it may have."""
        return server in self._limits and self._connections(server) > self._limits[server]

    def is_hopeless(self, excluded: Collection[str] = ()) -> bool:
        """No server could be chosen besides these, were none of them full."""
        return not any(name not in excluded and self._weight_now(member) > 0 for name, member in self._members.items())

    def takes_persistent(self, server: str) -> bool:
        """Whether a request that belongs to this server may go to it: also while it drains, and whatever its weight.

        Raises KeyError for a server that is not ours, as do all methods that name one.
        """
        return self._members[server].standing.takes_persistent

    def standing(self, server: str) -> Standing:
        """What is said of a server."""
        return self._members[server].standing

    def set_standing(self, server: str, standing: Standing, now: float = 0.0) -> bool:
        """Take note of what is said of a server; True where it is news."""
        member = self._members[server]
        said = replace(standing, age_s=None)
        since = None if standing.age_s is None or not self._config.slow_start_s else now - standing.age_s
        if said == member.standing and since == member.since:
            return False
        member.standing, member.since = said, since
        member.weight = member.config.weight if standing.weight is None else standing.weight
        if (place := standing.place) is not None:
            member.endpoint, member.backup = place.endpoint, member.config.backup or place.backup
        self._warm_up(server, now)
        self._tell_policies()
        return True

    def set_health(self, server: str, up: bool, now: float = 0.0) -> bool:
        """Take note of a check's verdict; True where it is news. A server that comes UP begins to warm up."""
        standing = self._members[server].standing
        if standing.up == up:
            return False
        return self.set_standing(server, replace(standing, up=up, age_s=0.0 if up else None), now)

    def set_admin(self, server: str, admin: Admin, now: float = 0.0) -> bool:
        """Take note of an administrator's word; True where it is news. A server that returns begins to warm up."""
        standing = self._members[server].standing
        if standing.admin == admin:
            return False
        age_s = 0.0 if standing.admin == "maint" and admin == "ready" else None
        return self.set_standing(server, replace(standing, admin=admin, age_s=age_s), now)

    def set_weight(self, server: str, weight: int | None, now: float = 0.0) -> bool:
        """A weight, 0 to 256, instead of the one in the file; None: the file's again. True where it is news."""
        if weight is not None and not 0 <= weight <= 256:
            raise ValueError("weight must be from 0 to 256")
        member = self._members[server]
        age_s = None if member.since is None else now - member.since
        return self.set_standing(server, replace(member.standing, weight=weight, age_s=age_s), now)

    def tick(self, now: float) -> bool:
        """Let servers that warm up have what they are due by now; call it every second or more often. True: some do."""
        if self._warming:
            before = [self._members[name].sixteenths for name in self._warming]
            names = tuple(self._warming)
            for name in names:
                self._warm_up(name, now)
            if before != [self._members[name].sixteenths for name in names]:
                self._tell_policies()
        return bool(self._warming)

    def endpoint(self, server: str) -> Endpoint:
        """Where to connect to."""
        return self._members[server].endpoint

    def backups(self) -> tuple[str, ...]:
        """The names of the backup servers."""
        return tuple(name for name, member in self._members.items() if member.backup and member.gone_at is None)

    def snapshot(self) -> PoolSnapshot:
        return PoolSnapshot(self._config.policy, tuple(self._snapshot_of(name) for name in self._config.servers))

    def _snapshot_of(self, name: str) -> ServerSnapshot:
        member = self._members[name]
        return ServerSnapshot(
            name=name,
            endpoint=member.endpoint,
            weight=shown_weight(member.weight, member.sixteenths),
            backup=member.backup,
            up=member.standing.up,
            usable=self._weight_now(member) > 0 and name not in self._full,
            connections=self._connections(name),
            max_connections=member.limit,
            admin=member.standing.admin,
            full_weight=member.weight,
            throttle_percent=throttle_percent(member.weight, member.sixteenths),
        )

    def _warm_up(self, name: str, now: float) -> None:
        """Weight and limit of a server by now."""
        member, slow_start_s = self._members[name], self._config.slow_start_s
        limit = member.standing.max_connections or member.config.max_connections
        member.limit, member.sixteenths = limit, WHOLE
        if member.since is not None:
            member.sixteenths = warmth(now - member.since, slow_start_s)
            member.limit = None if limit is None else warm_limit(limit, now - member.since, slow_start_s)
        self._warming.discard(name)
        if member.since is not None and int(now - member.since) < slow_start_s:
            self._warming.add(name)

    def _weight_now(self, member: _Member) -> float:
        return member.weight * member.sixteenths / WHOLE if member.standing.in_service else 0.0

    def _candidates(self, *, backup: bool) -> Iterator[Candidate]:
        for name, member in self._members.items():
            if member.backup == backup and member.gone_at is None:
                full_weight = max(member.config.weight, member.weight)
                yield Candidate(name, self._weight_now(member), full_weight)

    def _tell_policies(self) -> None:
        self._limits.clear()
        here = ((name, self._members[name]) for name in self._config.servers)
        self._limits.update((name, one.limit) for name, one in here if one.limit is not None)
        self._primary.update(self._candidates(backup=False))
        self._backup.update(self._candidates(backup=True))

    def _refused(self, excluded: Container[str]) -> Container[str]:
        return _Refused(excluded, self._limits, self._connections) if excluded else self._full


@dataclass(frozen=True, slots=True)
class _Refused:
    """The servers that must not be chosen now. A container, so that only servers that are asked about are counted."""

    excluded: Container[str]
    limits: Mapping[str, int]
    connections: Connections

    def __contains__(self, name: object) -> bool:
        if name in self.excluded:
            return True
        return isinstance(name, str) and name in self.limits and self.connections(name) >= self.limits[name]
