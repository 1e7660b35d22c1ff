"""Streams: bytes, ends, failures, deadlines, back-pressure and splice, on real sockets."""

import errno
import hashlib
import os
import select
import socket
import struct
from collections.abc import Iterator
from math import inf

import pytest

from balancer.failures import DeadlineExpired, Disconnected
from balancer.pipes import PipePool
from balancer.reactor import Reactor
from balancer.streams import Stream, until_either
from balancer.task import PARK
from balancer.testing import (
    FakeClock,
    run,
    settle,
    socket_pair,
    stream_of,
    stream_pair,
)

MEGABYTE = 1 << 20
DATA = bytes(range(256)) * (8 * MEGABYTE // 256)


@pytest.fixture
def pair(reactor: Reactor) -> Iterator[tuple[Stream, socket.socket]]:
    """A stream and its peer, an ordinary socket."""
    ours, peer = socket_pair()
    stream = stream_of(reactor, ours)
    yield stream, peer
    stream.close()
    peer.close()
    settle(reactor)


def reset(peer: socket.socket) -> None:
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    peer.close()


async def receive_all(stream: Stream) -> bytes:
    parts = []
    while data := await stream.receive():
        parts.append(data)
    return b"".join(parts)


async def send_and_end(stream: Stream, data: bytes) -> None:
    await stream.send_all(data)
    stream.shutdown()


def test_receives_what_the_peer_sends_and_then_its_end(reactor: Reactor, pair: tuple[Stream, socket.socket]) -> None:
    stream, peer = pair
    peer.sendall(b"hello")
    assert run(reactor, stream.receive()) == b"hello"
    peer.shutdown(socket.SHUT_WR)
    assert run(reactor, stream.receive()) == b""
    assert stream.ended
    assert run(reactor, stream.receive()) == b""


def test_parks_until_something_comes(reactor: Reactor, pair: tuple[Stream, socket.socket]) -> None:
    stream, peer = pair
    task = reactor.spawn(stream.receive())
    settle(reactor)
    assert not task.done
    peer.sendall(b"late")
    settle(reactor)
    assert task.done


def test_receiving_without_a_coroutine_more(reactor: Reactor, pair: tuple[Stream, socket.socket]) -> None:
    stream, peer = pair
    got: list[bytes] = []

    async def main() -> None:
        while not stream.ended:
            while (data := stream.receive_or_expect(4)) is None:
                await PARK
            got.append(data)

    task = reactor.spawn(main())
    settle(reactor)
    assert got == []
    peer.sendall(b"sixsix")
    settle(reactor)
    peer.close()
    settle(reactor)
    assert task.done
    assert got == [b"sixs", b"ix", b""]
    assert stream.receive_or_expect() == b""


def test_the_end_is_seen_though_a_short_read_came_first(reactor: Reactor, pair: tuple[Stream, socket.socket]) -> None:
    """The end was announced together with the bytes, and will not be announced again."""
    stream, peer = pair
    peer.sendall(b"x" * 10)
    peer.shutdown(socket.SHUT_WR)
    settle(reactor)
    assert run(reactor, receive_all(stream)) == b"x" * 10


def test_bytes_after_an_urgent_byte_are_seen(reactor: Reactor, pair: tuple[Stream, socket.socket]) -> None:
    """A read stops short at the urgent byte (telnet's interrupt) with more behind it."""
    stream, peer = pair
    peer.sendall(b"before")
    peer.send(b"!", socket.MSG_OOB)
    peer.sendall(b"after")
    settle(reactor)

    async def main() -> bytes:
        received = b""
        while len(received) < len(b"beforeafter"):
            received += await stream.receive()
        return received

    assert run(reactor, main()) == b"beforeafter"


def test_large_data_arrives_whole_in_both_directions_at_once(reactor: Reactor) -> None:
    one, other = stream_pair(reactor)

    async def main() -> list[bytes]:
        forks = [reactor.fork(receive_all(one)), reactor.fork(receive_all(other))]
        await reactor.together(send_and_end(one, DATA), send_and_end(other, DATA[::-1]))
        return [await fork.join() for fork in forks]

    assert run(reactor, main()) == [DATA[::-1], DATA]
    one.close()
    other.close()
    settle(reactor)


def test_a_peer_that_does_not_read_holds_the_sender_back(reactor: Reactor, pair: tuple[Stream, socket.socket]) -> None:
    stream, peer = pair
    task = reactor.spawn(stream.send_all(DATA * 8))
    settle(reactor)
    assert not task.done
    task.cancel()
    settle(reactor)
    stream.shutdown()
    settle(reactor)
    received = 0
    while data := peer.recv(MEGABYTE):
        received += len(data)
    assert 0 < received < 64 * MEGABYTE


def test_a_reset_is_disconnected_with_its_reason(reactor: Reactor, pair: tuple[Stream, socket.socket]) -> None:
    stream, peer = pair
    reset(peer)
    with pytest.raises(Disconnected) as caught:
        run(reactor, stream.receive())
    assert (caught.value.errno, caught.value.stream) == (errno.ECONNRESET, stream)


def test_a_reset_ends_a_parked_sender(reactor: Reactor, pair: tuple[Stream, socket.socket]) -> None:
    stream, peer = pair

    async def main() -> None:
        fork = reactor.fork(stream.send_all(DATA * 8))
        await reactor.pause()
        reset(peer)
        await fork.join()

    with pytest.raises(Disconnected):
        run(reactor, main())


def test_abort_sends_a_reset(reactor: Reactor, pair: tuple[Stream, socket.socket]) -> None:
    stream, peer = pair
    stream.abort()
    settle(reactor)
    with pytest.raises(ConnectionResetError):
        peer.recv(1)


def test_close_sends_an_end_and_wakes_who_is_parked(reactor: Reactor, pair: tuple[Stream, socket.socket]) -> None:
    stream, peer = pair

    async def main() -> None:
        fork = reactor.fork(stream.receive())
        await reactor.pause()
        stream.close()
        stream.close()
        await fork.join()

    with pytest.raises(Disconnected) as caught:
        run(reactor, main())
    assert caught.value.errno == errno.ECONNABORTED
    assert peer.recv(1) == b""


def test_a_closed_stream_refuses(reactor: Reactor, pair: tuple[Stream, socket.socket]) -> None:
    stream, _ = pair
    stream.close()
    stream.shutdown()
    stream.abort()
    with pytest.raises(Disconnected):
        run(reactor, stream.receive())
    settle(reactor)
    with pytest.raises(Disconnected):
        stream.try_send(b"x")


def test_shutdown_after_a_reset_is_quiet(reactor: Reactor, pair: tuple[Stream, socket.socket]) -> None:
    stream, peer = pair
    reset(peer)
    settle(reactor)
    stream.shutdown()
    stream.shutdown()


def test_an_unknown_errno_is_a_bug_and_rises(reactor: Reactor, pair: tuple[Stream, socket.socket]) -> None:
    stream, _ = pair
    descriptor = os.dup(stream.fd)
    os.close(stream.fd)
    with pytest.raises(OSError, match="Bad file descriptor"):
        stream.try_receive()
    os.dup2(descriptor, stream.fd)
    os.close(descriptor)


def test_the_deadline_ends_a_parked_receiver(
    reactor: Reactor, clock: FakeClock, pair: tuple[Stream, socket.socket]
) -> None:
    stream, _ = pair
    stream.deadline = 1010.0
    with pytest.raises(DeadlineExpired):
        run(reactor, stream.receive(), clock=clock)
    assert 1010.0 <= clock.now <= 1010.11


def test_the_deadline_ends_a_parked_sender(
    reactor: Reactor, clock: FakeClock, pair: tuple[Stream, socket.socket]
) -> None:
    stream, _ = pair
    stream.deadline = 1010.0
    with pytest.raises(DeadlineExpired):
        run(reactor, stream.send_all(DATA * 8), clock=clock)


def test_a_deadline_that_moves_on_holds_for_who_is_parked(
    reactor: Reactor, clock: FakeClock, pair: tuple[Stream, socket.socket]
) -> None:
    stream, _ = pair
    stream.deadline = 1010.0
    task = reactor.spawn(stream.receive())
    settle(reactor)
    stream.deadline = 1020.0
    clock.now = 1015.0
    settle(reactor)
    assert not task.done
    clock.now = 1020.2
    settle(reactor)
    assert task.done


def test_what_has_come_is_received_even_after_the_deadline(
    reactor: Reactor, clock: FakeClock, pair: tuple[Stream, socket.socket]
) -> None:
    stream, peer = pair
    stream.deadline = 1010.0
    peer.sendall(b"x")
    clock.now = 1015.0
    settle(reactor)
    assert run(reactor, stream.receive()) == b"x"
    with pytest.raises(DeadlineExpired):
        run(reactor, stream.receive())


def test_splice_moves_everything_and_returns_its_pipe(reactor: Reactor) -> None:
    source, feeding = stream_pair(reactor)
    sink, draining = stream_pair(reactor)

    async def splice_all() -> int:
        total = 0
        while moved := await source.splice_to(sink):
            total += moved
        sink.shutdown()
        return total

    async def main() -> tuple[int, bytes]:
        splicing, received = reactor.fork(splice_all()), reactor.fork(receive_all(draining))
        await send_and_end(feeding, DATA)
        return await splicing.join(), await received.join()

    total, received = run(reactor, main())
    assert total == 8 * MEGABYTE
    assert hashlib.sha256(received).digest() == hashlib.sha256(DATA).digest()
    assert reactor.pipes.lent == 0
    for stream in (source, feeding, sink, draining):
        stream.close()
    settle(reactor)


def test_splice_takes_no_more_than_it_is_told(reactor: Reactor, pair: tuple[Stream, socket.socket]) -> None:
    source, peer = pair
    sink, far = socket_pair()
    peer.sendall(b"bodynext")
    out = stream_of(reactor, sink)
    assert run(reactor, source.splice_to(out, 4)) == 4
    assert far.recv(100) == b"body"
    assert run(reactor, source.receive()) == b"next"
    out.close()
    far.close()
    settle(reactor)


def test_without_a_pipe_splice_copies(reactor: Reactor, pair: tuple[Stream, socket.socket]) -> None:
    reactor.pipes = PipePool(limit=0)
    source, peer = pair
    sink, far = socket_pair()
    out = stream_of(reactor, sink)
    peer.sendall(b"copied")
    assert run(reactor, source.splice_to(out)) == 6
    assert far.recv(100) == b"copied"
    peer.shutdown(socket.SHUT_WR)
    assert run(reactor, source.splice_to(out)) == 0
    out.close()
    far.close()
    settle(reactor)


def test_a_splice_that_is_cut_off_throws_its_pipe_away(reactor: Reactor, pair: tuple[Stream, socket.socket]) -> None:
    """Else its bytes would turn up in another connection."""
    source, peer = pair
    sink, far = socket_pair()
    out = stream_of(reactor, sink)

    async def splice_for_ever() -> None:
        while True:
            await source.splice_to(out)

    async def feed() -> None:
        peer.setblocking(False)
        while True:
            try:
                peer.send(DATA)
            except BlockingIOError:
                await reactor.pause()

    tasks = [reactor.spawn(splice_for_ever()), reactor.spawn(feed())]
    for _ in range(200):
        reactor.turn()
    for task in tasks:
        task.cancel()
    settle(reactor)
    assert reactor.pipes.lent == 0
    borrowed = reactor.pipes.borrow()
    assert borrowed is not None
    assert not select.select([borrowed.read_fd], [], [], 0)[0]
    reactor.pipes.give_back(borrowed)
    out.close()
    far.close()
    settle(reactor)


def test_a_kept_stream_tells_its_watcher(reactor: Reactor, clock: FakeClock) -> None:
    seen = []
    for happens in ("bytes", "end", "reset", "deadline"):
        ours, peer = socket_pair()
        stream = stream_of(reactor, ours)
        settle(reactor)
        assert stream.quiet
        stream.watcher = lambda _, mask, happens=happens: seen.append((happens, mask != 0))  # type: ignore[misc]
        stream.deadline = clock.now + 10
        reactor.wheel.file(stream, reactor.now)
        match happens:
            case "bytes":
                peer.sendall(b"x")
            case "end":
                peer.shutdown(socket.SHUT_WR)
            case "reset":
                reset(peer)
            case "deadline":
                clock.now += 11
        settle(reactor)
        assert stream.quiet == (happens == "deadline")
        stream.close()
        peer.close()
    assert seen == [("bytes", True), ("end", True), ("reset", True), ("deadline", False)]
    settle(reactor)


def test_is_dry_knows_of_bytes_that_no_event_has_told(reactor: Reactor, pair: tuple[Stream, socket.socket]) -> None:
    stream, peer = pair
    settle(reactor)
    assert stream.is_dry()
    peer.sendall(b"x")
    assert stream.quiet
    assert not stream.is_dry()
    reset(peer)
    assert not stream.is_dry()


def test_a_peer_has_left_once_it_has_ended_and_all_that_it_sent_is_received(
    reactor: Reactor, pair: tuple[Stream, socket.socket]
) -> None:
    stream, peer = pair
    assert not stream.has_left()
    peer.sendall(b"x")
    peer.shutdown(socket.SHUT_WR)
    settle(reactor)
    assert not stream.has_left()
    assert stream.try_receive() == b"x"
    assert stream.has_left()
    reset(peer)
    assert stream.has_left()


def test_a_reset_while_the_task_waits_elsewhere_interrupts_it(
    reactor: Reactor, clock: FakeClock, pair: tuple[Stream, socket.socket]
) -> None:
    stream, peer = pair

    async def main() -> None:
        stream.interrupt_if_lost(reactor.current)
        peer.sendall(b"bytes alone do not interrupt")
        await reactor.sleep_until(clock.now + 0.2)
        reset(peer)
        await reactor.sleep_until(clock.now + 3600)

    with pytest.raises(Disconnected) as caught:
        run(reactor, main(), clock=clock)
    assert caught.value.stream is stream


def test_until_either_of_two(reactor: Reactor, clock: FakeClock, pair: tuple[Stream, socket.socket]) -> None:
    one, peer = pair
    other, far = stream_pair(reactor)
    assert far.try_send(b"x") == 1
    run(reactor, until_either(one, other))
    assert (one.readable, other.readable) == (False, True)
    assert other.try_receive() == b"x"
    one.deadline = clock.now + 5
    with pytest.raises(DeadlineExpired):
        run(reactor, until_either(one, other), clock=clock)
    one.deadline = inf
    peer.sendall(b"y")
    run(reactor, until_either(one, other))
    assert one.readable
    other.close()
    far.close()
    settle(reactor)


def test_a_peek_leaves_what_it_sees(reactor: Reactor, pair: tuple[Stream, socket.socket]) -> None:
    stream, peer = pair
    peer.sendall(b"abc")
    assert run(reactor, stream.peek(0, 10)) == b"abc"
    peer.sendall(b"def")
    assert run(reactor, stream.peek(3, 10)) == b"abcdef"
    assert run(reactor, stream.receive(4)) == b"abcd"
    assert run(reactor, stream.receive()) == b"ef"
    peer.sendall(b"g")
    peer.shutdown(socket.SHUT_WR)
    assert run(reactor, stream.peek(0, 10)) == b"g"
    assert run(reactor, stream.peek(1, 10)) == b"g"  # and there will be no more
    assert run(reactor, stream.receive()) == b"g"
    assert run(reactor, stream.receive()) == b""


def test_a_peek_that_nothing_follows(reactor: Reactor, clock: FakeClock, pair: tuple[Stream, socket.socket]) -> None:
    stream, peer = pair
    peer.sendall(b"a")
    stream.deadline = clock.now + 1.0
    assert run(reactor, stream.peek(0, 10)) == b"a"
    with pytest.raises(DeadlineExpired):
        run(reactor, stream.peek(1, 10), clock=clock)
