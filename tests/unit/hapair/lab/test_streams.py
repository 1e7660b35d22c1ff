"""Streams that tell when they stood still: whole ones, and what breaks one."""

import socket

import pytest
import trio

from hapair.lab.streams import LINE, Client, Report, Taker, serve


@pytest.fixture
def unused_port() -> int:
    with socket.socket(socket.AF_INET6) as sock:
        sock.bind(("::", 0))
        return int(sock.getsockname()[1])


def test_a_taker_counts_and_remembers_the_longest_pause() -> None:
    taker = Taker(0.0)
    both = (LINE.format(0) + LINE.format(1)).encode()
    taker.take(both[:250], 0.5)
    taker.take(both[250:], 2.0)
    assert (taker.lines, taker.longest_s) == (2, 1.5)


def test_a_line_that_is_missing_is_seen() -> None:
    with pytest.raises(ValueError, match="line 0 is b'00000001'"):
        Taker(0.0).take(LINE.format(1).encode(), 0.0)


def test_the_longest_stall_is_that_of_either_kind() -> None:
    assert Report(1, 0, 0.5, 0.25, {}).longest_stall_s == 0.5


async def test_both_kinds_end_whole(unused_port: int) -> None:
    client = Client()
    with trio.fail_after(60):
        async with trio.open_nursery() as nursery:
            await nursery.start(serve, unused_port)
            async with trio.open_nursery() as streams:
                for kind in ("download", "upload"):
                    streams.start_soon(client.run, "127.0.0.1", unused_port, kind)
                await trio.sleep(0.2)
                client.over.set()
            nursery.cancel_scope.cancel()
    assert (client.whole, client.reasons) == (2, {})


async def test_nobody_there_is_a_broken_stream(unused_port: int) -> None:
    client = Client()
    await client.run("127.0.0.1", unused_port, "download")
    assert client.whole == 0
    [reason] = client.reasons
    assert reason.startswith("download: ")
