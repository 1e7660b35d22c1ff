"""A cable between two nodes that exists only under trio's clock: for tests of what is built on the liveness link.

    cable = FakeCable(delay_s=0.001)
    link = LivenessLink(config, observer=..., epoch=0, transport=cable.plug("a"))

The link over it is the real one. `die` is what SIGKILL does, `cut` what pulling the cable does.
"""

import errno
import math
from collections import deque

import trio

from vrrp.liveness.config import LinkConfig


class FakeCable:
    """Carries connections between the nodes that are plugged in. What is sent while it is cut arrives when healed."""

    def __init__(self, *, delay_s: float = 0.001) -> None:
        self.delay_s = delay_s
        self.up = True
        self.listeners: dict[bytes, FakeListener] = {}
        """By packed address."""
        self._wires: list[tuple[str, FakeWire]] = []
        self._changed = trio.Event()

    def plug(self, node: str) -> "FakeTransport":
        """A node's way to make connections."""
        return FakeTransport(self, node)

    def die(self, node: str) -> None:
        """The node's process is gone: its connections end, it listens no more, what it still does does not count.

        Cancel its link too. To let it start again, plug it in again.
        """
        for listener in [one for one in self.listeners.values() if one.node == node]:
            listener.close()
        for owner, wire in self._wires:
            if owner == node:
                wire.die()
        self._wires = [(owner, wire) for owner, wire in self._wires if owner != node]

    def cut(self) -> None:
        """Nothing arrives any more."""
        self.up = False

    def heal(self) -> None:
        """Everything arrives."""
        self.up = True
        self._changed.set()
        self._changed = trio.Event()

    async def until_up(self) -> None:
        """Wait for `heal`."""
        while not self.up:
            await self._changed.wait()

    def join(self, dialer: str, listener: str) -> "tuple[FakeWire, FakeWire]":
        """A new connection, the dialer's end first."""
        ends = FakeWire(self), FakeWire(self)
        ends[0].other, ends[1].other = ends[1], ends[0]
        self._wires += [(dialer, ends[0]), (listener, ends[1])]
        return ends


class FakeTransport:
    """See `vrrp.liveness.ports.Transport`."""

    def __init__(self, cable: FakeCable, node: str) -> None:
        self._cable, self._node = cable, node

    async def dial(self, config: LinkConfig) -> "FakeWire":
        """Refused where nobody listens."""
        await trio.sleep(2 * self._cable.delay_s)
        await self._cable.until_up()
        listener = self._cable.listeners.get(config.peer_address.packed)
        if listener is None:
            raise OSError(errno.ECONNREFUSED, "Connection refused")
        ours, theirs = self._cable.join(self._node, listener.node)
        listener.offer(theirs, config.address.packed)
        return ours

    def listen(self, config: LinkConfig) -> "FakeListener":
        """One listener for each address."""
        self._cable.listeners[config.address.packed] = listener = FakeListener(self._cable, self._node)
        return listener


class FakeListener:
    """See `vrrp.liveness.ports.Listener`."""

    def __init__(self, cable: FakeCable, node: str) -> None:
        self.node = node
        self._cable = cable
        self._send, self._receive = trio.open_memory_channel[tuple[FakeWire, bytes]](math.inf)

    def offer(self, wire: "FakeWire", source: bytes) -> None:
        """A connection that somebody has made."""
        self._send.send_nowait((wire, source))

    async def accept(self) -> "tuple[FakeWire, bytes]":
        """The next one."""
        return await self._receive.receive()

    def close(self) -> None:
        """Refuse from now on."""
        self._cable.listeners = {where: one for where, one in self._cable.listeners.items() if one is not self}


class FakeWire:
    """One end of a connection. See `vrrp.liveness.ports.Wire`."""

    other: "FakeWire"

    def __init__(self, cable: FakeCable) -> None:
        self.full = False
        """Whether the other end has stopped to take anything in."""
        self.error: int | None = None
        """The errno that the next call finds."""
        self._cable = cable
        self._arriving: deque[tuple[float, bytes]] = deque()
        self._changed = trio.Event()
        self._dead = self._closed = self._finished = False

    def receive(self, limit_bytes: int) -> bytes | None:
        """What has arrived by now."""
        if self._dead:
            return None
        if self._arriving and self._arriving[0][0] <= trio.current_time() and self._cable.up:
            at, data = self._arriving.popleft()
            if not data:
                self._arriving.appendleft((at, data))  # an end stays one
            elif len(data) > limit_bytes:
                self._arriving.appendleft((at, data[limit_bytes:]))
            return data[:limit_bytes]
        if self.error is not None:
            raise OSError(self.error, errno.errorcode[self.error])
        return None

    def send(self, data: bytes | bytearray) -> int:
        """All of it, or nothing."""
        if self._dead or self.other._closed:
            return len(data)
        if self.error is not None:
            raise OSError(self.error, errno.errorcode[self.error])
        if self.full:
            return 0
        self.other.arrive(bytes(data))
        return len(data)

    def arrive(self, data: bytes) -> None:
        """Bytes are on their way to this end; none: its end-of-file."""
        self._arriving.append((trio.current_time() + self._cable.delay_s, data))
        self.wake()

    def fail(self, number: int) -> None:
        """The kernel reports an error, after what has arrived."""
        self.error = number
        self.wake()

    def drain(self) -> None:
        """The other end takes things in again."""
        self.full = False
        self.wake()

    def wake(self) -> None:
        """Let everyone who waits look again."""
        self._changed.set()
        self._changed = trio.Event()

    async def wait_readable(self) -> None:
        """Until something has arrived."""
        while not self._closed:
            arrives_at = self._arriving[0][0] if self._arriving and not self._dead else math.inf
            if self.error is not None and arrives_at == math.inf:
                break
            if arrives_at <= trio.current_time():
                await self._cable.until_up()
                break
            with trio.move_on_at(arrives_at):
                await self._changed.wait()
        await trio.lowlevel.checkpoint()
        if self._closed:
            raise trio.ClosedResourceError

    async def wait_writable(self) -> None:
        """Until there is room."""
        while self.full and not self._closed and self.error is None:
            await self._changed.wait()
        await trio.lowlevel.checkpoint()
        if self._closed:
            raise trio.ClosedResourceError

    def finish_sending(self) -> None:
        """The other end will see the end."""
        if not (self._finished or self._dead):
            self._finished = True
            self.other.arrive(b"")

    def die(self) -> None:
        """Its process is gone."""
        self.finish_sending()
        self._dead = True
        self.wake()

    def close(self) -> None:
        """As a kernel does it."""
        self.finish_sending()
        self._closed = True
        self.wake()

    def round_trip_s(self) -> float | None:
        """There and back."""
        return 2 * self._cable.delay_s
