"""What real traffic shows of a server, while it is worked for: errors in a row. Pure.

It is seen where everything is counted anyway: a pool that observes gets counters that watch what is added to them, and
to all others observation costs nothing.
"""

from collections.abc import Callable
from typing import Literal

from balancer.slots import BAD_RESPONSES, CONNECTIONS, FAILED, TIMEOUTS, Counters, Unsettled

Layer = Literal["layer4", "layer7"]
_LAYER7_ERRORS = {BAD_RESPONSES: "no valid response", TIMEOUTS: "no response in time"}


class Streak:
    """Errors in a row. `tell` is called with the last one's reason when there are `limit` of them; then anew."""

    __slots__ = ("_errors", "_limit", "_tell")

    def __init__(self, limit: int, tell: Callable[[str], None]) -> None:
        self._limit = limit
        self._tell = tell
        self._errors = 0

    def succeed(self) -> None:
        """All is well."""
        self._errors = 0

    def fail(self, reason: str) -> None:
        """One more."""
        self._errors += 1
        if self._errors >= self._limit:
            errors, self._errors = self._errors, 0
            self._tell(f"{errors} error{'s' * (errors != 1)} in a row, the last: {reason}")


class ObservedCounters(Counters):
    """Counters of a server that is observed.

    Layer 4: whether connections can be made. Layer 7: that, and whether responses are good: 100 to 499, 501 and 505 (a
    server that says it does not know a method works). Only a good response ends a row of errors then.
    """

    __slots__ = ("_layer", "_streak")

    def observe(self, layer: Layer, streak: Streak) -> None:
        """To be called before anything else."""
        self._layer = layer
        self._streak = streak

    def observe_as(self, other: "ObservedCounters") -> None:
        """Go on with what another one has seen."""
        self.observe(other._layer, other._streak)

    def add(self, slot: int, amount: int = 1) -> None:
        super().add(slot, amount)
        if slot == FAILED:
            self._streak.fail("connection failed")
        elif slot == CONNECTIONS and self._layer == "layer4":
            self._streak.succeed()
        elif slot in _LAYER7_ERRORS and self._layer == "layer7":
            self._streak.fail(_LAYER7_ERRORS[slot])

    def add_exchange(
        self, status: int, bytes_in: int, bytes_out: int, unsettled: Unsettled, latency_s: float = 0.0
    ) -> None:
        super().add_exchange(status, bytes_in, bytes_out, unsettled, latency_s)
        if self._layer == "layer7":
            if status < 500 or status in (501, 505):
                self._streak.succeed()
            else:
                self._streak.fail(f"HTTP {status}")
