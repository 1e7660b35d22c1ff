"""Mode tcp: whatever one side sends, the other gets, and the end of each half is passed on by itself.

Each direction is pumped by its own coroutine, so that a client may end its half and still read the answer. Bytes are
copied at first: most connections carry little, and a copy through one buffer beats borrowing a pipe. A direction that
keeps filling whole reads is bulk, and goes on by splice until it runs dry. (A BPF sockmap would be cheaper still, but
lost bytes around half-close when tried, and holds a fast sender back by nothing.)

Back-pressure needs no code: nothing more is received until what was received is sent.
"""

from __future__ import annotations

from balancer.failures import ConnectFailed, DeadlineExpired
from balancer.service import FrontendService, PoolService
from balancer.slots import BYTES_IN, BYTES_OUT, CONNECTIONS, FAILED, OPEN, RETRIES, TIMEOUTS, Counters
from balancer.streams import RECEIVE_BYTES, Stream, dial

BULK_AFTER = 2
"""Whole reads in a row that tell bulk data."""


async def serve(service: FrontendService, downstream: Stream) -> None:
    """Relay one connection to a server of the frontend's pool, to its end."""
    pool = service.default_pool
    assert pool is not None, "the configuration sees to it that mode tcp has a pool"
    downstream.interrupt_if_lost(service.reactor.current)
    connected = await _connect(service, pool)
    if connected is None:
        service.counters.add(FAILED)
        return
    server, upstream = connected
    try:
        await _relay(service, downstream, upstream, pool.counters(server))
    except DeadlineExpired:
        service.counters.add(TIMEOUTS)  # nobody said a word: a proper end for both
    except BaseException:
        upstream.abort()  # a reset is passed on, here and (by our caller) downstream
        raise
    finally:
        upstream.close()
        pool.counters(server).add(OPEN, -1)


async def _connect(service: FrontendService, pool: PoolService) -> tuple[str, Stream] | None:
    """A server and a connection to it; None after `retries` further servers failed too, or no server is usable."""
    tried: list[str] = []
    while len(tried) <= pool.config.retries and (server := pool.choose(tried)) is not None:
        counters = pool.counters(server)
        counters.add(OPEN)
        if tried:
            counters.add(RETRIES)
        try:
            upstream = await dial(service.reactor, pool.endpoint(server), pool.config.timeouts.connect_s)
        except ConnectFailed:
            counters.add(FAILED)
            counters.add(OPEN, -1)
            tried.append(server)
        except BaseException:
            counters.add(OPEN, -1)
            raise
        else:
            counters.add(CONNECTIONS)
            return server, upstream
    return None


async def _relay(service: FrontendService, downstream: Stream, upstream: Stream, server: Counters) -> None:
    """Both directions until both have ended."""
    idle_s = service.config.timeouts.idle_s
    downstream.deadline = upstream.deadline = service.reactor.now + idle_s
    upstream.interrupt_if_lost(service.reactor.current)
    counters = (service.counters, server)
    await service.reactor.together(
        _pump(upstream, downstream, idle_s, counters, BYTES_OUT),
        _pump(downstream, upstream, idle_s, counters, BYTES_IN),
    )


async def _pump(source: Stream, sink: Stream, idle_s: float, counters: tuple[Counters, Counters], slot: int) -> None:
    """One direction, until the source ends it; then the sink is told."""
    reactor = source.reactor
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
        source.deadline = sink.deadline = reactor.now + idle_s
        for record in counters:
            record.add(slot, moved)
    sink.shutdown()
