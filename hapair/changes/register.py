"""All changes that a node knows of, its own and its peer's: the last of each kind, and whether it holds. Pure."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final, Literal

from balancer.config_pools import Pool
from hapair.changes.change import EDITS, LATEST, SHAPING, Change, Key, Said, Value, What, holds, in_file
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
        self._peopled = said
        """With the servers that were added, and without those that were removed."""
        self.pools = said.pools
        """Of these, and with what else was said of how servers are configured."""
        self.max_connections = said.max_connections
        """Of the node, as it was said last."""
        self._entries: dict[Key, Entry] = {}
        self._latest = 0
        for entry in known:
            if self._is_new(entry.change):
                self._keep(entry)
        self._stand()

    @property
    def said(self) -> Said:
        """What the file says."""
        return self._said

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

        ValueError where a pool cannot have a server so, or needs one that is to be removed.
        """
        at = min(LATEST, max(now_ms, self._latest + 1))
        file = self._said if what == "server" else self._peopled
        change = Change(
            what=what,
            pool=pool,
            server=server,
            value=value,
            in_file=in_file(file, what, pool, server),
            at=at,
            node=self._node,
            by=by[:256],
            local=local,
        )
        of_pools = what == "server" or what in EDITS
        if of_pools and (reason := why_not(self._said, self.pools, change)) is not None:
            raise ValueError(reason)
        self._keep(Entry(change, "held"))
        if what in SHAPING:
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
        of_servers = [_stood(one, self._said) for one in known if one.change.what == "server"]
        begun = {one.change.key[1:]: one.change.stamp for one in of_servers if one.standing == "held"}
        pools = self._laid_over(self._said, of_servers)
        self._peopled = replace(self._said, pools=pools)
        others = [self._stood_since(begun, one) for one in known if one.change.what != "server"]
        self.pools = self._laid_over(self._peopled, [one for one in others if one.change.what in EDITS])
        for entry in others:
            if entry.change.what not in EDITS:
                self._entries[entry.change.key] = entry
        limit = self._entries.get(("node_limit", "", ""))
        is_said = limit is not None and limit.standing == "held" and limit.change.value is not None
        self.max_connections = int(limit.change.value or 0) if limit and is_said else self._said.max_connections

    def _stood_since(self, begun: Mapping[tuple[str, str], tuple[int, str]], entry: Entry) -> Entry:
        """What was said of a server before it was added, or removed, was said of another one."""
        stamp = entry.change.stamp
        return _without(entry) if stamp < begun.get(entry.change.key[1:], stamp) else _stood(entry, self._peopled)

    def _laid_over(self, said: Said, entries: Iterable[Entry]) -> Mapping[str, Pool]:
        """The pools with what of these holds; what does not fit them does not."""
        entries = tuple(entries)
        pools, misfits = overlaid(said, [one.change for one in entries if one.standing == "held"])
        for entry in entries:
            key = entry.change.key
            self._entries[key] = entry if key not in misfits else _without(self._entries[key])
        return pools

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


def _stood(entry: Entry, said: Said) -> Entry:
    if entry.standing == "spent":
        return entry
    return replace(entry, standing="held") if holds(entry.change, said) else _without(entry)


def _without(entry: Entry) -> Entry:
    """It does not hold: not yet, or not any more."""
    return replace(entry, standing="spent" if entry.standing == "held" else entry.standing)


def _is_mere_absence(change: Change) -> bool:
    """Of a server that was added and removed again: known only for a peer that was away."""
    return change.what == "server" and change.value is None and change.in_file is None


def _stamp(change: Change) -> tuple[int, str]:
    return change.stamp
