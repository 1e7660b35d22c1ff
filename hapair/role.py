"""Router states to roles: which frontends serve here. Pure."""

from collections.abc import Mapping

ACTIVE, STANDBY = "ACTIVE", "STANDBY"


def active_frontends(followed: Mapping[str, frozenset[str]], states: Mapping[str, str]) -> dict[str, bool]:
    """For each frontend whether it serves here: it follows no router, or one that it follows is Active."""
    return {
        frontend: not routers or any(states.get(router) == "Active" for router in routers)
        for frontend, routers in followed.items()
    }


def node_role(states: Mapping[str, str]) -> str:
    """ACTIVE where at least one virtual router is."""
    return ACTIVE if "Active" in states.values() else STANDBY
