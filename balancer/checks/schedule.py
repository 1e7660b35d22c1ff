"""When the next probe of a server is due. Pure: chance comes from the generator that is passed in."""

from random import Random

from balancer.config import Check
from balancer.health import Health


def first_probe_at(check: Check, position: int, servers: int, now: float) -> float:
    """The servers' first probes lie evenly apart; `position` is this one's place among all that are checked."""
    return now + fast_interval_s(check) * position / servers


def next_probe_at(check: Check, health: Health, started_at: float, random: Random) -> float:
    """Counted from the start of the last probe, so that a slow answer does not make probes rarer.

    May be in the past, where a probe takes longer than the interval: then the next one is due at once.
    """
    jitter = check.jitter_percent / 100
    return started_at + interval_s(check, health) * random.uniform(1 - jitter, 1 + jitter)


def interval_s(check: Check, health: Health) -> float:
    """Short while a flip is under way, long (if the file says so) while the server is DOWN."""
    if not health.settled:
        return fast_interval_s(check)
    return check.interval_s if health.up or check.down_interval_s is None else check.down_interval_s


def fast_interval_s(check: Check) -> float:
    """Between probes while a flip is under way, and after too many errors of real traffic."""
    return check.interval_s if check.fast_interval_s is None else check.fast_interval_s
