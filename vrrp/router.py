"""Virtual router state machine (RFC 9568 section 6.4; RFC 3768 for version 2). Pure: no clock, no sockets, no trio.

    Initialize --InterfaceReady--> Backup --deadline: no advertisement--> Active
        ^  ^                         |  ^                                  |  |
        |  +------------------------ +  +--- higher advertisement, late ---+  |
        +------------------- InterfaceLost, Shutdown -------------------------+

The router whose priority is 255 goes from Initialize to Active at once. `handle` returns effects; their order is part
of the contract. What goes beyond the RFC: a pair that knows itself to be two, witnesses, handover, groups, hold-down.
"""

import math
from dataclasses import replace
from ipaddress import IPv4Address, IPv6Address

from vrrp.advertisement import RESIGN_PRIORITY, Advertisement
from vrrp.announcements import after_claim, after_rival
from vrrp.config import OWNER_PRIORITY, Address, VirtualRouterConfig
from vrrp.events import (
    AdvertReceived,
    AnnounceAgain,
    AnnounceVips,
    AskWitness,
    ClaimFailed,
    ClaimVips,
    DeadlineReached,
    Effect,
    Event,
    GroupLeft,
    GroupReady,
    HandedOver,
    HandOver,
    HoldBack,
    InterfaceLost,
    InterfaceReady,
    LanHeard,
    LoopLate,
    PeerHeard,
    PeerLost,
    PeerMet,
    PriorityChanged,
    Reconfigured,
    ReleaseVips,
    SendAdvertisement,
    Shutdown,
    StateChanged,
    StateName,
    StayBackup,
    TakeOver,
    VipsClaimed,
    VipsRemoved,
    WantsActive,
    WitnessAnswered,
)
from vrrp.reconfiguration import active_with, added, backup_with, reads_otherwise
from vrrp.states import Active, Backup, Initialize, State
from vrrp.timers import active_down_interval, advertisement_interval, lease_length, lease_renewal, skew_time

Effects = tuple[Effect, ...]

LATE_COPY_S = 0.05
"""How much later than by one way an advertisement may come by the other; never counted longer than one interval."""


class VirtualRouter:
    """One virtual router: `handle` events, carry out the effects, come back at `deadline`."""

    def __init__(self, config: VirtualRouterConfig) -> None:
        self._go_by(config)
        self.state: State = Initialize()
        self.priority = config.priority
        """The effective priority."""
        self.address: Address = IPv4Address(0) if config.family == 4 else IPv6Address(0)
        """The interface's primary address (IPv6: its link-local one), which breaks ties."""
        self.stays_backup = False
        """See StayBackup."""
        self._holds_back = False
        """See HoldBack."""
        self._peer: Address | None = None
        self._met_a_third = False
        self._left: tuple[Address | None, float] = (None, -math.inf)
        """Who said or was seen to leave, and until when its advertisements can only be older ones."""

    def _go_by(self, config: VirtualRouterConfig) -> None:
        self.config = config
        interval_cs = config.advertisement_interval_cs
        self._interval = advertisement_interval(interval_cs)
        self.lease_s = None if config.owner else lease_length(config.priority, interval_cs, config.version)
        self._renewal = lease_renewal(lease_length(config.priority, interval_cs, config.version))

    @property
    def deadline(self) -> float:
        """The instant at which DeadlineReached is due; infinite where nothing is awaited."""
        return self.state.deadline

    @property
    def state_name(self) -> StateName:
        """The state's name in RFC 9568."""
        return self.state.name

    def handle(self, event: Event, now: float) -> Effects:
        """Take one event at the instant `now`; return what is to be done, in order."""
        match event:
            case PriorityChanged(priority=priority):
                return self._priority_changed(priority)
            case Reconfigured(config=config, priority=priority):
                return self._reconfigured(config, priority, now)
            case StayBackup(stay=stay):
                self.stays_backup = stay and not isinstance(self.state, Active)
                return ()
            case HoldBack(hold=hold):
                self._holds_back = hold
                return ()
            case PeerMet(address=address):
                self._peer = address
            case AdvertReceived(advertisement=advert, source=source) if self._is_late(advert, source, now):
                return ()
            case AdvertReceived(source=source) if self._peer is not None and source != self._peer:
                self._met_a_third = True
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

    def _reconfigured(self, config: VirtualRouterConfig, priority: int, now: float) -> Effects:
        before, lease_s = self.config, self.lease_s
        self._go_by(config)
        if isinstance(self.state, Backup):
            self.state = backup_with(self.state, before, config, now)
        if not isinstance(self.state, Active):
            self.priority = priority
            return ()
        self.state = active_with(self.state, before, config, now)
        effects: list[Effect] = []
        if priority != self.priority or reads_otherwise(before, config):
            effects.append(SendAdvertisement(priority))
        if before.all_addresses != config.all_addresses or lease_s != self.lease_s:
            effects.append(ClaimVips(self.lease_s))
            claimed = self.state.claimed and not added(before, config)
            self.state = replace(self.state, renew_at=self._renew_after(now), claimed=claimed)
        self.priority = priority
        return tuple(effects)

    def _in_initialize(self, event: Event, now: float) -> Effects:
        match event:
            case InterfaceReady() if self.priority == OWNER_PRIORITY and self.config.group is None:
                return self._become_active(now, "the addresses are its own (priority 255)")
            case InterfaceReady(address=address):
                self._watch(now, self.config.advertisement_interval_cs, "no other router was heard")
                assert isinstance(self.state, Backup)
                self.state = replace(
                    self.state,
                    startup_until=_after(now, self.config.startup_delay_s),
                    unheard_until=_after(now, self.config.hold_down_s),
                )
                return (StateChanged("Backup", f"{self.config.interface} is ready with {address}"),)
        return ()

    def _in_backup(self, backup: Backup, event: Event, now: float) -> Effects:
        match event:
            case Shutdown(reason=reason) | InterfaceLost(reason=reason):
                return self._initialize(reason)
            case DeadlineReached() if now >= backup.deadline:
                return self._down_in_backup(backup, now)
            case GroupReady() if backup.wants:
                return self._become_active(now, backup.cause)
            case TakeOver(until=until, reason=reason):
                effects = self._become_active(now, reason)
                assert isinstance(self.state, Active)
                self.state = replace(self.state, favoured_until=until)
                return effects
            case AdvertReceived(advertisement=advert, source=source):
                self._heard_in_backup(_unmuted(backup), advert, source, now)
            case PeerLost() if backup.active_router is not None and backup.active_router == self._peer:
                cause = f"{backup.active_router} died: its liveness link closed"
                self._resigned(backup, backup.active_router, cause, now)
            case LanHeard() | PeerMet() | PeerHeard():
                self.state = _unmuted(backup)
            case WitnessAnswered():
                return self._witnessed_in_backup(_unmuted(backup), now)
            case LoopLate(by_s=by_s) if by_s > self._active_down(backup.active_adver_interval_cs):
                # It could not have heard anyone: silence proves nothing until it has listened again.
                self._watch(now, backup.active_adver_interval_cs, f"silence, after a pause of {by_s:.2f} s of our own")
        return ()

    def _down_in_backup(self, backup: Backup, now: float) -> Effects:
        """Nobody is Active any more, as far as can be known. Alone against the silence a witness must be asked."""
        again = replace(backup, active_down_at=now + self._interval, wants=True)
        if self.config.witnessed and not backup.told:
            self.state = again
            return (AskWitness(),)
        if self.config.group is not None:
            self.state = again
            return (WantsActive(),)
        return self._become_active(now, backup.cause)

    def _witnessed_in_backup(self, backup: Backup, now: float) -> Effects:
        self.state = backup
        if not backup.wants or not self.config.witnessed or now < max(backup.startup_until, backup.unheard_until):
            return ()
        if self.config.group is not None:
            return (WantsActive(),)
        return self._become_active(now, f"{backup.cause}, and a witness answers")

    def _heard_in_backup(self, backup: Backup, advert: Advertisement, source: Address, now: float) -> None:
        if advert.priority == RESIGN_PRIORITY:
            self._resigned(backup, source, f"{source} resigned", now)
        elif self._is_to_be_let_be(backup, advert, now):
            lower_since = None
            if advert.priority < self.priority:
                lower_since = now if backup.lower_since is None else backup.lower_since
            interval_cs = advert.max_advert_interval_cs
            self.state = Backup(
                now + self._active_down(interval_cs),
                interval_cs,
                f"{source} fell silent",
                active_router=source,
                lower_since=lower_since,
                startup_until=backup.startup_until,
            )
        else:
            cause = f"{source} has the lower priority {advert.priority}"
            self.state = replace(backup, cause=cause, active_router=source, lower_since=backup.lower_since or now)

    def _is_to_be_let_be(self, backup: Backup, advert: Advertisement, now: float) -> bool:
        if advert.priority >= self.priority or not self._preempts:
            return True
        lower_since = now if backup.lower_since is None else backup.lower_since
        return now < lower_since + self.config.preempt_delay_s

    def _resigned(self, backup: Backup, source: Address, cause: str, now: float) -> None:
        """RFC 9568 section 6.4.2 waits for Skew_Time, lest several take over. Of two, only one can."""
        skew = (
            0.0
            if self._is_one_of_two
            else skew_time(self.priority, backup.active_adver_interval_cs, self.config.version)
        )
        self.state = replace(backup, active_down_at=now + skew, cause=cause, told=True)
        self._left = source, now + min(LATE_COPY_S, self._interval)

    def _is_late(self, advert: Advertisement, source: Address, now: float) -> bool:
        """LAN and link bring a copy each, in any order: one from before its sender left must not undo a takeover."""
        left, until = self._left
        return source == left and now < until and advert.priority != RESIGN_PRIORITY

    def _in_active(self, active: Active, event: Event, now: float) -> Effects:
        match event:
            case Shutdown(reason=reason, stay=stay):
                self.stays_backup = stay
                return (SendAdvertisement(RESIGN_PRIORITY), ReleaseVips(), *self._initialize(reason))
            case InterfaceLost(reason=reason):
                return (ReleaseVips(), *self._initialize(reason))
            case DeadlineReached():
                return self._due_in_active(active, now)
            case AdvertReceived(advertisement=advert, source=source):
                return self._heard_in_active(self._in_touch(active, now), advert, source, now)
            case PeerMet() | PeerHeard() | WitnessAnswered():
                self.state = self._in_touch(active, now)
            case LoopLate(by_s=by_s) if by_s > self._tolerated_lateness:
                return self._yield(now, self.config.advertisement_interval_cs, f"it had been paused for {by_s:.2f} s")
            case HandOver(until=until):
                self.state = replace(active, handing_over_until=until)
            case HandedOver(peer=peer):
                self.stays_backup = True
                return self._yield(now, self.config.advertisement_interval_cs, f"handed over to {peer}", self._peer)
            case GroupLeft(reason=reason, stay=stay):
                self.stays_backup = stay
                own_interval_cs = self.config.advertisement_interval_cs
                return (SendAdvertisement(RESIGN_PRIORITY), *self._yield(now, own_interval_cs, reason))
            case VipsClaimed() if not active.claimed:
                return self._announce_from(replace(active, claimed=True), now)
            case AnnounceAgain() if active.claimed:
                return self._announce_from(active, now)
            case ClaimFailed():
                self.state = replace(active, claimed=False, renew_at=min(active.renew_at, now + self._renewal))
            case VipsRemoved() if active.claimed:
                self.state = replace(active, claimed=False, announce_at=())
                return (ClaimVips(self.lease_s),)
        return ()

    def _announce_from(self, active: Active, now: float) -> Effects:
        first, *later = self._and_again(after_claim(now))
        self.state = replace(active, announce_at=tuple(later))
        return (AnnounceVips(),) if first <= now else ()

    def _due_in_active(self, active: Active, now: float) -> Effects:
        effects: list[Effect] = []
        adver_at, renew_at, announce_at = active.adver_at, active.renew_at, active.announce_at
        if now >= adver_at:
            if self._is_isolated(active, now):
                reason = "it hears neither the peer nor a witness"
                lost = self._yield(now, self.config.advertisement_interval_cs, reason)
                return (SendAdvertisement(RESIGN_PRIORITY), *lost)
            effects.append(SendAdvertisement(self.priority))
            if self.config.witnessed and now - active.in_touch_at >= self._interval / 2:
                effects.append(AskWitness())
            pace = self._interval if now >= active.brisk_until else active.brisk_s
            adver_at = _next_after(adver_at, pace, now)
        if now >= renew_at:
            effects.append(ClaimVips(self.lease_s))
            renew_at = self._renew_after(now)
        if announce_at and now >= announce_at[0]:
            effects.append(AnnounceVips())
            announce_at = tuple(at for at in announce_at if at > now) or self._and_again((now,))[1:]
        self.state = Active(
            adver_at,
            renew_at,
            active.claimed,
            announce_at,
            active.handing_over_until,
            active.favoured_until,
            active.in_touch_at,
            active.brisk_s,
            active.brisk_until,
        )
        return tuple(effects)

    def _in_touch(self, active: Active, now: float) -> Active:
        return replace(active, in_touch_at=now) if self.config.witnessed else active

    def _is_isolated(self, active: Active, now: float) -> bool:
        limit = self._active_down(self.config.advertisement_interval_cs)
        return self.config.witnessed and not self.config.owner and now - active.in_touch_at > limit

    def _heard_in_active(self, active: Active, advert: Advertisement, source: Address, now: float) -> Effects:
        if advert.priority == RESIGN_PRIORITY:
            return self._outlast(replace(active, adver_at=now + self._interval), now, resigned=True)
        if now < active.handing_over_until and source == self._peer:  # it takes over: whatever its priority, it may
            self.state = active
            return ()
        higher = advert.priority > self.priority
        if higher or (advert.priority == self.priority and int(source) > int(self.address)):
            if now < active.favoured_until and source == self._peer:
                self.state = active
                return ()
            than = "higher priority" if higher else "same priority and higher address"
            effects = self._yield(now, advert.max_advert_interval_cs, f"{source} is Active with {than}", source)
            # The RFC would have us leave in silence. Then the winner might never know that both were Active.
            return (SendAdvertisement(self.priority), *effects)
        return self._outlast(active, now)

    def _outlast(self, active: Active, now: float, *, resigned: bool = False) -> Effects:
        """Another router is or was Active too: neighbours may have learned its MAC address and must unlearn it."""
        self.state = active
        # VRRPv2 discards a lower advertisement in silence (RFC 3768 section 6.4.3), but for a resignation.
        silent = self.config.version == 2 and not resigned
        effects: Effects = () if silent else (SendAdvertisement(self.priority),)
        if not active.claimed:
            return effects
        first, *later = after_rival(now, active.announce_at)
        at_once = first <= now
        rest = self._and_again(tuple(later) if at_once else (first, *later))
        self.state = replace(active, announce_at=rest)
        return (*effects, AnnounceVips()) if at_once else effects

    def _and_again(self, announce_at: tuple[float, ...]) -> tuple[float, ...]:
        every_s = self.config.announce_every_s
        return announce_at if every_s is None else (*announce_at, announce_at[-1] + every_s)

    def _become_active(self, now: float, reason: str) -> Effects:
        self.stays_backup = False
        self.state = Active(adver_at=now + self._interval, renew_at=self._renew_after(now), in_touch_at=now)
        return SendAdvertisement(self.priority), ClaimVips(self.lease_s), StateChanged("Active", reason)

    def _yield(self, now: float, interval_cs: int, reason: str, source: Address | None = None) -> Effects:
        cause = f"{source} fell silent" if source else f"silence, after {reason}"
        self._watch(now, interval_cs, cause)
        assert isinstance(self.state, Backup)
        self.state = replace(self.state, active_router=source)
        return ReleaseVips(), StateChanged("Backup", reason)

    def _initialize(self, reason: str) -> Effects:
        self.state = Initialize()
        return (StateChanged("Initialize", reason),)

    def _watch(self, now: float, interval_cs: int, cause: str) -> None:
        self.state = Backup(now + self._active_down(interval_cs), interval_cs, cause)

    def _active_down(self, interval_cs: int) -> float:
        """Active_Down_Interval; of two, only one can take over, and the skew would only make it late."""
        skewed = not self._is_one_of_two
        return active_down_interval(self.priority, interval_cs, self.config.version, skewed=skewed)

    @property
    def _is_one_of_two(self) -> bool:
        """Whether there is nobody but the peer, whom the liveness link has shown to be a hapair."""
        return self.config.rivals == 1 and self._peer is not None and not self._met_a_third

    def _renew_after(self, now: float) -> float:
        return math.inf if self.lease_s is None else now + self._renewal

    @property
    def _preempts(self) -> bool:
        if self.priority == OWNER_PRIORITY:
            return True  # an owner always does (section 6.1)
        return self.config.preempt and not self.stays_backup and not self._holds_back

    @property
    def _tolerated_lateness(self) -> float:
        """How late an Active Router may be: the others count from its last advertisement, one interval before."""
        return self._active_down(self.config.advertisement_interval_cs) - self._interval


def _next_after(previous: float, interval: float, now: float) -> float:
    """The next instant of a beat, without the drift of late wake-ups; a beat that was missed is not caught up."""
    return previous + interval if previous + interval > now else now + interval


def _unmuted(backup: Backup) -> Backup:
    return backup if backup.unheard_until == -math.inf else replace(backup, unheard_until=-math.inf)


def _after(now: float, span_s: float) -> float:
    return now + span_s if span_s else -math.inf
