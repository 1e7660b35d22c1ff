"""The spans of VRRP. Pure. Intervals are whole centiseconds, as on the wire; spans are seconds."""

LEAST_SILENCE_S = 0.05
"""What passes for silence between two who know each other, however short the interval is: the kernel of a busy machine
may hold packets back for 30 ms, and a death is told by the liveness link long before."""


def advertisement_interval(interval_cs: int) -> float:
    """Advertisement_Interval in seconds."""
    return interval_cs / 100


def skew_time(priority: int, interval_cs: int, version: int = 3) -> float:
    """Skew_Time in seconds: the higher the priority, the sooner.

    RFC 9568 section 6.1; in VRRPv2 a part of one second, whatever the interval is (RFC 3768 section 6.1).
    """
    return _skew_units(priority, interval_cs, version) / 25_600


def active_down_interval(priority: int, interval_cs: int, version: int = 3, *, skewed: bool = True) -> float:
    """Active_Down_Interval in seconds (RFC 9568 section 6.1): three advertisements missed, and the skew.

    Not `skewed`: for a router without rivals, whom it would only make late; never less than `LEAST_SILENCE_S`.
    """
    if skewed:
        return _active_down_units(priority, interval_cs, version) / 25_600
    return max(3 * interval_cs / 100, LEAST_SILENCE_S)


def lease_length(priority: int, interval_cs: int, version: int = 3) -> int:
    """How long the kernel keeps a VIP that is not renewed: Active_Down_Interval in whole seconds, rounded up.

    Whole seconds, because `valid_lft` has no finer unit.
    """
    return -(-_active_down_units(priority, interval_cs, version) // 25_600)


def lease_renewal(lease_s: int) -> float:
    """Seconds between two renewals of a lease: a quarter, so that three may fail."""
    return lease_s / 4


def _active_down_units(priority: int, interval_cs: int, version: int) -> int:
    return 3 * 256 * interval_cs + _skew_units(priority, interval_cs, version)


def _skew_units(priority: int, interval_cs: int, version: int) -> int:
    """In 1/25600 s, so that the sums are exact."""
    return (256 - priority) * (100 if version == 2 else interval_cs)
