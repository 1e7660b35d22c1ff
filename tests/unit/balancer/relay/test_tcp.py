"""Mode tcp, on real sockets: both halves, resets, back-pressure, failing servers, idle time, counters."""

import hashlib
import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass, replace

import pytest

from balancer.config import BalancerConfig, FrontendTimeouts, Pool, Server
from balancer.fieldtypes import Endpoint
from balancer.reactor import Reactor
from balancer.relay import tcp
from balancer.service import FrontendService
from balancer.slots import Slots
from balancer.streams import Stream
from balancer.task import Task
from balancer.testing import (
    FakeClock,
    ListeningPeer,
    closed_endpoint,
    config_for,
    run,
    service_for,
    settle,
    stream_of,
    stream_pair,
)

MEGABYTE = 1 << 20
DATA = bytes(range(256)) * (8 * MEGABYTE // 256)


@dataclass
class Relayed:
    """One connection through the relay: the client's end, the server's end, and the relay in the middle."""

    client: Stream
    downstream: Stream
    server: Stream
    relay: Task[None]
    service: FrontendService
    slots: Slots


def start(reactor: Reactor, config: BalancerConfig, slots: Slots) -> tuple[Stream, Stream, Task[None], FrontendService]:
    client, downstream = stream_pair(reactor)
    service = service_for(reactor, config, slots)
    relay = reactor.spawn(tcp.serve(service, downstream))
    settle(reactor)
    return client, downstream, relay, service


@pytest.fixture(params=["127.0.0.1", "::1"])
def host(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def relayed(reactor: Reactor, host: str) -> Iterator[Relayed]:
    listening = ListeningPeer(host)
    config = config_for({"one": listening.endpoint}, timeouts=FrontendTimeouts(idle_s=30.0))
    slots = Slots.create(config, 1)
    client, downstream, relay, service = start(reactor, config, slots)
    relayed = Relayed(client, downstream, listening.accept_stream(reactor), relay, service, slots)
    yield relayed
    listening.close()
    for stream in (relayed.client, relayed.downstream, relayed.server):
        stream.close()
    settle(reactor)
    assert relay.done
    assert reactor.pipes.lent == 0
    assert slots.server_counts("pool", "one").open == 0
    slots.close()


async def exactly(stream: Stream, count: int) -> bytes:
    received = b""
    while len(received) < count:
        data = await stream.receive()
        assert data, "the stream ended early"
        received += data
    return received


async def until_end(stream: Stream) -> bytes:
    parts = []
    while data := await stream.receive():
        parts.append(data)
    return b"".join(parts)


async def send_and_end(stream: Stream, data: bytes) -> None:
    await stream.send_all(data)
    stream.shutdown()


def reset(stream: Stream) -> None:
    stream._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    stream.close()


def test_question_and_answer(reactor: Reactor, relayed: Relayed) -> None:
    async def main() -> tuple[bytes, bytes, bytes, bytes]:
        await relayed.client.send_all(b"question")
        question = await exactly(relayed.server, 8)
        await relayed.server.send_all(b"answer")
        answer = await exactly(relayed.client, 6)
        relayed.client.shutdown()
        end = await relayed.server.receive()
        relayed.server.shutdown()
        await relayed.relay.wait()
        relayed.downstream.close()
        return question, answer, end, await relayed.client.receive()

    assert run(reactor, main()) == (b"question", b"answer", b"", b"")
    counts = relayed.slots.server_counts("pool", "one")
    assert (counts.connections, counts.bytes_in, counts.bytes_out) == (1, 8, 6)
    counts = relayed.slots.frontend_counts("main")
    assert (counts.bytes_in, counts.bytes_out) == (8, 6)


def test_the_server_speaks_first(reactor: Reactor, relayed: Relayed) -> None:
    async def main() -> bytes:
        await relayed.server.send_all(b"220 ready")
        return await exactly(relayed.client, 9)

    assert run(reactor, main()) == b"220 ready"


@pytest.mark.parametrize("size", [1, 16_384, 65_536, 8 * MEGABYTE])
def test_a_client_that_ends_its_half_still_reads_the_answer(reactor: Reactor, relayed: Relayed, size: int) -> None:
    async def main() -> tuple[bytes, bytes]:
        await send_and_end(relayed.client, b"all")
        asked = await until_end(relayed.server)
        receiving = reactor.fork(until_end(relayed.client))
        await send_and_end(relayed.server, DATA[:size])
        await relayed.relay.wait()
        relayed.downstream.close()
        return asked, await receiving.join()

    asked, answered = run(reactor, main())
    assert asked == b"all"
    assert hashlib.sha256(answered).digest() == hashlib.sha256(DATA[:size]).digest()


@pytest.mark.parametrize("size", [1, 16_384, 8 * MEGABYTE])
def test_a_server_that_ends_its_half_still_reads_the_rest(reactor: Reactor, relayed: Relayed, size: int) -> None:
    async def main() -> tuple[bytes, bytes]:
        await send_and_end(relayed.server, b"bye")
        farewell = await until_end(relayed.client)
        receiving = reactor.fork(until_end(relayed.server))
        await send_and_end(relayed.client, DATA[:size])
        return farewell, await receiving.join()

    farewell, received = run(reactor, main())
    assert farewell == b"bye"
    assert hashlib.sha256(received).digest() == hashlib.sha256(DATA[:size]).digest()


def test_bulk_both_ways_at_once(reactor: Reactor, relayed: Relayed) -> None:
    async def main() -> tuple[bytes, bytes]:
        upload, download = reactor.fork(until_end(relayed.server)), reactor.fork(until_end(relayed.client))
        await reactor.together(send_and_end(relayed.client, DATA), send_and_end(relayed.server, DATA[::-1]))
        await relayed.relay.wait()
        relayed.downstream.close()
        return await upload.join(), await download.join()

    upload, download = run(reactor, main())
    assert hashlib.sha256(upload).digest() == hashlib.sha256(DATA).digest()
    assert hashlib.sha256(download).digest() == hashlib.sha256(DATA[::-1]).digest()
    counts = relayed.slots.server_counts("pool", "one")
    assert (counts.bytes_in, counts.bytes_out) == (8_388_608, 8_388_608)


@pytest.mark.slow
def test_64_megabytes_after_the_client_ended_its_half(reactor: Reactor, relayed: Relayed) -> None:
    chunk = DATA[:MEGABYTE]

    async def answer() -> None:
        for _ in range(64):
            await relayed.server.send_all(chunk)
        relayed.server.shutdown()

    async def digest() -> bytes:
        digest = hashlib.sha256()
        while data := await relayed.client.receive():
            digest.update(data)
        return digest.digest()

    async def main() -> bytes:
        relayed.client.shutdown()
        receiving = reactor.fork(digest())
        await answer()
        await relayed.relay.wait()
        relayed.downstream.close()
        return await receiving.join()

    assert run(reactor, main()) == hashlib.sha256(chunk * 64).digest()


def test_a_server_that_does_not_read_holds_the_client_back(reactor: Reactor, relayed: Relayed) -> None:
    """What the relay holds is bounded by one pipe; the rest stays in the kernel's buffers and with the client."""

    async def push() -> None:
        while True:
            relayed.client_sent += await send_some()  # type: ignore[attr-defined]

    async def send_some() -> int:
        await relayed.client.send_all(DATA[:MEGABYTE])
        return MEGABYTE

    relayed.client_sent = 0  # type: ignore[attr-defined]
    pushing = reactor.spawn(push())
    settle(reactor)
    assert not pushing.done
    assert relayed.client_sent < 64 * MEGABYTE  # type: ignore[attr-defined]
    moved = relayed.slots.server_counts("pool", "one").bytes_in
    settle(reactor)
    assert relayed.slots.server_counts("pool", "one").bytes_in == moved
    pushing.cancel()


def test_a_blocked_direction_does_not_stop_the_other(reactor: Reactor, relayed: Relayed) -> None:
    pushing = reactor.spawn(relayed.client.send_all(DATA * 8))
    settle(reactor)
    assert not pushing.done

    async def main() -> bytes:
        await relayed.server.send_all(b"stop, please")
        return await exactly(relayed.client, 12)

    assert run(reactor, main()) == b"stop, please"
    pushing.cancel()


@pytest.mark.parametrize("bulk", [False, True], ids=["small talk", "bulk"])
@pytest.mark.parametrize("who", ["client", "server"])
def test_a_reset_is_passed_on(reactor: Reactor, relayed: Relayed, who: str, bulk: bool) -> None:
    breaking, other = (relayed.client, relayed.server) if who == "client" else (relayed.server, relayed.client)
    pushing = reactor.spawn(other.send_all(DATA * 8 if bulk else b"x"))
    settle(reactor)
    assert pushing.done != bulk
    reset(breaking)
    settle(reactor)
    assert relayed.relay.done
    counts = relayed.slots.server_counts("pool", "one")
    assert (counts.client_aborts, counts.server_aborts) == ((1, 0) if who == "client" else (0, 1))
    relayed.downstream.abort()
    settle(reactor)
    assert pushing.done
    if who == "client" and not bulk:  # the client's own end is the acceptor's to reset: see test_acceptor.py
        with pytest.raises(ConnectionResetError):
            drain(other)


def drain(stream: Stream) -> None:
    while stream._socket.recv(MEGABYTE):
        pass


def test_a_reset_after_the_client_ended_its_half_is_noticed(reactor: Reactor, relayed: Relayed) -> None:
    relayed.client.shutdown()
    settle(reactor)
    assert not relayed.relay.done
    reset(relayed.client)
    settle(reactor)
    assert relayed.relay.done


def test_idle_connections_are_closed_properly(reactor: Reactor, clock: FakeClock, relayed: Relayed) -> None:
    run(reactor, relayed.relay.wait(), clock=clock)
    assert 1030.0 <= clock.now <= 1030.2
    assert run(reactor, relayed.server.receive()) == b""
    assert relayed.slots.frontend_counts("main").timeouts == 1


def test_bytes_in_either_direction_keep_a_connection_alive(
    reactor: Reactor, clock: FakeClock, relayed: Relayed
) -> None:
    for speaker, listener in ((relayed.client, relayed.server), (relayed.server, relayed.client)) * 3:
        clock.now += 20.0

        async def talk(speaker: Stream = speaker, listener: Stream = listener) -> None:
            await speaker.send_all(b"still here")
            await exactly(listener, 10)

        run(reactor, talk())
    assert not relayed.relay.done
    run(reactor, relayed.relay.wait(), clock=clock)
    assert 1150.0 <= clock.now <= 1150.2


def test_a_cancelled_relay_resets_the_server(reactor: Reactor, relayed: Relayed) -> None:
    """A transfer that is cut off must not look complete."""
    relayed.relay.cancel()
    settle(reactor)
    with pytest.raises(ConnectionResetError):
        drain(relayed.server)


def test_the_next_server_is_tried_when_one_refuses(reactor: Reactor) -> None:
    listening = ListeningPeer()
    config = config_for({"dead": closed_endpoint(), "good": listening.endpoint})
    slots = Slots.create(config, 1)
    for _ in range(2):
        client, downstream, relay, _ = start(reactor, config, slots)
        server = stream_of(reactor, listening.accept())
        client.close()
        server.close()
        settle(reactor)
        assert relay.done
        downstream.close()
    assert slots.server_counts("pool", "good").connections == 2
    dead = slots.server_counts("pool", "dead")
    assert (dead.connections, dead.open, dead.failed >= 1) == (0, 0, True)
    assert slots.server_counts("pool", "good").retries == dead.failed
    listening.close()
    slots.close()
    settle(reactor)


def refusing(count: int) -> dict[str, Endpoint]:
    return {f"s{number}": closed_endpoint() for number in range(count)}


def test_after_the_retries_the_client_is_let_go(reactor: Reactor) -> None:
    config = config_for(refusing(5))
    slots = Slots.create(config, 1)
    client, downstream, relay, _ = start(reactor, config, slots)
    assert relay.done
    assert slots.frontend_counts("main").failed == 1
    assert sum(slots.server_counts("pool", name).failed for name in ("s0", "s1", "s2", "s3", "s4")) == 3
    client.close()
    downstream.close()
    settle(reactor)
    slots.close()


def test_without_redispatch_the_same_server_is_tried_a_moment_later(reactor: Reactor, clock: FakeClock) -> None:
    config = config_for(refusing(2))
    pools = {"pool": replace(config.pools["pool"], retries=1, redispatch=False)}
    config = replace(config, pools=pools)
    slots = Slots.create(config, 1)
    client, downstream, relay, _ = start(reactor, config, slots)
    assert not relay.done
    clock.now += 1.1
    settle(reactor)
    assert relay.done
    assert sorted(slots.server_counts("pool", name).failed for name in ("s0", "s1")) == [0, 2]
    client.close()
    downstream.close()
    settle(reactor)
    slots.close()


def test_with_no_server_up_the_client_is_let_go(reactor: Reactor) -> None:
    config = config_for(refusing(1))
    slots = Slots.create(config, 1)
    client, downstream = stream_pair(reactor)
    service = service_for(reactor, config, slots)
    service.pools["pool"].state.set_health("s0", False)
    run(reactor, tcp.serve(service, downstream))
    assert slots.frontend_counts("main").failed == 1
    assert slots.server_counts("pool", "s0").failed == 0
    client.close()
    downstream.close()
    settle(reactor)
    slots.close()


def test_a_pool_that_has_no_server_falls_back_on_another(reactor: Reactor) -> None:
    listening = ListeningPeer()
    config = config_for(refusing(1))
    spare = Pool(servers={"spare": Server(address=listening.endpoint)}, policy="source_hash")
    pools = {"pool": replace(config.pools["pool"], fallback="other"), "other": spare}
    config = replace(config, pools=pools)
    slots = Slots.create(config, 1)
    client, downstream, relay, _ = start(reactor, config, slots)
    server = listening.accept_stream(reactor)
    assert (slots.server_counts("pool", "s0").failed, slots.server_counts("other", "spare").open) == (1, 1)
    for stream in (client, server, downstream):
        stream.close()
    settle(reactor)
    assert relay.done
    listening.close()
    slots.close()
