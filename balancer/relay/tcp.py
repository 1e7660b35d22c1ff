"""Mode tcp: whatever one side sends, the other gets, and the end of each half is passed on by itself.

A connection begins as small talk: one coroutine waits for both sides and copies what comes. Most connections never do
anything else, and two coroutines would cost them a third more. As soon as one side has more to say than one read
holds, or does not take what it is sent, each direction gets a coroutine of its own, its *pump*: a slow reader in one
direction must not stop the other. A pump that keeps filling whole reads carries bulk, and goes on by splice until it
runs dry. (A BPF sockmap would be cheaper still, but lost bytes around half-close when tried, and holds a fast sender
back by nothing.)

Back-pressure needs no code: nothing more is received until what was received is sent.
"""

from __future__ import annotations

from dataclasses import dataclass

from balancer.accesslog.record import Record
from balancer.causes import Cause
from balancer.counts import CLIENT_ABORTS, CONNECT_US_MAX, SERVER_ABORTS, TOTAL_US_MAX
from balancer.dial import dial
from balancer.failures import ConnectFailed, DeadlineExpired, Disconnected, StreamFailure
from balancer.networks import canonical
from balancer.policies import Request
from balancer.proxyproto import encode, facts_of
from balancer.reactor import Reactor
from balancer.relay.queueing import find, find_again
from balancer.service import FrontendService, PoolService
from balancer.slots import (
    BYTES_IN,
    BYTES_OUT,
    CONNECT_US,
    CONNECTIONS,
    FAILED,
    OPEN,
    RETRIES,
    TIMEOUTS,
    TOTAL_US,
    Counters,
)
from balancer.streams import RECEIVE_BYTES, Stream, until_either
from balancer.tally import Tally, Tee
from balancer.task import Cancelled
from balancer.waiting import Unserved

SMALL_BYTES = 16_384
"""What is read at once in small talk. A read that fills it ends the small talk."""
BULK_AFTER = 2
"""Whole reads in a row that tell bulk data."""


async def serve(service: FrontendService, downstream: Stream) -> None:
    """Relay one connection to a server of the frontend's pool, to its end."""
    pool = service.default_pool
    assert pool is not None, "the configuration sees to it that mode tcp has a pool"
    await serve_from(service, pool, downstream)


async def serve_from(service: FrontendService, pool: PoolService, downstream: Stream) -> None:
    """The same with a server of `pool`."""
    journal = service.log
    if journal is None:
        record = None
    else:
        record = journal.begin(canonical(downstream.peername[0]), downstream.peername[1], service.reactor.now)
        record.head_at, record.tls = record.begun_at, downstream.tls is not None
    try:
        connected = await _connect(service, pool, downstream, record)
        if connected is None:
            service.counters.add(FAILED)
            _blame(service, Cause.NO_SERVER if pool.choose() is None else Cause.CONNECT_FAILED, record)
            return
        await _relay_to(service, downstream, *connected, record)
    except Unserved as unserved:
        service.counters.add(FAILED)
        _blame(service, unserved.cause, record)
        if record is not None:
            record.pool = unserved.pool
    except StreamFailure as failure:
        if record is not None:
            record.aborted = getattr(failure, "stream", None) is downstream
            left = isinstance(failure, Disconnected) and failure.ours
            record.cause = None if record.aborted else Cause.SERVER_LEFT if left else Cause.RESPONSE_CUT
        raise
    except Cancelled:
        if record is not None:
            record.killed = True
        raise
    finally:
        if journal is not None and record is not None:
            journal.add(record)


async def _relay_to(
    service: FrontendService, downstream: Stream, upstream: Stream, counters: Counters, record: Record | None
) -> None:
    tally = counters if record is None else Tee(counters, record)
    began_at = service.reactor.now
    try:
        await relay(service, downstream, upstream, tally, service.config.timeouts.idle_s)
    except DeadlineExpired:
        service.counters.add(TIMEOUTS)  # nobody said a word: a proper end for both
        counters.add(SERVER_ABORTS)
        _blame(service, Cause.TUNNEL_IDLE, record)
    except BaseException as failure:
        if isinstance(failure, StreamFailure):
            counters.add(CLIENT_ABORTS if getattr(failure, "stream", None) is downstream else SERVER_ABORTS)
        upstream.abort()  # a reset is passed on, here and (by our caller) downstream
        raise
    finally:
        upstream.close()
        counters.add(OPEN, -1)
        total_us = int((service.reactor.now - began_at) * 1e6)
        counters.add(TOTAL_US, total_us)
        counters.raise_to(TOTAL_US_MAX, total_us)


def _blame(service: FrontendService, cause: Cause, record: Record | None) -> None:
    service.causes.add_cause(cause)
    if record is not None:
        record.cause = cause


async def _connect(
    service: FrontendService, pool: PoolService, downstream: Stream, record: Record | None
) -> tuple[Stream, Counters] | None:
    """A connection to a server, and its counters; None where no pool in the chain of fallbacks has one to be had."""
    request = Request(canonical(downstream.peername[0])) if pool.reads_request else None
    notes = None if record is None else _Notes(service.reactor, record)
    while True:
        server = pool.choose((), request) if pool.room is None else None
        if server is None:
            pool, server = await find(downstream, pool, request, notes)
        connected = await _attempt(service, pool, server, downstream, request, notes)
        if connected is not None or pool.fallback is None:
            return connected
        pool = pool.fallback


class _Notes:
    """What is written into a record while a server is looked for."""

    __slots__ = ("_reactor", "record")

    def __init__(self, reactor: Reactor, record: Record) -> None:
        self._reactor = reactor
        self.record = record

    def note_queued(self, pool: str, server: str | None, ahead: int) -> None:
        self.record.note_queued(pool, server, ahead)

    def note_unqueued(self, *, served: bool) -> None:
        self.record.note_unqueued(self._reactor.now, served=served)


async def _attempt(
    service: FrontendService,
    pool: PoolService,
    server: str | None,
    downstream: Stream,
    request: Request | None,
    notes: _Notes | None,
) -> tuple[Stream, Counters] | None:
    """None after `retries` further servers of the pool failed too, or where there is none from the start.

    With a waiting room `server` has been given a place already.
    """
    record = None if notes is None else notes.record
    tried: list[str] = []
    began_at = service.reactor.now
    version = pool.config.send_proxy
    preamble = b""
    if version is not None:
        peer, tls = downstream.peername[:2], facts_of(downstream.tls)
        preamble = encode(version, peer, downstream.sockname[:2], tls=tls)
    client = canonical(downstream.peername[0]) if pool.config.transparent else None
    while server is not None:
        if record is not None:
            record.attempt(pool.name, server, len(tried), service.reactor.now)
        counters = pool.counters(server)
        if pool.room is None:
            counters.add(OPEN)
        if tried:
            counters.add(RETRIES)
        try:
            connect_s = pool.config.timeouts.connect_s
            upstream = await dial(
                service.reactor, pool.endpoint(server), connect_s, preamble, pool.tls, pool.way, client
            )
        except ConnectFailed as failure:
            if record is not None:
                record.unreachable = str(failure)
            counters.add(FAILED)
            counters.add(OPEN, -1)
            tried.append(server)
            server = await find_again(downstream, pool, tried, request, notes)
        except BaseException:
            counters.add(OPEN, -1)
            raise
        else:
            counters.add(CONNECTIONS)
            connect_us = int((service.reactor.now - began_at) * 1e6)
            counters.add(CONNECT_US, connect_us)
            counters.raise_to(CONNECT_US_MAX, connect_us)
            pool.connected(server, upstream)
            if record is not None:
                record.connected_at = record.answered_at = service.reactor.now
            return upstream, counters
    if record is not None and not tried:
        record.pool = pool.name
    return None


async def relay(service: FrontendService, downstream: Stream, upstream: Stream, server: Tally, idle_s: float) -> None:
    """Both directions until both have ended. A tunnel in mode http is this too."""
    pair = _Pair(downstream, upstream, idle_s, service.counters, server)
    pair.stir()
    unsent = await _small_talk(pair)
    if unsent is None:
        return
    downstream.interrupt_if_lost(service.reactor.current)
    upstream.interrupt_if_lost(service.reactor.current)
    await service.reactor.together(
        _pump(pair, upstream, downstream, BYTES_OUT, unsent.get(downstream, b"")),
        _pump(pair, downstream, upstream, BYTES_IN, unsent.get(upstream, b"")),
    )


@dataclass(slots=True, eq=False)
class _Pair:
    """The two ends of one relayed connection."""

    downstream: Stream
    upstream: Stream
    idle_s: float
    frontend: Counters
    server: Tally

    def stir(self) -> None:
        """Start the idle time anew."""
        self.downstream.deadline = self.upstream.deadline = self.downstream.reactor.now + self.idle_s

    def moved(self, slot: int, count: int) -> None:
        """Bytes went through."""
        self.frontend.add(slot, count)
        self.server.add(slot, count)
        self.stir()


async def _small_talk(pair: _Pair) -> dict[Stream, bytes] | None:
    """Copy both ways for as long as it is easy.

    None when both sides have ended; else what is received but not yet sent, by the stream that is to get it.
    """
    one, other = pair.downstream, pair.upstream
    directions = ((one, other, BYTES_IN), (other, one, BYTES_OUT))
    lingered = False
    while True:
        await until_either(one, other)
        for source, sink, slot in directions:
            if source.readable and (data := source.try_receive(SMALL_BYTES)):
                sent = sink.try_send(data)
                pair.moved(slot, len(data))
                if sent < len(data) or len(data) == SMALL_BYTES:
                    return {sink: data[sent:]}
        if one.ended and other.ended:
            for source, sink, _ in directions:
                if source.truncated:
                    sink.end_early()
            return None  # the close that follows tells both
        if one.ended or other.ended:
            if not lingered:  # a turn later the other half has often ended too
                lingered = True
                await one.reactor.pause()
                if one.readable or other.readable:
                    continue
            if one.ended:
                _pass_end(one, other)
            else:
                _pass_end(other, one)


def _pass_end(source: Stream, sink: Stream) -> None:
    """An end that was said is said again; one that was not is not."""
    if source.truncated:
        sink.end_early()
    else:
        sink.shutdown()


async def _pump(pair: _Pair, source: Stream, sink: Stream, slot: int, unsent: bytes) -> None:
    """One direction, until the source ends it; then the sink is told."""
    if unsent:
        await sink.send_all(unsent)
    whole_reads = 0
    while True:
        if whole_reads < BULK_AFTER:
            data = await source.receive()
            moved = len(data)
            if moved:
                await sink.send_all(data)
        else:
            moved = await source.splice_to(sink)
        if not moved:
            break
        whole_reads = whole_reads + 1 if moved >= RECEIVE_BYTES else 0
        pair.moved(slot, moved)
    if source.readable:
        source.try_receive()  # it has been reset since it ended: raises
    _pass_end(source, sink)
