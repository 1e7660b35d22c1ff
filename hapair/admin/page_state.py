"""What the stats page shows, as plain values: the whole at first, then what has changed since. Pure.

Instants are seconds on the node's clock, so that what stands still does not change with the time: `clock` of each
message says what time it is there and here.
"""

from collections.abc import Mapping
from math import isnan
from typing import Any, Final

from hapair.admin.haproxy_rows import status_of
from hapair.admin.health_history import HealthHistory, standing_of
from hapair.admin.history import History
from hapair.admin.rates import NO_PACE, SERVER, Rates
from hapair.events.event import Event
from hapair.snapshot import FrontendView, LinkView, NodeSnapshot, PoolView, RouterView, ServerView

Plain = dict[str, Any]
_DIGITS: Final = 4


def state_of(node: NodeSnapshot, rates: Rates, health: HealthHistory, now: float) -> Plain:
    """Everything but what moves all the time; `now` is on the clock of `rates` and `health`."""
    there = _servers_there(node)
    return {
        "node": _node(node, now),
        "peer": _peer(node, health, now),
        "routers": {router.name: _router(router, health, now) for router in node.routers},
        "frontends": {frontend.name: _frontend(frontend) for frontend in node.frontends},
        "pools": {pool.name: _pool(pool) for pool in node.pools},
        "servers": {
            f"{pool.name}/{server.name}": _server(node, pool, server, rates, health, now)
            | {"at_peer": _otherwise(server, there.get((pool.name, server.name)))}
            for pool in node.pools
            for server in pool.servers
        },
        "processes": {one.name: {"pid": one.pid, "state": one.state} for one in node.processes},
        "certificates": {
            f"{one.owner}: {one.source}": {
                "names": list(one.names),
                "key": one.key,
                "expires": None if one.expires_in_s is None else _at(now, -one.expires_in_s),
                "trouble": one.trouble,
            }
            for one in node.certificates
        },
        "warnings": [*node.warnings, *(() if node.peer is None else node.peer.warnings)],
    }


def samples_of(history: History) -> Plain:
    """The last sample of every series."""
    return {name: [_rounded(value) for value in series.last] for name, series in history.series.items()}


def event_view(event: Event) -> Plain:
    """What the page shows of an event."""
    return {
        "id": event.id,
        "node": event.node,
        "at": round(event.at, 3),
        "kind": event.kind,
        "severity": event.severity,
        "subject": event.subject,
        "words": event.words,
        "reason": event.reason,
        "by": event.by,
    }


def changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> Plain:
    """What to lay over `before` so that it is `after`; None instead of a mapping takes it away."""
    found: Plain = {}
    for key, value in after.items():
        if key in before and before[key] == value:
            continue
        known = before.get(key)
        found[key] = changes(known, value) if isinstance(value, dict) and isinstance(known, dict) else value
    return found | {key: None for key in before if key not in after}


def _at(now: float, ago_s: float) -> int:
    """The second that something happened in."""
    return round(now - ago_s)


def _since(now: float, since_s: float | None) -> int | None:
    return None if since_s is None else _at(now, since_s)


def _rounded(value: float) -> float | int | None:
    if isnan(value):
        return None
    if value == int(value):
        return int(value)
    return float(f"{value:.{_DIGITS}g}")


def _node(node: NodeSnapshot, now: float) -> Plain:
    flows, kernel = node.flows, node.kernel
    return {
        "name": node.node,
        "role": node.role,
        "started": _at(now, node.uptime_s),
        "version": node.hapair,
        "config": node.config,
        "ready": node.ready,
        "maintenance": None if node.maintenance is None else node.maintenance.by,
        "restarts": node.restarts,
        "fence": None if node.fence is None else node.fence.obstacle or "stands",
        "kernel": None if kernel is None else kernel.obstacle or "works",
        "flows": None if flows is None else {"up": flows.up, "told": flows.told, "lag_ms": round(flows.lag_s * 1000)},
    }


def _peer(node: NodeSnapshot, health: HealthHistory, now: float) -> Plain | None:
    """The liveness link to it, and what it says of itself by the other one."""
    link, peer = node.link, node.peer
    if link is None:
        return None
    told = None if peer is None or peer.snapshot is None or peer.age_s is None else peer.snapshot
    return _link(link, health, now) | {
        "told": None if told is None or peer is None else _told(told, now - (peer.age_s or 0.0)),
        "current": told is not None and peer is not None and peer.up,
        "heard": None if told is None or peer is None or peer.up else _since(now, peer.age_s),
        "drift": None if peer is None or peer.drift is None else peer.drift.count,
    }


def _servers_there(node: NodeSnapshot) -> dict[tuple[str, str], ServerView]:
    """As the peer sees them, while it is heard."""
    if node.peer is None or node.peer.snapshot is None or not node.peer.up:
        return {}
    return {(pool.name, server.name): server for pool in node.peer.snapshot.pools for server in pool.servers}


def _otherwise(here: ServerView, there: ServerView | None) -> str | None:
    """How a server is at the peer, where that is not as it is here."""
    return None if there is None or standing_of(there) == standing_of(here) else status_of(there)


def _told(peer: NodeSnapshot, then: float) -> Plain:
    """What the peer said of itself at that time."""
    servers = [server for pool in peer.pools for server in pool.servers]
    return {
        "role": peer.role,
        "ready": peer.ready,
        "maintenance": None if peer.maintenance is None else peer.maintenance.by,
        "started": _at(then, peer.uptime_s),
        "version": peer.hapair,
        "servers": len(servers),
        "up": sum(one.up and one.admin != "maint" for one in servers),
        "routers": {
            one.name: {
                "state": one.state,
                "since": _since(then, one.since_s),
                "priority": one.priority,
                "reason": one.reason,
            }
            for one in peer.routers
        },
    }


def _link(link: LinkView, health: HealthHistory, now: float) -> Plain:
    return {
        "name": link.peer,
        "address": link.peer_address,
        "up": link.up,
        "since": _since(now, link.since_s),
        "why": None if link.up else link.waiting_for or link.last_detail or link.last_cause,
        "lost": link.lost,
        "round_trip_ms": None if link.round_trip_ms is None else _rounded(round(link.round_trip_ms, 1)),
        "history": [list(one) for one in health.changes.get(("link",), ())],
    }


def _router(router: RouterView, health: HealthHistory, now: float) -> Plain:
    return {
        "vrid": router.vrid,
        "interface": router.interface,
        "state": router.state,
        "since": _since(now, router.since_s),
        "reason": router.reason,
        "waits_for": router.waiting_for,
        "priority": router.priority,
        "configured_priority": router.configured_priority,
        "stays_backup": router.stays_backup,
        "vips": list(router.vips),
        "held": len(router.vips_held),
        "active_router": router.active_router,
        "transitions": router.transitions,
        "tracked": [{"name": one.name, "ok": one.ok, "reason": one.reason} for one in router.tracked],
        "history": [list(one) for one in health.changes.get(("router", router.name), ())],
    }


def _frontend(frontend: FrontendView) -> Plain:
    counts = frontend.counts
    return {
        "mode": frontend.mode,
        "plane": frontend.plane,
        "listen": list(frontend.listen),
        "active": frontend.active,
        "most": frontend.max_connections,
        "total": counts.requests if frontend.mode == "http" else counts.connections,
        "causes": dict(frontend.causes),
    }


def _pool(pool: PoolView) -> Plain:
    return {
        "policy": pool.policy,
        "mode": pool.mode,
        "up": pool.up,
        "servers": len(pool.servers),
        "waiting": pool.queue.waiting,
    }


def _server(
    node: NodeSnapshot, pool: PoolView, server: ServerView, rates: Rates, health: HealthHistory, now: float
) -> Plain:
    counts, pace = server.counts, rates.paces.get((SERVER, pool.name, server.name), NO_PACE)
    is_http = pool.mode == "http"
    response_ms = pace.times.response_ms if is_http else pace.times.connect_ms
    return {
        "pool": pool.name,
        "name": server.name,
        "address": server.address,
        "known_as": server.known_as,
        "status": status_of(server),
        "standing": standing_of(server),
        "admin": server.admin,
        "backup": server.backup,
        "weight": server.weight,
        "full_weight": server.full_weight,
        "weight_in_file": server.weight_in_file,
        "since": _at(now, node.uptime_s if server.since_s is None else server.since_s),
        "reason": server.reason,
        "check": server.last_check,
        "agent": server.agent,
        "open": counts.open,
        "most": server.max_connections,
        "waiting": server.queue.waiting,
        "rate": pace.requests_per_s if is_http else pace.connections_per_s,
        "total": counts.requests if is_http else counts.connections,
        "errors": counts.failed + counts.bad_responses + counts.timeouts + counts.status_5xx,
        "average_ms": None if response_ms is None else _rounded(round(response_ms, 1)),
        "downs": server.downs,
        "down_s": int(server.down_s),
        "history": [list(one) for one in health.changes.get((SERVER, pool.name, server.name), ())],
    }
