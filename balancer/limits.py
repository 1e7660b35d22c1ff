"""How much one client may have: connections, new connections and requests per second, or nothing at all. Pure.

All workers of a node share what is known of a client, in 64-bit cells of shared memory, with no lock:

- A rate is a token bucket, kept as one instant: that at which the bucket will be full again. Any worker reads, decides
  and writes it. Two that decide about the same client in the same microsecond can both let it pass; so a limit is exact
  with one worker, and with N workers a burst may be exceeded by at most N - 1 now and then.
- Open connections are counted by each worker in cells of its own, which the others read. A client's count elsewhere is
  the smaller of two sums, each over the clients that share a cell by chance: never too small, and too large only where
  another client happens to share both.

Tables have a fixed size, whatever number of addresses appears: a new client takes the place of that client of its set
who has used least. A client is told from others by 64 bits of a keyed hash, so nobody can choose whom to displace.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from hashlib import blake2b
from ipaddress import ip_address, ip_network
from typing import Final, NamedTuple

from balancer.causes import Cause
from balancer.config_limits import ClientLimits, RequestLimit
from balancer.networks import Networks

WAYS: Final = 8
"""Clients of a set: a client has its place in one set, wherever room is."""
_SET: Final = 2 * WAYS
SECRET_CELLS: Final = 2
_NS: Final = 1_000_000_000


class Layout(NamedTuple):
    """Where things are in the cells of one frontend, which begin with the secret of the hash."""

    rates: tuple[int, ...]
    """Where the table of each rate begins: that of new connections, then those of requests."""
    table: int
    """Cells of one such table."""
    open: int
    """Where the counts of open connections begin."""
    row: int
    """Cells of one row of counts; each worker has two rows."""
    cells: int
    """All of them."""

    @classmethod
    def of(cls, limits: ClientLimits, workers: int) -> Layout:
        table = -(-limits.clients // WAYS) * _SET
        count = (limits.connection_rate is not None) + len(limits.requests)
        first = SECRET_CELLS + count * table
        row = max(1024, limits.clients // 4) if limits.connections is not None else 0
        rates = tuple(SECRET_CELLS + index * table for index in range(count))
        return cls(rates, table, first, row, first + 2 * row * workers if limits.any else 0)

    def rows_of(self, worker: int) -> range:
        """The counts that one worker writes."""
        return range(self.open + 2 * self.row * worker, self.open + 2 * self.row * (worker + 1))


class RateTable:
    """Token buckets of many clients: `burst` tokens at most, `per_s` more each second."""

    __slots__ = ("_burst_ns", "_cells", "_first", "_interval_ns", "_sets")

    def __init__(self, cells: memoryview, where: range, per_s: float, burst: int) -> None:
        self._cells = cells
        self._first = where.start
        self._sets = len(where) // _SET
        self._interval_ns = round(_NS / per_s)
        self._burst_ns = self._interval_ns * (burst - 1)

    def take(self, key: int, now: float) -> float:
        """Take a token: 0.0, or for how many seconds there will be none. `key` has 64 bits and is not 0."""
        cells, now_ns = self._cells, int(now * _NS)
        start = self._first + key % self._sets * _SET
        entries = cells[start : start + _SET].tolist()
        keys, full_at = entries[:WAYS], entries[WAYS:]
        if key in keys:
            way = keys.index(key)
            full_ns = max(full_at[way], now_ns)
            if full_ns - now_ns > self._burst_ns:
                return float(full_ns - now_ns - self._burst_ns) / _NS
            cells[start + WAYS + way] = full_ns + self._interval_ns
            return 0.0
        way = full_at.index(min(full_at))
        cells[start + WAYS + way] = now_ns + self._interval_ns
        cells[start + way] = key
        return 0.0


class OpenConnections:
    """How many connections each client has open, over all workers."""

    __slots__ = ("_cells", "_here", "_mine", "_others", "_row")

    def __init__(self, cells: memoryview, mine: range, others: tuple[range, ...]) -> None:
        """`mine` is ours to write: two rows, one after the other; `others` are those of the other workers."""
        self._cells = cells
        self._row = len(mine) // 2
        self._mine = mine.start
        self._others = tuple(rows.start for rows in others)
        self._here: dict[int, int] = {}

    def of(self, key: int) -> int:
        """As many as the client has, or a few more."""
        cells, others = self._cells, self._others
        return self._here.get(key, 0) + min(sum(cells[rows + place] for rows in others) for place in self._places(key))

    def add(self, key: int) -> None:
        self._here[key] = self._here.get(key, 0) + 1
        for place in self._places(key):
            self._cells[self._mine + place] += 1

    def remove(self, key: int) -> None:
        """One that was added has ended."""
        left = self._here.get(key, 0) - 1
        if left < 0:
            return  # it was added when other limits held
        if left:
            self._here[key] = left
        else:
            del self._here[key]
        for place in self._places(key):
            self._cells[self._mine + place] -= 1

    def take_over(self, before: OpenConnections, *, same_cells: bool) -> None:
        """Go on with what another has counted: in the same cells, or in ours, which are empty."""
        self._here = before._here
        for key, count in () if same_cells else self._here.items():
            for place in self._places(key):
                self._cells[self._mine + place] += count

    def forget(self) -> None:
        """Nobody will tell of the ends of these."""
        for key, count in self._here.items():
            for place in self._places(key):
                self._cells[self._mine + place] -= count
        self._here = {}

    def _places(self, key: int) -> tuple[int, int]:
        return key % self._row, self._row + (key >> 32) % self._row


class _Rule:
    """A limit of requests: whose bucket a request takes from."""

    __slots__ = ("_header", "table")

    def __init__(self, limit: RequestLimit, cells: memoryview, where: range) -> None:
        self.table = RateTable(cells, where, limit.rate, limit.most)
        self._header = None if limit.header is None else _finder(limit.header)

    def subject(self, fields: bytes) -> bytes | None:
        """The header's value; empty where the rule goes by address, None where the header is missing."""
        if self._header is None:
            return b""
        found = self._header.search(fields)
        return None if found is None else found[1].strip(b" \t")


def _finder(name: str) -> re.Pattern[bytes]:
    return re.compile(rb"\n" + re.escape(name.encode("ascii")) + rb":([^\r\n]*+)", re.IGNORECASE)


class Limiter:
    """The limits of one frontend, as one worker applies them. Addresses are canonical text."""

    __slots__ = (
        "_connections",
        "_hash_of_address",
        "_hash_of_value",
        "_ipv6_prefix",
        "_new",
        "_open",
        "_rules",
        "denies",
    )

    def __init__(
        self, limits: ClientLimits, cells: memoryview, start: int = 0, *, workers: int = 1, worker: int = 0
    ) -> None:
        """`cells` from `start` on are as `Layout.of` says."""
        layout = Layout.of(limits, workers)
        tables = [range(start + first, start + first + layout.table) for first in layout.rates]
        secret = cells[start : start + SECRET_CELLS].tobytes()
        # A function, not a method of this object, which would hold itself and the cells until a collection.
        self.denies = lru_cache(maxsize=4096)(_denier(Networks(limits.allow), Networks(limits.deny)))
        """Whether an address may have nothing here."""
        self._ipv6_prefix = limits.ipv6_prefix
        hasher = _hasher(secret, limits.ipv6_prefix)
        self._hash_of_address = lru_cache(maxsize=4096)(hasher)
        self._hash_of_value = hasher  # never remembered: it may be a credential, and is as long as a client likes
        self._new = None
        if limits.connection_rate is not None:
            self._new = RateTable(cells, tables.pop(0), limits.connection_rate, limits.most_new)
        self._rules = tuple(_Rule(limit, cells, table) for limit, table in zip(limits.requests, tables, strict=True))
        self._connections = limits.connections
        self._open: OpenConnections | None = None
        if limits.connections is not None:
            all_rows = [layout.rows_of(number) for number in range(workers)]
            rows = [range(start + one.start, start + one.stop) for one in all_rows]
            self._open = OpenConnections(cells, rows.pop(worker), tuple(rows))

    def take_over(self, before: Limiter, *, same_cells: bool) -> None:
        """Stand in for a limiter of the same frontend and worker. `same_cells`: what it has counted is in our cells."""
        if before._open is None:
            return
        if self._open is not None and self._ipv6_prefix == before._ipv6_prefix:
            self._open.take_over(before._open, same_cells=same_cells)
        elif same_cells:
            before._open.forget()

    def connect(self, address: str, now: float) -> Cause | None:
        """A client connects. None: it may, and `disconnect` is to be called at the end; else why it may not."""
        key = self._hash_of_address(address)
        if self._open is not None and self._connections is not None and self._open.of(key) >= self._connections:
            return Cause.TOO_MANY_CONNECTIONS
        if self._new is not None and self._new.take(key, now):
            return Cause.CONNECTING_TOO_FAST
        if self._open is not None:
            self._open.add(key)
        return None

    def disconnect(self, address: str) -> None:
        """A connection that was let in has ended."""
        if self._open is not None:
            self._open.remove(self._hash_of_address(address))

    def request(self, address: str, fields: bytes, now: float) -> float:
        """A request with these field lines: 0.0 where it may pass, else after how many seconds it might."""
        for rule in self._rules:
            subject = rule.subject(fields)
            if subject is not None:
                wait_s = rule.table.take(self._key(address, subject), now)
                if wait_s:
                    return wait_s
        return 0.0

    def _key(self, address: str, subject: bytes) -> int:
        return self._hash_of_value(subject) if subject else self._hash_of_address(address)


def _denier(allow: Networks, deny: Networks) -> Callable[[str], bool]:
    def denies(address: str) -> bool:
        return address in deny or (bool(allow) and address not in allow)

    return denies


def _hasher(secret: bytes, ipv6_prefix: int) -> Callable[[str | bytes], int]:
    """64 bits, never 0, of an address (an IPv6 one stands for its network) or of a header's value."""

    def hashed(subject: str | bytes) -> int:
        data = b"=" + subject if isinstance(subject, bytes) else _network(subject, ipv6_prefix)
        return int.from_bytes(blake2b(data, digest_size=8, key=secret).digest(), "little") or 1

    return hashed


def _network(address: str, ipv6_prefix: int) -> bytes:
    parsed = ip_address(address)
    if parsed.version == 4:
        return parsed.packed
    return ip_network((parsed, ipv6_prefix), strict=False).network_address.packed
