"""Whether the files of the two nodes say the same, without telling what they say. Pure.

Each value of the file has a digest that is made with a key of the pair's secret: who listens on the way can neither
read a password nor try some out. What is not written counts as its default: a file that says so is the same.
"""

import dataclasses
import hmac
import json
from collections.abc import Iterator, Mapping, Sequence

from balancer.fieldtypes import Endpoint, without_unit
from hapair.config.types import HapairFile
from hapair.wire import to_plain
from vrrp.authentication import derive

_DIGEST_BYTES = 8
_PURPOSE = b"file digests"
SHOWN = 20
"""Places that are named; the others are counted."""


def digests(file: HapairFile, secret: bytes) -> dict[str, str]:
    """By place in the file: `pools.web.servers.web1.weight`."""
    key = derive(secret, _PURPOSE)
    return {
        place: hmac.digest(key, f"{place}={text}".encode(), "sha256")[:_DIGEST_BYTES].hex()
        for place, text in _leaves(file, "")
    }


def _leaves(value: object, place: str) -> Iterator[tuple[str, str]]:
    children: Iterator[tuple[str, object]]
    if isinstance(value, Endpoint):
        yield place, str(value)
        return
    if dataclasses.is_dataclass(value):
        named = ((without_unit(one.name), getattr(value, one.name)) for one in dataclasses.fields(value))
        children = (pair for pair in named)
    elif isinstance(value, Mapping):
        children = ((str(key), one) for key, one in value.items())
    elif isinstance(value, (tuple, list)) and any(map(_has_parts, value)):
        children = ((str(number), one) for number, one in enumerate(value))
    else:
        yield place, json.dumps(to_plain(value), sort_keys=True, default=str)
        return
    for name, one in children:
        yield from _leaves(one, f"{place}.{name}" if place else name)


def _has_parts(value: object) -> bool:
    return dataclasses.is_dataclass(value) or isinstance(value, (Mapping, tuple, list))


def differences(ours: Mapping[str, str], theirs: Mapping[str, str], *, node: str, peer: str) -> tuple[str, ...]:
    """Each place that differs, in words; what only one of them has is named by its topmost part."""
    found = [place for place in ours.keys() & theirs.keys() if ours[place] != theirs[place]]
    for mine, others, owner in ((ours, theirs, node), (theirs, ours, peer)):
        known = _prefixes(others)
        missing = {_topmost(place, known) for place in mine.keys() - others.keys()}
        found += [f"{place} is only on {owner}" for place in missing]
    return tuple(sorted(found))


def _prefixes(places: Mapping[str, str]) -> set[str]:
    """Everything that something stands under."""
    return {place[:dot] for place in places for dot in _dots(place)}


def _dots(place: str) -> Iterator[int]:
    return (index for index, char in enumerate(place) if char == ".")


def _topmost(place: str, known: set[str]) -> str:
    return next((place[:dot] for dot in _dots(place) if place[:dot] not in known), place)


def in_words(places: Sequence[str]) -> str:
    """A few of them, and how many more."""
    few = ", ".join(places[:3])
    return few if len(places) <= 3 else f"{few} and {len(places) - 3} more"
