"""What follows from counters over time: per second, the most at once, how long, since when. Fed once a second. Pure."""

from dataclasses import dataclass, replace
from math import ceil
from typing import Self

from balancer.counts import Counts, added
from hapair.snapshot import NodeSnapshot, PoolView

Key = tuple[str, ...]
"""`("frontend", name)`, `("pool", name)`, `("server", pool, name)`."""
FRONTEND, POOL, SERVER = "frontend", "pool", "server"
AVERAGED = 1024
"""Over about as many requests HAProxy averages how long they took."""


@dataclass(frozen=True, slots=True)
class Times:
    """How long requests, or connections of mode tcp, took in the average of late; None: not known yet."""

    connect_ms: float | None = None
    response_ms: float | None = None
    """From the connection to the head of the response."""
    total_ms: float | None = None

    def after(self, before: Counts, now_is: Counts) -> Self:
        """One sample later: what is new counts as if each had come by itself, and the old fades."""
        new = now_is.requests - before.requests or now_is.connections - before.connections
        if new <= 0:
            return self
        connect_us = max(0, now_is.connect_us - before.connect_us)
        response_us = max(0, now_is.latency_us - before.latency_us - connect_us)
        total_us = max(0, now_is.total_us - before.total_us)
        share = 1.0 - (1.0 - 1.0 / AVERAGED) ** new

        def blend(old_ms: float | None, us: int) -> float:
            return us / new / 1000 if old_ms is None else old_ms + (us / new / 1000 - old_ms) * share

        return replace(
            self,
            connect_ms=blend(self.connect_ms, connect_us),
            response_ms=blend(self.response_ms, response_us),
            total_ms=blend(self.total_ms, total_us),
        )


NO_TIMES = Times()


@dataclass(frozen=True, slots=True)
class Pace:
    """Of one frontend, pool or server. What is "most" is the most that was met at a sample."""

    open_max: int = 0
    connections_per_s: int = 0
    connections_per_s_max: int = 0
    requests_per_s: int = 0
    requests_per_s_max: int = 0
    last_work_at: float | None = None
    """When it was last seen to have had something new; None: never."""
    times: Times = NO_TIMES
    needed: int = 0
    """About how many connections it takes: how many were busy at once in the last second, and of late."""

    def after(self, before: Counts, now_is: Counts, elapsed_s: float, now: float) -> Self:
        """One sample later."""
        connections = max(0, round((now_is.connections - before.connections) / elapsed_s))
        requests = max(0, round((now_is.requests - before.requests) / elapsed_s))
        worked = now_is.connections > before.connections or now_is.requests > before.requests
        busy = max(now_is.open, ceil((now_is.total_us - before.total_us) / elapsed_s / 1e6))
        return replace(
            self,
            open_max=max(self.open_max, now_is.open),
            connections_per_s=connections,
            connections_per_s_max=max(self.connections_per_s_max, connections),
            requests_per_s=requests,
            requests_per_s_max=max(self.requests_per_s_max, requests),
            last_work_at=now if worked else self.last_work_at,
            times=self.times.after(before, now_is),
            needed=max(busy, (self.needed + busy + 1) // 2),
        )


@dataclass(frozen=True, slots=True)
class PoolHistory:
    """Whether a pool had a server that is UP."""

    up: bool = True
    changed_at: float | None = None
    downs: int = 0
    down_before_s: float = 0.0

    def after(self, up: bool, now: float) -> Self:
        if up == self.up:
            return self
        lasted_s = 0.0 if self.up or self.changed_at is None else now - self.changed_at
        return replace(
            self, up=up, changed_at=now, downs=self.downs + self.up, down_before_s=self.down_before_s + lasted_s
        )

    def down_s(self, now: float) -> float:
        """In all."""
        return self.down_before_s + (0.0 if self.up or self.changed_at is None else now - self.changed_at)


NO_PACE = Pace()
NO_HISTORY = PoolHistory()


class Rates:
    """`now` is on any one clock, in seconds."""

    def __init__(self) -> None:
        self.paces: dict[Key, Pace] = {}
        self.pools: dict[str, PoolHistory] = {}
        self._counts: dict[Key, Counts] = {}
        self._sampled_at: float | None = None

    def sample(self, node: NodeSnapshot, now: float) -> None:
        """Take note; samples that lie less than half a second apart are passed over."""
        if self._sampled_at is not None and now - self._sampled_at < 0.5:
            return
        counts = counts_of(node)
        for key, current in counts.items():
            before = self._counts.get(key)
            pace = self.paces.get(key, NO_PACE)
            if before is None or self._sampled_at is None:
                self.paces[key] = replace(pace, open_max=max(pace.open_max, current.open))
            else:
                self.paces[key] = pace.after(before, current, now - self._sampled_at, now)
        for pool in node.pools:
            self.pools[pool.name] = self.pools.get(pool.name, NO_HISTORY).after(pool.up > 0, now)
        self._counts, self._sampled_at = counts, now

    def forget_maxima(self) -> None:
        """What `clear counters` does."""
        for key, pace in self.paces.items():
            counts = self._counts.get(key)
            now_open = 0 if counts is None else counts.open
            self.paces[key] = replace(pace, open_max=now_open, connections_per_s_max=0, requests_per_s_max=0)

    def forget(self) -> None:
        """What `clear counters all` does: only what is under way goes on."""
        self.forget_maxima()
        for key, pace in self.paces.items():
            self.paces[key] = replace(pace, last_work_at=None, times=NO_TIMES)
        self.pools = {name: replace(one, downs=0) for name, one in self.pools.items()}
        self._counts = {}


def counts_of(node: NodeSnapshot) -> dict[Key, Counts]:
    """Of every frontend, pool and server."""
    found: dict[Key, Counts] = {(FRONTEND, one.name): one.counts for one in node.frontends}
    for pool in node.pools:
        found[POOL, pool.name] = pool_counts(pool)
        found |= {(SERVER, pool.name, one.name): one.counts for one in pool.servers}
    return found


def pool_counts(pool: PoolView) -> Counts:
    """Its servers together."""
    return added(*(server.counts for server in pool.servers))
