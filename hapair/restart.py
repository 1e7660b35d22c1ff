"""How soon a process that died is started again. Pure."""

from dataclasses import dataclass, field

WINDOW_S = 60.0
LONGEST_DELAY_S = 30.0


@dataclass(slots=True)
class Restarts:
    """The deaths of one process in the last minute."""

    deaths: list[float] = field(default_factory=list)

    def died(self, now: float) -> float:
        """Seconds to wait before the next start: none after a first death, then 0.5, 1, 2 ... up to 30."""
        self.deaths = [at for at in self.deaths if now - at < WINDOW_S] + [now]
        repeats = len(self.deaths) - 1
        return 0.0 if repeats == 0 else min(LONGEST_DELAY_S, 0.25 * float(2**repeats))

    def keeps_failing(self, now: float) -> bool:
        """True after a second death within a minute: such a node does not preempt."""
        return sum(now - at < WINDOW_S for at in self.deaths) >= 2
