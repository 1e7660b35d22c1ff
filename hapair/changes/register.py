"""All changes that a node knows of, its own and its peer's: the last of each kind, and whether it holds. Pure."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final, Literal

from balancer.config_pools import Pool
from hapair.changes.change import LATEST, Change, Key, Value, What, holds, in_file

LIMIT: Final = 8192
"""Changes; what does not hold is forgotten first."""
Standing = Literal["held", "waiting", "spent"]
"""In force; of a file that this node has not, or not yet; the file was changed since, for good."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A change and how it stands on this node."""

    change: Change
    standing: Standing


class Register:
    """One node's. `pools` are those of its file; `known` is what was kept from before."""

    def __init__(self, node: str, pools: Mapping[str, Pool], known: Iterable[Entry] = ()) -> None:
        self._node = node
        self._pools = pools
        self._entries: dict[Key, Entry] = {}
        self._latest = 0
        for entry in known:
            if self._is_new(entry.change):
                self._keep(self._stood(entry))

    @property
    def entries(self) -> tuple[Entry, ...]:
        """To be kept."""
        return tuple(self._entries.values())

    @property
    def shared(self) -> tuple[Change, ...]:
        """What a peer that was away is to be told."""
        known = self._entries.values()
        return tuple(one.change for one in known if one.standing != "spent" and not one.change.local)

    def held(self) -> Iterator[Change]:
        """What is in force, the oldest first."""
        yield from sorted((one.change for one in self._entries.values() if one.standing == "held"), key=_stamp)

    def say(
        self, what: What, pool: str, server: str, value: Value, *, by: str, now_ms: int, local: bool = False
    ) -> Change:
        """Somebody says this on this node. Raises KeyError for a server that there is not."""
        at = min(LATEST, max(now_ms, self._latest + 1))
        change = Change(
            what=what,
            pool=pool,
            server=server,
            value=value,
            in_file=in_file(self._pools, what, pool, server),
            at=at,
            node=self._node,
            by=by[:256],
            local=local,
        )
        self._keep(Entry(change, "held"))
        return change

    def hear(self, changes: Iterable[Change]) -> list[Change]:
        """The peer says this; what of it is to be carried out here."""
        fresh = []
        for change in sorted(changes, key=_stamp):
            if change.local or not self._is_new(change):
                continue
            standing: Standing = "held" if holds(change, self._pools) else "waiting"
            self._keep(Entry(change, standing))
            if standing == "held":
                fresh.append(change)
        return fresh

    def reload(self, pools: Mapping[str, Pool]) -> list[Change]:
        """This is the file from now on; which changes hold now and did not before."""
        self._pools = pools
        before, self._entries = self._entries, {}
        for entry in before.values():
            self._keep(self._stood(entry))
        now_held = (key for key, one in self._entries.items() if one.standing == "held")
        return [before[key].change for key in now_held if before[key].standing == "waiting"]

    def _stood(self, entry: Entry) -> Entry:
        """How it stands by the file that there is now."""
        if entry.standing == "spent":
            return entry
        if holds(entry.change, self._pools):
            return replace(entry, standing="held")
        return replace(entry, standing="spent" if entry.standing == "held" else "waiting")

    def _is_new(self, change: Change) -> bool:
        known = self._entries.get(change.key)
        return known is None or known.change.stamp < change.stamp

    def _keep(self, entry: Entry) -> None:
        self._latest = max(self._latest, entry.change.at)
        self._entries.pop(entry.change.key, None)
        self._entries[entry.change.key] = entry
        if len(self._entries) > LIMIT:
            idle = (key for key, one in self._entries.items() if one.standing != "held")
            del self._entries[next(idle, next(iter(self._entries)))]


def _stamp(change: Change) -> tuple[int, str]:
    return change.stamp
