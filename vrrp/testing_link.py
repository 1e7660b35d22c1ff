"""A liveness link between two fake machines, as their runners see it: for tests, beside `vrrp.testing`.

    link = FakeLink(a, b)
    runners = [Runner(..., ports=node.ports, peer=link.end(node)) for node in (a, b)]
    link.join(*runners)
    nursery.start_soon(link.run)

How a link proves who is at its other end is left out: the real link over a fake cable is in `vrrp.liveness.testing`.
"""

import math
from collections.abc import Callable, Mapping

import trio

from vrrp.config import Address
from vrrp.runner import Runner
from vrrp.testing import FakeNode


class FakeLink:
    """Joins two machines. `FakeNode.crash` ends it."""

    def __init__(self, one: FakeNode, other: FakeNode, *, delay_s: float = 0.002, interval_s: float = 0.1) -> None:
        self.delay_s = delay_s
        self.silent = False
        """Carry nothing, as a link does whose path is cut: nobody is told."""
        self._interval_s = interval_s
        first, second = FakeLinkEnd(self, one), FakeLinkEnd(self, other)
        first.other, second.other = second, first
        self._ends = (first, second)
        one.at_crash.append(self.lose)
        other.at_crash.append(self.lose)

    def end(self, node: FakeNode) -> "FakeLinkEnd":
        """What a runner on this machine takes as its `peer`."""
        return self._ends[0] if self._ends[0].node is node else self._ends[1]

    def join(self, one: Runner, other: Runner) -> None:
        """Say which runners are at its ends, in the order of the machines."""
        self._ends[0].runner, self._ends[1].runner = one, other

    def lose(self, node: FakeNode) -> None:
        """The machine's process is gone: the other end sees end-of-file."""
        other = self.end(node).other
        self.tell(other, lambda runner: runner.peer_lost())

    def tell(self, end: "FakeLinkEnd", what: Callable[[Runner], None]) -> None:
        """Let something arrive at an end."""
        if not self.silent:
            end.arriving.send_nowait((trio.current_time() + self.delay_s, what))

    async def run(self) -> None:
        """Carry, until cancelled."""
        async with trio.open_nursery() as nursery:
            for end in self._ends:
                nursery.start_soon(end.deliver)
            while True:
                for end in self._ends:
                    end.beat()
                await trio.sleep(self._interval_s)


class FakeLinkEnd:
    """See `vrrp.runner.Peer`."""

    other: "FakeLinkEnd"

    def __init__(self, link: FakeLink, node: FakeNode) -> None:
        self.node = node
        self.runner: Runner | None = None
        self.arriving, self._queue = trio.open_memory_channel[tuple[float, Callable[[Runner], None]]](math.inf)
        self._link = link
        self._told: Mapping[str, Address] | None = None

    def advertised(self, router: str, source: Address, payload: bytes) -> None:
        """See `vrrp.runner.Peer`."""
        if self.node.running:
            self._link.tell(self.other, lambda runner: runner.peer_advertised(router, source, payload))

    def beat(self) -> None:
        """Give a sign of life; say first, where it is new, where our advertisements come from."""
        if not (self.node.running and self.runner) or self._link.silent:
            return
        sources = self.runner.sources()
        if sources != self._told:
            self._told = sources
            self._link.tell(self.other, lambda runner: runner.peer_met(sources))
        self._link.tell(self.other, lambda runner: runner.peer_heard())

    async def deliver(self) -> None:
        """Hand over what arrives, when it does."""
        async for at, what in self._queue:
            await trio.sleep_until(at)
            await self.node.until_thawed()
            if self.runner is not None and not self.node.crashed:
                what(self.runner)
