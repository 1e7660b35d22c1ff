"""What one process knows of clients and their servers, for all pools; it outlives their configuration. Pure.

`clock` and `date_s` are brought by the caller: the first grows evenly, the other is the date.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping

from balancer.config_persistence import PersistenceSettings
from balancer.config_pools import Pool
from balancer.persistence.belonging import Belonging
from balancer.persistence.cookies import CookieJar
from balancer.persistence.table import SourceTable
from balancer.pool import PoolState


class Memory:
    """Of one worker, or of the node itself, which chooses no server but keeps the tables."""

    def __init__(self, key: bytes, clock: Callable[[], float], date_s: Callable[[], float]) -> None:
        """`key` is what cookies are signed with."""
        self.tables: dict[str, SourceTable] = {}
        """By pool."""
        self.counts: dict[str, Counter[str]] = {}
        """Of cookies, by pool: see CookieJar."""
        self.on_change: Callable[[], None] = lambda: None
        """Called when a table has something to tell that it had not before."""
        self._key = key
        self._clock = clock
        self._date_s = date_s

    def equip(self, pools: Mapping[str, Pool], states: Mapping[str, PoolState]) -> None:
        """Have these pools, as they are configured, choose servers by what is known here."""
        self.keep({name: config.persistence for name, config in pools.items()})
        for name, config in pools.items():
            states[name].belong(self.belonging(name, config.persistence, config.servers))

    def keep(self, configs: Mapping[str, PersistenceSettings | None]) -> None:
        """Know of these pools, and forget the others."""
        for pool, config in configs.items():
            source = None if config is None else config.source
            if source is None:
                self.tables.pop(pool, None)
            elif pool in self.tables:
                self.tables[pool].reconfigure(source)
            else:
                self.tables[pool] = SourceTable(source, self._changed)
        for gone in self.tables.keys() - configs.keys():
            del self.tables[gone]

    def belonging(self, pool: str, config: PersistenceSettings | None, servers: Iterable[str]) -> Belonging | None:
        """What a pool that is configured so is to look at; None: at nothing."""
        if config is None:
            return None
        jar = None
        if config.cookie is not None:
            counts = self.counts.setdefault(pool, Counter())
            jar = CookieJar(config.cookie, self._key, pool, servers, lambda: int(self._date_s()), counts)
        return Belonging(jar, self.tables.get(pool), self._clock, lambda: int(self._date_s() * 1000))

    def sweep(self, now: float) -> None:
        """Forget clients that were quiet for too long. Call it every second or so."""
        for table in self.tables.values():
            table.sweep(now)

    def _changed(self) -> None:
        self.on_change()
