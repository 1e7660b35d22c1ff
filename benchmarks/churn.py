"""Streams that come and go: `python -m benchmarks.churn PORT COUNT SEED HOST ...`, until stdin ends.

So many are open at any time, half of them uploads, on the hosts in turn. Each carries numbered lines, which its taker
checks to the last one, for 2 to 30 seconds, ends in good order, and is followed by another. A line of JSON on stdout
for each that has ended: kind, when it was connected and when it ended (time.monotonic), its longest stall, and why it
broke.
"""

from __future__ import annotations

import json
import os
import random
import sys
import time
from dataclasses import asdict, dataclass

import trio

from hapair.lab.streams import Client

SHORTEST_S, LONGEST_S = 2.0, 30.0
PAUSE_S = 0.5
"""After one that broke."""
_CONNECT_S = 20.0


@dataclass(frozen=True, slots=True)
class Ended:
    """What became of a stream. `connected_at`: None where it was never begun."""

    kind: str
    host: str
    connected_at: float | None
    ended_at: float
    stall_s: float
    reason: str | None

    @property
    def whole(self) -> bool:
        return self.reason is None


class Churning(Client):
    """A client of one stream, which ends after a while."""

    def __init__(self) -> None:
        super().__init__()
        self.connected_at: float | None = None

    async def once(self, host: str, port: int, kind: str, life_s: float) -> Ended:
        """Open it, let it live, end it."""
        stall_s, reason = 0.0, None
        try:
            with trio.fail_after(_CONNECT_S):
                stream = await trio.open_tcp_stream(host, port)
            self.connected_at = time.monotonic()
            async with stream, trio.open_nursery() as nursery:
                nursery.start_soon(self._end_after, life_s)
                await stream.send_all(f"{kind}\n".encode())
                stall_s = await (self._download(stream) if kind == "download" else self._upload(stream))
                nursery.cancel_scope.cancel()
        except* (OSError, trio.BrokenResourceError, ValueError, trio.TooSlowError) as group:
            causes = [cause for one in group.exceptions for cause in _causes(one)]
            reason = " / ".join(f"{type(cause).__name__} {cause}" for cause in causes)
        return Ended(kind, host, self.connected_at, time.monotonic(), stall_s, reason)

    async def _end_after(self, life_s: float) -> None:
        await trio.sleep(life_s)
        self.over.set()


async def keep_one(port: int, host: str, kind: str, rng: random.Random) -> None:
    """One stream after the other, for ever."""
    while True:
        ended = await Churning().once(host, port, kind, rng.uniform(SHORTEST_S, LONGEST_S))
        os.write(1, json.dumps(asdict(ended)).encode() + b"\n")
        if not ended.whole:
            await trio.sleep(PAUSE_S)


async def main(port: int, count: int, seed: int, hosts: list[str]) -> None:
    rng = random.Random(seed)
    async with trio.open_nursery() as nursery:
        for number in range(count):
            kind = ("download", "upload")[number // len(hosts) % 2]
            nursery.start_soon(keep_one, port, hosts[number % len(hosts)], kind, rng)
            await trio.sleep(0.002)
        await trio.lowlevel.FdStream(os.dup(0)).receive_some()
        nursery.cancel_scope.cancel()


if __name__ == "__main__":
    trio.run(main, int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4:])


def _causes(error: BaseException) -> list[BaseException]:
    """What lies behind it: an attempt to connect that failed holds a group of its own."""
    cause = error.__cause__ or error
    return (
        [deep for one in cause.exceptions for deep in _causes(one)]
        if isinstance(cause, BaseExceptionGroup)
        else [cause]
    )
