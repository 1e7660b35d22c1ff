"""How much of what nobody needs a client may do: so many, and as many again within 10 seconds. Pure."""

from balancer.http2.errors import Reason, Violation

SPAN_S = 10.0


class Budget:
    """A bucket that fills up steadily."""

    __slots__ = ("_amount", "_filled_at", "_left", "_reason")

    def __init__(self, amount: int, reason: Reason, now: float) -> None:
        self._amount = amount
        self._reason = reason
        self._left = float(amount)
        self._filled_at = now

    def spend(self, now: float) -> None:
        """Once more. Raises Violation when there is nothing left."""
        if self._left < 1:
            self._left = min(self._amount, self._left + (now - self._filled_at) * self._amount / SPAN_S)
            self._filled_at = now
            if self._left < 1:
                raise Violation(self._reason)
        self._left -= 1
