"""`show info` as HAProxy has it: what the process is and does. Pure."""

import json
from typing import Final

from hapair.admin.rates import FRONTEND, NO_PACE, Rates
from hapair.admin.stats_formats import described
from hapair.snapshot import NodeSnapshot

Fields = list[tuple[str, str, str, int | str]]
"""Name, the three letters of its description, type, value."""
_DAY_S: Final = 86_400


def info_of(node: NodeSnapshot, rates: Rates, started_at: float) -> Fields:
    """In HAProxy's order; what has no meaning here is left out. `started_at` is a Unix time."""
    workers = sum(one.name.startswith("worker") for one in node.processes)
    counts = [one.counts for one in node.frontends]
    paces = [rates.paces.get((FRONTEND, one.name), NO_PACE) for one in node.frontends]
    return [
        ("Name", "POS", "str", "hapair"),
        ("Version", "POS", "str", node.hapair),
        ("Nbthread", "CGS", "u32", workers),
        ("Nbproc", "CGS", "u32", 1),
        ("Process_num", "KGP", "u32", 1),
        ("Pid", "SGP", "u32", node.pid),
        ("Uptime", "MDP", "str", span(int(node.uptime_s))),
        ("Uptime_sec", "MDP", "u32", int(node.uptime_s)),
        ("Maxconn", "CLP", "u32", hard_limit(node) if node.max_connections is None else node.max_connections),
        ("Hard_maxconn", "CLP", "u32", hard_limit(node)),
        ("CurrConns", "MGP", "u32", sum(one.open for one in counts)),
        ("CumConns", "MCP", "u32", sum(one.connections for one in counts)),
        ("CumReq", "MCP", "u32", sum(one.requests for one in counts)),
        ("ConnRate", "MRP", "u32", sum(one.connections_per_s for one in paces)),
        ("ConnRateLimit", "CLP", "u32", 0),
        ("MaxConnRate", "MMP", "u32", max((one.connections_per_s_max for one in paces), default=0)),
        ("SessRate", "MRP", "u32", sum(one.connections_per_s for one in paces)),
        ("SessRateLimit", "CLP", "u32", 0),
        ("MaxSessRate", "MRP", "u32", max((one.connections_per_s_max for one in paces), default=0)),
        ("node", "COS", "str", node.node),
        ("Stopping", "MGP", "u32", 0),
        ("Listeners", "MGP", "u32", sum(len(one.listen) for one in node.frontends)),
        ("ActivePeers", "MGP", "u32", int(node.link is not None)),
        ("ConnectedPeers", "MGP", "u32", int(node.link is not None and node.link.up)),
        ("DroppedLogs", "MGP", "u32", node.log_lines_dropped),
        ("TotalBytesOut", "MGP", "u64", sum(one.bytes_out for one in counts)),
        ("Start_time_sec", "MDP", "u32", int(started_at)),
    ]


def hard_limit(node: NodeSnapshot) -> int:
    """How many connections the file lets a node have: its limit, or those of all frontends together."""
    if node.max_connections_in_file is not None:
        return node.max_connections_in_file
    return sum(one.max_connections for one in node.frontends)


def span(seconds: int) -> str:
    """`0d 1h02m03s`"""
    hours, rest = divmod(seconds % _DAY_S, 3600)
    return f"{seconds // _DAY_S}d {hours}h{rest // 60:02d}m{rest % 60:02d}s"


def plain(fields: Fields) -> str:
    """`Name: value`"""
    return "".join(f"{name}: {value}\n" for name, _, _, value in fields)


def typed(fields: Fields) -> str:
    """`6.Pid.1:SGP:u32:7361`"""
    return "".join(f"{i}.{name}.1:{tags}:{kind}:{value}\n" for i, (name, tags, kind, value) in enumerate(fields))


def to_json(fields: Fields) -> str:
    """One list."""
    described_ones = [described(place, *field) for place, field in enumerate(fields)]
    return json.dumps(described_ones, separators=(",", ":")) + "\n"
