"""How long requests wait for servers that are full, and how many may. Frozen; validates itself. Pure."""

from dataclasses import dataclass
from typing import Any, ClassVar

from balancer.fieldtypes import STRICT, Seconds

MOST_WAITING = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueSettings:
    """For pools whose servers have `max_connections`."""

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT

    timeout_s: Seconds = 5.0
    """503 after it."""
    length: int = 1_000
    """Over all workers; who comes when as many wait gets a 503 at once. 0: nobody waits."""
    persistent_timeout_s: Seconds | None = None
    """After it a request that belongs to a server may go to another one; None: half of `timeout_s`."""

    def __post_init__(self) -> None:
        if not 0 < self.timeout_s <= 86_400:
            raise ValueError("timeout must be more than 0 and at most 24h")
        if not 0 <= self.length <= MOST_WAITING:
            raise ValueError(f"length must be from 0 to {MOST_WAITING}")
        if self.persistent_timeout_s is not None and not 0 <= self.persistent_timeout_s <= self.timeout_s:
            raise ValueError("persistent_timeout must be from 0 to timeout, which is for all of the waiting")

    @property
    def own_s(self) -> float:
        """How long a request that belongs to a server waits for that one alone."""
        return self.timeout_s / 2 if self.persistent_timeout_s is None else self.persistent_timeout_s
