"""The helpers for tests tell the truth."""

import pytest

from balancer.reactor import Reactor
from balancer.testing import FakeClock, run, socket_pair, stream_of, stream_pair


def test_run_gives_the_result_or_the_exception(reactor: Reactor) -> None:
    async def answer() -> int:
        return 3

    async def fail() -> int:
        raise LookupError("mine")

    assert run(reactor, answer()) == 3
    with pytest.raises(LookupError, match="mine"):
        run(reactor, fail())


def test_run_gives_up_on_what_never_ends(reactor: Reactor, clock: FakeClock) -> None:
    task = reactor.sleep_until(clock.now + 1)
    with pytest.raises(TimeoutError, match=r"not done after 0.01 s"):
        run(reactor, task, patience_s=0.01)
    clock.now += 2
    reactor.turn()


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_pairs_are_connected(reactor: Reactor, host: str) -> None:
    one, other = socket_pair(host)
    stream = stream_of(reactor, one)
    other.sendall(b"hello")
    assert run(reactor, stream.receive()) == b"hello"
    other.close()
    ends = stream_pair(reactor, host)
    assert ends[0].peername[:2] == ends[1].sockname[:2]
    for end in (stream, *ends):
        end.close()
    reactor.turn()
