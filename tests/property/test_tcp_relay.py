"""Whatever two sides say to each other, in pieces of any size and with either ending first: both hear all of it."""

from __future__ import annotations

import hypothesis.strategies as st
from hypothesis import given, settings

from balancer.reactor import Reactor
from balancer.relay import tcp
from balancer.slots import Slots
from balancer.streams import Stream
from balancer.testing import ListeningPeer, config_for, run, service_for, settle, stream_pair

# Around the sizes at which the relay changes its way: small talk 16 KiB, whole reads 64 KiB, the pipe 1 MiB.
SIZES = st.one_of(
    st.integers(1, 200),
    st.sampled_from([16_383, 16_384, 16_385, 65_535, 65_536, 65_537, 131_072, 1_048_576, 1_048_577]),
)
SPEECH = st.lists(SIZES, max_size=5)
ALPHABET = bytes(range(251)) * 5_000


def words(speech: list[int]) -> list[bytes]:
    return [ALPHABET[number : number + size] for number, size in enumerate(speech)]


async def say(stream: Stream, speech: list[bytes], pauses: bool) -> None:
    for word in speech:
        await stream.send_all(word)
        if pauses:
            await stream.reactor.pause()
    stream.shutdown()


async def hear(stream: Stream) -> bytes:
    parts = []
    while data := await stream.receive():
        parts.append(data)
    return b"".join(parts)


@settings(max_examples=40, deadline=None)
@given(question=SPEECH, answer=SPEECH, pauses=st.booleans(), waits=st.booleans())
def test_both_hear_all(question: list[int], answer: list[int], pauses: bool, waits: bool) -> None:
    """`waits`: the server speaks only once the client has ended its half."""
    reactor, listening = Reactor(), ListeningPeer()
    config = config_for({"one": listening.endpoint})
    slots = Slots.create(config, 1)
    client, downstream = stream_pair(reactor)
    relay = reactor.spawn(tcp.serve(service_for(reactor, config, slots), downstream))
    settle(reactor)
    server = listening.accept_stream(reactor)

    async def serve() -> bytes:
        if waits:
            heard = await hear(server)
            await say(server, words(answer), pauses)
            return heard
        saying = reactor.fork(say(server, words(answer), pauses))
        heard = await hear(server)
        await saying.join()
        return heard

    async def main() -> tuple[bytes, bytes]:
        serving, hearing = reactor.fork(serve()), reactor.fork(hear(client))
        await say(client, words(question), pauses)
        await relay.wait()
        downstream.close()
        return await serving.join(), await hearing.join()

    heard_by_server, heard_by_client = run(reactor, main())
    assert heard_by_server == b"".join(words(question))
    assert heard_by_client == b"".join(words(answer))
    counts = slots.server_counts("pool", "one")
    assert (counts.bytes_in, counts.bytes_out) == (sum(question), sum(answer))
    assert (counts.open, reactor.bugs.count, reactor.pipes.lent) == (0, 0, 0)
    client.close()
    server.close()
    listening.close()
    settle(reactor)
    reactor.close()
    slots.close()
