"""What a person says of a frontend while the node runs: `hapair frontend`."""

from collections.abc import AsyncGenerator, Mapping
from typing import Any

from hapair.config.errors import nearest
from hapair.node_changes import NodeChanges
from hapair.node_traffic import NodeTraffic, NotPossible

MOST_CONNECTIONS = 1_000_000


async def frontend_story(
    traffic: NodeTraffic, changes: NodeChanges, request: Mapping[str, Any]
) -> AsyncGenerator[Any, None]:
    """One line: what came of a request such as `{"frontend": "web", "enabled": false, "max_connections": 100}`.

    `"max_connections": "file"` has the file's again. With `"local": true` it holds on this node alone.
    """
    yield await _carry_out(traffic, changes, request)


async def _carry_out(traffic: NodeTraffic, changes: NodeChanges, request: Mapping[str, Any]) -> Mapping[str, Any]:
    enabled, most, local = request.get("enabled"), request.get("max_connections"), request.get("local", False)
    name = str(request.get("frontend"))
    if (refusal := _refusal(traffic, request)) is not None:
        return {"ok": False, "words": refusal}
    done = []
    try:
        if most is not None:
            await traffic.limit(name, None if most == "file" else most, local=local)
            done.append("has the limit of the file" if most == "file" else f"takes {most} connections at most")
        if enabled is not None:
            await (traffic.enable if enabled else traffic.disable)(name, local=local)
            done.append("listens" if enabled else "listens no more")
    except NotPossible as why:
        return {"ok": False, "words": str(why)}
    words, reach = f"{name} {' and '.join(done)}", changes.reach_of(local=local)
    return {"ok": True, "words": f"{words}, {reach}" if reach else words}


def _refusal(traffic: NodeTraffic, request: Mapping[str, Any]) -> str | None:
    name, enabled, most = request.get("frontend"), request.get("enabled"), request.get("max_connections")
    if not isinstance(name, str) or name not in traffic.frontends():
        return f"there is no frontend {name}{nearest(str(name), traffic.frontends())}"
    if type(request.get("local", False)) is not bool:
        return "local must be true or false"
    if enabled is not None and type(enabled) is not bool:
        return "enabled must be true or false"
    if most is not None and most != "file" and (type(most) is not int or not 1 <= most <= MOST_CONNECTIONS):
        return f"max_connections must be from 1 to {MOST_CONNECTIONS}, or file for those in the file"
    if enabled is None and most is None:
        return "say what is to become of it: enabled, or max_connections"
    return None
