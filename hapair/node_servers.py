"""What a person says of a server while the node runs, or of one that is to be added or removed: `hapair server`."""

from collections.abc import AsyncGenerator, Mapping
from typing import Any, get_args

from balancer.checks.runner import CheckRunner
from balancer.config_pools import Server
from balancer.fieldtypes import Endpoint
from balancer.serverstate import ServerState
from balancer.standing import Admin
from hapair.config.errors import nearest
from hapair.node_changes import NodeChanges
from hapair.node_membership import Membership
from hapair.node_traffic import NotPossible

_BY = "hapair server"


async def server_story(
    checks: CheckRunner, changes: NodeChanges, members: Membership, request: Mapping[str, Any]
) -> AsyncGenerator[Any, None]:
    """One line: what came of a request such as `{"server": "web/web1", "admin": "drain", "weight": 5}`.

    With `"action": "add"` and an `address` the server is a new one, which may have `max_connections`, `backup` and
    `check`, too; with `"action": "remove"` there is none of that name any more. With `"local": true` it holds on this
    node alone.
    """
    if "action" in request:
        yield await _change_pool(changes, members, request)
    else:
        yield _carry_out(checks, changes, request)


async def _change_pool(changes: NodeChanges, members: Membership, request: Mapping[str, Any]) -> Mapping[str, Any]:
    full_name, action, local = request.get("server"), request["action"], request.get("local", False)
    if not isinstance(full_name, str) or full_name.count("/") != 1:
        return {"ok": False, "words": "server must be POOL/SERVER"}
    if type(local) is not bool:
        return {"ok": False, "words": "local must be true or false"}
    pool, _, name = full_name.partition("/")
    try:
        if action == "add":
            await members.add(pool, name, _new_server(request), by=_BY, local=local)
        elif action == "remove":
            await members.remove(pool, name, by=_BY, local=local)
        else:
            raise NotPossible("action must be add or remove")
    except (NotPossible, ValueError) as why:
        return {"ok": False, "words": str(why)}
    words = f"{full_name} is {'added' if action == 'add' else 'removed'}"
    reach = changes.reach_of(local=local)
    return {"ok": True, "words": f"{words}, {reach}" if reach else words}


def _new_server(request: Mapping[str, Any]) -> Server:
    """Raises ValueError."""
    address, admin, kinds = request.get("address"), request.get("admin"), {"weight": int, "max_connections": int}
    if not isinstance(address, str):
        raise ValueError("address is missing: where to connect to")
    if admin not in (None, "ready", "maint"):
        raise ValueError("a new server is ready or in maint")
    said = {
        key: request[key] for key in ("weight", "max_connections", "backup", "check") if request.get(key) is not None
    }
    for key, value in said.items():
        if type(value) is not kinds.get(key, bool):
            raise ValueError(f"{key} must be {'a number' if key in kinds else 'true or false'}")
    return Server(address=Endpoint.parse_server(address), disabled=admin == "maint", **said)


def _carry_out(checks: CheckRunner, changes: NodeChanges, request: Mapping[str, Any]) -> Mapping[str, Any]:
    known = {f"{pool}/{server}" for pool, servers in checks.snapshot().items() for server in servers}
    name, admin, weight = request.get("server"), request.get("admin"), request.get("weight")
    if not isinstance(name, str) or name not in known:
        return {"ok": False, "words": f"there is no server {name}{nearest(str(name), known)}"}
    if admin is not None and admin not in get_args(Admin):
        return {"ok": False, "words": f"{admin} is not one of {', '.join(get_args(Admin))}"}
    if weight is not None and weight != "file" and (type(weight) is not int or not 0 <= weight <= 256):
        return {"ok": False, "words": "weight must be from 0 to 256, or file for the one in the file"}
    local = request.get("local", False)
    if type(local) is not bool:
        return {"ok": False, "words": "local must be true or false"}
    operator = changes.here if local else changes.everywhere
    pool, _, server = name.partition("/")
    state = None
    if weight is not None:
        state = operator.weigh(pool, server, None if weight == "file" else weight)
    if admin is not None:
        state = operator.administer(pool, server, admin, by=_BY)
    if state is None:
        return {"ok": False, "words": "say what is to become of it: ready, drain, maint or a weight"}
    reach = changes.reach_of(local=local)
    words = f"{_words(name, state)}, {reach}" if reach else _words(name, state)
    return {"ok": True, "words": words, "admin": state.admin, "up": state.up, "weight": _weight(state)}


def _weight(state: ServerState) -> int:
    return state.own_weight if state.weight is None else state.weight


def _words(name: str, state: ServerState) -> str:
    return f"{name} is {state.admin.upper()}, {state.text}, of weight {_weight(state)}"
