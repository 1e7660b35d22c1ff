"""A server that says who it is and who asks, and the clients that ask it."""

import socket
from collections.abc import AsyncIterator

import pytest
import trio

from hapair.lab import greeter


@pytest.fixture
async def port(capsys: pytest.CaptureFixture[str]) -> AsyncIterator[int]:
    """A server on it, over TCP and UDP."""
    with socket.socket(socket.AF_INET) as sock, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        sock.bind(("127.0.0.1", 0))
        port = int(sock.getsockname()[1])
        other.bind(("127.0.0.1", port))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(greeter.serve, "web1", [port], ("127.0.0.1",))
        with trio.fail_after(60):
            while greeter.READY not in capsys.readouterr().out:  # noqa: ASYNC110 - it prints when it is ready
                await trio.sleep(0.01)
        yield port
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize("kind", ["tcp", "udp"])
async def test_it_says_its_name_and_who_asks(port: int, kind: str) -> None:
    found = await trio.to_thread.run_sync(greeter.ask, kind, "127.0.0.1", port, 3)
    assert found == {"web1 127.0.0.1": 3}


async def test_who_is_refused_says_so(port: int) -> None:
    with socket.socket(socket.AF_INET) as sock:
        sock.bind(("127.0.0.1", 0))
        found = await trio.to_thread.run_sync(greeter.ask, "tcp", "127.0.0.1", sock.getsockname()[1], 2)
    assert found == {"ConnectionRefusedError": 2}


def test_other_words_are_answered_with_how_it_is_called() -> None:
    with pytest.raises(SystemExit, match=r"greeter serve NAME PORT"):
        greeter.main(["sing"])
