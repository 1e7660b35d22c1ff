"""When silence on a channel means that the process at the other end hangs. Pure."""

from dataclasses import dataclass

INTERVAL_S = 0.25
SILENCE_LIMIT_S = 2.0
START_GRACE_S = 30.0
"""For a first sign of life: on a small machine under load, starting an interpreter takes seconds."""


@dataclass(slots=True)
class Silence:
    """Counts the other end's silence, less the time in which this end itself was not running.

    A node that is frozen as a whole and then woken would otherwise find every one of its processes dead.
    """

    heard_at: float
    looked_at: float
    limit_s: float = SILENCE_LIMIT_S

    def heard(self, now: float) -> None:
        """A message came."""
        self.heard_at = now

    def is_too_long(self, now: float) -> bool:
        """To be asked every INTERVAL_S."""
        slept_s = now - self.looked_at
        self.looked_at = now
        if slept_s > 4 * INTERVAL_S:
            self.heard_at = max(self.heard_at, now)
        return now - self.heard_at > self.limit_s
