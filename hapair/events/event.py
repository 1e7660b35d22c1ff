"""One thing that happened, and why. Pure.

Reasons come from anywhere: an agent, a peer, a server's answer. So text is cut to a length here, and nothing that a
terminal or a log would stumble over is left in it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Told = Literal[
    "start", "stop", "role", "router", "vip", "priority", "adverts", "tracking", "fitness", "handover", "maintenance",
    "server", "pool", "admin", "limits", "reload", "process", "fence", "kernel", "flows", "link", "peer", "drift",
    "certificate",
]  # fmt: skip
"""What others can be told of."""
Kind = Told | Literal["notification", "missed"]
"""`notification`: somebody cannot be told; `missed` tells a reader that it came too late for some."""
Severity = Literal["info", "warning", "error"]
Detail = str | int | float | bool | None
Details = Mapping[str, Detail]

TEXT_LENGTH = 300
DETAILS = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Happening:
    """Something that happened, before it is given its number and its time."""

    kind: Kind
    subject: str
    """Whom it happened to: a virtual router, `pool/server`, `worker 0`, a node."""
    words: str
    """What happened, in words."""
    reason: str = ""
    """Why; empty where the words say it."""
    by: str = ""
    """Who had it done; empty: nobody did."""
    severity: Severity = "info"
    details: Details = field(default_factory=dict)
    """The same for programs."""
    logged: bool = False
    """Whoever decided it has a line of its own in the log."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that happened."""

    id: int
    """Counts from 1 since the node started."""
    at: float
    """In seconds of the Unix epoch."""
    node: str
    kind: Kind
    severity: Severity
    subject: str
    words: str
    reason: str
    by: str
    details: Details


def event_of(happening: Happening, *, id: int, at: float, node: str, acting: str = "") -> Event:
    """With a number and a time, in clean text of a bounded length. `acting` knows better who had it done."""
    details = list(happening.details.items())[:DETAILS]
    return Event(
        id=id,
        at=at,
        node=node,
        kind=happening.kind,
        severity=happening.severity,
        subject=clean(happening.subject),
        words=clean(happening.words),
        reason=clean(happening.reason),
        by=clean(acting or happening.by),
        details={clean(name): clean(one) if isinstance(one, str) else one for name, one in details},
    )


def clean(text: str) -> str:
    """One line of at most TEXT_LENGTH printable characters."""
    text = text if text.isprintable() else "".join(char if char.isprintable() else " " for char in text)
    return text if len(text) <= TEXT_LENGTH else f"{text[: TEXT_LENGTH - 3]}..."
