"""The node's copy of the tables, and who is told what: workers each other's news, the peer all of it. Pure.

The node chooses no server. It joins what its workers and the peer say, and passes on what was news to it.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from balancer.config_pools import Pool
from balancer.persistence.memory import Memory
from balancer.persistence.table import Entry
from hapair.messages import CookieCounts, ForgetSources, Sources
from hapair.persistence.messages import PeerForgetSources, PeerSources, PeerSourcesTaken
from hapair.persistence.outbox import Outbox
from hapair.persistence.views import PersistenceView

PIECE = 100
"""Clients in one message to a worker, which serves nobody while it takes them in: half a millisecond."""
Post = Callable[..., None]


class Hub:
    """`clock` is CLOCK_MONOTONIC, which the workers share; `date_s` gives the date."""

    def __init__(self, clock: Callable[[], float], date_s: Callable[[], float]) -> None:
        self.memory = Memory(b"", clock, date_s)
        self.outbox = Outbox(self.memory.tables)
        self.changes = 0
        """Grows with every change of a table."""
        self.has_peer = False
        self.tell_peer: Post = lambda _: None
        """Says something to the peer."""
        self.on_news: Callable[[], None] = lambda: None
        """Called when the outbox has something."""
        self._clock = clock
        self._pools: Mapping[str, Pool] = {}
        self._workers: dict[int, Post] = {}
        self._counts: dict[int, dict[str, Counter[str]]] = {}
        self._past: dict[str, Counter[str]] = {}
        """Of workers that ended."""

    def configure(self, pools: Mapping[str, Pool]) -> None:
        """These are the pools from now on."""
        self._pools = pools
        self.memory.keep({name: pool.persistence for name, pool in pools.items()})

    def greet(self, worker: int, post: Post) -> None:
        """A worker starts, perhaps in the place of another: it is told all."""
        self.gone(worker)
        self._workers[worker] = post
        for pool, table in self.memory.tables.items():
            _tell(post, pool, tuple(table.entries()))

    def gone(self, worker: int) -> None:
        """A worker has ended."""
        self._workers.pop(worker, None)
        for pool, counts in self._counts.pop(worker, {}).items():
            self._past.setdefault(pool, Counter()).update(counts)

    def hear(self, worker: int, message: Sources | CookieCounts) -> None:
        """What a worker says."""
        if isinstance(message, CookieCounts):
            self._counts.setdefault(worker, {})[message.pool] = Counter(message.counts)
            return
        news = self._take(message.pool, message.entries)
        if news:
            self._pass_on(message.pool, news, besides=worker)
            if self.has_peer:
                self.outbox.add(message.pool, [entry.client for entry in news], self._clock())
                self.on_news()

    def hear_peer(self, message: PeerSources | PeerSourcesTaken | PeerForgetSources) -> None:
        """What the peer says."""
        now = self._clock()
        match message:
            case PeerSources(number, pool, entries):
                told = [Entry(one.client, one.server, one.version, now + one.used_at) for one in entries]
                self._pass_on(pool, self._take(pool, told))
                self.tell_peer(PeerSourcesTaken(number))
            case PeerSourcesTaken(number):
                self.outbox.confirmed(number, now)
                self.on_news()
            case PeerForgetSources(pool, client):
                self._forget(pool, client)

    def remember(self, tables: Mapping[str, Sequence[Entry]]) -> None:
        """What was known before a restart."""
        for pool, entries in tables.items():
            self._pass_on(pool, self._take(pool, entries))

    def _take(self, pool: str, entries: Iterable[Entry]) -> list[Entry]:
        """Join these; those that were news."""
        table, now = self.memory.tables.get(pool), self._clock()
        news = [] if table is None else [entry for entry in entries if table.merge(entry, now)]
        self.changes += len(news)
        return news

    def _pass_on(self, pool: str, news: Sequence[Entry], *, besides: int | None = None) -> None:
        for worker, post in self._workers.items() if news else ():
            if worker != besides:
                _tell(post, pool, news)

    def forget(self, pool: str, client: str | None) -> None:
        """Forget this client, or all of them, on both nodes. Raises KeyError where the pool has no table."""
        table = self.memory.tables[pool]
        if client is not None:
            client = table.key_of(client) or client
        self._forget(pool, client)
        self.tell_peer(PeerForgetSources(pool, client))

    def _forget(self, pool: str, client: str | None) -> None:
        table = self.memory.tables.get(pool)
        if table is not None:
            table.forget(client)
            self.changes += 1
            for post in self._workers.values():
                post(ForgetSources(pool, client))

    def entries(self, pool: str) -> Iterator[tuple[Entry, float]]:
        """Each client of a pool, and in how many seconds it is forgotten. Raises KeyError where there is no table."""
        table, now = self.memory.tables[pool], self._clock()
        for entry in table.entries():
            yield entry, table.config.expiry_s - (now - entry.used_at)

    def views(self) -> tuple[PersistenceView, ...]:
        """How it stands, by pool."""
        configured = ((name, pool.persistence) for name, pool in self._pools.items())
        return tuple(self._view(name) for name, persistence in configured if persistence is not None)

    def _view(self, pool: str) -> PersistenceView:
        persistence, table = self._pools[pool].persistence, self.memory.tables.get(pool)
        assert persistence is not None
        counts = Counter(self._past.get(pool, Counter()))
        for worker in self._counts.values():
            counts.update(worker.get(pool, Counter()))
        return PersistenceView(
            pool=pool,
            cookie=None if persistence.cookie is None else persistence.cookie.name,
            cookies=dict(counts),
            size=None if table is None else table.config.size,
            used=0 if table is None else len(table),
            evicted=0 if table is None else table.evicted,
        )


def _tell(post: Post, pool: str, entries: Sequence[Entry]) -> None:
    for start in range(0, len(entries), PIECE):
        post(Sources(pool, tuple(entries[start : start + PIECE])))
