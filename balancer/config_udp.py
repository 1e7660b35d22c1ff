"""Mode udp: how long a flow lasts, and what is expected of it. Frozen; validates itself. Pure."""

from dataclasses import dataclass
from typing import Any, ClassVar

from balancer.fieldtypes import STRICT, Seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class UdpSettings:
    """A flow is what one client's port sends and is answered. It ends by time, or by what was sent, or both."""

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT

    idle_s: Seconds = 60.0
    """Without a datagram either way."""
    replies: int | None = None
    """So many are expected for each datagram of the client; with them the flow ends. 0: none are expected or passed."""
    requests: int | None = None
    """After so many datagrams of a client its next one begins a new flow, perhaps to another server."""

    def __post_init__(self) -> None:
        if not 0.01 <= self.idle_s <= 86_400:
            raise ValueError("idle must be from 10ms to 24h")
        if self.replies is not None and not 0 <= self.replies <= 1_000_000:
            raise ValueError("replies must be from 0 to 1000000")
        if self.requests is not None and not 1 <= self.requests <= 1_000_000:
            raise ValueError("requests must be from 1 to 1000000")
