"""Slow downloads against servers on loopback, good ones and bad."""

from collections.abc import Awaitable, Callable

import pytest
import trio

from hapair.lab.bulk import piece
from hapair.lab.downloads import Downloads, Report, fetch_all
from hapair.lab.pair import SetupError

HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 2048\r\n\r\n"


async def report_of(serve: Callable[[trio.SocketStream, str], Awaitable[None]], count: int = 3) -> tuple[Report, int]:
    """The report of so many downloads of two pieces, and how many had begun."""
    send, receive = trio.open_memory_channel[None](count)

    async def handle(stream: trio.SocketStream) -> None:
        request = bytes(await stream.receive_some())
        await serve(stream, request.split(b"/")[2].decode())

    async with trio.open_nursery() as nursery:
        [listener] = await trio.open_tcp_listeners(0, host="127.0.0.1")
        nursery.start_soon(trio.serve_listeners, handle, [listener])
        report = await fetch_all("127.0.0.1", listener.socket.getsockname()[1], count, 0.4, send)
        nursery.cancel_scope.cancel()
    return report, receive.statistics().current_buffer_used


async def test_those_that_come_whole_are_counted() -> None:
    async def serve(stream: trio.SocketStream, name: str) -> None:
        await stream.send_all(HEAD + piece(name, 0))
        await stream.send_all(piece(name, 1))

    assert await report_of(serve) == (Report(3, 3, {}), 3)


async def test_each_that_does_not_has_its_reason() -> None:
    async def serve(stream: trio.SocketStream, name: str) -> None:
        answers = {
            "d0": HEAD + piece(name, 0),
            "d1": HEAD + piece(name, 0) + piece("other", 1),
            "d2": b"HTTP/1.1 503 No\r\n\r\n",
        }
        await stream.send_all(answers[name])

    expected = Report(3, 0, {"closed early": 1, "other bytes than were sent": 1, "status 503": 1})
    assert await report_of(serve) == (expected, 2)


async def test_nobody_there_is_a_reason_too() -> None:
    send, _ = trio.open_memory_channel[None](1)
    with trio.socket.socket() as taken:
        await taken.bind(("127.0.0.1", 0))
        report = await fetch_all("127.0.0.1", taken.getsockname()[1], 1, 0.4, send)
    assert report == Report(1, 0, {"connection refused": 1})


async def test_what_the_client_writes_is_read_line_by_line() -> None:
    ours, theirs = trio.testing.memory_stream_pair()
    await ours.send_all(b'open\n{"asked": 2, "whole": 1, "reasons": {"silence": 1}}\n')
    downloads = Downloads(theirs)
    await downloads.all_open()
    assert await downloads.finished() == Report(2, 1, {"silence": 1})


async def test_a_client_that_ends_early_is_an_error() -> None:
    ours, theirs = trio.testing.memory_stream_pair()
    await ours.aclose()
    with pytest.raises(SetupError, match="ended early"):
        await Downloads(theirs).all_open()
