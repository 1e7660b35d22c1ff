"""What is known of clients and their servers, as metrics: HAProxy's names where it has them. Pure."""

from collections.abc import Iterator
from typing import Final

from hapair.admin.exposition import Metric
from hapair.snapshot import NodeSnapshot

VERDICTS: Final = ("accepted", "forged", "stale", "moved", "set")


def metrics_of(node: NodeSnapshot) -> Iterator[Metric]:
    """Nothing where no pool has persistence."""
    cookies = [one for one in node.persistence if one.cookie is not None]
    tables = [one for one in node.persistence if one.size is not None]
    if cookies:
        yield Metric(
            "hapair_persistence_cookies_total",
            "counter",
            "Cookies that name servers, by what became of them.",
            [
                ({"proxy": one.pool, "verdict": verdict}, one.cookies.get(verdict, 0))
                for one in cookies
                for verdict in VERDICTS
            ],
        )
    if tables:
        labels = [{"name": one.pool, "type": "ip"} for one in tables]
        rows = list(zip(labels, tables, strict=True))
        yield Metric("haproxy_sticktable_size", "gauge", "Room in it.", [(label, one.size) for label, one in rows])
        yield Metric("haproxy_sticktable_used", "gauge", "Clients in it.", [(label, one.used) for label, one in rows])
        yield Metric(
            "hapair_persistence_evicted_total",
            "counter",
            "Clients that were forgotten for want of room.",
            [(label, one.evicted) for label, one in rows],
        )
    if (peer := node.persistence_peer) is not None:
        yield Metric("hapair_persistence_peer_up", "gauge", "1 if the peer hears of clients.", [({}, peer.up)])
        yield Metric("hapair_persistence_waiting", "gauge", "Clients it is yet to hear of.", [({}, peer.waiting)])
        yield Metric("hapair_persistence_lag_seconds", "gauge", "How late it hears.", [({}, peer.lag_s)])
        yield Metric("hapair_persistence_resyncs_total", "counter", "It was told all.", [({}, peer.resyncs)])
