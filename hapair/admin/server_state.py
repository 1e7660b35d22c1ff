"""`show servers state` and `show servers conn` as HAProxy has them. Pure."""

from collections.abc import Iterable, Iterator
from typing import Final

from hapair.snapshot import NodeSnapshot, PoolView, ServerView

STATE_HEADER: Final = (
    "be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state srv_uweight srv_iweight "
    "srv_time_since_last_change srv_check_status srv_check_result srv_check_health srv_check_state srv_agent_state "
    "bk_f_forced_id srv_f_forced_id srv_fqdn srv_port srvrecord srv_use_ssl srv_check_port srv_check_addr "
    "srv_agent_addr srv_agent_port"
)
CONN_HEADER: Final = (
    "bkname/svname bkid/svid addr port - purge_delay used_cur used_max need_est unsafe_nb safe_nb idle_lim idle_cur "
    "idle_per_thr[1]"
)
_STOPPED, _RUNNING, _STOPPING = 0, 2, 3
_MAINT, _DRAIN = 0x01, 0x08
_STATUSES: Final = {
    "INI": 1, "SOCKERR": 5, "L4OK": 6, "L4TOUT": 7, "L4CON": 8, "L6OK": 9, "L6TOUT": 10, "L6RSP": 11, "L7TOUT": 12,
    "L7RSP": 13, "L7OK": 15, "L7OKC": 16, "L7STS": 17, "PROCERR": 18, "PROCTOUT": 19, "PROCOK": 20,
}  # fmt: skip
_CONFIGURED, _ENABLED, _AGENT = 0x02, 0x04, 0x10
_FAILED, _PASSED = 2, 3


def pools_numbered(node: NodeSnapshot) -> Iterator[tuple[int, PoolView]]:
    """Each pool and its number, which follows those of the frontends."""
    yield from enumerate(node.pools, 1 + len(node.frontends))


def state(pools: Iterable[tuple[int, PoolView]]) -> str:
    """Version 1 of the format."""
    lines = [
        " ".join(map(str, _state_of(number, pool, place, server)))
        for number, pool in pools
        for place, server in enumerate(pool.servers, 1)
    ]
    return "".join(f"{line}\n" for line in ("1", f"# {STATE_HEADER}", *lines))


def _state_of(number: int, pool: PoolView, place: int, server: ServerView) -> Iterator[int | str]:
    host, port = address_of(server)
    yield from (number, pool.name, place, server.name, host)
    in_service = server.up and server.admin != "maint"
    stopping = server.admin == "drain" or not server.full_weight or server.health.startswith("NOLB")
    yield (_STOPPED if not in_service else _STOPPING if stopping else _RUNNING)
    yield {"maint": _MAINT, "drain": _DRAIN}.get(server.admin, 0)
    yield from (server.full_weight, server.weight_in_file, int(server.since_s or 0))
    code = server.last_check_code
    checked = server.rise is not None
    yield _STATUSES.get(code, 0) if code or not checked else _STATUSES["INI"]
    yield 0 if not code else _PASSED if code.endswith(("OK", "OKC")) else _FAILED
    yield server.health_count or 0
    yield (_CONFIGURED | (_ENABLED if server.checks_on else 0)) if checked else 0
    agent_on = _ENABLED if server.agent_on else 0
    yield 0 if server.agent_up is None else _AGENT | _CONFIGURED | agent_on
    yield from (0, 0, "-", port, "-", 0, 0, "-", "-", 0)


def connections(pools: Iterable[tuple[int, PoolView]]) -> str:
    """Connections in use; how many are kept for reuse is not known here."""
    lines = [f"# {CONN_HEADER}"]
    for number, pool in pools:
        for place, server in enumerate(pool.servers, 1):
            host, port = address_of(server)
            used = server.counts.open
            lines.append(f"{pool.name}/{server.name} {number}/{place} {host} {port} - 0 {used} {used} 0 0 0 -1 0 0")
    return "".join(f"{line}\n" for line in lines)


def address_of(server: ServerView) -> tuple[str, str]:
    """Host and port as HAProxy has them: no brackets, and port 0 for a unix socket; `-`: not resolved."""
    if server.known_as == server.address:
        return "-", server.address.partition(":")[2] or "0"
    if server.address.startswith("unix:"):
        return server.address, "0"
    host, _, port = server.address.rpartition(":")
    return host.strip("[]"), port
