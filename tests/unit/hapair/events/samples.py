"""Events and what they are made of."""

from typing import Any

from hapair.events.event import Event, Happening, Kind

DOWN = Happening(kind="server", subject="web/web1", words="web/web1 is DOWN", reason="connection refused")


def event(id: int, kind: Kind = "server", **fields: Any) -> Event:
    """One event."""
    plain: dict[str, Any] = {
        "at": 1_000_000.0 + id, "node": "pi-a", "severity": "info", "subject": "web/web1", "words": "it happened",
        "reason": "", "by": "", "details": {},
    }  # fmt: skip
    return Event(id=id, kind=kind, **plain | fields)
