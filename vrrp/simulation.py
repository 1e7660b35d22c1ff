"""Pairs and triples of the pure machine on a simulated, hostile LAN: seeded, so that every run can be repeated. Pure.

A `Plan` says who there is and what goes wrong when; `random_plan(seed)` makes one. `Simulation(plan).run()` plays it
and raises `Violated` at the first step that breaks an invariant, with a script that plays the same run again:

- while everybody hears everybody, at most one router is Active after one advertisement interval, and one is after the
  longest Active_Down_Interval; so it stays (nobody becomes or leaves Active without a cause);
- while a partition cuts cleanly, the same holds on each side of it;
- a router that goes on with another configuration stays what it is, and its next advertisement is not later for it;
- a router that was paused for longer than its peers wait sends no advertisement as Active before it has yielded.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from heapq import heappop, heappush
from ipaddress import IPv4Address, IPv4Interface

from vrrp.config import VirtualRouterConfig
from vrrp.events import (
    AdvertReceived,
    ClaimFailed,
    ClaimVips,
    DeadlineReached,
    Effect,
    Event,
    InterfaceReady,
    LoopLate,
    PeerLost,
    PeerMet,
    Reconfigured,
    SendAdvertisement,
    Shutdown,
    StateChanged,
    VipsClaimed,
)
from vrrp.router import VirtualRouter
from vrrp.simulation_plan import Fault, FaultKind, Machine, Plan, random_plan, script
from vrrp.states import Active
from vrrp.timers import LEAST_SILENCE_S, active_down_interval

__all__ = ["Fault", "FaultKind", "Machine", "Plan", "Simulation", "Violated", "random_plan", "script"]

LINK_DELAY_S = 0.002
MEETING_S = 0.1
SLOP_S = 0.02
"""For claims in the kernel, the link, and rounding."""


class Violated(Exception):  # noqa: N818 - what it says of an invariant
    """An invariant does not hold. The text is a script that shows it again."""


@dataclass(slots=True)
class _Node:
    index: int
    address: IPv4Address
    machine: VirtualRouter
    rate: float
    alive: bool = True
    paused: bool = False
    deaf: bool = False
    """Sends and does not hear."""
    cut: bool = False
    """On the other side of the partition."""
    refusing: bool = False
    alarm_at: float = float("inf")
    queue: list[Event] = field(default_factory=list)
    met: set[int] = field(default_factory=set)

    is_active: bool = False


class Simulation:
    """One run of a plan. `make` makes the routers: a test can put one in that is wrong."""

    def __init__(self, plan: Plan, make: Callable[[VirtualRouterConfig], VirtualRouter] = VirtualRouter) -> None:
        self.plan = plan
        self._make = make
        self.now = 0.0
        self.events = 0
        """Handed to machines so far."""
        self.history: list[tuple[float, int, str, str]] = []
        """Every transition: when, who, to which state, why."""
        self._random = random.Random(plan.seed)
        self._lossy = 0.0
        self._serial = 0
        self._heap: list[tuple[float, int, int, int, object]] = []
        self._nodes = [self._node(i, machine) for i, machine in enumerate(plan.machines)]
        every = [*plan.machines, *(fault.otherwise for fault in plan.faults if fault.otherwise is not None)]
        slowest_cs = max(machine.interval_cs or plan.interval_cs for machine in every)
        slowest_clock = min(machine.clock_rate for machine in plan.machines)
        self._longest = _silence(min(machine.priority for machine in every), slowest_cs) / slowest_clock
        self._one_interval = slowest_cs / 100 / slowest_clock
        self._latency = 2 * (plan.delay_s + plan.jitter_s) + SLOP_S
        self._quiet_since = 0.0
        self._settled = False
        self._two_since: float | None = None
        self._look_at = 0.0
        for node in self._nodes:
            self._push(0.001 * node.index, _START, node.index, None)
        for fault in plan.faults:
            self._push(fault.at, _BREAK, fault.node, fault)
            self._push(fault.until, _MEND, fault.node, fault)

    def run(self) -> int:
        """Play it to its end and return the number of events. Raises Violated."""
        heap, length = self._heap, self.plan.length_s
        while heap and heap[0][0] <= length:
            self.now, _, kind, index, what = heappop(heap)
            self._step(kind, self._nodes[index], what)
            if self.now >= self._look_at:  # between two moves nothing changes but the time
                self._look()
        return self.events

    def _step(self, kind: int, node: _Node, what: object) -> None:
        if kind == _ALARM:
            self._alarm(node)
        elif kind == _ARRIVE:
            self._arrive(node, what)  # type: ignore[arg-type]
        elif kind == _START:
            self._start(node)
        else:
            assert isinstance(what, Fault)
            self._disturbed()
            (self._break if kind == _BREAK else self._mend)(node, what)

    # -- the LAN ------------------------------------------------------------------------------------------------

    def _send(self, node: _Node, priority: int) -> None:
        received = AdvertReceived(node.machine.advertisement(priority), node.address)
        plan, rng = self.plan, self._random
        for other in self._nodes:
            if other is node or not self._hears(other, node):
                continue
            if not (self._lossy and rng.random() < self._lossy):
                self._push(self.now + plan.delay_s + rng.random() * plan.jitter_s, _ARRIVE, other.index, received)
            if plan.duplicates and rng.random() < plan.duplicates:
                self._push(self.now + plan.delay_s + rng.random() * plan.jitter_s, _ARRIVE, other.index, received)
            if other.index in node.met:
                self._push(self.now + LINK_DELAY_S, _ARRIVE, other.index, received)

    def _hears(self, listener: _Node, speaker: _Node) -> bool:
        return listener.alive and not listener.deaf and listener.cut == speaker.cut

    def _arrive(self, node: _Node, event: Event) -> None:
        if not node.alive:
            return
        if node.paused:
            node.queue.append(event)
        else:
            self._feed(node, event)

    def _meet(self, node: _Node) -> None:
        """Links come up where both ends hear each other."""
        if not self.plan.link:
            return
        for other in self._nodes:
            if other is node or not (self._hears(node, other) and self._hears(other, node)):
                continue
            for one, two in ((node, other), (other, node)):
                if two.index not in one.met:
                    one.met.add(two.index)
                    self._push(self.now + MEETING_S, _ARRIVE, one.index, PeerMet(two.address))

    # -- the machines --------------------------------------------------------------------------------------------

    def _start(self, node: _Node) -> None:
        self._feed(node, InterfaceReady(node.address))
        self._meet(node)

    def _alarm(self, node: _Node) -> None:
        if self.now < node.alarm_at:
            return
        node.alarm_at = float("inf")
        if not node.alive or node.paused:
            return
        deadline = node.machine.state.deadline
        if deadline <= self.now * node.rate + 1e-9:
            self._feed(node, _DEADLINE_REACHED)
        else:
            self._set_alarm(node, deadline / node.rate)

    def _feed(self, node: _Node, event: Event) -> None:
        self.events += 1
        was_active = node.is_active
        machine = node.machine
        for effect in machine.handle(event, self.now * node.rate + 1e-9):
            self._carry_out(node, effect)
        at = machine.state.deadline / node.rate
        if at < node.alarm_at:
            self._set_alarm(node, at)
        node.is_active = type(machine.state) is Active
        if was_active != node.is_active:
            self._moved(node)

    def _carry_out(self, node: _Node, effect: Effect) -> None:
        if isinstance(effect, SendAdvertisement):
            self._send(node, effect.priority)
        elif isinstance(effect, ClaimVips):
            done = ClaimFailed() if node.refusing else VipsClaimed()
            self._push(self.now + 0.0005 + self._random.random() * 0.002, _ARRIVE, node.index, done)
        elif isinstance(effect, StateChanged):
            self.history.append((self.now, node.index, effect.state, effect.reason))

    def _set_alarm(self, node: _Node, at: float) -> None:
        node.alarm_at = at
        self._push(max(at, self.now), _ALARM, node.index, None)

    # -- what goes wrong -----------------------------------------------------------------------------------------

    def _break(self, node: _Node, fault: Fault) -> None:
        match fault.kind:
            case "kill":
                self._die(node)
            case "stop":
                if node.alive and not node.paused:
                    self._feed(node, Shutdown("asked to"))
                    self._die(node)
            case "pause":
                node.paused = True
            case "cut":
                node.cut = True
                self._part(node)
            case "deafen":
                node.deaf = True
                self._part(node)
            case "lose":
                self._lossy = 0.5
            case "refuse":
                node.refusing = True
            case "reconfigure":
                self._reconfigure(node, fault.otherwise or self.plan.machines[node.index])

    def _mend(self, node: _Node, fault: Fault) -> None:
        match fault.kind:
            case "kill" | "stop":
                if not node.alive:
                    self._be_born(node)
            case "pause":
                self._wake(node, self.now - fault.at)
            case "cut":
                node.cut = False
            case "deafen":
                node.deaf = False
            case "lose":
                self._lossy = 0.0
            case "refuse":
                node.refusing = False
            case "reconfigure":
                self._reconfigure(node, self.plan.machines[node.index])
        for one in self._nodes:
            if one.alive:
                self._meet(one)

    def _reconfigure(self, node: _Node, machine: Machine) -> None:
        config = self._config(node.index, machine)
        if not node.alive:
            node.machine = self._make(config)
        elif node.paused:
            node.queue.append(Reconfigured(config, machine.priority))
        else:
            before = node.machine.state
            self._feed(node, Reconfigured(config, machine.priority))
            after = node.machine.state
            if type(after) is not type(before):
                self._violated(f"router {node.index} was {before.name} and is {after.name}, for a configuration")
            if isinstance(before, Active) and isinstance(after, Active) and after.adver_at > before.adver_at:
                self._violated(f"router {node.index} advertises later, for a configuration")

    def _die(self, node: _Node) -> None:
        node.alive, node.paused = False, False
        node.queue.clear()
        for other in self._nodes:
            if node.index in other.met:
                other.met.discard(node.index)
                if self._hears(other, node):
                    self._push(self.now + LINK_DELAY_S, _ARRIVE, other.index, PeerLost())
        node.met.clear()
        node.machine, node.is_active = self._make(node.machine.config), False

    def _be_born(self, node: _Node) -> None:
        node.alive, node.alarm_at = True, float("inf")
        self._start(node)

    def _part(self, node: _Node) -> None:
        """A link over which nothing goes any more is given up in silence."""
        for other in self._nodes:
            if other is not node and not (self._hears(node, other) and self._hears(other, node)):
                node.met.discard(other.index)
                other.met.discard(node.index)

    def _wake(self, node: _Node, slept_s: float) -> None:
        """In the order of a turn of the real loop: lateness, what has arrived, deadlines."""
        if not (node.alive and node.paused):
            return
        node.paused = False
        now_local = self.now * node.rate
        late_s = max(0.0, now_local - node.machine.deadline)
        was_active, patience = node.is_active, self._patience(node)
        if late_s >= 0.001:
            self._feed(node, LoopLate(late_s))
        if was_active and node.is_active and late_s > patience:
            self._violated(f"router {node.index} slept {slept_s:.3f} s and goes on as Active")
        arrived, node.queue = node.queue, []
        for event in arrived:
            self._feed(node, event)
        self._set_alarm(node, node.machine.state.deadline / node.rate)

    def _patience(self, node: _Node) -> float:
        interval_cs = node.machine.config.advertisement_interval_cs
        return _silence(node.machine.config.priority, interval_cs) - interval_cs / 100

    # -- what must hold ------------------------------------------------------------------------------------------

    def _disturbed(self) -> None:
        self._quiet_since, self._settled, self._two_since = self.now, False, None

    def _moved(self, node: _Node) -> None:
        if self._settled:
            self._violated(f"router {node.index} moved without a cause, after all had settled")
        self._look()

    def _look(self) -> None:
        self._look_at = self.now + self._one_interval / 2
        sides = self._sides()
        if sides is None or self._lossy:
            return
        quiet_s = self.now - self._quiet_since
        active = [sum(node.is_active for node in side) for side in sides]
        if max(active, default=0) < 2:
            self._two_since = None
        elif self._two_since is None:
            self._two_since = self.now
        elif self.now - self._two_since > self._one_interval + self._latency:
            self._violated(f"{active} routers are Active on the sides for more than one advertisement interval")
        if min(active, default=1) < 1 and quiet_s > self._bound():
            self._violated(f"{active} routers are Active on the sides, {quiet_s:.3f} s after the last disturbance")
        # A higher one that has just come back may yet preempt; after that nothing has a reason to move.
        self._settled = quiet_s > 2 * self._bound()

    def _sides(self) -> list[list[_Node]] | None:
        """Who hears whom, as parts of which each hears itself completely and no other; None: not that clean."""
        alive = [node for node in self._nodes if node.alive]
        if any(node.deaf or node.paused for node in alive):
            return None
        sides = [[node for node in alive if node.cut == cut] for cut in (False, True)]
        return [side for side in sides if side]

    def _bound(self) -> float:
        return self._longest + self._latency + MEETING_S

    def _violated(self, what: str) -> None:
        happened = tuple(fault for fault in self.plan.faults if fault.at <= self.now)
        again = script(replace(self.plan, faults=happened, length_s=self.now))
        raise Violated(f"{self.now:.4f} s: {what}\n{again}\n" + "\n".join(map(_line, self.history[-12:])))

    def _push(self, at: float, kind: int, index: int, what: object) -> None:
        self._serial += 1
        heappush(self._heap, (at, self._serial, kind, index, what))

    def _node(self, index: int, machine: Machine) -> _Node:
        router = self._make(self._config(index, machine))
        return _Node(index, IPv4Address("192.0.2.1") + index, router, machine.clock_rate)

    def _config(self, index: int, machine: Machine) -> VirtualRouterConfig:
        return VirtualRouterConfig(
            name=f"r{index}",
            vrid=51,
            interface="eth0",
            addresses=(IPv4Interface("192.0.2.100/24"),),
            priority=machine.priority,
            preempt=machine.preempt,
            advertisement_interval_cs=machine.interval_cs or self.plan.interval_cs,
            rivals=len(self.plan.machines) - 1 if self.plan.link else None,
        )


_DEADLINE_REACHED = DeadlineReached()
_ALARM, _ARRIVE, _START, _BREAK, _MEND = range(5)


def _silence(priority: int, interval_cs: int) -> float:
    """The longest that a router waits for an advertisement, with or without Skew_Time."""
    return max(active_down_interval(priority, interval_cs), LEAST_SILENCE_S)


def _line(entry: tuple[float, int, str, str]) -> str:
    at, index, state, reason = entry
    return f"# {at:10.4f}  router {index}  {state:<10}  {reason}"
