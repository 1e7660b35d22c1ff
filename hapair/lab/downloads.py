"""Many slow downloads at once: `python -m hapair.lab.downloads HOST PORT COUNT LASTING_S`, and who starts that.

Each download is a connection of its own whose body comes in small pieces and is checked by its SHA-256. A line `open`
on stdout says that all of them have begun; the last line is the report.
"""

import hashlib
import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass

import trio

from hapair.lab.bulk import PIECE, digest, path
from hapair.lab.load import parse_head
from hapair.lab.pair import Pair, SetupError

EVERY_MS = 200
_SILENCE_S = 15.0
"""A download that brings nothing for so long is broken: no handover takes as long."""
OPEN = b"open"


@dataclass(frozen=True, slots=True)
class Report:
    """What became of the downloads."""

    asked: int
    whole: int
    """Those whose every byte came, and as it had been sent."""
    reasons: Mapping[str, int]
    """Why the others did not."""


class BrokenError(Exception):
    """A download did not come whole; its text is the reason."""


async def fetch(host: str, port: int, name: str, pieces: int, begun: trio.abc.SendChannel[None]) -> None:
    """One download from beginning to end. Raises BrokenError."""
    with trio.socket.socket() as sock:
        try:
            await _fetch(sock, (host, port), name, pieces, begun)
        except trio.TooSlowError:
            raise BrokenError("silence") from None
        except OSError as error:
            raise BrokenError(os.strerror(error.errno).lower() if error.errno else str(error)) from None


async def _fetch(
    sock: trio.socket.SocketType, where: tuple[str, int], name: str, pieces: int, begun: trio.abc.SendChannel[None]
) -> None:
    with trio.fail_after(_SILENCE_S):
        await sock.connect(where)
        target = path(name, pieces, EVERY_MS)
        await sock.send(f"GET {target} HTTP/1.1\r\nHost: {where[0]}\r\nConnection: close\r\n\r\n".encode())
        received = b""
        while b"\r\n\r\n" not in received:
            received += await _more(sock)
    head, _, body = received.partition(b"\r\n\r\n")
    if (status := parse_head(head)[0]) != "200":
        raise BrokenError(f"status {status}")
    await begun.send(None)
    total, left = hashlib.sha256(body), pieces * PIECE - len(body)
    while left > 0:
        with trio.fail_after(_SILENCE_S):
            data = await _more(sock)
        total.update(data)
        left -= len(data)
    if left < 0 or total.hexdigest() != digest(name, pieces):
        raise BrokenError("other bytes than were sent")


async def _more(sock: trio.socket.SocketType) -> bytes:
    data = await sock.recv(65536)
    if not data:
        raise BrokenError("closed early")
    return data


async def fetch_all(host: str, port: int, count: int, lasting_s: float, begun: trio.abc.SendChannel[None]) -> Report:
    """All downloads at once; `begun` hears of each one that has its answer's head."""
    reasons: Counter[str] = Counter()
    pieces = max(1, round(lasting_s * 1000 / EVERY_MS))

    async def one(number: int) -> None:
        try:
            await fetch(host, port, f"d{number}", pieces, begun)
        except BrokenError as broken:
            reasons[str(broken)] += 1

    async with trio.open_nursery() as nursery:
        for number in range(count):
            nursery.start_soon(one, number)
    return Report(count, count - reasons.total(), dict(reasons))


class Downloads:
    """The downloads of a client, from outside."""

    def __init__(self, output: trio.abc.ReceiveStream) -> None:
        self._output = output
        self._received = b""

    async def all_open(self, *, within_s: float = 20.0) -> None:
        """Wait until every download has begun. Raises SetupError where one does not."""
        with trio.move_on_after(within_s):
            if await self._line() == OPEN:
                return
        raise SetupError("not every download began")

    async def finished(self) -> Report:
        """Wait until every download has ended in one way or the other."""
        line = await self._line()
        return Report(**json.loads(line if line != OPEN else await self._line()))

    async def _line(self) -> bytes:
        while b"\n" not in self._received:
            data = await self._output.receive_some()
            if not data:
                raise SetupError("the client with the downloads ended early")
            self._received += data
        line, _, self._received = self._received.partition(b"\n")
        return line


@asynccontextmanager
async def downloading(pair: Pair, count: int, *, lasting_s: float) -> AsyncIterator[Downloads]:
    """Downloads through the VIP, on the pair's client; those that still run are dropped when the block ends."""
    argv = [sys.executable, "-m", "hapair.lab.downloads", pair.plan.vip, "80", str(count), str(lasting_s)]
    client = await pair.client.start(argv, log="downloads.log", stdout=subprocess.PIPE)
    assert client.stdout is not None
    try:
        async with client.stdout:
            yield Downloads(client.stdout)
    finally:
        client.kill()


async def main(host: str, port: int, count: int, lasting_s: float) -> None:
    """Fetch, and tell."""
    send, receive = trio.open_memory_channel[None](count)

    async def tell_when_open() -> None:
        for _ in range(count):
            await receive.receive()
        print(OPEN.decode(), flush=True)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(tell_when_open)
        report = await fetch_all(host, port, count, lasting_s, send)
        nursery.cancel_scope.cancel()
    print(json.dumps(asdict(report)), flush=True)


if __name__ == "__main__":
    trio.run(main, sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4]))
