"""What a relay is given beside its stream: the frontend that it serves, pools to choose servers from, counters."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Protocol

from balancer import answers
from balancer.accesslog.journal import Journal
from balancer.answers import Answer, Files
from balancer.causes import Cause
from balancer.config import Frontend, Pool
from balancer.counts import KEPT, KEPT_PROVEN
from balancer.evidence import Evidences
from balancer.fieldtypes import Endpoint
from balancer.gzip_stream import Compressor
from balancer.limits import Limiter
from balancer.networks import Networks
from balancer.persistence.cookies import CookieJar, CookieJars
from balancer.policies import Request
from balancer.pool import PoolState
from balancer.reactor import Reactor
from balancer.route import RouteTable
from balancer.slots import OPEN, Counters
from balancer.sockets import way_of
from balancer.streams import Stream
from balancer.tls.contexts import ServerTls
from balancer.upstream import Kept, KeptByServer, KeptConnections
from balancer.waiting import WaitingRoom

REST_S = 1.0
"""Before a server that could not be reached is tried again, at most."""


class PoolService:
    """One pool at run time, shared by every frontend of this worker that names it."""

    __slots__ = (
        "_counters",
        "_roster",
        "compressor",
        "config",
        "fallback",
        "jars",
        "kept",
        "moves",
        "name",
        "private",
        "reads_request",
        "room",
        "sorry_page",
        "state",
        "tls",
        "way",
    )

    def __init__(
        self,
        name: str,
        config: Pool,
        state: PoolState,
        counters: dict[str, Counters],
        files: Files | None = None,
        tls: ServerTls | None = None,
    ) -> None:
        self.name = name
        self.config = config
        self.state = state
        self.kept = self.new_kept()
        """Idle upstream connections by server."""
        self.moves = 0
        """How often a server has got another address; what clients keep for themselves is kept apart by it."""
        self.compressor = None if config.compression is None else Compressor(config.compression)
        """None: it is for the frontend to say."""
        self.room: WaitingRoom | None = None
        """Where requests wait while its servers are full; None: none of them can be."""
        self.fallback: PoolService | None = None
        """Where that goes which this pool has no server for."""
        self.reads_request = state.reads_request
        """Whether a choice here, or in a pool that this one falls back on, wants to know the request."""
        self.jars: CookieJars | None = None
        """Cookies that name servers, here or in a pool that this one falls back on; None: there are none."""
        page = config.sorry_page
        self.sorry_page: Answer | None = None if page is None else answers.maintenance(page, files or {})
        """What a client is shown while no server can be had."""
        self._counters = counters
        self.tls = tls
        """How connections to its servers are made secret; None: they are not."""
        self.way = way_of(config)
        """How sockets to its servers are set up; None: nothing is said of it."""
        self.private = config.send_proxy is not None or config.transparent
        """A connection says whose it is, and is for no other client."""
        # Who is connected where is only kept where somebody may want to end just these.
        watched = config.on_down == "close" or config.on_up == "close_backups"
        self._roster: dict[str, set[Stream]] | None = {name: set() for name in config.servers} if watched else None

    def fall_back_on(self, other: PoolService | None) -> None:
        """Name the pool that stands in. In the order of the chain, its last one first."""
        self.fallback = other
        self.reads_request = self.state.reads_request or (other is not None and other.reads_request)
        jars: dict[str, CookieJar] = {}
        pool: PoolService | None = self
        while pool is not None:
            belonging, name, pool = pool.state.belonging, pool.name, pool.fallback
            if belonging is not None and belonging.jar is not None:
                jars[name] = belonging.jar
        self.jars = CookieJars(jars) if jars else None

    def new_kept(self) -> Kept:
        """Room for idle upstream connections by server."""
        return KeptByServer(self.config.timeouts.idle_s, self.name)

    def become(self, other: PoolService, now: float) -> None:
        """Go on as another one would that was made anew: what is kept, counted and known of servers stays.

        Requests that are on their way go on with the server that they have.
        """
        before, before_tls = self.config, self.tls
        for attribute in ("compressor", "config", "sorry_page", "tls", "way", "private"):
            setattr(self, attribute, getattr(other, attribute))
        self._counters.update(other._counters)
        gone = before.servers.keys() - other.config.servers.keys()
        for server in self.state.reconfigure(other.config, now):
            self._counters.pop(server, None)
            self.kept.pop(server, None)
        if self.tls is not before_tls or _connections_differ(before, other.config):
            self.retire_kept()
        else:
            for server in gone & self.kept.keys():
                self.kept[server].retire()
        if other._roster is None:
            self._roster = None
        else:
            known = self._roster or {}
            self._roster = {name: known.get(name, set()) for name in self._counters}

    def retire_kept(self) -> None:
        """No connection that was made so far is used for another request."""
        self.moves += 1
        for kept in self.kept.values():
            kept.retire()
        self.kept = self.new_kept()

    def choose(self, excluded: Collection[str] = (), request: Request | None = None) -> str | None:
        """The server for the next attempt, by the pool's policy; None when no server is usable."""
        return self.state.choose(excluded, request)

    def may_try(self, tried: Sequence[str]) -> bool:
        """Whether there may be another attempt after these."""
        return len(tried) <= self.config.retries

    @property
    def rest_s(self) -> float:
        """How long a server that has failed is left alone before it is tried again: it is seldom well at once."""
        return min(REST_S, self.config.timeouts.connect_s)

    def connected(self, server: str, stream: Stream) -> None:
        """Take note of a new connection to a server."""
        if self._roster is not None:
            streams = self._roster[server]
            if len(streams) > 2 * self._counters[server].get(OPEN) + 16:
                streams.difference_update([stream for stream in streams if stream.closed])
            streams.add(stream)

    def remembered(self, server: str) -> int:
        """How many connections to a server `abort_connections` would look at."""
        return 0 if self._roster is None else len(self._roster[server])

    def abort_connections(self, server: str) -> None:
        """Reset the connections to a server that `connected` told of; their clients are told by whoever relays them."""
        if self._roster is not None:
            for stream in self._roster[server]:
                stream.abort()
            self._roster[server].clear()

    def endpoint(self, server: str) -> Endpoint:
        return self.state.endpoint(server)

    def counters(self, server: str) -> Counters:
        """The server's counters; a relay adds to OPEN while it holds a connection to the server."""
        return self._counters[server]

    @property
    def all_counters(self) -> dict[str, Counters]:
        """By server; others may be put in their place."""
        return self._counters

    def noticed(self, counters: Counters) -> Counters:
        """Those of one more server; whoever waits here is told when they count the end of a connection."""
        return counters if self.room is None else self.room.told_by(counters)

    def tell_kept(self) -> None:
        """Count the idle connections to servers: now, for whoever looks, and not with each request."""
        for server, counters in self._counters.items():
            kept = self.kept.get(server)
            counters.set(KEPT, 0 if kept is None else len(kept))
            counters.set(KEPT_PROVEN, 0 if kept is None else kept.proven)

    def known_counters(self, server: str) -> Counters | None:
        """The same of a server that may be unknown by now."""
        return self._counters.get(server)

    def server_moved(self, server: str) -> None:
        """It has another address: no connection to the one before is used again."""
        self.moves += 1
        self.kept[server].retire()
        self.kept[server] = KeptConnections(self.config.timeouts.idle_s, self.name)

    def close_kept(self, server: str | None = None) -> None:
        """Close the idle connections to a server, or to all."""
        for name in tuple(self.kept) if server is None else (server,):
            self.kept[name].close_all()


def _connections_differ(before: Pool, after: Pool) -> bool:
    """Whether a connection to a server would be made otherwise, or kept for another time."""
    made = [
        (one.tls, one.send_proxy, one.transparent, one.source, one.tcp, one.timeouts.idle_s) for one in (before, after)
    ]
    return made[0] != made[1]


def link_pools(pools: Mapping[str, PoolService]) -> None:
    """Connect each pool with the one that it falls back on. The configuration sees to it that there is no circle."""
    waiting = list(pools)
    while waiting:
        left = [name for name in waiting if pools[name].config.fallback in waiting]
        for name in set(waiting) - set(left):
            other = pools[name].config.fallback
            pools[name].fall_back_on(None if other is None else pools[other])
        waiting = left


class FrontendService:
    """One frontend at run time."""

    __slots__ = (
        "causes",
        "compressor",
        "config",
        "counters",
        "draining",
        "epoch",
        "evidence",
        "guarded",
        "limiter",
        "log",
        "name",
        "only_pool",
        "open_elsewhere",
        "paced",
        "pools",
        "proxies",
        "reactor",
        "routes",
        "stopping",
        "told_of_drain",
        "trusted",
    )

    def __init__(
        self,
        name: str,
        config: Frontend,
        *,
        reactor: Reactor,
        counters: Counters,
        causes: Counters,
        pools: dict[str, PoolService],
        open_elsewhere: Callable[[], int] = int,
        limiter: Limiter | None = None,
        files: Files | None = None,
    ) -> None:
        self.name = name
        self.config = config
        self.reactor = reactor
        self.counters = counters
        self.causes = causes
        """What ended otherwise than well is counted here by its cause."""
        self.pools = pools
        """The pools that this frontend names, by name."""
        self.open_elsewhere = open_elsewhere
        """Connections of this frontend that other workers have open now."""
        self.limiter = limiter
        """None: any client may have as much as there is."""
        self.compressor = None if config.compression is None else Compressor(config.compression)
        """None: responses go on as they are, but for pools that say otherwise."""
        self.paced = config.timeouts.has_rates
        """Clients have to keep a minimum rate."""
        self.guarded = config.timeouts.request_s is not None or limiter is not None
        """Something is looked at for each request."""
        self.routes = RouteTable(config, files)
        self.only_pool = pools[config.pool] if config.pool is not None and self.routes.is_plain else None
        """Where every request goes; None: that, or what else is done, is decided for each (relay/http_route.py)."""
        self.trusted = Networks(config.trusted_proxies) if config.trusted_proxies else None
        """The proxies whose word on who their client is counts; None: nobody's."""
        self.proxies = Networks((*config.trusted_proxies, *config.accept_proxy))
        """Whose connections are those of many clients."""
        self.evidence = Evidences()
        """The last malformed messages."""
        self.log: Journal | None = None
        """Set where requests are logged."""
        self.draining = False
        """Set when the frontend is to end here: an http connection ends after the response that is to come next."""
        self.stopping = False
        """Set when the worker is to stop as well: an http connection waits for no further request."""
        self.epoch = object()
        """Another one whenever `stopping` is set, or the configuration is another."""
        self.told_of_drain: set[Callable[[], None]] = set()
        """Called when `draining` or `stopping` is set: for connections that have to tell their clients."""

    def drain(self, *, stopping: bool = False) -> None:
        """End the connections that are open, each after what it is doing."""
        self.draining = True
        if stopping:
            self.stopping, self.epoch = True, object()
        for tell in tuple(self.told_of_drain):
            tell()

    def become(self, other: FrontendService) -> None:
        """Go on as another one would that was made anew: connections that are open go on with it, and are counted."""
        lasting = ("causes", "counters", "draining", "evidence", "log", "name", "reactor", "stopping", "told_of_drain")
        for attribute in FrontendService.__slots__:
            if attribute not in lasting:
                setattr(self, attribute, getattr(other, attribute))

    @property
    def default_pool(self) -> PoolService | None:
        """Where everything goes that no route takes."""
        return None if self.config.pool is None else self.pools[self.config.pool]

    def objection(self, client: str) -> Cause | None:
        """For a `limiter`: why a client that connects is not served; None: it is, and is counted until it disconnects.

        In mode http who is not allowed is let in, to be told so.
        """
        assert self.limiter is not None
        if self.config.mode == "tcp" and self.limiter.denies(client):
            return Cause.DENIED
        return self.limiter.connect(client, self.reactor.now)


class Relay(Protocol):
    """One coroutine per connection. It need not close `downstream`; whatever else it opens, it closes.

    A StreamFailure may escape: the connection is reset. Any other exception is reported as a bug.
    """

    async def __call__(self, service: FrontendService, downstream: Stream) -> None: ...
