"""Another configuration for a virtual router that runs: what goes on as it was, and what is otherwise then. Pure.

Nothing here changes the state of a router. What the new values ask for follows by the rules that hold anyway: a lower
priority is heard by the others, a higher one preempts when the next advertisement comes.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace

from vrrp.config import Address, VirtualRouterConfig
from vrrp.states import Active, Backup
from vrrp.timers import LEAST_SILENCE_S

_BRISK_INTERVALS = 4
"""A router that missed the news of a longer interval still waits for three of the shorter ones, and its skew."""


def made_anew(before: VirtualRouterConfig, after: VirtualRouterConfig) -> tuple[str, ...]:
    """What makes another virtual router of it, in the words of the file: it has to leave, and to begin anew.

    Others on the LAN know a router by its VRID, family and version; its socket and its VIPs are on one interface, with
    one MAC address; an address owner's VIPs are its own.
    """
    return tuple(_what_makes_another(before, after))


def _what_makes_another(before: VirtualRouterConfig, after: VirtualRouterConfig) -> Iterator[str]:
    for name in ("vrid", "interface", "version", "virtual_mac"):
        old, new = getattr(before, name), getattr(after, name)
        if old != new:
            yield f"{name} is {_written(new)} instead of {_written(old)}"
    if before.family != after.family:
        yield f"the addresses are IPv{after.family} ones instead of IPv{before.family}"
    if before.owner != after.owner:
        yield "it owns the addresses (priority 255)" if after.owner else "it owns the addresses (priority 255) no more"


def _written(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def backup_with(backup: Backup, before: VirtualRouterConfig, after: VirtualRouterConfig, now: float) -> Backup:
    """A Backup Router that goes on with `after`. Whom it listens to, and until when, stays: it has learned that."""
    interval_cs = backup.active_adver_interval_cs
    if backup.active_router is None and interval_cs == before.advertisement_interval_cs:
        interval_cs = after.advertisement_interval_cs  # it was our own: nobody was heard
    same_company = (before.group, before.witnessed) == (after.group, after.witnessed)
    return replace(
        backup,
        active_adver_interval_cs=interval_cs,
        startup_until=_moved(backup.startup_until, after.startup_delay_s - before.startup_delay_s, now),
        unheard_until=_moved(backup.unheard_until, after.hold_down_s - before.hold_down_s, now),
        wants=backup.wants and same_company,
    )


def _moved(until: float, by_s: float, now: float) -> float:
    """A delay that is over stays over."""
    return until + by_s if until > now else until


def active_with(active: Active, before: VirtualRouterConfig, after: VirtualRouterConfig, now: float) -> Active:
    """An Active Router that goes on with `after`; its next advertisement is not later than it was to be."""
    old_s, new_s = before.advertisement_interval_cs / 100, after.advertisement_interval_cs / 100
    if old_s != new_s:
        if now < active.brisk_until:
            old_s = min(old_s, active.brisk_s)
        told_until = now + max(_BRISK_INTERVALS * old_s, LEAST_SILENCE_S + old_s)
        brisk_until = told_until if old_s < new_s else active.brisk_until
        adver_at = min(active.adver_at, now + new_s)
        active = replace(active, adver_at=adver_at, brisk_s=old_s, brisk_until=brisk_until)
    if (before.witnessed, before.advertisement_interval_cs) != (after.witnessed, after.advertisement_interval_cs):
        active = replace(active, in_touch_at=now)  # what was heard by now was not awaited as often
    if before.announce_every_s != after.announce_every_s and active.claimed:
        active = replace(active, announce_at=_announced_again(active.announce_at, before, after, now))
    return active


def _announced_again(
    announce_at: tuple[float, ...], before: VirtualRouterConfig, after: VirtualRouterConfig, now: float
) -> tuple[float, ...]:
    """What a claim asks for stays; the one behind it, which repeats itself, follows the new interval."""
    once = announce_at if before.announce_every_s is None else announce_at[:-1]
    if after.announce_every_s is None:
        return once
    return (*once, (once[-1] if once else now) + after.announce_every_s)


def reads_otherwise(before: VirtualRouterConfig, after: VirtualRouterConfig) -> bool:
    """Whether its advertisements say something else, priority apart."""
    return (before.advertisement_interval_cs, before.vips) != (after.advertisement_interval_cs, after.vips)


def added(before: VirtualRouterConfig, after: VirtualRouterConfig) -> frozenset[Address]:
    """VIPs that were not there."""
    return frozenset(after.all_vips) - frozenset(before.all_vips)


def groups_joined(pairs: Iterable[tuple[VirtualRouterConfig, VirtualRouterConfig]]) -> frozenset[str]:
    """The groups that routers, each before and after, were not in and are in."""
    return frozenset(after.group for before, after in pairs if after.group is not None and after.group != before.group)
