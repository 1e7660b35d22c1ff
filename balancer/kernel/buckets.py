"""Which server each place of a pool's table belongs to. Pure.

While every server is usable the table is Maglev's (balancer.policies.maglev), or, where flows take the places one after
the other, one in which the servers take turns: each has its share to within one place.
A place whose server is not usable goes to the usable one that wins it by rendezvous hashing, with weights. So a flip
moves the places of the server that flipped and no others, whatever flipped before it, and back again; and since names
and weights are all that it follows from, both nodes have the same table.
"""

from collections.abc import Collection, Mapping
from functools import lru_cache
from hashlib import blake2b
from math import log

from balancer.policies import maglev

SIZE = 4093
"""Places: a prime, few enough that nft reads a table of them in some 20 ms."""


def choices(
    weights: Mapping[str, float], usable: Collection[str], size: int = SIZE, *, in_turn: bool = False
) -> tuple[str, ...]:
    """For each place a server of `weights`, whose values are above 0; empty where none of them is usable."""
    names = list(weights)
    able = [name for name in names if name in usable]
    if not able:
        return ()
    at_best = _table(tuple(weights.items()), size, in_turn)
    return tuple(
        name if (name := names[index]) in usable else _winner(place, able, weights)
        for place, index in enumerate(at_best)
    )


@lru_cache(maxsize=64)
def _table(weights: tuple[tuple[str, float], ...], size: int, in_turn: bool) -> tuple[int, ...]:
    if in_turn:
        return tuple(maglev.turns([weight for _, weight in weights], size))
    return tuple(maglev.table(dict(weights), size))


def _winner(place: int, names: Collection[str], weights: Mapping[str, float]) -> str:
    return min(names, key=lambda name: -log(_fraction(place, name)) / weights[name])


@lru_cache(maxsize=1 << 16)
def _fraction(place: int, name: str) -> float:
    """Between 0 and 1, both excluded."""
    digest = blake2b(name.encode(), digest_size=8, salt=place.to_bytes(4, "big")).digest()
    return (int.from_bytes(digest, "big") + 1) / (2**64 + 2)
