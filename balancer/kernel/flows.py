"""Which flows the other node is told of, and what it does with what it is told. Pure.

`Outbox` is the side where the VIPs are: events of the kernel go in, batches for the peer come out. A flow waits once,
however often it changes meanwhile, and one that begins and ends between two batches is never told. When more waits
than may, all is dropped and everything is told anew: memory is bounded, and nothing is ever lost for good. Of more
flows than it can keep in mind, those that come last are not told of while that is so, and are counted.

`Intake` is the other side: batches go in, requests to the kernel come out. A resync tells everything; whatever this
machine still knows beside that is deleted at its end.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from math import inf
from typing import NamedTuple

from balancer.kernel.conntrack import SEEN_REPLY, TCP, UDP, Flow, Key, Told
from balancer.kernel.records import Record

TCP_ESTABLISHED, TCP_TIME_WAIT, TCP_CLOSE = 3, 7, 8
WAITING_LIMIT = 100_000
TOLD_LIMIT = 1_000_000
PARTING_S = 30.0
"""After that the peer knows better, or nobody does."""


class Door(NamedTuple):
    """Where flows of a frontend arrive: protocol, packed address, port."""

    protocol: int
    vip: bytes
    port: int


def door_of(flow: Flow | Key) -> Door:
    """Where this flow arrived."""
    return Door(flow.protocol, flow.vip, flow.vip_port)


def is_worth_telling(flow: Flow) -> bool:
    """TCP from the end of the handshake (a SYN that comes again is as good as the first) to the last of its FINs; UDP
    once it was answered."""
    if flow.protocol == TCP:
        return flow.tcp is not None and TCP_ESTABLISHED <= flow.tcp.state < TCP_TIME_WAIT
    return flow.protocol == UDP and bool(flow.status & SEEN_REPLY)


@dataclass(frozen=True, slots=True)
class Batch:
    """Records for the peer, and since when the oldest of them has waited."""

    records: tuple[Record, ...]
    oldest_at: float


@dataclass(slots=True)
class Outbox:
    """What the peer is yet to be told. `now` is on any one clock, in seconds."""

    waiting_limit: int = WAITING_LIMIT
    told_limit: int = TOLD_LIMIT
    doors: frozenset[Door] = frozenset()
    """Of the frontends whose VIPs are here."""
    needs_resync: bool = True
    overruns: int = 0
    untold: int = 0
    """News of flows that were passed over, for as many as may be were told of."""
    left: frozenset[Door] = frozenset()
    """Of frontends that were here a moment ago: their flows are told once more, lest the peer has missed some."""
    left_at: float = -inf
    _waiting: dict[Key, tuple[Record, float]] = field(default_factory=dict)
    _told: set[Key] = field(default_factory=set)
    _at: Counter[Door] = field(default_factory=Counter)
    """How many of `_told` arrived at each door."""

    def open(self, doors: Collection[Door], now: float) -> None:
        """Other frontends are here now: the peer is told everything anew."""
        opened = frozenset(doors)
        if opened != self.doors:
            if self.doors - opened:
                self.left, self.left_at = self.doors - opened, now
            self.doors = opened
            self.start_over()

    def parting(self, known: Iterable[Flow], now: float) -> list[Record]:
        """What is still to be told of flows whose frontend has just gone to the peer."""
        if now - self.left_at > PARTING_S:
            return []
        return [Record(flow, False) for flow in known if door_of(flow) in self.left and is_worth_telling(flow)]

    def start_over(self) -> None:
        """The peer has forgotten, or we have missed something."""
        self._waiting.clear()
        self._told.clear()
        self._at.clear()
        self.needs_resync = True

    def overrun(self) -> None:
        """More has happened than we could take in."""
        self.overruns += 1
        self.start_over()

    def hear(self, told: Told, now: float) -> None:
        """An event of the kernel, or a line of a listing."""
        flow, gone = told
        if door_of(flow) not in self.doors:
            return
        if flow.protocol == TCP and flow.tcp is None and not gone:
            return  # something else of it has changed, a mark perhaps
        key = flow.key
        if not gone and is_worth_telling(flow):
            if len(self._told) + len(self._waiting) >= self.told_limit and not self._knows(key):
                self.untold += 1
                return
            self._put(key, Record(flow, False), now)
        elif key in self._told:
            self._told.discard(key)
            self._at[door_of(key)] -= 1
            self._put(key, Record(flow, True), now)
        else:
            self._waiting.pop(key, None)

    def _knows(self, key: Key) -> bool:
        return key in self._told or key in self._waiting

    def _put(self, key: Key, record: Record, now: float) -> None:
        before = self._waiting.get(key)
        self._waiting[key] = record, now if before is None else before[1]  # in its old place: the oldest comes first
        if len(self._waiting) > self.waiting_limit:
            self.overrun()

    def batch(self, limit: int) -> Batch | None:
        """The next so many, which count as told; None: nothing waits."""
        if not self._waiting:
            return None
        keys = [key for key, _ in zip(self._waiting, range(limit), strict=False)]
        taken = [self._waiting.pop(key) for key in keys]
        for key, (record, _) in zip(keys, taken, strict=True):
            if not record.gone and key not in self._told:
                self._told.add(key)
                self._at[door_of(key)] += 1
        return Batch(tuple(record for record, _ in taken), min(since for _, since in taken))

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    @property
    def oldest_at(self) -> float:
        """Since when the oldest of them has waited; infinity: none waits."""
        return next(iter(self._waiting.values()))[1] if self._waiting else inf

    @property
    def told(self) -> int:
        """Flows that the peer knows of."""
        return len(self._told)

    def told_of(self, owners: Mapping[Door, str]) -> dict[str, int]:
        """The same by frontend. `owners`: whose each door is."""
        found: Counter[str] = Counter()
        for door, count in self._at.items():
            found[owners[door]] += count
        return {name: count for name, count in found.items() if count}


class Put(NamedTuple):
    """Have this flow as it is said; make it where it is not there."""

    flow: Flow


class Add(NamedTuple):
    """Make this flow where it is not there; leave it as it is where it is."""

    flow: Flow


class Replace(NamedTuple):
    """There is one of the same key that leads elsewhere: delete that, and make this."""

    flow: Flow


class Drop(NamedTuple):
    """Have no such flow."""

    key: Key


Change = Put | Add | Replace | Drop


@dataclass(slots=True)
class Intake:
    """What is done with what the peer tells."""

    own: frozenset[Door] = frozenset()
    """Of the frontends whose VIPs are here: of those nobody else knows better. But the peer may know of more: of flows
    that began there while this node was cut off."""
    known: frozenset[Door] = frozenset()
    """Of all frontends of the kernel plane: a peer with another file may tell of others."""
    foreign: int = 0
    """Records that were passed over."""
    _unconfirmed: dict[Key, tuple[bytes, int, bytes, int]] | None = None

    def begin(self) -> None:
        """A resync begins. What this machine knows at that moment comes with `remember`, before anything is taken."""
        self._unconfirmed = {}

    def remember(self, here: Iterable[Flow]) -> None:
        """Some of what this machine knows."""
        assert self._unconfirmed is not None
        doors = self.known - self.own
        self._unconfirmed.update((flow.key, _way(flow)) for flow in here if door_of(flow) in doors)

    def take(self, records: Iterable[Record]) -> Iterator[Change]:
        """What a batch asks of the kernel."""
        for flow, gone in records:
            door = door_of(flow)
            if door not in self.known:
                self.foreign += 1
                continue
            if door in self.own:
                if not gone:
                    yield Add(flow)
                continue
            key = flow.key
            way = self._unconfirmed.pop(key, None) if self._unconfirmed is not None else None
            if gone:
                yield Drop(key)
            elif way is None or way == _way(flow):
                yield Put(flow)
            else:
                yield Replace(flow)

    def end(self) -> Iterator[Change]:
        """The resync is over: what was not confirmed is gone."""
        left, self._unconfirmed = self._unconfirmed or {}, None
        return (Drop(key) for key in left if door_of(key) not in self.own)


def _way(flow: Flow) -> tuple[bytes, int, bytes, int]:
    return flow.server, flow.server_port, flow.sender, flow.sender_port


def doors_of(listen: Mapping[str, Collection[Door]], frontends: Collection[str]) -> frozenset[Door]:
    """Of these frontends."""
    return frozenset(door for name in frontends for door in listen.get(name, ()))
