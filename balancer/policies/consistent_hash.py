"""The same server for the same key, as long as it can be. Pure.

A table (balancer.policies.maglev) has the servers by their full weights, whether or not they can take work now. A key
is looked up with a first hash, then with a second and so on, until a server comes up that may be chosen: so a server
that goes moves its own keys and no other, one that comes back gets the same ones again, and a flip costs nothing. A
weight that is lowered for a time works likewise: the server is passed over for a part of its keys, always the same.

Workers and nodes agree without a word: everything follows from names, weights and the key. `hash()` would not do, it
differs in every process.
"""

import math
from collections.abc import Container, Iterable, Sequence
from zlib import crc32

from balancer.policies import maglev
from balancer.policies.base import Candidate, Connections, Request
from balancer.policies.keys import Key
from balancer.policies.round_robin import RoundRobin

_LOOKUPS = 16
_ALL = (1 << 64) - 1
# An affine generator modulo 2 ** 64 (Knuth's MMIX constants); its upper bits are used.
_FACTOR, _INCREMENT = 6_364_136_223_846_793_005, 1_442_695_040_888_963_407
_READS_PER_PICK = 8


class ConsistentHash:
    """By a key of the request; a request without one takes its turn.

    `balance_percent`: a server that has more than this share of the connections that it would have if all were spread
    evenly by weight is passed over (consistent hashing with bounded loads); 0: no bound.
    """

    def __init__(self, connections: Connections, key: Key, balance_percent: int = 0) -> None:
        self._key = key
        self._without_key = RoundRobin(connections)
        self._full_weights: dict[str, float] = {}
        self._names: tuple[str, ...] = ()
        self._table: Sequence[int] = ()
        self._part: dict[str, int] = {}
        """Of each server that may be chosen: how many of 65,536 keys that come upon it, it takes."""
        self._weights: dict[str, float] = {}
        self._bound = _Bound(connections, balance_percent) if balance_percent else None

    def update(self, candidates: Iterable[Candidate]) -> None:
        candidates = tuple(candidates)
        self._without_key.update(candidates)
        full_weights = {each.name: max(each.full_weight, each.weight) for each in candidates}
        full_weights = {name: weight for name, weight in full_weights.items() if weight > 0}
        if full_weights != self._full_weights:
            self._full_weights = full_weights
            self._names = tuple(full_weights)
            self._table = maglev.table(full_weights) if full_weights else ()
        self._weights = {each.name: each.weight for each in candidates if each.weight > 0}
        self._part = {name: round(65_536 * weight / full_weights[name]) for name, weight in self._weights.items()}
        if self._bound is not None:
            self._bound.update(self._weights)

    def choose(self, refused: Container[str], request: Request | None = None) -> str | None:
        key = b"" if request is None else self._key(request)
        if not key:
            return self._without_key.choose(refused)
        if self._bound is None:
            return self._choose(key, refused)
        chosen = self._choose(key, self._bound.beside(refused))
        return self._choose(key, refused) if chosen is None else chosen

    def _choose(self, key: bytes, refused: Container[str]) -> str | None:
        part = self._part
        if not part:
            return None
        names, table, number = self._names, self._table, crc32(key)
        for _ in range(_LOOKUPS):
            number = (number * _FACTOR + _INCREMENT) & _ALL
            name = names[table[(number >> 24) % maglev.SIZE]]
            takes = part.get(name)
            if takes is not None and name not in refused and (takes == 65_536 or _part_of(number) < takes):
                return name
        return self._by_rank(key, refused)

    def _by_rank(self, key: bytes, refused: Container[str]) -> str | None:
        """Where nearly all are passed over: each gets a rank for this key, by weight, and the best is chosen."""
        number = crc32(key)
        ranks = (
            (-math.log(_fraction(crc32(name.encode()), number)) / weight, name)
            for name, weight in self._weights.items()
            if name not in refused
        )
        return min(ranks, default=(0.0, None))[1]


def _part_of(number: int) -> int:
    """16 bits that have little to do with the place that `number` leads to."""
    return (number * _FACTOR & _ALL) >> 48


def _fraction(one: int, other: int) -> float:
    """A number between 0 and 1 that follows from two of 32 bits."""
    number = ((one << 32 | other) * _FACTOR + _INCREMENT) & _ALL
    number = ((number ^ number >> 32) * _FACTOR + _INCREMENT) & _ALL
    number = ((number ^ number >> 32) * _FACTOR + _INCREMENT) & _ALL
    return ((number >> 32) + 0.5) / (1 << 32)


class _Bound:
    """Who has too many connections already. All of them are counted once in n/8 picks, in between each pick counts."""

    def __init__(self, connections: Connections, percent: int) -> None:
        self._connections = connections
        self._percent = percent
        self._refused: Container[str] = ()
        self._room: dict[str, float] = {}
        self._total = 0
        self._picks_until_reading = 0

    def update(self, weights: dict[str, float]) -> None:
        whole = sum(weights.values())
        self._room = {name: self._percent / 100 * weight / whole for name, weight in weights.items()}
        self._picks_until_reading = 0

    def beside(self, refused: Container[str]) -> "_Bound":
        """A container that holds what is refused and who has too many; good until the next call."""
        self._refused = refused
        self._total += 1
        self._picks_until_reading -= 1
        if self._picks_until_reading < 0:
            self._total = 1 + sum(self._connections(name) for name in self._room)
            self._picks_until_reading = len(self._room) // _READS_PER_PICK
        return self

    def __contains__(self, name: object) -> bool:
        if name in self._refused:
            return True
        assert isinstance(name, str)
        return self._connections(name) >= math.ceil(self._total * self._room[name])
