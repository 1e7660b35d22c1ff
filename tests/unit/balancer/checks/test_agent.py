from collections.abc import Awaitable, Callable

import pytest
import trio
from trio.testing import MockClock

from balancer.checks.agent import ask
from balancer.checks.agent_words import AgentWords
from balancer.config_checks import AgentCheck
from balancer.fieldtypes import Endpoint

Answer = Callable[[trio.SocketStream], Awaitable[None]]


async def agent_at(
    nursery: trio.Nursery, *pieces: bytes, hold: bool = False, heard: list[bytes] | None = None
) -> Endpoint:
    async def handle(stream: trio.SocketStream) -> None:
        async with stream:
            if heard is not None:
                heard.append(bytes(await stream.receive_some(100)))
            for piece in pieces:
                await stream.send_all(piece)
                await trio.lowlevel.checkpoint()
            if hold:
                await trio.sleep_forever()

    listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
    nursery.start_soon(trio.serve_listeners, handle, listeners)
    return Endpoint("127.0.0.1", listeners[0].socket.getsockname()[1])


@pytest.mark.parametrize("pieces", [(b"up 75%\n",), (b"up 7", b"5%\r", b"\nmore"), (b"up 75%\nand a lot more" * 9,)])
async def test_one_line(nursery: trio.Nursery, pieces: tuple[bytes, ...]) -> None:
    endpoint = await agent_at(nursery, *pieces)

    assert await ask(AgentCheck(port=1), endpoint) == AgentWords(health="up", percent=75, text="up")


async def test_what_is_sent_first(nursery: trio.Nursery) -> None:
    heard: list[bytes] = []
    endpoint = await agent_at(nursery, b"drain\n", heard=heard)

    assert await ask(AgentCheck(port=1, send="web1\n"), endpoint) == AgentWords(admin="drain")
    assert heard == [b"web1\n"]


@pytest.mark.parametrize(
    ("pieces", "trouble"),
    [
        ((b"down",), "the agent's line was not complete"),
        ((), "the agent's line was not complete"),
        ((b"x" * 20_000,), "the agent's line was not complete"),
        ((b"nonsense\n",), "the agent said no word that is known"),
        ((b"\n",), "the agent said no word that is known"),
    ],
)
async def test_what_is_no_word_against_the_server(
    nursery: trio.Nursery, pieces: tuple[bytes, ...], trouble: str
) -> None:
    assert await ask(AgentCheck(port=1), await agent_at(nursery, *pieces)) == trouble


async def test_one_that_is_silent_or_not_there(nursery: trio.Nursery, autojump_clock: MockClock) -> None:
    endpoint = await agent_at(nursery, hold=True)

    assert await ask(AgentCheck(port=1), endpoint) == "the agent did not answer in time"
    assert await ask(AgentCheck(port=1), Endpoint("127.0.0.1", 1)) == "the agent cannot be reached: connection refused"
