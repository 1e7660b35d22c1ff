"""One fault, seen by a client that pings the VIP every millisecond and by fresh ARP lookups of another host."""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from dataclasses import dataclass

import trio

from hapair.lab.host import Host
from hapair.lab.lookups import Lookup
from hapair.lab.pair import Pair
from hapair.lab.pings import Ping, first_answer, lost, outage_s
from hapair.lab.trial import GRANULARITY_S, Fault, Moves, inflict, moves, undo
from hapair.lab.watchers import Watchers

LOOKUPS, LOOKUP_EVERY_S, FIRST_LOOKUP_S = 20, 0.1, 0.025
FENCED_S = 0.05
"""From when on after the fault nobody may be told the dead node's address."""
WATCH_S = 2.1
"""At least as long as the lookups last."""
_LOOKBACK_S = 0.002
_LAG_S = 0.05
"""What the pinger saw is known here that much later."""


class UnhealedError(Exception):
    """The pair was not as before in the end: it has to be made anew."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What came of one fault. Spans in seconds after it; None: it did not happen in time."""

    outage_s: float | None
    """The longest that the VIP answered no ping."""
    lost: int
    """Pings that nobody ever answered."""
    answer_s: float | None
    """The peer's first answer."""
    vip_off_s: float | None
    """The VIP no longer held by the victim's kernel."""
    watched_s: float
    dead_lookups: int
    """Of LOOKUPS: those after which a fresh client sends to the victim."""
    dead_answers: int
    """Of the same: those sent FENCED_S after the fault or later that the victim answered at all."""


async def try_once(fault: Fault, pair: Pair, watchers: Watchers) -> Seen:
    """Inflict a fault on the Active node, watch, undo it. Raises UnhealedError where the pair is not well before."""
    victim = await _await_calm(pair, watchers)
    if fault is Fault.THAW:
        await _freeze(pair, victim)
    await trio.sleep(random.uniform(0, 3 * pair.plan.interval_ms / 1000))
    seen = await _watch(fault, pair, watchers, victim)
    await undo(fault, pair, victim)
    return seen


async def _await_calm(pair: Pair, watchers: Watchers) -> Host:
    victim = pair.plan.preferred
    if not await settle(pair) or not await watchers.answered_by(victim):
        raise UnhealedError(f"{victim} does not answer for the VIP; it is held by {pair.holders()}")
    return pair.nodes[victim]


async def settle(pair: Pair) -> bool:
    """The preferred node Active and the other one able to follow. A node that keeps what it has is started anew."""
    preferred, plan = pair.plan.preferred, pair.plan
    if not await pair.settled(preferred, within_s=4 + 3 * plan.active_down_s):
        for name in pair.holders():
            if name != preferred:
                await undo(Fault.KILL_ALL, pair, pair.nodes[name])
        if not await pair.settled(preferred):
            return False
    return await pair.ready()


async def _freeze(pair: Pair, victim: Host) -> None:
    """As long as it takes the peer to be Active by itself, and the victim's lease to end."""
    await moves(Fault.FREEZE, pair, victim, lambda text: None)
    await trio.sleep(0.5)


async def _watch(fault: Fault, pair: Pair, watchers: Watchers, victim: Host) -> Seen:
    peer = pair.peer_of(victim.name)
    await watchers.look_up(time.monotonic() + FIRST_LOOKUP_S, count=LOOKUPS, every_s=LOOKUP_EVERY_S)
    if fault is Fault.THAW:
        moved = Moves(await inflict(fault, pair, victim), None, None)
        await pair.settled(victim.name, within_s=GRANULARITY_S + 2 * pair.plan.active_down_s)
    else:
        moved = await moves(fault, pair, victim, lambda text: None)
    # The kernels may be done long before the client is: the peer's answers are waited for, within reason.
    await trio.sleep(max(0.5, moved.fault_at + WATCH_S - time.monotonic()))
    if len(watchers.lookups) != LOOKUPS:
        raise UnhealedError(f"{len(watchers.lookups)} of {LOOKUPS} lookups were made")
    return judge(
        moved,
        watchers.pings.between(moved.fault_at - _LOOKBACK_S, time.monotonic() - _LAG_S),
        watchers.lookups,
        peer_ttl=watchers.ttls[peer.name],
        victim_mac=watchers.macs[victim.name],
        until=time.monotonic(),
    )


def judge(
    moved: Moves, pings: Sequence[Ping], lookups: Sequence[Lookup], *, peer_ttl: int, victim_mac: str, until: float
) -> Seen:
    """What these observations say."""
    answered_at = first_answer(pings, peer_ttl)
    return Seen(
        outage_s=outage_s(pings),
        lost=lost(pings),
        answer_s=_since(moved.fault_at, answered_at),
        vip_off_s=_since(moved.fault_at, moved.gone_at),
        watched_s=until - moved.fault_at,
        dead_lookups=sum(lookup.reached(victim_mac) for lookup in lookups),
        dead_answers=sum(
            lookup.answered_by(victim_mac) for lookup in lookups if lookup.sent_at >= moved.fault_at + FENCED_S
        ),
    )


def _since(start: float, at: float | None) -> float | None:
    return None if at is None else at - start
