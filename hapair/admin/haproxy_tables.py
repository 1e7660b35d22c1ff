"""`show table`, `clear table` and `show peers`, in HAProxy's words; a table has the name of its pool. Pure."""

from collections.abc import Iterator, Sequence
from typing import Final, Protocol

from balancer.persistence.table import Entry
from hapair.persistence.views import PersistenceView
from hapair.snapshot import NodeSnapshot

REQUIRED: Final = 'Required arguments: <table> "data.<store_data_type>" <operator> <value> or <table> key <key>\n'
NO_TABLE: Final = "No such table\n"
_PEERS: Final = "pair"


class Tables(Protocol):
    """The node's tables, by pool. Both raise KeyError where a pool has none."""

    def entries(self, pool: str) -> Iterator[tuple[Entry, float]]:
        """Each client, and in how many seconds it is forgotten."""

    def forget(self, pool: str, client: str | None) -> None:
        """Forget this client, or all."""


def show_table(node: NodeSnapshot, tables: Tables | None, words: Sequence[str]) -> str:
    """`show table [NAME [key KEY]]`."""
    known = {one.pool: one for one in node.persistence if one.size is not None}
    if len(words) < 3:
        return "".join(_head(one) for one in known.values())
    name, rest = words[2], words[3:]
    if name not in known or tables is None:
        return NO_TABLE
    if rest and (rest[0] != "key" or len(rest) < 2):
        return 'Optional argument only supports "data.<store_data_type>" <operator> <value> or key <key>\n'
    numbers = {server.name: i for pool in node.pools if pool.name == name for i, server in enumerate(pool.servers, 1)}
    lines = [
        f"0x{i:x}: key={entry.client} use=0 exp={max(0, int(left_s * 1000))} "
        f"server_id={numbers.get(entry.server, 0)} server_key={entry.server}\n"
        for i, (entry, left_s) in enumerate(tables.entries(name), 1)
        if not rest or entry.client == rest[1]
    ]
    return "" if rest and not lines else _head(known[name]) + "".join(lines)


def _head(table: PersistenceView) -> str:
    return f"# table: {table.pool}, type: ip, size:{table.size}, used:{table.used}\n"


def clear_table(tables: Tables | None, words: Sequence[str]) -> str:
    """`clear table NAME [key KEY]`, on both nodes."""
    if len(words) < 3:
        return REQUIRED
    name, rest = words[2], words[3:]
    if rest and (rest[0] != "key" or len(rest) < 2):
        return REQUIRED
    if tables is None:
        return NO_TABLE
    try:
        tables.forget(name, rest[1] if rest else None)
    except KeyError:
        return NO_TABLE
    return ""


def show_peers(node: NodeSnapshot, words: Sequence[str]) -> str:
    """`show peers`: the other node, as a peer that tables are shared with."""
    if len(words) > 2 and words[2] not in (_PEERS, "dict"):
        return "No such peers\n"
    peer, told = node.peer, node.persistence_peer
    if peer is None or told is None:
        return ""
    state = "active" if told.up else "inactive"
    lines = [
        f"0x1: id={_PEERS} disabled=0",
        f"  0x2: id={peer.name}(remote,{state}) addr={peer.address} last_status={'ESTA' if told.up else 'CONN'}",
        f"        waiting={told.waiting} lag_ms={told.lag_s * 1000:.0f} resyncs={told.resyncs}",
        "        shared tables:",
        *(f"          id={one.pool} used={one.used}" for one in node.persistence if one.size is not None),
        f"  0x3: id={node.node}(local,active)",
    ]
    return "".join(f"{line}\n" for line in lines)
