"""Events of the kernel to the peer, and what the peer tells into the kernel. Nothing is decided here."""

import errno
import logging
import socket
from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping
from functools import partial
from itertools import islice
from math import inf

import trio

from balancer.kernel import ctnetlink
from balancer.kernel.conntrack import UDP, Flow, Told, told_in
from balancer.kernel.flows import Batch, Change, Door, Intake, Outbox, doors_of
from balancer.kernel.records import LONGEST_BYTES, RecordRejected
from balancer.kernel.records import decode as decode_records
from balancer.kernel.records import encode as encode_records
from hapair.messages import FlowsReport
from hapair.peer.conversations import Conversations
from hapair.replication.frames import Alive, Begin, End, Entered, Flows, FrameError, decode, encode
from hapair.replication.stream import BODY_BYTES, PeerStream, StreamEndedError
from vrrp.limitedlog import LimitedLog
from vrrp.liveness.config import LinkConfig

log = logging.getLogger(__name__)

GATHER_S = 0.02
"""A flow that changes several times within this is told once."""
ALIVE_S = 1.0
REFRESH_S = 10.0
"""How long a flow of UDP can seem to have longer, or shorter, than it has."""
ANEW_S = 1800.0
"""Flows of TCP last for days, and their copies are told so again now and then."""
RECORDS = (BODY_BYTES - 16) // LONGEST_BYTES
_DATAGRAMS_A_TURN = 128
_REST_S = 0.005
"""After all events were taken: the next ones are taken together. In 20 ms they are told anyway."""


class Replication:
    """One node's part. `run` must run; `set_active` says which frontends' VIPs are here."""

    def __init__(
        self,
        config: LinkConfig,
        listen: Mapping[str, Collection[Door]],
        *,
        open_events: Callable[[Collection[bytes]], socket.socket] = ctnetlink.open_events,
    ) -> None:
        self._conversations = Conversations(config, self._talk)
        self._listen = listen
        self._owners = {door: name for name, doors in listen.items() for door in doors}
        vips = {door.vip for door in self._owners}
        self._open_events = partial(open_events, vips)
        self._hears_events = False
        self._outbox = Outbox()
        self._intake = Intake(known=doors_of(listen, listen))
        self._entries = ctnetlink.Entries()
        self._stream: PeerStream | None = None
        self._wake = trio.Event()
        self._opened = trio.Event()
        self._unconfirmed: deque[tuple[int, float]] = deque()
        self._number = 0
        self._lag_s = 0.0
        self._sent = self._received = self._resyncs = 0
        self._resync_s = 0.0
        self._caught_up = False
        self._heard_at = -inf
        self._limited = LimitedLog(log)

    def set_active(self, frontends: Collection[str]) -> None:
        """Flows of these are told; of these the peer is not believed."""
        doors = doors_of(self._listen, frontends)
        self._intake.own = doors
        if doors != self._outbox.doors:
            self._outbox.open(doors, trio.current_time())
            self._opened.set()
            self._wake.set()

    def report(self) -> FlowsReport:
        """How it stands."""
        now, oldest = trio.current_time(), self._outbox.oldest_at
        if self._unconfirmed:
            oldest = min(oldest, self._unconfirmed[0][1])
        return FlowsReport(
            up=self._stream is not None,
            waits_for=None if self._stream is not None else self._conversations.waits_for,
            waiting=self._outbox.waiting,
            lag_s=max(self._lag_s, now - oldest) if oldest != inf else self._lag_s,
            told=self._outbox.told,
            open=self._outbox.told_of(self._owners),
            sent=self._sent,
            received=self._received,
            refused=dict(self._entries.refused),
            foreign=self._intake.foreign,
            overruns=self._outbox.overruns,
            resyncs=self._resyncs,
            resync_s=self._resync_s,
            untold=self._outbox.untold,
            rejected=dict(self._conversations.rejected),
            caught_up=self._stream is not None and self._caught_up and now - self._heard_at < 1.5 * ALIVE_S,
        )

    async def run(self) -> None:
        """For ever."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._hear_events)
            nursery.start_soon(self._refresh)
            nursery.start_soon(self._conversations.run)

    # -- the kernel -----------------------------------------------------------------------------------------------

    async def _hear_events(self) -> None:
        """While there is something to be told, and somebody to be told it: events nobody listens to are not made."""
        while True:
            await self._opened.wait()
            self._opened = trio.Event()
            if self._is_telling():
                with self._open_events() as events:
                    self._outbox.start_over()  # what happened before this moment is found by the listing
                    self._hears_events = True
                    self._wake.set()
                    while self._is_telling():
                        await self._take_some(events)
                self._hears_events = False

    def _is_telling(self) -> bool:
        return self._stream is not None and bool(self._outbox.doors)

    async def _take_some(self, events: socket.socket) -> None:
        with trio.move_on_after(1.0):
            await trio.lowlevel.wait_readable(events)
            if self._take(events):
                await trio.sleep(_REST_S)

    def _take(self, events: socket.socket) -> bool:
        """Whether there are no more for now."""
        now = trio.current_time()
        is_empty = False
        for _ in range(_DATAGRAMS_A_TURN):
            try:
                datagram = events.recv(ctnetlink.EVENT_BYTES)
            except BlockingIOError:
                is_empty = True
                break
            except OSError as error:
                if error.errno != errno.ENOBUFS:
                    raise
                if self._stream is not None:
                    self._outbox.overrun()
                    self._limited.warning("overrun", "events of flows were lost: all are told again", {}, now=now)
                continue
            if self._stream is None:
                continue  # nobody listens, and who comes is told everything
            for told in told_in(datagram):
                self._outbox.hear(told, now)
        if self._outbox.waiting or self._outbox.needs_resync:
            self._wake.set()
        return is_empty

    def _pieces(self) -> Iterator[list[Flow]]:
        for is_ipv6 in (False, True):
            if any((len(door.vip) == 16) == is_ipv6 for door in self._intake.known):
                yield from ctnetlink.pieces(is_ipv6=is_ipv6)

    async def _refresh(self) -> None:
        """Flows of UDP are kept by their packets, of which no event tells."""
        anew_at = trio.current_time() + ANEW_S
        interval_s = REFRESH_S
        while True:
            await trio.sleep(interval_s)
            if self._stream is None or self._outbox.needs_resync:
                continue
            began_at = trio.current_time()
            if began_at > anew_at:
                anew_at = began_at + ANEW_S
                self._outbox.start_over()
            elif any(door.protocol == UDP for door in self._outbox.doors):
                for some in self._pieces():
                    for flow in some:
                        if flow.protocol == UDP:
                            self._outbox.hear(Told(flow, gone=False), began_at)
                    await trio.lowlevel.checkpoint()
            interval_s = max(REFRESH_S, 100 * (trio.current_time() - began_at))
            self._wake.set()

    # -- the peer -------------------------------------------------------------------------------------------------

    async def _talk(self, stream: PeerStream) -> None:
        try:
            await self._replicate(stream)
        except* FrameError as group:
            raise StreamEndedError(str(group.exceptions[0]), rejected="frame") from group
        except* RecordRejected as group:
            raise StreamEndedError(str(group.exceptions[0]), rejected="record") from group
        finally:
            if self._stream is stream:
                self._stream = None

    async def _replicate(self, stream: PeerStream) -> None:
        self._stream, self._number, self._caught_up = stream, 0, False
        self._unconfirmed.clear()
        self._outbox.start_over()
        self._opened.set()
        log.info("flows are told to the peer")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._send, stream)
            nursery.start_soon(self._receive, stream)
            nursery.start_soon(self._stay_alive, stream)

    async def _stay_alive(self, stream: PeerStream) -> None:
        while True:
            await stream.send(encode(Alive()))
            await trio.sleep(ALIVE_S)

    async def _send(self, stream: PeerStream) -> None:
        while True:
            self._wake = trio.Event()
            if self._outbox.left:
                await self._tell_parting(stream)
            if self._outbox.needs_resync and self._outbox.doors and self._hears_events:
                await self._tell_all(stream)
            await self._tell_waiting(stream)
            await self._wake.wait()
            await trio.sleep(GATHER_S)

    async def _tell_all(self, stream: PeerStream) -> None:
        began_at = trio.current_time()
        self._outbox.needs_resync = False
        await stream.send(encode(Begin()))
        for some in self._pieces():
            for flow in some:
                self._outbox.hear(Told(flow, gone=False), began_at)
            if self._outbox.waiting >= RECORDS:
                await self._tell_waiting(stream)
            await trio.lowlevel.checkpoint()
        await self._tell_waiting(stream)
        await stream.send(encode(End()))
        self._resyncs += 1
        self._resync_s = trio.current_time() - began_at
        log.info("all flows are told anew", extra={"told": self._sent, "took_s": round(self._resync_s, 3)})

    async def _tell_parting(self, stream: PeerStream) -> None:
        """Flows of frontends that have just gone to the peer: it takes those that it does not know."""
        for some in self._pieces():
            records = self._outbox.parting(some, trio.current_time())
            for start in range(0, len(records), RECORDS):
                await self._tell(stream, Batch(tuple(records[start : start + RECORDS]), trio.current_time()))
            await trio.lowlevel.checkpoint()
        self._outbox.left = frozenset()

    async def _tell_waiting(self, stream: PeerStream) -> None:
        while (batch := self._outbox.batch(RECORDS)) is not None:
            await self._tell(stream, batch)

    async def _tell(self, stream: PeerStream, batch: Batch) -> None:
        self._number += 1
        self._unconfirmed.append((self._number, batch.oldest_at))
        self._sent += len(batch.records)
        await stream.send(encode(Flows(self._number, encode_records(batch.records))))

    async def _receive(self, stream: PeerStream) -> None:
        while True:
            message = decode(await stream.receive())
            self._heard_at = trio.current_time()
            match message:
                case Begin():
                    self._intake.begin()
                    for some in self._pieces():
                        self._intake.remember(some)
                        await trio.lowlevel.checkpoint()  # a long listing is no reason to be taken for hung
                case Flows(number, records):
                    found = list(decode_records(records))
                    self._received += len(found)
                    self._entries.enter(self._intake.take(found))
                    await stream.send(encode(Entered(number)))
                case End():
                    if self._outbox.left:  # what it does not know is deleted now: it must have been told before
                        await self._tell_parting(stream)
                    await self._enter(self._intake.end())
                    self._caught_up = True
                case Entered(number):
                    self._confirmed(number)

    async def _enter(self, changes: Iterator[Change]) -> None:
        while some := list(islice(changes, RECORDS)):
            self._entries.enter(some)
            await trio.lowlevel.checkpoint()

    def _confirmed(self, number: int) -> None:
        while self._unconfirmed and self._unconfirmed[0][0] <= number:
            self._lag_s = trio.current_time() - self._unconfirmed.popleft()[1]
