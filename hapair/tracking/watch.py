"""One thing that is watched: what single findings amount to. Pure.

Counted by rise and fall as the checks of servers are. Before the first finding it is not well; the first one decides.
"""

from dataclasses import dataclass, replace
from typing import Self

from balancer.health import Health
from vrrp.tracking import Tracked

NOT_LOOKED_AT = "not looked at yet"


@dataclass(frozen=True, slots=True)
class Finding:
    """What one look found."""

    passed: bool
    reason: str
    weight: int | None = None
    """In place of the configured one, where the thing itself says how much it weighs."""
    is_gate: bool = False
    """The thing itself says that it is a gate."""


@dataclass(frozen=True, slots=True)
class Watch:
    """Everything that is known about one thing. `after` makes the next one."""

    name: str
    """With its kind, for example `script dns`."""
    health: Health
    weight: int | None
    tracked: Tracked
    """As the router sees it: changes when it flips, or weighs something else."""
    reason: str = NOT_LOOKED_AT
    """Of the last finding."""
    since: float | None = None
    """When `tracked` became what it is; None: nothing is known yet."""

    @classmethod
    def initial(cls, name: str, *, rise: int, fall: int, weight: int | None) -> Self:
        """Nothing is known yet."""
        health = Health(rise, fall, count=rise - 1)
        return cls(name, health, weight, Tracked(name, False, NOT_LOOKED_AT, weight))

    def resumed(self, known: Self | None, now: float) -> Self:
        """This one, of which nothing is known yet, in place of another that may have been configured otherwise.

        Where there was none, or nothing was known of it, all is taken to be well until a look says otherwise.
        """
        if known is None or known.since is None:
            passed, reason, since = True, NOT_LOOKED_AT, now
        else:
            passed, reason, since = known.tracked.ok, known.reason, known.since
        rise, fall = self.health.rise, self.health.fall
        health = replace(self.health, count=rise + fall - 1 if passed else 0)
        weight = self.weight if known is None or known.weight != self.weight else known.tracked.weight
        return replace(
            self, health=health, tracked=Tracked(self.name, passed, reason, weight), reason=reason, since=since
        )

    def after(self, finding: Finding, now: float) -> Self:
        """With one more finding, at the instant `now`."""
        health = self.health.after(finding.passed, reason=finding.reason, now=now)
        weight = None if finding.is_gate else self.weight if finding.weight is None else finding.weight
        known = replace(self, health=health, reason=finding.reason)
        if self.since is not None and (health.up, weight) == (self.tracked.ok, self.tracked.weight):
            return known
        return replace(known, tracked=Tracked(self.name, health.up, finding.reason, weight), since=now)


def next_at(started_at: float, interval_s: float, now: float) -> float:
    """When to look again: counted from the start of the last look; one that took longer is followed at once."""
    return max(started_at + interval_s, now)
