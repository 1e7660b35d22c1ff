"""The statistics as HAProxy lays them out: one row for each frontend, server and backend, columns by name. Pure.

One place decides what a column says; CSV, JSON, `show stat` and metrics are ways to write the same rows. A column that
is not here has no value: the figure is not kept, or does not exist.
"""

import re
from collections.abc import Mapping
from typing import Final

from balancer.counts import Counts
from balancer.queue_counts import QueueCounts
from hapair.admin.rates import FRONTEND, NO_HISTORY, NO_PACE, POOL, SERVER, Pace, Rates, pool_counts
from hapair.snapshot import FrontendView, NodeSnapshot, PoolView, ServerView

Row = Mapping[str, int | str | None]

TYPE_FRONTEND: Final = 0
TYPE_BACKEND: Final = 1
TYPE_SERVER: Final = 2
ALGORITHMS: Final = {
    "round_robin": "roundrobin",
    "least_connections": "leastconn",
    "source_hash": "source",
    "uri_hash": "uri",
    "header_hash": "hdr",
    "query_hash": "url_param",
    "cookie_hash": "hash",
}
"""What HAProxy calls a policy; others have the same name there."""
NO_CACHE: Final = {"cache_lookups": 0, "cache_hits": 0}
_HTTP_STATUS: Final = re.compile(r"HTTP ([0-9]{3})\b")
CHECK_WORDS: Final = {
    "UNK": "unknown",
    "INI": "initializing",
    "SOCKERR": "socket error",
    "L4OK": "Layer4 check passed",
    "L4TOUT": "Layer4 timeout",
    "L4CON": "Layer4 connection problem",
    "L6OK": "Layer6 check passed",
    "L6TOUT": "Layer6 timeout",
    "L6RSP": "Layer6 invalid response",
    "L7OK": "Layer7 check passed",
    "L7OKC": "Layer7 check conditionally passed",
    "L7TOUT": "Layer7 timeout",
    "L7RSP": "Layer7 invalid response",
    "L7STS": "Layer7 wrong status",
    "PROCERR": "External check error",
    "PROCTOUT": "External check timeout",
    "PROCOK": "External check passed",
}


def rows_of(node: NodeSnapshot, rates: Rates, now: float) -> list[Row]:
    """In HAProxy's order: the frontends, then each pool's servers and the pool. `now` is on the clock of `rates`."""
    rows: list[Row] = []
    for number, frontend in enumerate(node.frontends, 1):
        rows.append(_frontend(frontend, number, rates.paces.get((FRONTEND, frontend.name), NO_PACE)))
    for number, pool in enumerate(node.pools, 1 + len(node.frontends)):
        for place, server in enumerate(pool.servers, 1):
            pace = rates.paces.get((SERVER, pool.name, server.name), NO_PACE)
            rows.append(_server(node, pool, server, (number, place), pace, now))
        rows.append(_backend(node, pool, number, rates, now))
    return rows


def _shared(counts: Counts, pace: Pace, mode: str) -> dict[str, int | str | None]:
    """What rows of every type have."""
    row: dict[str, int | str | None] = {
        "scur": counts.open,
        "smax": max(pace.open_max, counts.open),
        "bin": counts.bytes_in,
        "bout": counts.bytes_out,
        "dresp": 0,
        "pid": 1,
        "mode": mode,
        "wrew": 0,
        "eint": counts.internal_errors,
    }
    if mode == "http":
        by_digit = (counts.status_1xx, counts.status_2xx, counts.status_3xx, counts.status_4xx, counts.status_5xx)
        row |= {f"hrsp_{digit}xx": count for digit, count in enumerate(by_digit, 1)}
        row["hrsp_other"] = 0
        row["req_tot"] = counts.requests
    return row


def _frontend(frontend: FrontendView, number: int, pace: Pace) -> Row:
    counts, causes = frontend.counts, frontend.causes
    row = _shared(counts, pace, frontend.mode) | {
        "pxname": frontend.name,
        "svname": "FRONTEND",
        "slim": frontend.max_connections,
        "stot": counts.connections,
        "dreq": causes.get("denied", 0) + causes.get("too_many_requests", 0),
        "ereq": counts.bad_requests,
        "status": "PAUSED" if frontend.disabled else "OPEN",
        "iid": number,
        "sid": 0,
        "type": TYPE_FRONTEND,
        "rate": pace.connections_per_s,
        "rate_lim": 0,
        "rate_max": pace.connections_per_s_max,
        "conn_rate": pace.connections_per_s,
        "conn_rate_max": pace.connections_per_s_max,
        "conn_tot": counts.connections,
        "dcon": causes.get("too_many_connections", 0) + causes.get("connecting_too_fast", 0),
        "dses": 0,
        **_gzipped(counts),
    }
    if frontend.mode != "http":
        return row | {"req_rate": 0, "req_rate_max": 0, "req_tot": 0}
    rates = {"req_rate": pace.requests_per_s, "req_rate_max": pace.requests_per_s_max}
    return row | NO_CACHE | rates | {"intercepted": counts.answered_here}


def _upstream(
    counts: Counts, queue: QueueCounts, pace: Pace, mode: str, *, redispatch: bool
) -> dict[str, int | str | None]:
    """What servers and backends have. In mode http HAProxy counts each request as a session."""
    is_http, response_ms = mode == "http", pace.times.response_ms
    sessions = counts.requests if is_http else counts.connections
    return _shared(counts, pace, mode) | {
        "qcur": queue.waiting,
        "qmax": queue.waiting_max,
        "qtime": round(queue.average_ms),
        "qtime_max": round(queue.longest_ms),
        "stot": sessions,
        "lbtot": sessions,
        "econ": counts.failed,
        "eresp": counts.bad_responses,
        "wretr": counts.retries,
        "wredis": counts.retries if redispatch else 0,
        "rate": pace.requests_per_s if is_http else pace.connections_per_s,
        "rate_max": pace.requests_per_s_max if is_http else pace.connections_per_s_max,
        "cli_abrt": counts.client_aborts,
        "srv_abrt": counts.server_aborts,
        "ctime": round(pace.times.connect_ms or 0.0),
        "rtime": round(max(0.0, (response_ms or 0.0) - queue.average_ms)) if is_http else 0,
        "ttime": round(pace.times.total_ms or 0.0),
        "ctime_max": round(counts.connect_us_max / 1000),
        "rtime_max": round(counts.response_us_max / 1000),
        "ttime_max": round(counts.total_us_max / 1000),
        "connect": counts.connections,
        "reuse": max(0, counts.requests - counts.connections) if is_http else 0,
    }


def _gzipped(counts: Counts) -> dict[str, int | str | None]:
    return {
        "comp_in": counts.gzip_in,
        "comp_out": counts.gzip_out,
        "comp_byp": counts.gzip_bypassed,
        "comp_rsp": counts.gzipped,
    }


def _server(
    node: NodeSnapshot, pool: PoolView, server: ServerView, numbers: tuple[int, int], pace: Pace, now: float
) -> Row:
    row = _upstream(server.counts, server.queue, pace, pool.mode, redispatch=pool.redispatch) | {
        "pxname": pool.name,
        "svname": server.name,
        "slim": server.max_connections,
        "qlimit": server.max_queue,
        "status": status_of(server),
        "weight": server.weight,
        "uweight": server.full_weight,
        "act": int(not server.backup),
        "bck": int(server.backup),
        "lastchg": int(node.uptime_s if server.since_s is None else server.since_s),
        "iid": numbers[0],
        "sid": numbers[1],
        "throttle": server.throttle_percent if server.throttle_percent < 100 else None,
        "type": TYPE_SERVER,
        "lastsess": _ago(pace, now),
        "addr": server.address,
        "srv_icur": server.counts.kept,
        "idle_conn_cur": server.counts.kept - server.counts.kept_proven,
        "safe_conn_cur": server.counts.kept_proven,
        "used_conn_cur": server.counts.open,
        "need_conn_est": pace.needed,
    }
    if server.rise is not None:
        row |= _checked(server)
    if server.agent_up is not None:
        row |= {"agent_status": "L7OK" if server.agent_up else "L7STS", "last_agt": server.agent}
    return row


def _checked(server: ServerView) -> Row:
    return {
        "chkfail": server.failed_checks,
        "chkdown": server.downs,
        "downtime": int(server.down_s),
        "check_status": server.last_check_code or "INI",
        "check_code": _http_status(server.last_check),
        "check_duration": None if server.last_check_ms is None else round(server.last_check_ms),
        "last_chk": server.last_check,
        "check_desc": CHECK_WORDS.get(server.last_check_code or "INI", server.last_check),
        "check_rise": server.rise,
        "check_fall": server.fall,
        "check_health": server.health_count,
    }


def _http_status(said: str) -> int | None:
    """What a check over HTTP was answered with."""
    match = _HTTP_STATUS.match(said)
    return None if match is None else int(match[1])


def _backend(node: NodeSnapshot, pool: PoolView, number: int, rates: Rates, now: float) -> Row:
    pace, history = rates.paces.get((POOL, pool.name), NO_PACE), rates.pools.get(pool.name, NO_HISTORY)
    usable = [one for one in pool.servers if one.up and one.admin == "ready" and one.weight]
    active = [one for one in usable if not one.backup]
    weight = sum(one.weight for one in active or usable)
    return _upstream(pool_counts(pool), pool.queue, pace, pool.mode, redispatch=pool.redispatch) | {
        "pxname": pool.name,
        "svname": "BACKEND",
        "slim": pool.expects,
        "dreq": 0,
        **_gzipped(pool_counts(pool)),
        "status": "UP" if pool.up else "DOWN",
        "weight": weight,
        "uweight": weight,
        "act": len(active),
        "bck": len(usable) - len(active),
        "chkdown": history.downs,
        "lastchg": int(node.uptime_s if history.changed_at is None else now - history.changed_at),
        "downtime": int(history.down_s(now)),
        "iid": number,
        "sid": 0,
        "type": TYPE_BACKEND,
        "lastsess": _ago(pace, now),
        "algo": ALGORITHMS.get(pool.policy, pool.policy),
        **(NO_CACHE if pool.mode == "http" else {}),
        "agg_server_status": 0,
        "agg_server_check_status": 0,
        "agg_check_status": 0,
    }


def _ago(pace: Pace, now: float) -> int:
    """Seconds; -1: never."""
    return -1 if pace.last_work_at is None else int(now - pace.last_work_at)


def status_of(server: ServerView) -> str:
    """`UP`, `UP 2/3`, `NOLB`, `DOWN 1/2`, `DRAIN`, `MAINT`, `no check`."""
    if server.admin == "maint":
        return "MAINT"
    if server.up and (server.admin == "drain" or not (server.weight or server.full_weight)):
        return "DRAIN" if server.health == "no check" else re.sub("UP|NOLB", "DRAIN", server.health)
    return server.health
