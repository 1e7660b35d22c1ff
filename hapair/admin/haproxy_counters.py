"""`clear counters [all]`, as HAProxy has it."""

import logging
from collections.abc import Sequence
from typing import Protocol

from hapair.admin.haproxy_cli import Command
from hapair.admin.rates import Rates

log = logging.getLogger(__name__)


class Counting(Protocol):
    """hapair.node_counters.NodeCounters."""

    async def forget_maxima(self) -> None: ...

    async def forget_counts(self) -> None: ...


class CounterCommands:
    """Of one node."""

    def __init__(self, counting: Counting, rates: Rates) -> None:
        self._counting = counting
        self._rates = rates

    def commands(self) -> tuple[Command, ...]:
        """For HaproxyCli."""
        return (Command(("clear", "counters"), "clear counters [all]", "forget maxima, or all counts", self._clear),)

    async def _clear(self, words: Sequence[str]) -> str:
        everything = words[2:3] == ["all"]
        log.info("runtime socket", extra={"action": " ".join(words[:3])})
        if everything:
            await self._counting.forget_counts()
            self._rates.forget()
        else:
            await self._counting.forget_maxima()
            self._rates.forget_maxima()
        return ""
