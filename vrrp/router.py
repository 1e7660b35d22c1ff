"""Virtual router state machine (RFC 9568 section 6.4). Pure: no clock, no sockets, no trio.

    Initialize --InterfaceReady--> Backup --deadline: no advertisement--> Active
        ^  ^                         |  ^                                  |  |
        |  +------------------------ +  +--- higher advertisement, late ---+  |
        +------------------- InterfaceLost, Shutdown -------------------------+

The router whose priority is 255 goes from Initialize to Active at once. Each state carries its own deadlines: a stale
timer cannot exist. `handle` returns effects; their order is part of the contract.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from ipaddress import IPv4Address

from vrrp.advertisement import RESIGN_PRIORITY, Advertisement
from vrrp.announcements import after_claim, after_rival
from vrrp.config import OWNER_PRIORITY, VirtualRouterConfig
from vrrp.events import (
    AdvertReceived,
    AnnounceVips,
    ClaimFailed,
    ClaimVips,
    DeadlineReached,
    Effect,
    Event,
    InterfaceLost,
    InterfaceReady,
    LoopLate,
    PriorityChanged,
    ReleaseVips,
    SendAdvertisement,
    Shutdown,
    StateChanged,
    StateName,
    VipsClaimed,
    VipsRemoved,
)
from vrrp.timers import active_down_interval, advertisement_interval, lease_length, lease_renewal, skew_time

Effects = tuple[Effect, ...]


@dataclass(frozen=True, slots=True)
class Initialize:
    """Waits for its interface."""


@dataclass(frozen=True, slots=True)
class Backup:
    """Watches the Active Router."""

    active_down_at: float
    active_adver_interval_cs: int
    """Learned from the Active Router; our own until it was heard."""
    cause: str
    """What it will mean, in words, when the deadline is reached."""


@dataclass(frozen=True, slots=True)
class Active:
    """Holds the VIPs."""

    adver_at: float
    renew_at: float
    claimed: bool = False
    """The kernel has confirmed the VIPs: until then nothing is announced (RFC 9568 section 8.1.2)."""
    announce_at: tuple[float, ...] = ()


State = Initialize | Backup | Active


class VirtualRouter:
    """One virtual router: `handle` events, carry out the effects, come back at `deadline`."""

    def __init__(self, config: VirtualRouterConfig) -> None:
        self.config = config
        self.state: State = Initialize()
        self.priority = config.priority
        """The effective priority."""
        self.address = IPv4Address(0)
        """The interface's primary address, which breaks ties."""
        interval_cs = config.advertisement_interval_cs
        self._interval = advertisement_interval(interval_cs)
        self.lease_s = None if config.owner else lease_length(config.priority, interval_cs)
        self._renewal = lease_renewal(lease_length(config.priority, interval_cs))

    @property
    def deadline(self) -> float:
        """The instant at which DeadlineReached is due; infinite where nothing is awaited."""
        match self.state:
            case Backup(active_down_at=deadline):
                return deadline
            case Active() as active:
                return min(active.adver_at, active.renew_at, *active.announce_at[:1])
        return math.inf

    @property
    def state_name(self) -> StateName:
        """The state's name in RFC 9568."""
        match self.state:
            case Backup():
                return "Backup"
            case Active():
                return "Active"
        return "Initialize"

    def handle(self, event: Event, now: float) -> Effects:
        """Take one event at the instant `now`; return what is to be done, in order."""
        match event:
            case PriorityChanged(priority=priority):
                return self._priority_changed(priority)
            case InterfaceReady(address=address):
                self.address = address
        match self.state:
            case Initialize():
                return self._in_initialize(event, now)
            case Backup() as backup:
                return self._in_backup(backup, event, now)
            case Active() as active:
                return self._in_active(active, event, now)

    def advertisement(self, priority: int) -> Advertisement:
        """What this router says of itself."""
        return Advertisement(
            vrid=self.config.vrid,
            priority=priority,
            max_advert_interval_cs=self.config.advertisement_interval_cs,
            addresses=self.config.vips,
        )

    def _priority_changed(self, priority: int) -> Effects:
        if priority == self.priority:
            return ()
        self.priority = priority
        return (SendAdvertisement(priority),) if isinstance(self.state, Active) else ()

    def _in_initialize(self, event: Event, now: float) -> Effects:
        match event:
            case InterfaceReady() if self.priority == OWNER_PRIORITY:
                return self._become_active(now, "the addresses are its own (priority 255)")
            case InterfaceReady(address=address):
                interval_cs = self.config.advertisement_interval_cs
                self._watch(now, interval_cs, "no other router was heard")
                return (StateChanged("Backup", f"{self.config.interface} is ready with {address}"),)
        return ()

    def _in_backup(self, backup: Backup, event: Event, now: float) -> Effects:
        match event:
            case Shutdown(reason=reason) | InterfaceLost(reason=reason):
                return self._initialize(reason)
            case DeadlineReached() if now >= backup.active_down_at:
                return self._become_active(now, backup.cause)
            case AdvertReceived(advertisement=advert, source=source):
                self._heard_in_backup(backup, advert, source, now)
            case LoopLate(by_s=by_s) if by_s > self._active_down(backup.active_adver_interval_cs):
                # It could not have heard anyone: silence proves nothing until it has listened again.
                self._watch(now, backup.active_adver_interval_cs, f"silence, after a pause of {by_s:.2f} s of our own")
        return ()

    def _heard_in_backup(self, backup: Backup, advert: Advertisement, source: IPv4Address, now: float) -> None:
        if advert.priority == RESIGN_PRIORITY:
            down_at = now + skew_time(self.priority, backup.active_adver_interval_cs)
            self.state = replace(backup, active_down_at=down_at, cause=f"{source} resigned")
        elif not self._preempts or advert.priority >= self.priority:
            self._watch(now, advert.max_advert_interval_cs, f"{source} fell silent")
        else:
            self.state = replace(backup, cause=f"{source} has the lower priority {advert.priority}")

    def _in_active(self, active: Active, event: Event, now: float) -> Effects:
        match event:
            case Shutdown(reason=reason):
                return (SendAdvertisement(RESIGN_PRIORITY), ReleaseVips(), *self._initialize(reason))
            case InterfaceLost(reason=reason):
                return (ReleaseVips(), *self._initialize(reason))
            case DeadlineReached():
                return self._due_in_active(active, now)
            case AdvertReceived(advertisement=advert, source=source):
                return self._heard_in_active(active, advert, source, now)
            case LoopLate(by_s=by_s) if by_s > self._tolerated_lateness:
                return self._yield(now, self.config.advertisement_interval_cs, f"it had been paused for {by_s:.2f} s")
            case VipsClaimed() if not active.claimed:
                first, *later = after_claim(now)
                self.state = replace(active, claimed=True, announce_at=tuple(later))
                return (AnnounceVips(),) if first <= now else ()
            case ClaimFailed():
                self.state = replace(active, claimed=False, renew_at=min(active.renew_at, now + self._renewal))
            case VipsRemoved() if active.claimed:
                self.state = replace(active, claimed=False, announce_at=())
                return (ClaimVips(self.lease_s),)
        return ()

    def _due_in_active(self, active: Active, now: float) -> Effects:
        effects: list[Effect] = []
        if now >= active.adver_at:
            effects.append(SendAdvertisement(self.priority))
            active = replace(active, adver_at=_next_after(active.adver_at, self._interval, now))
        if now >= active.renew_at:
            effects.append(ClaimVips(self.lease_s))
            active = replace(active, renew_at=self._renew_after(now))
        if active.announce_at and now >= active.announce_at[0]:
            effects.append(AnnounceVips())
            active = replace(active, announce_at=tuple(at for at in active.announce_at if at > now))
        self.state = active
        return tuple(effects)

    def _heard_in_active(self, active: Active, advert: Advertisement, source: IPv4Address, now: float) -> Effects:
        if advert.priority == RESIGN_PRIORITY:
            return self._outlast(replace(active, adver_at=now + self._interval), now)
        if advert.priority > self.priority or (advert.priority == self.priority and source > self.address):
            than = "higher priority" if advert.priority > self.priority else "same priority and higher address"
            effects = self._yield(now, advert.max_advert_interval_cs, f"{source} is Active with {than}", source)
            # The RFC would have us leave in silence. Then the winner might never know that both were Active.
            return (SendAdvertisement(self.priority), *effects)
        return self._outlast(active, now)

    def _outlast(self, active: Active, now: float) -> Effects:
        """Another router is or was Active too: neighbours may have learned its MAC address and must unlearn it."""
        self.state = active
        if not active.claimed:
            return (SendAdvertisement(self.priority),)
        first, *later = after_rival(now, active.announce_at)
        at_once = first <= now
        self.state = replace(active, announce_at=tuple(later) if at_once else (first, *later))
        return (SendAdvertisement(self.priority), AnnounceVips()) if at_once else (SendAdvertisement(self.priority),)

    def _become_active(self, now: float, reason: str) -> Effects:
        self.state = Active(adver_at=now + self._interval, renew_at=self._renew_after(now))
        return SendAdvertisement(self.priority), ClaimVips(self.lease_s), StateChanged("Active", reason)

    def _yield(self, now: float, interval_cs: int, reason: str, source: IPv4Address | None = None) -> Effects:
        cause = f"{source} fell silent" if source else f"silence, after {reason}"
        self._watch(now, interval_cs, cause)
        return ReleaseVips(), StateChanged("Backup", reason)

    def _initialize(self, reason: str) -> Effects:
        self.state = Initialize()
        return (StateChanged("Initialize", reason),)

    def _watch(self, now: float, interval_cs: int, cause: str) -> None:
        self.state = Backup(now + self._active_down(interval_cs), interval_cs, cause)

    def _active_down(self, interval_cs: int) -> float:
        return active_down_interval(self.priority, interval_cs)

    def _renew_after(self, now: float) -> float:
        return math.inf if self.lease_s is None else now + self._renewal

    @property
    def _preempts(self) -> bool:
        return self.config.preempt or self.priority == OWNER_PRIORITY  # an owner always does (section 6.1)

    @property
    def _tolerated_lateness(self) -> float:
        """How late an Active Router may be: the others count from its last advertisement, one interval before."""
        return self._active_down(self.config.advertisement_interval_cs) - self._interval


def differences(config: VirtualRouterConfig, advertisement: Advertisement) -> Sequence[str]:
    """What a peer was told otherwise than we were, in words. To be logged, never acted upon (section 7.1)."""
    found = []
    if advertisement.max_advert_interval_cs != config.advertisement_interval_cs:
        theirs = advertisement.max_advert_interval_cs * 10
        found.append(f"advertisement interval {theirs} ms, ours {config.advertisement_interval_cs * 10} ms")
    if set(advertisement.addresses) != set(config.vips):
        theirs_text = ", ".join(map(str, advertisement.addresses))
        found.append(f"addresses {theirs_text}; ours {', '.join(map(str, config.vips))}")
    return found


def _next_after(previous: float, interval: float, now: float) -> float:
    """The next instant of a beat, without the drift of late wake-ups; a beat that was missed is not caught up."""
    return previous + interval if previous + interval > now else now + interval
