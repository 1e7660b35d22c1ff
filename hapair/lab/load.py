"""The measuring client: `python -m hapair.lab.load HOST PORT`. Writes a record per request to stdout until stdin ends.

Probes tell the outage: one new connection every few milliseconds, each given up after a short time, started on a fixed
schedule whatever became of the ones before. Streams tell the rate: keep-alive connections that ask again and again.
"""

import argparse
import gc
import math
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass

import trio

from hapair.lab.records import Kind, Record, encode

_FLUSH_S = 0.02
_CHUNK = 65536


@dataclass(frozen=True, slots=True)
class Target:
    """Whom to ask and how often."""

    host: str
    port: int
    probe_interval_s: float = 0.004
    timeout_s: float = 0.25
    streams: int = 4
    stream_pause_s: float = 0.01


class RequestError(Exception):
    """A request did not get a whole answer with status 200; its text is the record's `error`."""


@dataclass(frozen=True, slots=True)
class Answer:
    server: str
    node: str
    last: bool = False
    """The connection ends with it (Connection: close)."""


class Client:
    """Sends requests and keeps their records until they are written."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._lines: list[bytes] = []

    async def run(self) -> None:
        """Probe and stream until cancelled."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._probe_on_schedule, nursery)
            for _ in range(self._target.streams):
                nursery.start_soon(self._stream)

    async def write(self, out: trio.abc.SendStream) -> None:
        """Write records as they come."""
        while True:
            await trio.sleep(_FLUSH_S)
            lines, self._lines = self._lines, []
            if lines:
                await out.send_all(b"".join(lines))

    async def _probe_on_schedule(self, nursery: trio.Nursery) -> None:
        interval = self._target.probe_interval_s
        due_at = trio.current_time()
        while True:
            nursery.start_soon(self._probe)
            late = max(0.0, trio.current_time() - due_at)
            # A client that fell behind leaves out what it missed: a burst would measure itself.
            due_at += interval * (1 + math.floor(late / interval))
            await trio.sleep_until(due_at)

    async def _probe(self) -> None:
        began_at = time.monotonic()
        with trio.socket.socket() as sock:
            await self._exchange(sock, "probe", began_at, connect=True, close=True)

    async def _stream(self) -> None:
        while True:
            with trio.socket.socket() as sock:
                connect = True
                while await self._exchange(sock, "stream", time.monotonic(), connect=connect):
                    connect = False
                    await trio.sleep(self._target.stream_pause_s)
            await trio.sleep(self._target.stream_pause_s)

    async def _exchange(
        self, sock: trio.socket.SocketType, kind: Kind, began_at: float, *, connect: bool, close: bool = False
    ) -> bool:
        """One request and its record. True where another may follow on this connection."""
        answer, error = Answer("", ""), None
        try:
            with trio.fail_after(self._target.timeout_s):
                if connect:
                    await sock.connect((self._target.host, self._target.port))
                answer = await ask(sock, self._target.host, close=close)
        except trio.TooSlowError:
            error = "timeout"
        except OSError as problem:
            error = os.strerror(problem.errno).lower() if problem.errno else str(problem)
        except RequestError as problem:
            error = str(problem)
        record = Record(kind, began_at, time.monotonic() - began_at, error, answer.server, answer.node)
        self._lines.append(encode(record))
        return record.ok and not answer.last


async def ask(sock: trio.socket.SocketType, host: str, *, close: bool) -> Answer:
    """One request and its whole answer on a connection. Raises OSError or RequestError."""
    connection = "Connection: close\r\n" if close else ""
    await sock.send(f"GET / HTTP/1.1\r\nHost: {host}\r\n{connection}\r\n".encode())
    received = b""
    while b"\r\n\r\n" not in received:
        received += await _more(sock)
    head, _, body = received.partition(b"\r\n\r\n")
    status, fields = parse_head(head)
    if status != "200":
        raise RequestError(f"status {status}")
    missing = int(fields.get("content-length", "0")) - len(body)
    while missing > 0:
        missing -= len(await _more(sock))
    last = fields.get("connection", "").lower() == "close"
    return Answer(fields.get("x-server", ""), fields.get("x-node", ""), last)


def parse_head(head: bytes) -> tuple[str, dict[str, str]]:
    """Status and header fields (names in lower case) of a response head."""
    status_line, *lines = head.decode("latin-1").split("\r\n")
    fields = (line.partition(":") for line in lines)
    return status_line.split(" ", 2)[1], {name.lower(): value.strip(" ") for name, _, value in fields}


async def _more(sock: trio.socket.SocketType) -> bytes:
    data = await sock.recv(_CHUNK)
    if not data:
        raise RequestError("closed early")
    return data


async def main(target: Target) -> None:
    """Run until stdin ends."""
    client = Client(target)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(client.run)
        nursery.start_soon(client.write, trio.lowlevel.FdStream(sys.stdout.fileno()))
        await trio.lowlevel.FdStream(sys.stdin.fileno()).receive_some(1)
        nursery.cancel_scope.cancel()


def parse_arguments(argv: Sequence[str]) -> Target:
    """The target that a command line names."""
    parser = argparse.ArgumentParser(prog="python -m hapair.lab.load", description=__doc__)
    parser.add_argument("host")
    parser.add_argument("port", type=int)
    for name in ("probe-interval-s", "timeout-s", "stream-pause-s"):
        parser.add_argument(f"--{name}", type=float, default=getattr(Target("", 0), name.replace("-", "_")))
    parser.add_argument("--streams", type=int, default=Target("", 0).streams)
    return Target(**vars(parser.parse_args(argv)))


if __name__ == "__main__":
    gc.disable()  # a collection would show as latency; this process lives for a minute and makes few cycles
    trio.run(main, parse_arguments(sys.argv[1:]))
