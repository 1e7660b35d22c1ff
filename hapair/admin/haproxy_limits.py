"""`set maxconn global` in HAProxy's words: how many connections a node takes at once."""

import logging
import re
from collections.abc import Callable, Sequence
from typing import Protocol

from hapair.admin.haproxy_cli import BY, Command, Refused
from hapair.admin.haproxy_info import hard_limit
from hapair.changes.change import Value, What
from hapair.snapshot import NodeSnapshot

log = logging.getLogger(__name__)


class Limits(Protocol):
    """hapair.node_changes.NodeChanges."""

    def reconfigure(self, what: What, pool: str, server: str, value: Value, *, by: str, local: bool) -> None: ...

    async def settled(self) -> None: ...


class LimitCommands:
    """Of one node; `look` shows it."""

    def __init__(self, limits: Limits, look: Callable[[], NodeSnapshot]) -> None:
        self._limits = limits
        self._look = look

    def commands(self) -> tuple[Command, ...]:
        """For HaproxyCli."""
        usage, meaning = "set maxconn global <n>", "change how many connections the node may have"
        return (Command(("set", "maxconn", "global"), usage, meaning, self._set),)

    async def _set(self, words: Sequence[str]) -> str:
        if len(words) < 4:
            raise Refused("Expects an integer value.")
        number = re.match(r"-?[0-9]{1,9}", words[3])
        limit = 0 if number is None else int(number[0])
        if limit > hard_limit(self._look()):
            raise Refused("Value out of range.")
        # As there: what is no number is 0, and 0 is what the file says.
        self._limits.reconfigure("node_limit", "", "", limit if limit > 0 else None, by=BY, local=False)
        await self._limits.settled()
        log.info("runtime socket", extra={"max_connections": limit})
        return ""
