"""What a person says of a server while the node runs: `hapair server`."""

from collections.abc import AsyncGenerator, Mapping
from typing import Any, get_args

from balancer.checks.runner import CheckRunner
from balancer.serverstate import ServerState
from balancer.standing import Admin
from hapair.config.errors import nearest
from hapair.node_changes import NodeChanges


async def server_story(
    checks: CheckRunner, changes: NodeChanges, request: Mapping[str, Any]
) -> AsyncGenerator[Any, None]:
    """One line: what came of a request such as `{"server": "web/web1", "admin": "drain", "weight": 5}`.

    With `"local": true` it holds on this node alone.
    """
    yield _carry_out(checks, changes, request)


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
        state = operator.administer(pool, server, admin, by="hapair server")
    if state is None:
        return {"ok": False, "words": "say what is to become of it: ready, drain, maint or a weight"}
    reach = changes.reach_of(local=local)
    words = f"{_words(name, state)}, {reach}" if reach else _words(name, state)
    return {"ok": True, "words": words, "admin": state.admin, "up": state.up, "weight": _weight(state)}


def _weight(state: ServerState) -> int:
    return state.own_weight if state.weight is None else state.weight


def _words(name: str, state: ServerState) -> str:
    return f"{name} is {state.admin.upper()}, {state.text}, of weight {_weight(state)}"
