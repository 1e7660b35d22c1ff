"""Clients by address and the server of each: bounded, with expiry, in as many copies as there are processes. Pure.

Every worker of both nodes has a copy, and so have the nodes themselves. Copies agree whatever is lost, comes twice or
in another order: of what two say of a client, the higher version counts (then the higher name), and the later use.
A version is the date in milliseconds, or one more than the last where that is higher. `now` is in seconds on a clock
that only grows, and that all copies share; between machines one says how long ago something was.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import ip_address, ip_network

from balancer.config_persistence import SourceSettings

_TOLD_EVERY = 16
"""A use is told to the other copies when the last one that was told is older than this part of the expiry."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One client, as it is told."""

    client: str
    server: str
    version: int
    used_at: float


class _Known:
    __slots__ = ("server", "told_at", "used_at", "version")

    def __init__(self, server: str, version: int, used_at: float) -> None:
        self.server = server
        self.version = version
        self.used_at = self.told_at = used_at


class SourceTable:
    """One copy. `on_change` is called when `take_changes` has something to say that it had not before."""

    def __init__(self, config: SourceSettings, on_change: Callable[[], None] = lambda: None) -> None:
        self.config = config
        self.evicted = 0
        """Clients that were forgotten for want of room."""
        self._known: OrderedDict[str, _Known] = OrderedDict()
        self._changed: dict[str, None] = {}
        self._on_change = on_change

    def __len__(self) -> int:
        return len(self._known)

    def reconfigure(self, config: SourceSettings) -> None:
        """Go on with other limits. Clients that were told apart otherwise are forgotten."""
        before, self.config = self.config, config
        if (before.ipv4_prefix, before.ipv6_prefix) != (config.ipv4_prefix, config.ipv6_prefix):
            self.forget()
        self._make_room()

    def key_of(self, address: str) -> str:
        """Who a client is: its address (as balancer.networks.canonical has it), or the network that it is of."""
        return key_of(address, self.config.ipv4_prefix, self.config.ipv6_prefix)

    def find(self, client: str, now: float) -> str | None:
        """The server of a client, which is used by that; None: it is not known, or no more."""
        known = self._known.get(client)
        if known is None:
            return None
        if now - known.used_at > self.config.expiry_s:
            self._drop(client)
            return None
        self._known.move_to_end(client)
        known.used_at = max(known.used_at, now)
        if now - known.told_at > self.config.expiry_s / _TOLD_EVERY:
            self._tell(client, known)
        return known.server

    def assign(self, client: str, server: str, now: float, date_ms: int) -> None:
        """A client has this server from now on."""
        known = self._known.get(client)
        if known is None:
            self._known[client] = known = _Known(server, date_ms, now)
            self._make_room()
        elif known.server != server:
            known.server, known.version = server, max(known.version + 1, date_ms)
            self._known.move_to_end(client)
        else:
            return
        known.used_at = max(known.used_at, now)
        self._tell(client, known)

    def merge(self, entry: Entry, now: float) -> bool:
        """What another copy says. True: it is news here."""
        client, server, version = entry.client, entry.server, entry.version
        used_at = min(entry.used_at, now)
        if now - used_at > self.config.expiry_s:
            return False
        known = self._known.get(client)
        if known is None:
            self._known[client] = _Known(server, version, used_at)
            self._make_room()
            return client in self._known
        newer = (version, server) > (known.version, known.server)
        if newer:
            known.version, known.server = version, server
        later = used_at > known.used_at
        if later:
            known.used_at = used_at
            self._known.move_to_end(client)
        known.told_at = max(known.told_at, used_at)
        return newer or later

    def forget(self, client: str | None = None) -> int:
        """Forget one client, or all; how many these were. Nobody is told."""
        gone = [client] if client in self._known else [] if client is not None else list(self._known)
        for one in gone:
            if one is not None:
                self._drop(one)
        return len(gone)

    def sweep(self, now: float, most: int = 1000) -> None:
        """Forget those that were quiet for too long, at most so many at once. Call it every second or so."""
        for _ in range(min(most, len(self._known))):
            client, known = next(iter(self._known.items()))
            if now - known.used_at <= self.config.expiry_s:
                return
            self._drop(client)

    def entries(self) -> Iterator[Entry]:
        """All of them, those that were quiet for longest first. A copy: the table may change meanwhile."""
        known = [(client, one.server, one.version, one.used_at) for client, one in self._known.items()]
        return (Entry(*one) for one in known)

    def entry(self, client: str) -> Entry | None:
        """What is known of one client."""
        known = self._known.get(client)
        return None if known is None else Entry(client, known.server, known.version, known.used_at)

    def take_changes(self, most: int) -> list[Entry]:
        """What the other copies are to be told, each client once."""
        changes: list[Entry] = []
        while self._changed and len(changes) < most:
            if (entry := self.entry(self._take_changed())) is not None:
                changes.append(entry)
        return changes

    def _take_changed(self) -> str:
        client = next(iter(self._changed))
        del self._changed[client]
        return client

    def _tell(self, client: str, known: _Known) -> None:
        known.told_at = known.used_at
        first = not self._changed
        self._changed[client] = None
        if first:
            self._on_change()

    def _make_room(self) -> None:
        while len(self._known) > self.config.size:
            client = next(iter(self._known))
            self._drop(client)
            self.evicted += 1

    def _drop(self, client: str) -> None:
        self._known.pop(client, None)
        self._changed.pop(client, None)


@lru_cache(maxsize=4096)
def key_of(address: str, ipv4_prefix: int, ipv6_prefix: int) -> str:
    """An address, or the network of so many bits that it is of, by its first address. Empty where it is none."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return ""  # a client of a unix socket
    prefix = ipv4_prefix if parsed.version == 4 else ipv6_prefix
    if prefix == parsed.max_prefixlen:
        return address
    return str(ip_network((parsed, prefix), strict=False).network_address)
