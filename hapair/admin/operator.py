"""What an administrator can do to a running node; what HAProxy calls it; what came of it."""

from collections.abc import Iterable, Mapping
from typing import Final, Protocol

from balancer.fieldtypes import Endpoint
from balancer.serverstate import Forced, ServerState
from balancer.standing import Admin
from hapair.changes.change import Value, What


class Operator(Protocol):
    """The node, as far as its servers go (`balancer.checks.runner.CheckRunner`).

    Each raises KeyError for a server that there is not, and ValueError, in words, where it cannot be done.
    """

    def administer(self, pool: str, server: str, admin: Admin, *, by: str) -> ServerState: ...

    def weigh(self, pool: str, server: str, weight: int | None) -> ServerState: ...

    def limit(self, pool: str, server: str, max_connections: int | None) -> ServerState: ...

    def move(self, pool: str, server: str, endpoint: Endpoint) -> ServerState: ...

    def force_health(self, pool: str, server: str, word: Forced, *, by: str) -> ServerState: ...

    def force_agent(self, pool: str, server: str, up: bool) -> ServerState: ...

    def watch(
        self, pool: str, server: str, *, checks: bool | None = None, agent: bool | None = None
    ) -> ServerState: ...


class Editor(Operator, Protocol):
    """An operator who may also say how servers are configured (`hapair.node_changes.ChangingOperator`)."""

    def edit(self, pool: str, server: str, what: What, value: Value) -> None: ...

    def place_check(self, pool: str, server: str, host: str | None, port: int | None) -> None: ...

    def place_agent(self, pool: str, server: str, host: str | None, port: int | None) -> None: ...


_ADMIN: Final[Mapping[str, Admin]] = {
    "ready": "ready", "drain": "drain", "maint": "maint", "enable": "ready", "disable": "maint",
}  # fmt: skip
_FORCED: Final[Mapping[str, Forced]] = {"hrunn": "up", "hnolb": "stopping", "hdown": "down"}
ACTIONS: Final = (
    *_ADMIN,
    *("start", "stop", "dhlth", "ehlth", "hrunn", "hnolb", "hdown", "dagent", "eagent", "arunn", "adown"),
)
"""What the statistics page of HAProxy can post."""


def act(operator: Operator, action: str, pool: str, server: str, *, by: str) -> None:
    """Carry out one action on one server. Raises KeyError where there is none, ValueError where it cannot be done."""
    if action in _ADMIN:
        operator.administer(pool, server, _ADMIN[action], by=by)
        return
    match action:
        case "start" | "stop":
            operator.weigh(pool, server, None if action == "start" else 0)
        case "dhlth" | "ehlth":
            operator.watch(pool, server, checks=action == "ehlth")
        case "hrunn" | "hnolb" | "hdown":
            operator.force_health(pool, server, _FORCED[action], by=by)
        case "dagent" | "eagent":
            operator.watch(pool, server, agent=action == "eagent")
        case "arunn" | "adown":
            operator.force_agent(pool, server, action == "arunn")
        case _:
            raise ValueError(f"there is no action {action}")


def act_on_all(operator: Operator, action: str, pool: str, servers: Iterable[str], *, by: str) -> str:
    """HAProxy's word for what came of it: DONE, PART of it, ERRP for none of it, NONE where no server was named."""
    named = list(servers)
    done = 0
    for server in named:
        try:
            act(operator, action, pool, server, by=by)
        except (KeyError, ValueError):
            continue
        done += 1
    if not named:
        return "NONE"
    return "ERRP" if not done else "DONE" if done == len(named) else "PART"
