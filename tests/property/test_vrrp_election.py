"""Random LANs of pure routers: whatever happens, after it has healed there is exactly one Active.

A simulation of its own, without trio: events in the order of their instants, one machine as pure as the other.
"""

import heapq
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Interface

from hypothesis import given, settings
from hypothesis import strategies as st

from vrrp.config import VirtualRouterConfig
from vrrp.events import (
    AdvertReceived,
    AnnounceVips,
    ClaimVips,
    DeadlineReached,
    InterfaceLost,
    InterfaceReady,
    LoopLate,
    ReleaseVips,
    SendAdvertisement,
    Shutdown,
    VipsClaimed,
)
from vrrp.router import VirtualRouter

DELAY_S = 0.0005
INTERVAL_S = 0.1
ACTIVE_DOWN_S = 0.4  # never more than four intervals, whatever the priority
FAULTS_LAST_S = 5.0


@dataclass
class Station:
    """A router, and what the world does to it."""

    name: int
    machine: VirtualRouter
    address: IPv4Address
    holds: bool = False
    paused_until: float = 0.0
    reaches: set[int] = field(default_factory=set)


class Lan:
    """Stations 0, 1, ... and a queue of what is still to happen."""

    def __init__(self, priorities, preempts):
        self.now = 0.0
        self.queue = []
        self.count = 0
        self.violations = []
        everyone = set(range(len(priorities)))
        self.stations = [
            Station(number, VirtualRouter(config(priority, preempt)), IPv4Address(f"192.0.2.{number + 1}"))
            for number, (priority, preempt) in enumerate(zip(priorities, preempts, strict=True))
        ]
        for station in self.stations:
            station.reaches = everyone - {station.name}

    def at(self, when, action, *arguments):
        self.count += 1
        heapq.heappush(self.queue, (when, self.count, action, arguments))

    def run(self, until):
        while True:
            due_at = min(max(each.machine.deadline, each.paused_until) for each in self.stations)
            next_at = min(due_at, self.queue[0][0] if self.queue else until)
            if next_at >= until:
                self.now = until
                return
            self.now = max(self.now, next_at)
            if self.queue and self.queue[0][0] <= next_at:
                _, _, action, arguments = heapq.heappop(self.queue)
                action(*arguments)
                continue
            for station in self.stations:
                if max(station.machine.deadline, station.paused_until) <= next_at:
                    self.wake(station)

    def wake(self, station):
        late_s = self.now - station.machine.deadline
        if late_s > 0.001:
            self.feed(station, LoopLate(late_s))
        if station.machine.deadline <= self.now:
            self.feed(station, DeadlineReached())

    def feed(self, station, event):
        for effect in station.machine.handle(event, self.now):
            self.carry_out(station, effect)

    def carry_out(self, station, effect):
        match effect:
            case SendAdvertisement(priority=priority):
                advert = station.machine.advertisement(priority)
                for name in station.reaches:
                    self.at(self.now + DELAY_S, self.deliver, self.stations[name], advert, station.address)
            case ClaimVips():
                station.holds = True
                self.at(self.now + DELAY_S, self.claimed, station)
            case ReleaseVips():
                station.holds = False
            case AnnounceVips() if not station.holds:
                self.violations.append("announced what it does not hold")

    def claimed(self, station):
        if station.holds:
            self.feed(station, VipsClaimed())

    def deliver(self, station, advert, source):
        if station.paused_until > self.now:
            self.at(station.paused_until, self.deliver, station, advert, source)
        else:
            self.feed(station, AdvertReceived(advert, source))

    # -- what goes wrong --------------------------------------------------------------------------------------------

    def start(self, name):
        self.feed(self.stations[name], InterfaceReady(self.stations[name].address))

    def stop(self, name):
        self.feed(self.stations[name], Shutdown("asked to"))

    def unplug(self, name):
        self.feed(self.stations[name], InterfaceLost("link down"))

    def cut(self, name, other):
        self.stations[name].reaches.discard(other)

    def pause(self, name, seconds):
        self.stations[name].paused_until = self.now + seconds

    def heal(self):
        for station in self.stations:
            station.paused_until = 0.0
            station.reaches = set(range(len(self.stations))) - {station.name}
            if station.machine.state_name == "Initialize":
                self.start(station.name)
            else:
                self.wake(station)

    def active(self):
        return [station.name for station in self.stations if station.machine.state_name == "Active"]


def config(priority, preempt=True):
    return VirtualRouterConfig(
        name="lan",
        vrid=51,
        interface="eth0",
        addresses=(IPv4Interface("192.0.2.10/24"),),
        priority=priority,
        preempt=preempt,
        advertisement_interval_cs=10,
    )


instants = st.floats(0, FAULTS_LAST_S, allow_nan=False)
faults = st.one_of(
    st.tuples(instants, st.sampled_from(["start", "stop", "unplug"]), st.integers(0, 2)),
    st.tuples(instants, st.just("cut"), st.integers(0, 2), st.integers(0, 2)),
    st.tuples(instants, st.just("pause"), st.integers(0, 2), st.floats(0.01, 2.0)),
    st.tuples(instants, st.just("heal")),
)
priorities = st.lists(st.integers(1, 254), min_size=3, max_size=3)
preempts = st.lists(st.booleans(), min_size=3, max_size=3)


def run_schedule(priorities, preempts, schedule):
    lan = Lan(priorities, preempts)
    for name in range(3):
        lan.at(0.0, lan.start, name)
    for when, action, *arguments in schedule:
        lan.at(when, getattr(lan, action), *arguments)
    lan.run(FAULTS_LAST_S)
    return lan


@settings(max_examples=60, deadline=None)
@given(priorities=priorities, preempts=preempts, schedule=st.lists(faults, max_size=25))
def test_one_active_after_healing(priorities, preempts, schedule):
    lan = run_schedule(priorities, preempts, schedule)
    lan.heal()
    # Where two were Active, one interval settles it.
    lan.run(lan.now + INTERVAL_S + 0.01)
    assert len(lan.active()) <= 1
    # Where nobody was, it takes the Active_Down_Interval of the one that is to be.
    lan.run(lan.now + ACTIVE_DOWN_S + 0.01)
    assert len(lan.active()) == 1
    settled = lan.active()
    lan.run(lan.now + 2.0)
    assert len(lan.active()) == 1
    if all(preempts):
        highest = max(lan.stations, key=lambda each: (each.machine.priority, each.address))
        assert priorities[lan.active()[0]] == highest.machine.priority
    else:
        assert priorities[lan.active()[0]] >= priorities[settled[0]]
    assert lan.violations == []


@settings(max_examples=60, deadline=None)
@given(priorities=priorities, preempts=preempts, schedule=st.lists(faults, max_size=25))
def test_vips_are_held_by_an_active_router_only(priorities, preempts, schedule):
    lan = run_schedule(priorities, preempts, schedule)
    assert [station.holds for station in lan.stations] == [
        station.machine.state_name == "Active" for station in lan.stations
    ]
    assert lan.violations == []


@settings(max_examples=40, deadline=None)
@given(priorities=priorities, crash_at=st.floats(1.0, 3.0))
def test_a_backup_promotes_within_active_down_interval(priorities, crash_at):
    lan = run_schedule(priorities, [True] * 3, [])
    lan.run(FAULTS_LAST_S + crash_at)
    (active,) = lan.active()
    for other in range(3):
        lan.cut(active, other)
    lan.stations[active].paused_until = 1e9
    lan.stations[active].machine.state = VirtualRouter(config(1)).state
    lan.run(lan.now + ACTIVE_DOWN_S + 0.002)
    assert len(lan.active()) == 1
    assert lan.active() != [active]


@settings(max_examples=40, deadline=None)
@given(priorities=priorities, stop_at=st.floats(1.0, 3.0))
def test_after_a_resignation_within_skew_time(priorities, stop_at):
    lan = run_schedule(priorities, [True] * 3, [])
    lan.run(FAULTS_LAST_S + stop_at)
    (active,) = lan.active()
    lan.stop(active)
    lan.run(lan.now + INTERVAL_S + 0.002)  # Skew_Time is less than an interval
    assert len(lan.active()) == 1
    assert lan.active() != [active]
