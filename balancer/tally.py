"""What bytes are counted in as they go through: counters, and a log's record beside them."""

from __future__ import annotations

from typing import Protocol


class Tally(Protocol):
    """Something that adds up."""

    def add(self, slot: int, amount: int = 1) -> None: ...


class Tee:
    """Two of them at once."""

    __slots__ = ("_one", "_other")

    def __init__(self, one: Tally, other: Tally) -> None:
        self._one = one
        self._other = other

    def add(self, slot: int, amount: int = 1) -> None:
        """Add to both."""
        self._one.add(slot, amount)
        self._other.add(slot, amount)
