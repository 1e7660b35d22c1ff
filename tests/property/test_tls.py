"""TLS on any bytes and at any split: a ClientHello gives a name or the one error, a stream what was sent."""

import ssl
from typing import Any

import hypothesis
import pytest
from hypothesis import strategies as st

from balancer.reactor import Reactor
from balancer.secure import SecureStream
from balancer.streams import Stream
from balancer.testing import run, secure_stream_of, settle, socket_pair
from balancer.tls.clienthello import LARGEST, BadClientHello, server_name
from balancer.tls.contexts import load_pem
from balancer.tls.x509 import BadCertificate, parse_certificate

HELLOS = st.binary(max_size=60).map(lambda tail: b"\x16\x03\x01\x00\x40\x01\x00\x00\x3c\x03\x03" + tail)


def outcome(data: bytes) -> object:
    try:
        return server_name(data)
    except BadClientHello as bad:
        return bad.reason


@hypothesis.given(st.one_of(st.binary(max_size=200), HELLOS))
def test_any_bytes_give_a_name_or_the_one_error_and_more_bytes_change_no_verdict(data: bytes) -> None:
    outcomes = [outcome(data[:size]) for size in range(len(data) + 1)]
    verdicts = [one for one in outcomes if one is not None]
    assert all(one == verdicts[0] for one in verdicts)
    assert outcomes[len(outcomes) - len(verdicts) :] == verdicts


@hypothesis.given(st.one_of(st.binary(min_size=1, max_size=60), HELLOS))
def test_so_many_bytes_always_give_a_verdict(data: bytes) -> None:
    assert outcome((data * LARGEST)[:LARGEST]) is not None


@hypothesis.given(st.binary(max_size=300))
def test_any_bytes_are_a_certificate_or_not(data: bytes) -> None:
    try:
        parse_certificate(data)
    except BadCertificate:
        return


@pytest.fixture(scope="module")
def door(issued: Any) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    load_pem(context, issued.pem)
    return context


async def _take(stream: Stream, sizes: list[int]) -> bytes:
    received, turn = b"", 0
    while data := await stream.receive(sizes[turn % len(sizes)]):
        received += data
        turn += 1
    return received


@hypothesis.settings(max_examples=25, deadline=None, suppress_health_check=list(hypothesis.HealthCheck))
@hypothesis.given(
    pieces=st.lists(st.binary(min_size=1, max_size=3000), min_size=1, max_size=6),
    cut=st.integers(1, 400),
    sizes=st.lists(st.integers(1, 5000), min_size=1, max_size=3),
)
def test_bytes_through_a_secure_stream_are_the_same_at_every_split(
    door: ssl.SSLContext, authority: Any, pieces: list[bytes], cut: int, sizes: list[int]
) -> None:
    """The client's records arrive `cut` bytes at a time, and are taken in other portions."""
    reactor = Reactor()
    one, other = socket_pair()
    server, wire = secure_stream_of(reactor, other), secure_stream_of(reactor, one)
    context = ssl.create_default_context(cadata=authority.pem.decode())
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = context.wrap_bio(incoming, outgoing, server_hostname="www.example.org")

    async def speak() -> None:
        await _shake(client, incoming, outgoing, wire)
        for piece in pieces:
            client.write(piece)
        data = outgoing.read()
        for place in range(0, len(data), cut):
            await wire.send_all(data[place : place + cut])
            await reactor.pause()
        with pytest.raises(ssl.SSLWantReadError):
            client.unwrap()
        await wire.send_all(outgoing.read())

    async def both() -> bytes:
        speaking = reactor.fork(speak())
        await server.handshake(door)
        received = await _take(server, sizes)
        await speaking.join()
        return received

    assert run(reactor, both()) == b"".join(pieces)
    assert not server.truncated
    wire.abort()
    server.abort()
    settle(reactor)
    reactor.close()


async def _shake(client: ssl.SSLObject, incoming: ssl.MemoryBIO, outgoing: ssl.MemoryBIO, wire: SecureStream) -> None:
    while True:
        try:
            client.do_handshake()
        except ssl.SSLWantReadError:
            await wire.send_all(outgoing.read())
            incoming.write(await wire.receive())
        else:
            await wire.send_all(outgoing.read())
            return
