"""Connections that carry data all the time, and tell when it stood still: `python -m hapair.lab.streams`.

    serve PORT                              downloads and uploads, on both families
    run PORT DOWNLOADS UPLOADS HOST ...     so many of each for each host, until stdin ends; then the report

A connection begins with a line, `download` or `upload`; then lines with ascending numbers go the one way, one every
PACE_S, and whoever takes them checks that none is missing. The taker of an upload tells the sender at the end how many
came and how long the longest pause was.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass

import trio

from hapair.lab.host import Host
from hapair.lab.pair import SetupError

PACE_S = 0.02
LINE = "{:08}" + " " * 191 + "\n"
_LINE_BYTES = 200
_SILENCE_S = 20.0


@dataclass(frozen=True, slots=True)
class Report:
    """What became of them."""

    whole: int
    broken: int
    longest_download_stall_s: float
    longest_upload_stall_s: float
    reasons: dict[str, int]

    @property
    def longest_stall_s(self) -> float:
        return max(self.longest_download_stall_s, self.longest_upload_stall_s)


class Taker:
    """Counts lines, checks their numbers, remembers the longest pause. `now` is on any one clock."""

    def __init__(self, now: float) -> None:
        self.lines = 0
        self.longest_s = 0.0
        self._last_at = now
        self._rest = b""

    def take(self, data: bytes, now: float) -> None:
        """Raises ValueError where a line is not the next one."""
        self.longest_s = max(self.longest_s, now - self._last_at)
        self._last_at = now
        self._rest += data
        while len(self._rest) >= _LINE_BYTES:
            line, self._rest = self._rest[:_LINE_BYTES], self._rest[_LINE_BYTES:]
            if line != LINE.format(self.lines).encode():
                raise ValueError(f"line {self.lines} is {line[:8]!r}")
            self.lines += 1


async def serve(port: int, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
    """For ever; a line on stdout says when that begins."""

    async def converse(stream: trio.SocketStream) -> None:
        try:
            async with stream:
                begin = await stream.receive_some(_LINE_BYTES)
                if begin.startswith(b"download\n"):
                    await _send_lines(stream)
                else:
                    await _take_upload(stream, bytes(begin).partition(b"\n")[2])
        except trio.BrokenResourceError:
            return

    async with trio.open_nursery() as nursery:
        await nursery.start(trio.serve_tcp, converse, port)
        os.write(1, b"ready\n")  # in one piece: who waits for it reads once
        task_status.started()


async def _send_lines(stream: trio.SocketStream) -> None:
    number = 0
    while True:
        await stream.send_all(LINE.format(number).encode())
        number += 1
        await trio.sleep(PACE_S)


async def _take_upload(stream: trio.SocketStream, first: bytes) -> None:
    taker = Taker(time.monotonic())
    taker.take(first, time.monotonic())
    async for data in stream:
        taker.take(bytes(data), time.monotonic())
    await stream.send_all(json.dumps([taker.lines, taker.longest_s]).encode())


class Client:
    """All the streams of one client."""

    def __init__(self) -> None:
        self.over = trio.Event()
        self.begun = 0
        self.whole = 0
        self.stalls = {"download": 0.0, "upload": 0.0}
        self.reasons: dict[str, int] = {}

    async def run(self, host: str, port: int, kind: str) -> None:
        """One stream."""
        try:
            stream = await trio.open_tcp_stream(host, port)
            async with stream:
                await stream.send_all(f"{kind}\n".encode())
                stall_s = await (self._download(stream) if kind == "download" else self._upload(stream))
            self.whole += 1
            self.stalls[kind] = max(self.stalls[kind], stall_s)
        except (OSError, trio.BrokenResourceError, ValueError, trio.TooSlowError) as error:
            cause = error.__cause__ or error
            name = f"{kind}: {type(cause).__name__} {cause}"
            self.reasons[name] = self.reasons.get(name, 0) + 1

    async def _download(self, stream: trio.SocketStream) -> float:
        taker = Taker(time.monotonic())
        while not self.over.is_set():
            with trio.fail_after(_SILENCE_S):
                data = await stream.receive_some(65536)
            if not data:
                raise ValueError("it ended early")
            self.begun += taker.lines == 0
            taker.take(bytes(data), time.monotonic())
        return taker.longest_s

    async def _upload(self, stream: trio.SocketStream) -> float:
        number = 0
        self.begun += 1
        while not self.over.is_set():
            with trio.fail_after(_SILENCE_S):
                await stream.send_all(LINE.format(number).encode())
            number += 1
            await trio.sleep(PACE_S)
        await stream.send_eof()
        with trio.fail_after(_SILENCE_S):
            told = b"".join([data async for data in stream])
        lines, longest_s = json.loads(told)
        if lines != number:
            raise ValueError(f"{lines} of {number} lines came")
        return float(longest_s)


async def run(port: int, downloads: int, uploads: int, hosts: Sequence[str]) -> None:
    """A line `open` when all have begun; the report at the end."""
    client = Client()
    stdin = trio.lowlevel.FdStream(0)
    async with trio.open_nursery() as nursery:
        for kind, count in (("download", downloads), ("upload", uploads)):
            for host in [host for host in hosts for _ in range(count)]:
                nursery.start_soon(client.run, host, port, kind)
                await trio.sleep(0.002)
        with trio.move_on_after(10):
            while client.begun < (downloads + uploads) * len(hosts):  # noqa: ASYNC110 - for a moment
                await trio.sleep(0.02)
        os.write(1, b"open\n")
        await stdin.receive_some()
        client.over.set()
    broken, stalls = sum(client.reasons.values()), client.stalls
    print(json.dumps(asdict(Report(client.whole, broken, stalls["download"], stalls["upload"], client.reasons))))


async def serving(host: Host, port: int) -> None:
    """Start the server on a host and wait until it listens. Raises SetupError."""
    argv = [sys.executable, "-m", "hapair.lab.streams", "serve", str(port)]
    server = await host.start(argv, log="streams.log", stdout=subprocess.PIPE)
    assert server.stdout is not None
    if await server.stdout.receive_some() != b"ready\n":
        raise SetupError(f"{host.name} serves no streams\n{(host.folder / 'streams.log').read_text()}")


class Streams:
    """A client that runs."""

    def __init__(self, process: trio.Process) -> None:
        self._process = process

    async def finish(self) -> Report:
        """End all streams in good order; what became of them."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        await self._process.stdin.aclose()
        said = b"".join([data async for data in self._process.stdout])
        return Report(**json.loads(said))


@asynccontextmanager
async def streaming(
    host: Host, to: Sequence[str], port: int, *, downloads: int, uploads: int
) -> AsyncIterator[Streams]:
    """So many streams to each address, all begun, until `finish`."""
    argv = [sys.executable, "-m", "hapair.lab.streams", "run", *map(str, (port, downloads, uploads)), *to]
    process = await host.start(argv, log="streams.log", stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout is not None
    if await process.stdout.receive_some() != b"open\n":
        raise SetupError((host.folder / "streams.log").read_text())
    try:
        yield Streams(process)
    finally:
        if process.returncode is None:
            process.kill()


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        trio.run(serve, int(sys.argv[2]))
    else:
        trio.run(run, int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]), sys.argv[5:])
