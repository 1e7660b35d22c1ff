"""What two nodes say to each other of events, and how it is read. Pure."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from hapair.events.event import DETAILS, Event, clean
from hapair.wire import from_plain

MOST = 200
"""Events in one message."""
_LATEST = 1e11
"""Seconds of the Unix epoch: some thousand years."""


@dataclass(frozen=True, slots=True)
class PeerEvents:
    """What happened on this node, the oldest first. Plain: a kind that only a later hapair knows is left out there."""

    life: str
    """Another one after each start of the node, when ids begin anew."""
    events: tuple[Mapping[str, Any], ...]


def event_heard(plain: Mapping[str, Any], node: str) -> Event | None:
    """An event of that node; None: it makes no sense here."""
    try:
        event: Event = from_plain(plain, Event)
    except (TypeError, ValueError, KeyError, OverflowError):
        return None
    numbers = [one for one in event.details.values() if isinstance(one, float)]
    if not (0 <= event.at <= _LATEST and event.id > 0 and all(map(math.isfinite, numbers))) or event.kind == "missed":
        return None
    details = list(event.details.items())[:DETAILS]
    return replace(
        event,
        node=node,
        subject=clean(event.subject),
        words=clean(event.words),
        reason=clean(event.reason),
        by=clean(event.by),
        details={clean(name): clean(one) if isinstance(one, str) else one for name, one in details},
    )
