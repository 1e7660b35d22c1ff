"""Counters reckoned from a later moment than the start: what `clear counters all` asks for. Pure.

Nobody who counts is touched: of what was counted is taken away what there was then.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from balancer.counts import counted_since
from hapair.snapshot import FrontendView, NodeSnapshot, PoolView, ServerView


@dataclass(frozen=True, slots=True)
class Baseline:
    """What frontends and servers had counted at that moment, by name and by pool and name."""

    frontends: Mapping[str, FrontendView]
    servers: Mapping[tuple[str, str], ServerView]

    def among(self, node: NodeSnapshot) -> "Baseline":
        """The same without what is not there any more: under its name another one may come, which begins at 0."""
        frontends = {one.name for one in node.frontends}
        servers = {(pool.name, one.name) for pool in node.pools for one in pool.servers}
        if frontends >= self.frontends.keys() and servers >= self.servers.keys():
            return self
        return Baseline(
            {name: one for name, one in self.frontends.items() if name in frontends},
            {pair: one for pair, one in self.servers.items() if pair in servers},
        )


def baseline_of(node: NodeSnapshot) -> Baseline:
    """To reckon from now on."""
    return Baseline(
        {one.name: one for one in node.frontends},
        {(pool.name, one.name): one for pool in node.pools for one in pool.servers},
    )


def reckoned(node: NodeSnapshot, since: Baseline) -> NodeSnapshot:
    """The same node, with what it has counted since."""
    return replace(
        node,
        frontends=tuple(_frontend(one, since.frontends.get(one.name)) for one in node.frontends),
        pools=tuple(_pool(pool, since) for pool in node.pools),
    )


def _frontend(now_is: FrontendView, before: FrontendView | None) -> FrontendView:
    if before is None:
        return now_is
    causes = {name: count - before.causes.get(name, 0) for name, count in now_is.causes.items()}
    return replace(
        now_is,
        counts=counted_since(before.counts, now_is.counts),
        causes={name: count for name, count in causes.items() if count > 0},
        latencies=tuple(
            max(0, count - then)
            for count, then in zip(now_is.latencies, before.latencies or (0,) * len(now_is.latencies), strict=False)
        ),
    )


def _pool(pool: PoolView, since: Baseline) -> PoolView:
    servers = tuple(_server(one, since.servers.get((pool.name, one.name))) for one in pool.servers)
    return replace(pool, servers=servers)


def _server(now_is: ServerView, before: ServerView | None) -> ServerView:
    if before is None:
        return now_is
    return replace(
        now_is,
        counts=counted_since(before.counts, now_is.counts),
        failed_checks=max(0, now_is.failed_checks - before.failed_checks),
        downs=max(0, now_is.downs - before.downs),
    )
