"""What changed for a server, from one state to the next. Pure."""

from collections.abc import Iterator

from balancer.serverstate import ServerState
from hapair.events.event import Happening


def server_news(pool: str, server: str, before: ServerState, after: ServerState) -> Iterator[Happening]:
    """Health and admin state, which are two things; weight, limit, address."""
    name = f"{pool}/{server}"
    if after.admin != before.admin:
        yield _administered(name, before, after)
    if (after.up, after.resolved) != (before.up, before.resolved):
        yield _flipped(name, after)
    if after.weight != before.weight:
        weight = after.own_weight if after.weight is None else after.weight
        words = f"{name} has weight {weight}"
        yield Happening(kind="admin", subject=name, words=words, details={"weight": weight})
    if after.max_connections != before.max_connections:
        limit = "the file's limit" if after.max_connections is None else f"a limit of {after.max_connections}"
        details = {"max_connections": after.max_connections}
        yield Happening(kind="admin", subject=name, words=f"{name} has {limit} for connections", details=details)
    yield from _watched(name, before, after)
    if after.place is not None and before.place is not None and after.place.endpoint != before.place.endpoint:
        words = f"{name} moved from {before.place.endpoint} to {after.place.endpoint}"
        yield Happening(kind="server", subject=name, words=words, details={"address": str(after.place.endpoint)})


def _watched(name: str, before: ServerState, after: ServerState) -> Iterator[Happening]:
    for whose, was, on in (("checks", before.checks_on, after.checks_on), ("agent", before.agent_on, after.agent_on)):
        if was != on:
            words = f"{name}: its {whose} {'are' if whose == 'checks' else 'is'} {'on again' if on else 'stopped'}"
            yield Happening(kind="admin", subject=name, words=words, details={whose: on})


def _administered(name: str, before: ServerState, after: ServerState) -> Happening:
    words = f"{name} is {after.admin.upper()}, was {before.admin.upper()}"
    details = {"admin": after.admin, "old_admin": before.admin}
    return Happening(kind="admin", subject=name, words=words, by=after.admin_by, details=details)


def _flipped(name: str, after: ServerState) -> Happening:
    up = after.up and after.resolved
    text = "UP" if up else "DOWN" if after.resolved else "in MAINT, its name is not resolved"
    return Happening(
        kind="server",
        subject=name,
        words=f"{name} is {text}",
        reason=after.flip_reason,
        severity="info" if up else "warning",
        details={"up": up, "health": after.text, "admin": after.admin},
    )
