"""A server's health, counted as HAProxy counts it. Pure.

One counter says all. A pass lifts it by one, a failure lowers it by one, and then two rules apply:

    DOWN: 0 ... rise - 1              a failure that ends here goes to 0
    UP:   rise ... rise + fall - 1    a pass that ends here goes to the top

So one pass while UP forgives all failures before it, and one failure while DOWN undoes all passes before it.
"""

from dataclasses import dataclass, replace
from typing import Self

from balancer.config_checks import Initial, OnError


@dataclass(frozen=True, slots=True)
class Health:
    """What the probes of one server so far amount to. `after` makes the next one.

    A new server is UP and one failure from DOWN, unless the file says otherwise: traffic need not wait for the first
    probe, nor for `fall` of them when the server was dead to begin with.
    """

    rise: int
    fall: int
    count: int
    flip_reason: str = ""
    """What the probe said that made the server UP or DOWN; empty before the first flip."""
    flipped_at: float | None = None
    stopping: bool = False
    """Somebody said so: it is UP, and yet takes no new work but what belongs to it by persistence, until it passes."""

    @classmethod
    def initial(cls, *, rise: int, fall: int, state: Initial = "up") -> Self:
        """Up, down: one probe decides. Fully so: as many as for any other flip."""
        counts = {"up": rise, "fully_up": rise + fall - 1, "down": rise - 1, "fully_down": 0}
        return cls(rise, fall, count=counts[state])

    @property
    def up(self) -> bool:
        return self.count >= self.rise

    @property
    def settled(self) -> bool:
        """No flip is under way: neither have failures begun to count while UP, nor passes while DOWN."""
        return self.count in (0, self.rise + self.fall - 1)

    @property
    def text(self) -> str:
        """`UP`, `NOLB` (stopping) or `DOWN`; on the way to another `UP 2/3` (two failures to DOWN), `DOWN 1/2`."""
        up = "NOLB" if self.stopping else "UP"
        if self.settled:
            return up if self.up else "DOWN"
        return f"{up} {self.count - self.rise + 1}/{self.fall}" if self.up else f"DOWN {self.count}/{self.rise}"

    def after(self, passed: bool, *, reason: str, now: float) -> Self:
        """The health after one more probe. `reason` and `now` are kept if this is the probe that flips it."""
        count = self._count_after(passed)
        stopping = self.stopping and not passed and count >= self.rise
        if (count >= self.rise) == self.up:
            return replace(self, count=count, stopping=stopping)
        return replace(self, count=count, flip_reason=reason, flipped_at=now, stopping=stopping)

    def after_errors(self, on_error: OnError, *, reason: str, now: float) -> Self:
        """The health after too many errors of real traffic in a row; what is DOWN already stays as it is."""
        if not self.up or on_error == "fast_interval":
            return self
        count = self.count
        if on_error == "mark_down":
            count = self.rise
        elif on_error == "sudden_death":
            count = min(count, self.rise + 1)
        return replace(self, count=count).after(False, reason=reason, now=now)

    def _count_after(self, passed: bool) -> int:
        if passed:
            count = self.count + 1
            return self.rise + self.fall - 1 if count >= self.rise else count
        count = self.count - 1
        return 0 if count < self.rise else count
