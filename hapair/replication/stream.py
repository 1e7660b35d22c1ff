"""An authenticated conversation with a process of the peer, over a connection."""

import os
from typing import Protocol

import trio

from vrrp.liveness.config import LinkConfig
from vrrp.liveness.session import BODY_LIMIT_BYTES, NONCE_BYTES, LinkRejected, Role, Session

HANDSHAKE_LIMIT_S = 3.0
SILENCE_LIMIT_S = 5.0
BODY_BYTES = BODY_LIMIT_BYTES
_RECEIVE_BYTES = 1 << 18


class Wire(Protocol):
    """What is used of a connected socket (vrrp.liveness.tcp.TcpWire)."""

    def receive(self, limit_bytes: int) -> bytes | None: ...
    def send(self, data: bytes) -> int: ...
    async def wait_readable(self) -> None: ...
    async def wait_writable(self) -> None: ...
    def close(self) -> None: ...


class StreamEndedError(Exception):
    """The conversation is over; its words say why.

    `rejected`: by one word, where what was received is not from the peer, or makes no sense; else empty.
    """

    def __init__(self, words: str, *, rejected: str = "") -> None:
        super().__init__(words)
        self.rejected = rejected


class PeerStream:
    """One conversation. Every method raises StreamEndedError at its end, whatever the reason."""

    def __init__(self, wire: Wire, config: LinkConfig, role: Role) -> None:
        self._wire = wire
        self._lock = trio.Lock()
        self._early: list[bytes] = []
        self._session = Session(
            secret=config.secret,
            purpose=config.purpose,
            node=config.node,
            peer=config.peer,
            role=role,
            nonce=os.urandom(NONCE_BYTES),
        )

    async def shake_hands(self) -> None:
        """Until both have proved who they are."""
        with trio.move_on_after(HANDSHAKE_LIMIT_S):
            await self._write(self._session.take_output())
            while not self._session.established:
                frame = self._next()
                await self._write(self._session.take_output())
                if frame is not None:  # what it says first came along with who it is
                    self._early.append(frame)
                elif not self._session.established:
                    await self._more()
            return
        raise StreamEndedError("it did not say who it is in time")

    async def send(self, body: bytes) -> None:
        """Say something; in the order of the calls."""
        async with self._lock:
            await self._write(self._session.seal(body))

    async def receive(self) -> bytes:
        """What it says next. It must say something every SILENCE_LIMIT_S."""
        with trio.move_on_after(SILENCE_LIMIT_S):
            if self._early:
                return self._early.pop()
            while (frame := self._next()) is None:
                await self._more()
            return frame
        raise StreamEndedError(f"nothing came for {SILENCE_LIMIT_S:.0f} s")

    def close(self) -> None:
        self._wire.close()

    def _next(self) -> bytes | None:
        try:
            return self._session.next_frame()
        except LinkRejected as rejected:
            raise StreamEndedError(str(rejected), rejected=rejected.reason.value) from rejected

    async def _more(self) -> None:
        await self._wire.wait_readable()
        try:
            data = self._wire.receive(_RECEIVE_BYTES)
        except OSError as error:
            raise StreamEndedError(error.strerror or "it broke") from error
        if data == b"":
            raise StreamEndedError("it hung up")
        self._session.feed(data or b"")

    async def _write(self, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            try:
                sent = self._wire.send(bytes(rest))
            except OSError as error:
                raise StreamEndedError(error.strerror or "it broke") from error
            rest = rest[sent:]
            if rest:
                await self._wire.wait_writable()
