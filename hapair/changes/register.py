"""All changes that a node knows of, its own and its peer's: the last of each kind, and whether it holds. Pure."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final, Literal

from balancer.config_pools import Pool
from hapair.changes.change import LATEST, Change, Key, Said, Value, What, holds, in_file
from hapair.changes.overlay import overlaid, why_not

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
    """One node's. `said` is what its file says; `known` is what was kept from before."""

    def __init__(self, node: str, said: Said, known: Iterable[Entry] = ()) -> None:
        self._node = node
        self._said = said
        self.pools = said.pools
        """Those of the file, with the servers that were added, and without those that were removed."""
        self._entries: dict[Key, Entry] = {}
        self._latest = 0
        for entry in known:
            if self._is_new(entry.change):
                self._keep(entry)
        self._stand()

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
        """Somebody says this on this node. Raises KeyError for a server that there is not, where it is not to be added.

        ValueError where a server is to be added to a pool that cannot have it, or removed from one that needs it.
        """
        at = min(LATEST, max(now_ms, self._latest + 1))
        pools = self._said.pools if what == "server" else self.pools
        change = Change(
            what=what,
            pool=pool,
            server=server,
            value=value,
            in_file=in_file(pools, what, pool, server),
            at=at,
            node=self._node,
            by=by[:256],
            local=local,
        )
        if what == "server" and (reason := why_not(self._said, self.pools, change)) is not None:
            raise ValueError(reason)
        self._keep(Entry(change, "held"))
        if what == "server":
            self._stand()
        return change

    def hear(self, changes: Iterable[Change]) -> list[Change]:
        """The peer says this; what is to be carried out here, the oldest first."""
        before = set(self.held())
        for change in sorted(changes, key=_stamp):
            if not change.local and self._is_new(change):
                self._keep(Entry(change, "waiting"))
        self._stand()
        return [change for change in self.held() if change not in before]

    def reload(self, said: Said) -> list[Change]:
        """This is the file from now on; which changes hold now and did not before."""
        before = set(self.held())
        self._said = said
        self._stand()
        return [change for change in self.held() if change not in before]

    def superseded(self, said: Said) -> list[Change]:
        """What would hold no more if this were the file."""
        other = Register(self._node, said, self._entries.values())
        held = set(other.held())
        return [change for change in self.held() if change not in held]

    def _stand(self) -> None:
        """How each stands by the file that there is now; first of all those that say which servers there are."""
        known = sorted(self._entries.values(), key=lambda one: one.change.stamp)
        of_servers = {one.change.key: _stood(one, self._said.pools) for one in known if one.change.what == "server"}
        wanted = [one.change for one in of_servers.values() if one.standing == "held"]
        self.pools, misfits = overlaid(self._said, wanted)
        for key in misfits:
            of_servers[key] = _without(self._entries[key])
        begun = {(one.pool, one.server): one.stamp for one in wanted}
        for key, entry in self._entries.items():
            is_of_another = entry.change.stamp < begun.get(key[1:], entry.change.stamp)
            stood = _without(entry) if is_of_another else _stood(entry, self.pools)
            self._entries[key] = of_servers.get(key, stood)

    def _is_new(self, change: Change) -> bool:
        known = self._entries.get(change.key)
        return known is None or known.change.stamp < change.stamp

    def _keep(self, entry: Entry) -> None:
        self._latest = max(self._latest, entry.change.at)
        self._entries.pop(entry.change.key, None)
        self._entries[entry.change.key] = entry
        if len(self._entries) > LIMIT:
            idle = (key for key, one in self._entries.items() if one.standing != "held" or _is_mere_absence(one.change))
            del self._entries[next(idle, next(iter(self._entries)))]


def _stood(entry: Entry, pools: Mapping[str, Pool]) -> Entry:
    if entry.standing == "spent":
        return entry
    return replace(entry, standing="held") if holds(entry.change, pools) else _without(entry)


def _without(entry: Entry) -> Entry:
    """It does not hold: not yet, or not any more."""
    return replace(entry, standing="spent" if entry.standing == "held" else entry.standing)


def _is_mere_absence(change: Change) -> bool:
    """Of a server that was added and removed again: known only for a peer that was away."""
    return change.what == "server" and change.value is None and change.in_file is None


def _stamp(change: Change) -> tuple[int, str]:
    return change.stamp
