"""`set server <bk>/<srv> addr <ip> [port <port>]`, in HAProxy's words."""

from collections.abc import Sequence
from ipaddress import ip_address
from typing import Final

from balancer.fieldtypes import Endpoint
from hapair.admin.operator import Operator
from hapair.snapshot import PoolView, ServerView

USAGE: Final = "set server <b>/<s> addr requires an address and optionally a port.\n"
_SAME_PORT: Final = ", no need to change the port"
_BY: Final = " by 'stats socket command'\n"


def move(operator: Operator, pool: PoolView, server: ServerView, words: Sequence[str]) -> str:
    """Where the server is from now on; what HAProxy says of it."""
    if not words or len(words) not in (1, 3) or (len(words) == 3 and words[1] != "port"):
        return USAGE
    try:
        host = str(ip_address(words[0]))
        before = Endpoint.parse(server.address)
    except ValueError:
        return f"Invalid addr '{words[0]}'{_BY}"
    if before.is_unix or before.is_name:
        return f"Invalid addr '{words[0]}'{_BY}"
    same = "no need to change the addr"
    moved = same if host == before.host else f"IP changed from '{before.host}' to '{host}'"
    port = before.port
    if len(words) == 3:
        if not (words[2].isascii() and words[2].isdigit() and len(words[2]) <= 5 and 1 <= int(words[2]) <= 65_535):
            return f"{same}, problem converting port '{words[2]}' to an int{_BY}"
        port = int(words[2])
        moved += f", port changed from '{before.port}' to '{port}'" if port != before.port else _SAME_PORT
    if (host, port) != (before.host, before.port):
        try:
            operator.move(pool.name, server.name, Endpoint(host, port))
        except ValueError as error:
            return f"{error}\n"
    return f"{moved}{_BY}"
