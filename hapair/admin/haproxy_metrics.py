"""The metrics that HAProxy's own exporter has, by its names, from the rows of the statistics. Pure."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final, Literal

from hapair.admin.exposition import Labels, Metric, Value, one_of
from hapair.admin.haproxy_rows import TYPE_BACKEND, TYPE_FRONTEND, TYPE_SERVER, Row
from hapair.snapshot import NodeSnapshot

_KINDS: Final = {TYPE_FRONTEND: "frontend", TYPE_BACKEND: "backend", TYPE_SERVER: "server"}
_F, _B, _S = (TYPE_FRONTEND,), (TYPE_BACKEND,), (TYPE_SERVER,)
_BS, _FB, _FBS = (*_B, *_S), (*_F, *_B), (*_F, *_B, *_S)
SERVER_STATES: Final = ("DOWN", "UP", "MAINT", "DRAIN", "NOLB")
PROXY_STATES: Final = ("DOWN", "UP")
CHECK_STATES: Final = (
    *("HANA", "SOCKERR", "L4OK", "L4TOUT", "L4CON", "L6OK", "L6TOUT", "L6RSP", "L7TOUT", "L7RSP", "L7OK", "L7OKC"),
    *("L7STS", "PROCERR", "PROCTOUT", "PROCOK"),
)
_CODES: Final = ("1xx", "2xx", "3xx", "4xx", "5xx", "other")

_COLUMNS: Final[tuple[tuple[str, str, Literal["counter", "gauge"], tuple[int, ...], str], ...]] = (
    ("current_queue", "qcur", "gauge", _BS, "Requests that wait for a server."),
    ("max_queue", "qmax", "gauge", _BS, "The most that waited."),
    ("queue_limit", "qlimit", "gauge", _S, "How many requests that belong to it may wait for it."),
    ("queue_time_average_seconds", "qtime", "gauge", _BS, "How long the last 1024 requests waited for a server."),
    ("max_queue_time_seconds", "qtime_max", "gauge", _BS, "The longest that one waited for a server."),
    ("current_sessions", "scur", "gauge", _FBS, "Connections that are open now."),
    ("max_sessions", "smax", "gauge", _FBS, "The most connections that were open at once."),
    ("limit_sessions", "slim", "gauge", _FBS, "How many connections there may be."),
    ("sessions_total", "stot", "counter", _FBS, "Connections of frontends; requests, or connections, to servers."),
    ("bytes_in_total", "bin", "counter", _FBS, "Bytes from clients."),
    ("bytes_out_total", "bout", "counter", _FBS, "Bytes to clients."),
    ("requests_denied_total", "dreq", "counter", _FB, "Requests that were refused."),
    ("responses_denied_total", "dresp", "counter", _FBS, "Responses that were refused."),
    ("request_errors_total", "ereq", "counter", _F, "Requests that were malformed or not whole."),
    ("connection_errors_total", "econ", "counter", _BS, "Connections to servers that could not be made."),
    ("response_errors_total", "eresp", "counter", _BS, "Responses that were malformed or not whole."),
    ("retry_warnings_total", "wretr", "counter", _BS, "Attempts after the first one."),
    ("redispatch_warnings_total", "wredis", "counter", _BS, "Attempts that went to another server."),
    ("weight", "weight", "gauge", _BS, "Weight as it is now."),
    ("uweight", "uweight", "gauge", _BS, "Weight as it was given."),
    ("active_servers", "act", "gauge", _B, "Servers that are UP and no backups."),
    ("backup_servers", "bck", "gauge", _B, "Backup servers that are UP."),
    ("check_failures_total", "chkfail", "counter", _S, "Checks that failed."),
    ("check_up_down_total", "chkdown", "counter", _BS, "Times that it went DOWN."),
    ("check_last_change_seconds", "lastchg", "gauge", _BS, "Seconds since it went UP or DOWN."),
    ("downtime_seconds_total", "downtime", "counter", _BS, "Seconds that it was DOWN in all."),
    ("current_throttle", "throttle", "gauge", _S, "Percent of its weight, while it warms up."),
    ("loadbalanced_total", "lbtot", "counter", _BS, "Times that it was chosen."),
    ("max_session_rate", "rate_max", "gauge", _FBS, "The most sessions per second."),
    ("limit_session_rate", "rate_lim", "gauge", _F, "The limit of sessions per second; 0: none."),
    ("connect_time_average_seconds", "ctime", "gauge", _BS, "How long it took the last 1024 or so to connect."),
    ("response_time_average_seconds", "rtime", "gauge", _BS, "How long the last 1024 or so waited for a response."),
    ("total_time_average_seconds", "ttime", "gauge", _BS, "How long the last 1024 or so took in all."),
    ("max_connect_time_seconds", "ctime_max", "gauge", _BS, "The longest that it took to connect."),
    ("max_response_time_seconds", "rtime_max", "gauge", _BS, "The longest that one waited for a response."),
    ("max_total_time_seconds", "ttime_max", "gauge", _BS, "The longest that one took in all."),
    ("check_code", "check_code", "gauge", _S, "The status that the last check was answered with."),
    ("check_duration_seconds", "check_duration", "gauge", _S, "How long the last check took."),
    ("http_requests_rate_max", "req_rate_max", "gauge", _F, "The most requests per second."),
    ("http_requests_total", "req_tot", "counter", _FB, "Requests."),
    ("connections_rate_max", "conn_rate_max", "gauge", _F, "The most new connections per second."),
    ("connections_total", "conn_tot", "counter", _F, "Connections."),
    ("intercepted_requests_total", "intercepted", "counter", _F, "Requests that the frontend answered itself."),
    ("http_comp_bytes_in_total", "comp_in", "counter", _FB, "Bytes that were compressed."),
    ("http_comp_bytes_out_total", "comp_out", "counter", _FB, "Bytes that they became."),
    ("http_comp_bytes_bypassed_total", "comp_byp", "counter", _FB, "Bytes that went on as they are, for want of room."),
    ("http_comp_responses_total", "comp_rsp", "counter", _FB, "Responses that were compressed."),
    ("http_cache_lookups_total", "cache_lookups", "counter", _FB, "There is no cache."),
    ("http_cache_hits_total", "cache_hits", "counter", _FB, "There is no cache."),
    ("denied_connections_total", "dcon", "counter", _F, "Connections that were refused."),
    ("denied_sessions_total", "dses", "counter", _F, "Sessions that were refused."),
    ("failed_header_rewriting_total", "wrew", "counter", _FBS, "Headers that could not be rewritten."),
    ("internal_errors_total", "eint", "counter", _FBS, "What ended by a bug."),
    ("client_aborts_total", "cli_abrt", "counter", _BS, "Transfers that a client broke off."),
    ("server_aborts_total", "srv_abrt", "counter", _BS, "Transfers that a server broke off."),
    ("last_session_seconds", "lastsess", "gauge", _BS, "Seconds since it last had work; -1: never."),
    ("connection_attempts_total", "connect", "counter", _BS, "Connections to servers."),
    ("connection_reuses_total", "reuse", "counter", _BS, "Requests on connections that were there already."),
    ("idle_connections_current", "srv_icur", "gauge", _S, "Connections to it that are kept for another request."),
    ("unsafe_idle_connections_current", "idle_conn_cur", "gauge", _S, "Those that have served one request."),
    ("safe_idle_connections_current", "safe_conn_cur", "gauge", _S, "Those that have served more."),
    ("need_connections_current", "need_conn_est", "gauge", _S, "About how many it takes."),
    ("used_connections_current", "used_conn_cur", "gauge", _S, "Connections to it that are in use."),
)
_SCALE: Final = dict.fromkeys(
    ("check_duration", *(f"{letter}time{most}" for letter in "qcrt" for most in ("", "_max"))), 0.001
)


def metrics_of(node: NodeSnapshot, rows: Sequence[Row], started_at: float) -> Iterator[Metric]:
    """All of them. `started_at` is a Unix time."""
    yield from _process(node, rows, started_at)
    for kind, prefix in _KINDS.items():
        of_kind = [(_labels(row), row) for row in rows if row["type"] == kind]
        for suffix, column, nature, kinds, meaning in _COLUMNS:
            if kind in kinds:
                samples = [(labels, _scaled(column, row.get(column))) for labels, row in of_kind]
                yield Metric(f"haproxy_{prefix}_{suffix}", nature, meaning, samples)
        by_code = [
            ({**labels, "code": code}, _number(row.get(f"hrsp_{code}"))) for labels, row in of_kind for code in _CODES
        ]
        meaning = "Responses by the class of their status."
        yield Metric(f"haproxy_{prefix}_http_responses_total", "counter", meaning, by_code)
    yield from _states(rows)


def _labels(row: Row) -> Labels:
    named = {"proxy": str(row["pxname"])}
    return named | {"server": str(row["svname"])} if row["type"] == TYPE_SERVER else named


def _number(value: int | str | None) -> Value:
    return value if isinstance(value, int) else None


def _scaled(column: str, value: int | str | None) -> Value:
    number = _number(value)
    return number if number is None or column not in _SCALE else number * _SCALE[column]


def state_of(row: Row) -> str:
    """UP, DOWN, MAINT, DRAIN: without how far it is on its way to another. What is not checked is UP."""
    status = str(row["status"]).partition(" ")[0]
    return {"no": "UP", "OPEN": "UP"}.get(status, status)


def _states(rows: Sequence[Row]) -> Iterator[Metric]:
    for kind, states in ((TYPE_FRONTEND, PROXY_STATES), (TYPE_BACKEND, PROXY_STATES), (TYPE_SERVER, SERVER_STATES)):
        samples = [
            one for row in rows if row["type"] == kind for one in one_of(_labels(row), "state", states, state_of(row))
        ]
        yield Metric(f"haproxy_{_KINDS[kind]}_status", "gauge", "1 for the state that it is in.", samples)
    servers = [row for row in rows if row["type"] == TYPE_SERVER]
    yield Metric(
        "haproxy_server_check_status", "gauge", "1 for what the last check found.",
        [
            one
            for row in servers if row.get("check_status") not in (None, "INI")
            for one in one_of(_labels(row), "state", CHECK_STATES, str(row["check_status"]))
        ],
    )  # fmt: skip
    for name in ("agg_server_status", "agg_server_check_status"):  # HAProxy has the one by its old name too
        yield _counted(
            f"haproxy_backend_{name}", servers, SERVER_STATES,
            Counter((row["pxname"], state_of(row)) for row in servers),
        )  # fmt: skip
    yield _counted(
        "haproxy_backend_agg_check_status", servers, CHECK_STATES,
        Counter((row["pxname"], row.get("check_status")) for row in servers),
    )  # fmt: skip


def _counted(
    name: str, servers: Sequence[Row], states: Sequence[str], counts: Counter[tuple[object, object]]
) -> Metric:
    proxies = dict.fromkeys(str(row["pxname"]) for row in servers)
    samples = [({"proxy": proxy, "state": state}, counts[proxy, state]) for proxy in proxies for state in states]
    return Metric(name, "gauge", "How many servers are in each state.", samples)


def _process(node: NodeSnapshot, rows: Sequence[Row], started_at: float) -> Iterator[Metric]:
    workers = [one for one in node.processes if one.name.startswith("worker")]
    counts = [one.counts for one in node.frontends]
    connections_per_s = sum(int(row.get("conn_rate") or 0) for row in rows if row["type"] == TYPE_FRONTEND)
    limit, link = sum(one.max_connections for one in node.frontends), node.link
    nothing: Labels = {}
    figures: tuple[tuple[str, Literal["counter", "gauge"], str, Value], ...] = (
        ("nbthread", "gauge", "Workers, which are processes here.", len(workers)),
        ("nbproc", "gauge", "Always 1.", 1),
        ("relative_process_id", "gauge", "Always 1.", 1),
        ("uptime_seconds", "gauge", "Seconds since the start.", int(node.uptime_s)),
        ("start_time_seconds", "gauge", "When it was started, as Unix time.", int(started_at)),
        ("max_connections", "gauge", "All frontends' limits together.", limit),
        ("hard_max_connections", "gauge", "The same.", limit),
        ("current_connection_rate", "gauge", "New connections per second.", connections_per_s),
        ("current_session_rate", "gauge", "The same.", connections_per_s),
        ("limit_connection_rate", "gauge", "0: there is none.", 0),
        ("limit_session_rate", "gauge", "0: there is none.", 0),
        ("http_comp_bytes_in_total", "counter", "Bytes that were compressed.", sum(one.gzip_in for one in counts)),
        ("http_comp_bytes_out_total", "counter", "Bytes that they became.", sum(one.gzip_out for one in counts)),
        ("active_peers", "gauge", "The other node, where there is one.", int(link is not None)),
        ("connected_peers", "gauge", "1 while it is heard.", int(link is not None and link.up)),
        ("current_connections", "gauge", "Connections that are open now.", sum(one.open for one in counts)),
        ("connections_total", "counter", "Connections.", sum(one.connections for one in counts)),
        ("requests_total", "counter", "Requests.", sum(one.requests for one in counts)),
        ("bytes_out_total", "counter", "Bytes to clients.", sum(one.bytes_out for one in counts)),
        ("listeners", "gauge", "Addresses that are listened on.", sum(len(one.listen) for one in node.frontends)),
        ("dropped_logs_total", "counter", "Lines of access logs that were lost.", node.log_lines_dropped),
    )
    for name, nature, meaning, value in figures:
        yield Metric(f"haproxy_process_{name}", nature, meaning, [(nothing, value)])
    yield Metric("haproxy_process_build_info", "gauge", "The version.", [({"version": f"hapair {node.hapair}"}, 1)])
