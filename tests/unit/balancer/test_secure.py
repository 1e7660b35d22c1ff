"""Secure streams: bytes, ends said and unsaid, failures, deadlines, back-pressure; on real sockets."""

import fcntl
import hashlib
import socket
import ssl
import sys
import termios
from collections.abc import Iterator
from typing import Any

import pytest

from balancer.config_tls import CertificateFiles, FrontendTls
from balancer.failures import DeadlineExpired, Disconnected, HandshakeFailed, TlsBroken
from balancer.reactor import Reactor
from balancer.secure import SecureStream
from balancer.streams import Stream, until_either
from balancer.testing import FakeClock, run, secure_stream_of, settle, socket_pair, stream_of, stream_pair
from balancer.tls.contexts import DoorContexts
from balancer.tls.material import Bundle, FrontendMaterial

MEGABYTE = 1 << 20
DATA = bytes(range(256)) * (MEGABYTE // 256)
BUFFER = 32_768


@pytest.fixture(scope="module")
def door(issued: Any) -> ssl.SSLContext:
    config = FrontendTls(certificates=(CertificateFiles(certificate="x.pem"),))
    material = FrontendMaterial(bundles=(Bundle(names=("www.example.org",), pem=issued.pem),))
    return DoorContexts(config, material, ("h2", "http/1.1")).door


@pytest.fixture(scope="module")
def believer(authority: Any) -> ssl.SSLContext:
    return ssl.create_default_context(cadata=authority.pem.decode())


@pytest.fixture
def ends(reactor: Reactor) -> Iterator[tuple[SecureStream, SecureStream]]:
    """Client and server before the handshake, with little room in the kernel."""
    one, other = socket_pair()
    for end in (one, other):
        end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER)
        end.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER)
    client, server = secure_stream_of(reactor, one), secure_stream_of(reactor, other)
    yield client, server
    client.abort()
    server.abort()
    settle(reactor)


@pytest.fixture
def pair(
    reactor: Reactor, ends: tuple[SecureStream, SecureStream], door: ssl.SSLContext, believer: ssl.SSLContext
) -> tuple[SecureStream, SecureStream]:
    """Client and server after it."""
    run(reactor, shake(reactor, *ends, door, believer))
    return ends


async def shake(
    reactor: Reactor, client: SecureStream, server: SecureStream, door: ssl.SSLContext, believer: ssl.SSLContext
) -> None:
    await reactor.together(
        client.handshake(believer, server_name="www.example.org", server_side=False), server.handshake(door)
    )


async def receive_all(stream: Stream) -> bytes:
    parts = []
    while data := await stream.receive():
        parts.append(data)
    return b"".join(parts)


async def send_and_end(stream: Stream, data: bytes) -> None:
    await stream.send_all(data)
    stream.shutdown()


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def test_what_is_known_after_a_handshake(pair: tuple[SecureStream, SecureStream]) -> None:
    client, server = pair
    assert server.tls is not None
    assert client.tls is not None
    assert (server.tls.version, server.tls.server_name, server.tls.alpn) == ("TLSv1.3", "www.example.org", None)
    assert (server.tls.client, server.tls.resumed) == (None, False)
    assert client.tls.server_name == "www.example.org"


def test_a_plain_stream_knows_nothing_of_it(reactor: Reactor) -> None:
    one, other = stream_pair(reactor)
    assert (one.tls, one.truncated, one.spliceable) == (None, False, True)
    one.close()
    other.close()
    settle(reactor)


def test_megabytes_both_ways_through_little_room(reactor: Reactor, pair: tuple[SecureStream, SecureStream]) -> None:
    async def both() -> list[bytes]:
        client, server = pair
        up = reactor.fork(receive_all(server))
        down = reactor.fork(receive_all(client))
        await reactor.together(send_and_end(client, DATA), send_and_end(server, DATA[::-1]))
        return [await up.join(), await down.join()]

    up, down = run(reactor, both())
    assert digest(up) == digest(DATA)
    assert digest(down) == digest(DATA[::-1])
    assert not any(end.truncated for end in pair)


def test_try_send_says_of_nothing_that_it_is_sent_while_records_wait(
    reactor: Reactor, pair: tuple[SecureStream, SecureStream]
) -> None:
    client, server = pair
    piece = b"x" * 60_000
    whole = 0
    while (sent := client.try_send(piece)) == 60_000:
        whole += 60_000
    assert sent == 59_999
    assert client.try_send(piece[sent:]) == 0

    async def rest() -> int:
        sending = reactor.fork(client.send_all(piece[sent:]))
        received = 0
        while received < whole + 60_000:
            received += len(await server.receive())
        await sending.join()
        return received

    assert run(reactor, rest()) == whole + 60_000
    assert client.try_send(b"more") == 4


def test_a_short_message_needs_one_receive(reactor: Reactor, pair: tuple[SecureStream, SecureStream]) -> None:
    client, server = pair
    settle(reactor)
    run(reactor, client.send_all(b"hello"))
    assert run(reactor, server.receive()) == b"hello"
    assert not server.readable
    assert server.quiet


def test_a_receive_takes_no_more_than_it_was_asked_for(
    reactor: Reactor, pair: tuple[SecureStream, SecureStream]
) -> None:
    client, server = pair
    run(reactor, client.send_all(b"abcdef"))
    assert run(reactor, server.receive(4)) == b"abcd"
    assert server.readable
    assert not server.quiet
    assert run(reactor, server.receive(4)) == b"ef"


def test_an_end_that_was_said(reactor: Reactor, pair: tuple[SecureStream, SecureStream]) -> None:
    client, server = pair
    run(reactor, send_and_end(client, b"last"))
    assert run(reactor, receive_all(server)) == b"last"
    assert server.ended
    assert not server.truncated
    run(reactor, send_and_end(server, b"answer"))
    assert run(reactor, receive_all(client)) == b"answer"


def test_an_end_that_was_not_said(reactor: Reactor, pair: tuple[SecureStream, SecureStream]) -> None:
    client, server = pair
    run(reactor, client.send_all(b"last"))
    client.end_early()
    assert run(reactor, receive_all(server)) == b"last"
    assert server.truncated


def test_what_came_before_the_end_was_said_here_can_still_be_received(
    reactor: Reactor, pair: tuple[SecureStream, SecureStream]
) -> None:
    client, server = pair
    run(reactor, client.send_all(b"x" * 3000))
    assert run(reactor, server.receive(1)) == b"x"
    server.shutdown()
    run(reactor, send_and_end(client, b"y" * 3000))
    assert run(reactor, receive_all(server)) == b"x" * 2999 + b"y" * 3000
    assert not server.truncated


def test_the_end_is_said_later_where_there_is_no_room_for_it(
    reactor: Reactor, pair: tuple[SecureStream, SecureStream]
) -> None:
    client, server = pair
    fill(client)
    client.shutdown()
    assert run(reactor, counted(server)) > 0
    assert not server.truncated


def test_it_is_said_after_a_close_too(reactor: Reactor, pair: tuple[SecureStream, SecureStream]) -> None:
    client, server = pair
    fill(client)
    client.close()
    assert client.closed
    assert run(reactor, counted(server)) > 0
    assert not server.truncated


def test_the_last_bytes_and_the_end_go_together(reactor: Reactor, pair: tuple[SecureStream, SecureStream]) -> None:
    client, server = pair
    settle(reactor)
    client.try_receive()  # the ticket of the handshake
    assert server.try_last(b"goodbye") == 7
    client._socket.settimeout(60)
    wire = client._socket.recv(1000, socket.MSG_PEEK)  # one record of bytes, one of the end
    client._socket.settimeout(0)
    sizes = [int.from_bytes(wire[at : at + 2], "big") for at in (3, 5 + 3 + int.from_bytes(wire[3:5], "big"))]
    assert sum(sizes) + 10 == len(wire)
    assert run(reactor, receive_all(client)) == b"goodbye"
    assert not client.truncated
    server.close()


@pytest.mark.parametrize("size", [0, 65_537])
def test_other_last_bytes_go_as_ever(pair: tuple[SecureStream, SecureStream], size: int) -> None:
    _, server = pair
    server.try_last(bytes(size))
    assert not server._said_end


def test_last_bytes_that_the_kernel_has_no_room_for(reactor: Reactor, pair: tuple[SecureStream, SecureStream]) -> None:
    client, server = pair
    before, last = crowd(reactor, server), b"x" * 60_000
    taken = server.try_last(last)

    async def rest() -> bytes:
        child = reactor.fork(receive_all(client))
        await server.send_all(last[taken:])
        server.shutdown()
        return await child.join()

    assert taken == 59_999  # the kernel has taken a part of the records, and one byte stands for the rest
    assert run(reactor, rest()) == before + last
    assert not client.truncated


def crowd(reactor: Reactor, sender: SecureStream) -> bytes:
    """Send until the other kernel takes nothing more and in ours, whose room is small now, some of it waits."""
    sender._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 8192)
    sent, waiting = b"", bytearray(4)
    while int.from_bytes(waiting, sys.byteorder) < 8000:
        assert sender.try_send(bytes(4000)) == 4000
        sent += bytes(4000)
        for _ in range(5):
            settle(reactor)
        fcntl.ioctl(sender.fd, termios.TIOCOUTQ, waiting)
    return sent


def test_one_who_never_reads_does_not_keep_a_closed_connection(
    reactor: Reactor, clock: FakeClock, pair: tuple[SecureStream, SecureStream]
) -> None:
    client, _ = pair
    fill(client)
    fd = client.fd
    client.close()
    settle(reactor)
    clock.now += 6
    settle(reactor)
    assert fd not in reactor._watched


def fill(stream: SecureStream) -> None:
    """As a send that was given up: records wait for room."""
    while stream.try_send(DATA[:MEGABYTE]):
        pass


async def counted(stream: Stream) -> int:
    return len(await receive_all(stream))


def test_an_abort_says_nothing(reactor: Reactor, pair: tuple[SecureStream, SecureStream]) -> None:
    client, server = pair
    client.abort()
    with pytest.raises(Disconnected):
        run(reactor, receive_all(server))


def test_bytes_that_are_no_records(reactor: Reactor, pair: tuple[SecureStream, SecureStream]) -> None:
    client, server = pair
    assert Stream.try_send(client, b"GET / HTTP/1.1\r\n\r\n") == 18
    with pytest.raises(TlsBroken):
        run(reactor, server.receive())


def test_no_handshake_with_a_peer_that_speaks_http(reactor: Reactor, door: ssl.SSLContext) -> None:
    one, other = socket_pair()
    server = secure_stream_of(reactor, other)
    one.sendall(b"GET / HTTP/1.1\r\n\r\n")
    with pytest.raises(HandshakeFailed) as caught:
        run(reactor, server.handshake(door))
    assert caught.value.reason == "http request"
    server.close()
    settle(reactor)
    one.close()


def test_a_client_that_does_not_believe_us_is_told_of(
    reactor: Reactor, ends: tuple[SecureStream, SecureStream], door: ssl.SSLContext
) -> None:
    client, server = ends
    with pytest.raises(HandshakeFailed, match="Protocol error") as caught:
        run(reactor, shake(reactor, client, server, door, ssl.create_default_context()))
    assert "certificate verify failed" in caught.value.reason or "alert" in caught.value.reason


def test_a_peer_that_ends_during_the_handshake(reactor: Reactor, door: ssl.SSLContext) -> None:
    one, other = socket_pair()
    server = secure_stream_of(reactor, other)
    one.shutdown(socket.SHUT_WR)
    with pytest.raises(HandshakeFailed) as caught:
        run(reactor, server.handshake(door))
    assert caught.value.reason == "the connection ended during the handshake"
    server.close()
    one.close()
    settle(reactor)


def test_a_slow_handshake_is_cut_at_the_deadline(reactor: Reactor, clock: FakeClock, door: ssl.SSLContext) -> None:
    one, other = socket_pair()
    server = secure_stream_of(reactor, other)
    server.deadline = reactor.now + 10
    one.sendall(b"\x16\x03\x01")
    before = clock.now
    with pytest.raises(DeadlineExpired):
        run(reactor, server.handshake(door), clock=clock)
    assert 10 <= clock.now - before < 11
    server.close()
    one.close()
    settle(reactor)


def test_bytes_before_the_handshake_are_plain(
    reactor: Reactor, ends: tuple[SecureStream, SecureStream], door: ssl.SSLContext, believer: ssl.SSLContext
) -> None:
    client, server = ends

    async def greet() -> bytes:
        await client.send_all(b"PROXY UNKNOWN\r\n")
        shaking = reactor.fork(client.handshake(believer, server_name="www.example.org", server_side=False))
        head = b""
        while b"\n" not in head:
            head += await server.receive()
        line, _, received = head.partition(b"\n")
        await server.handshake(door, received=received)
        await shaking.join()
        return line

    assert run(reactor, greet()) == b"PROXY UNKNOWN\r"
    run(reactor, client.send_all(b"hello"))
    assert run(reactor, server.receive()) == b"hello"


def test_splices_are_copies(reactor: Reactor, pair: tuple[SecureStream, SecureStream]) -> None:
    client, server = pair
    plain, peer = stream_pair(reactor)

    async def through() -> bytes:
        await peer.send_all(b"down" * 1000)
        moved = await plain.splice_to(server)
        await client.send_all(b"up" * 1000)
        assert await server.splice_to(plain) == 2000
        assert await peer.receive() == b"up" * 1000
        received = b""
        while len(received) < moved:
            received += await client.receive()
        return received

    assert run(reactor, through()) == b"down" * 1000
    plain.close()
    peer.close()
    settle(reactor)


def test_either_of_two(reactor: Reactor, pair: tuple[SecureStream, SecureStream]) -> None:
    client, server = pair
    plain, peer = stream_pair(reactor)

    async def wait() -> bytes | None:
        await client.send_all(b"hello")
        await until_either(plain, server)
        return server.try_receive()

    settle(reactor)
    assert run(reactor, wait()) == b"hello"
    plain.close()
    peer.close()
    settle(reactor)


def test_a_session_is_resumed(reactor: Reactor, door: ssl.SSLContext, believer: ssl.SSLContext) -> None:
    """With an ordinary client, which keeps what a ticket says."""
    sessions: list[ssl.SSLSession] = []
    for _ in range(2):
        one, other = socket_pair()
        server = secure_stream_of(reactor, other)
        task = reactor.spawn(_greet(server, door))
        one.setblocking(False)
        client = believer.wrap_socket(
            one,
            server_hostname="www.example.org",
            do_handshake_on_connect=False,
            session=sessions[0] if sessions else None,
        )
        until(reactor, client.do_handshake)
        assert until(reactor, lambda client=client: client.recv(10)) == b"hello"  # type: ignore[misc]
        assert client.session is not None
        sessions.append(client.session)
        settle(reactor)
        assert task.done
        client.close()
    assert server.tls is not None
    assert server.tls.resumed
    settle(reactor)


async def _greet(server: SecureStream, door: ssl.SSLContext) -> None:
    await server.handshake(door)
    await server.send_all(b"hello")
    server.close()


def until(reactor: Reactor, call: Any) -> Any:
    for _ in range(100):
        try:
            return call()
        except ssl.SSLWantReadError:
            settle(reactor)
    raise TimeoutError


def test_sockets_of_another_kind_are_untouched(reactor: Reactor) -> None:
    one, other = socket_pair()
    stream = stream_of(reactor, other)
    stream.end_early()
    assert one.recv(1) == b""
    stream.close()
    one.close()
    settle(reactor)


def test_a_peer_that_says_the_end_has_left_once_all_is_received(
    reactor: Reactor, pair: tuple[SecureStream, SecureStream]
) -> None:
    client, server = pair
    settle(reactor)
    assert not server.has_left()
    client.try_send(b"x")
    settle(reactor)
    assert not server.has_left()
    client.shutdown()
    settle(reactor)
    assert not server.has_left()
    assert run(reactor, server.receive()) == b"x"
    assert server.has_left()
    assert run(reactor, server.receive()) == b""
