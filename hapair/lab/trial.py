"""One trial: a fault inflicted on the Active node, and what came of it, seen from the kernels and from the client."""

import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum

import trio

from hapair.lab.host import Host
from hapair.lab.outage import longest, outages, tally, within
from hapair.lab.pair import Measurement, Pair
from hapair.lab.records import Record

GRANULARITY_S = 1.5
"""How late the kernel may be with a lease: it looks after addresses about once a second."""
_TAKEOVER_LIMIT_S = 10.0
LOOKBACK_S = 0.3
"""A request sent shortly before the fault may fail of it: the client's timeout and a little."""


class Fault(Enum):
    """What can happen to a node."""

    KILL_ALL = "SIGKILL to every process"
    UNPLUG = "Network cable pulled"
    FREEZE = "SIGSTOP to every process"
    BLACKHOLE = "Every frame lost"
    KILL_ANNOUNCER = "SIGKILL to the announcer"
    KILL_NODE = "SIGKILL to the node process"
    TERMINATE = "SIGTERM to the node process"
    LINK_DOWN = "Network interface set down"
    THAW = "SIGCONT after a SIGSTOP"

    @property
    def condition(self) -> str:
        """What the victim then is, in a word."""
        return _CONDITIONS[self]


_CONDITIONS = {
    Fault.KILL_ALL: "dead",
    Fault.UNPLUG: "unplugged",
    Fault.FREEZE: "frozen",
    Fault.BLACKHOLE: "unheard",
    Fault.KILL_ANNOUNCER: "wounded",
    Fault.KILL_NODE: "wounded",
    Fault.TERMINATE: "leaving",
    Fault.LINK_DOWN: "unplugged",
    Fault.THAW: "waking",
}
RETURNING, WELL = "returning", "well"


@dataclass(frozen=True, slots=True)
class Note:
    """What happened just now, for a person who watches."""

    at: float
    text: str
    node: str
    """Whom the condition is about."""
    condition: str


def told_nobody(note: Note) -> None:
    """For those who do not watch."""


@dataclass(frozen=True, slots=True)
class Moves:
    """Where the VIP went; instants of time.monotonic()."""

    fault_at: float
    taken_at: float | None
    """When the peer's kernel had the VIP; None where it never did."""
    gone_at: float | None
    """When the victim's kernel no longer had it; None where it still did after the lease and its granularity."""


@dataclass(frozen=True, slots=True)
class Trial:
    """A fault and what came of it. Spans in seconds; None: it did not happen in time."""

    fault: Fault
    victim: str
    peer: str
    fault_at: float
    undone_at: float
    """When the victim was given back what it needs."""
    back_at: float
    """When the pair was as before."""
    takeover_s: float | None
    """From the fault to the VIP on the peer."""
    vip_off_s: float | None
    """From the fault to the VIP off the victim."""
    outage_s: float | None
    """The longest outage that the client saw (see outage.py); 0 where no probe failed."""
    failed: int
    """Requests that failed, of all kinds, until the victim was given back what it needs."""
    requests: int
    return_outage_s: float | None
    """The longest outage while the victim came back."""
    return_failed: int
    recovered: bool
    """Whether the pair was as before in the end: the preferred node Active, the other not."""

    @property
    def stale_vip(self) -> bool:
        """Whether the victim still held the VIP after its lease."""
        return self.vip_off_s is None

    @property
    def passed(self) -> bool:
        return None not in (self.takeover_s, self.outage_s) and not self.stale_vip and self.recovered


async def inflict(fault: Fault, pair: Pair, victim: Host) -> float:
    """Do it; return the instant."""
    match fault:
        case Fault.KILL_ALL:
            return await victim.kill_all()
        case Fault.UNPLUG:
            return await victim.unplug()
        case Fault.FREEZE:
            return victim.freeze()
        case Fault.BLACKHOLE:
            return await victim.blackhole(on=True)
        case Fault.KILL_ANNOUNCER:
            return victim.kill(*pair.program.announcers(victim))
        case Fault.KILL_NODE:
            return victim.kill(*pair.program.controllers(victim))
        case Fault.TERMINATE:
            return victim.send_signal(signal.SIGTERM, *pair.program.controllers(victim))
        case Fault.LINK_DOWN:
            return await victim.link(up=False)
        case Fault.THAW:
            return victim.thaw()


async def undo(fault: Fault, pair: Pair, victim: Host) -> None:
    """Give the victim back what it needs to be a node again."""
    match fault:
        case Fault.KILL_ALL | Fault.KILL_NODE | Fault.TERMINATE:
            await victim.kill_all()
            await pair.start(victim.name)
        case Fault.UNPLUG:
            await victim.plug()
        case Fault.FREEZE:
            victim.thaw()
        case Fault.BLACKHOLE:
            await victim.blackhole(on=False)
        case Fault.LINK_DOWN:
            await victim.link(up=True)
        case Fault.THAW:
            return
        case Fault.KILL_ANNOUNCER:
            await pair.program.let_preempt(victim)  # its node has started another, which takes nothing back


async def moves(fault: Fault, pair: Pair, victim: Host, tell: Callable[[str], None]) -> Moves:
    """Inflict the fault and follow the VIP until it has moved, or has had its time."""
    vip, peer = pair.plan.vip, pair.peer_of(victim.name)
    times: dict[str, float | None] = {}

    async def wait(host: Host, *, present: bool, within_s: float) -> None:
        at = times[host.name] = await host.addresses.until(vip, present=present, within_s=within_s)
        tell(_moved(host.name, present, _since(fault_at, at)))

    fault_at = time.monotonic()  # for a wait that ends before the next line says better
    async with trio.open_nursery() as nursery:
        nursery.start_soon(lambda: wait(peer, present=True, within_s=_TAKEOVER_LIMIT_S))
        nursery.start_soon(lambda: wait(victim, present=False, within_s=pair.plan.lease_s + GRANULARITY_S))
        fault_at = await inflict(fault, pair, victim)
    return Moves(fault_at, times[peer.name], times[victim.name])


async def try_fault(
    fault: Fault,
    pair: Pair,
    measurement: Measurement,
    *,
    watch_s: float = 1.0,
    told: Callable[[Note], None] = told_nobody,
) -> Trial:
    """Inflict a fault on the Active node, watch, undo it, wait until all is as before.

    `watch_s`: how long the client is watched after the VIP has moved. `told` hears what happens.
    """
    victim = pair.nodes[pair.holders()[0]]
    peer = pair.peer_of(victim.name)

    def tell(text: str, condition: str) -> None:
        told(Note(time.monotonic(), text, victim.name, condition))

    tell(f"{victim.name}: {fault.value}", fault.condition)
    moved = await moves(fault, pair, victim, lambda text: tell(text, fault.condition))
    await trio.sleep(watch_s)
    undone_at = time.monotonic()
    tell(f"{victim.name} may come back", RETURNING)
    await undo(fault, pair, victim)
    recovered = await pair.settled(pair.plan.preferred) and await measurement.answering()
    back_at = time.monotonic()
    tell(f"{pair.plan.preferred} is Active{'' if recovered else ', or should be: it is not'}", WELL)
    return judge(fault, victim.name, peer.name, moved, (undone_at, back_at), measurement.records, recovered)


def judge(
    fault: Fault,
    victim: str,
    peer: str,
    moved: Moves,
    returned: tuple[float, float],
    records: Sequence[Record],
    recovered: bool,
) -> Trial:
    """The trial that these observations make. `returned`: when the fault was undone, and when all was as before."""
    undone_at, back_at = returned
    during = within(records, moved.fault_at - LOOKBACK_S, undone_at)
    after = within(records, undone_at, back_at)
    counts = tally(during)
    return Trial(
        fault=fault,
        victim=victim,
        peer=peer,
        fault_at=moved.fault_at,
        undone_at=undone_at,
        back_at=back_at,
        takeover_s=_since(moved.fault_at, moved.taken_at),
        vip_off_s=_since(moved.fault_at, moved.gone_at),
        outage_s=_longest_s(during),
        failed=counts.failed,
        requests=counts.requests,
        return_outage_s=_longest_s(after),
        return_failed=tally(after).failed,
        recovered=recovered,
    )


def _longest_s(records: Sequence[Record]) -> float | None:
    found = longest(outages(records))
    return found.lasted_s if found else 0.0


def _since(start: float, at: float | None) -> float | None:
    return None if at is None else at - start


def _moved(host: str, present: bool, took_s: float | None) -> str:
    if took_s is None:
        return f"{host} does not take the VIP" if present else f"{host} still holds the VIP: stale"
    return f"{host} {'holds' if present else 'has lost'} the VIP after {took_s * 1000:.0f} ms"
