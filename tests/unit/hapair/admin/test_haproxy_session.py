"""A conversation in HAProxy's runtime commands. What is expected is what HAProxy 2.6.12 sends."""

import pytest
import trio
import trio.testing
from trio.testing import MockClock

from hapair.admin.haproxy_session import Session
from hapair.admin.levels import Level


async def run(command: str, level: Level, payload: str | None) -> str:
    if payload is not None:
        return f"{command} of {level} with {payload!r}\n"
    return {"silent": "", "version": "2.6\n", "backend": "# name\nweb\n"}.get(command, f"unknown {command}\n")


async def say(*pieces: bytes, end: bool = False) -> bytes:
    """What a client gets that sends these, one after the other."""
    (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    async with trio.open_nursery() as nursery:

        async def serve() -> None:
            async with listener, await listener.accept() as stream:
                await Session(stream, await stream.receive_some(4096), run).serve()

        nursery.start_soon(serve)
        async with await trio.open_tcp_stream("127.0.0.1", listener.socket.getsockname()[1]) as client:
            for piece in pieces:
                await client.send_all(piece)
                await trio.testing.wait_all_tasks_blocked(0.01)
            if end:
                await client.send_eof()
            return b"".join([piece async for piece in client])


@pytest.mark.parametrize(
    ("sent", "answer"),
    [
        (b"version\n", b"2.6\n\n"),
        (b"version\r\n", b"2.6\n\n"),
        (b"silent\n", b"\n"),
        (b"version;backend\n", b"2.6\n\n# name\nweb\n\n"),
        (b"version\nversion\n", b"2.6\n\n2.6\n\n"),
        (b"quit\n", b""),
        (b"version;quit;version\n", b"2.6\n\n"),
        (b"set it <<\nsome\npayload\n\n", b"set it of admin with 'some\\npayload\\n'\n\n"),
        (b"version;set it <<\n\n", b"2.6\n\nset it of admin with ''\n\n"),
        (b"show cli level\n", b"admin\n\n"),
        (b"operator;show cli level;user;operator\n", b"\noperator\n\n\nPermission denied\n\n"),
        (b"prompt\nversion\nquit\n", b"\n> 2.6\n\n> "),
    ],
)
async def test_what_is_answered(sent: bytes, answer: bytes) -> None:
    assert await say(sent) == answer


async def test_with_a_prompt_it_goes_on() -> None:
    assert await say(b"prompt\n", b"version\n", b"\n", b"quit\n") == b"\n> 2.6\n\n> \n> "


async def test_a_line_in_pieces_and_one_that_the_end_ends() -> None:
    assert await say(b"ver", b"sion\n") == b"2.6\n\n"
    assert await say(b"version", end=True) == b"2.6\n\n"


async def test_whoever_goes_on_without_end_is_left(autojump_clock: MockClock) -> None:
    assert await say(b"a" * 70_000) == b""
    assert await say(b"version") == b""
