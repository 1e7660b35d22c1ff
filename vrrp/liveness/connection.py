"""One connection of the liveness link: handshake, frames both ways, signs of life, and how it ends.

Only an end-of-file or a reset of a connection that was up means that the peer's process died. So this end must never
look dead while it lives: whenever it gives a connection up, for whatever reason, it says so (Bye) and keeps the
socket for as long as the other end may still be listening. Closed at once, the kernel would answer the other end's
next segment with a reset.
"""

import math
from dataclasses import dataclass
from typing import Protocol

import trio

from vrrp.liveness.frames import Alive, Bye, Frame, FrameRejected, Hello, decode, encode
from vrrp.liveness.ports import LostCause, Wire, cause_of
from vrrp.liveness.session import LinkRejected, RejectReason, Session

HANDSHAKE_LIMIT_S = 2.0
_PENDING_LIMIT_BYTES = 1024 * 1024
_RECEIVE_BYTES = 64 * 1024
_HANDSHAKE_RECEIVE_BYTES = 1024
_FAREWELL_MARGIN_S = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """How a connection ended."""

    cause: LostCause
    detail: str
    rejected: RejectReason | None = None
    was_up: bool = False


class Owner(Protocol):
    """Is told synchronously what happens on a connection."""

    def opened(self, connection: "Connection", hello: Hello) -> None:
        """It is up."""

    def heard(self, connection: "Connection") -> None:
        """Frames have arrived."""

    def received(self, connection: "Connection", frame: Frame) -> None:
        """One of them; neither Alive nor Bye."""

    def closed(self, connection: "Connection", ending: Ending) -> None:
        """Nothing comes any more, and nothing can be sent."""


class Connection:
    """Runs a session over a wire. `run` returns when it is over; then `bid_farewell`."""

    def __init__(
        self, wire: Wire, session: Session, owner: Owner, *, hello: Hello, interval_s: float, silence_limit_s: float
    ) -> None:
        """`hello`: what we say of ourselves."""
        self.wire = wire
        self.hello: Hello | None = None
        """What the peer says of itself; None: not up yet."""
        self.ending: Ending | None = None
        self._left = False
        self._session, self._owner = session, owner
        self._interval_s, self._silence_limit_s = interval_s, silence_limit_s
        self._introduction = hello
        self._introduced = False
        self._pending = bytearray()
        self._wake_writer = trio.Event()
        self._scope = trio.CancelScope()
        self._heard_at = self._sent_at = trio.current_time()

    @property
    def authenticated(self) -> bool:
        """Whether the other end has proved that it is the peer."""
        return self._session.established

    async def run(self) -> Ending:
        """Shake hands, introduce ourselves, then carry frames until one end is gone."""
        with self._scope:
            await self._shake_hands()
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._write)
                nursery.start_soon(self._stay_alive)
                await self._read()
        assert self.ending is not None
        return self.ending

    def introduce(self, hello: Hello) -> None:
        """Say something else of ourselves from now on."""
        self._introduction = hello
        if self._introduced:
            self.send(hello)

    def go_by(self, interval_s: float, silence_limit_s: float) -> None:
        """Have other limits, once those have passed that are waited for."""
        self._interval_s, self._silence_limit_s = interval_s, silence_limit_s

    def send(self, frame: Frame) -> bool:
        """Send a frame, now or as soon as there is room. Never blocks. False: it will not arrive.

        What waits longer than the peer can take ends the connection: the peer is too slow to be of use.
        """
        if self.ending is not None or not self._session.established:
            return False
        self._sent_at = trio.current_time()
        self._put(self._session.seal(encode(frame)))
        return self.ending is None

    def end(self, cause: LostCause, detail: str, rejected: RejectReason | None = None) -> None:
        """Give it up, or take note of its end."""
        if self.ending is not None:
            return
        self.ending = Ending(cause=cause, detail=detail, rejected=rejected, was_up=self.hello is not None)
        self._scope.cancel()
        self._owner.closed(self, self.ending)

    async def bid_farewell(self) -> None:
        """Say that we live, and wait until the other end has heard it or must have given up on its own; then close."""
        assert self.ending is not None
        try:
            if self._session.established and self.ending.cause is LostCause.ENDED and not self._left:
                with trio.move_on_after(self._silence_limit_s + _FAREWELL_MARGIN_S):
                    await self._say_goodbye(self.ending.detail)
        except OSError as error:
            cause_of(error)
        finally:
            self.wire.close()

    def leave(self, reason: str) -> None:
        """Say goodbye as well as it goes without waiting, and close."""
        self.end(LostCause.ENDED, reason)
        self._left = True
        try:
            if self._session.established:
                self._pending += self._session.seal(encode(Bye(reason)))
                self.wire.send(self._pending)
                while self.wire.receive(_RECEIVE_BYTES):
                    pass  # what is left unread would make the kernel send a reset, and drop what we have sent
        except OSError as error:
            cause_of(error)
        finally:
            self.wire.close()

    # -- the handshake

    async def _shake_hands(self) -> None:
        with trio.move_on_after(HANDSHAKE_LIMIT_S) as limit:
            self._put(self._session.take_output())
            while self.hello is None and self.ending is None:
                await self._flush()
                await self._read_some()
        if limit.cancelled_caught:
            self.end(LostCause.ENDED, "the handshake took too long", RejectReason.DEADLINE)

    async def _flush(self) -> None:
        """During the handshake nobody else writes; it is short, and has room."""
        while self._pending and self.ending is None:
            await self.wire.wait_writable()
            self._write_some()

    # -- reading

    async def _read(self) -> None:
        while self.ending is None:
            await self._read_some()

    async def _read_some(self) -> None:
        silent_at = math.inf if self.hello is None else self._heard_at + self._silence_limit_s
        with trio.move_on_at(silent_at):
            await self.wire.wait_readable()
        # Looked at even where there is something: after a pause what is in the queue says nothing about the present.
        if trio.current_time() >= silent_at:
            self.end(LostCause.ENDED, f"nothing was heard for {self._silence_limit_s:g} s")
            return
        try:
            data = self.wire.receive(_RECEIVE_BYTES if self._session.established else _HANDSHAKE_RECEIVE_BYTES)
        except OSError as error:
            self.end(cause_of(error), str(error.strerror))
            return
        if data is not None:
            self._take_in(data)

    def _take_in(self, data: bytes) -> None:
        if not data:
            self.end(LostCause.DIED, "end of file", None if self._session.established else RejectReason.INCOMPLETE)
            return
        self._session.feed(data)
        try:
            self._take_frames()
        except LinkRejected as rejected:
            self.end(LostCause.ENDED, str(rejected), rejected.reason)
        except FrameRejected as rejected:
            self.end(LostCause.ENDED, f"frame: {rejected}", RejectReason.FRAME)

    def _take_frames(self) -> None:
        while self.ending is None:
            body = self._session.next_frame()
            self._put(self._session.take_output())
            if self._session.established and not self._introduced:
                self._introduced = self.send(self._introduction)
            if body is None:
                return
            self._take_frame(decode(body))

    def _take_frame(self, frame: Frame) -> None:
        self._heard_at = trio.current_time()
        match frame:
            case Bye(reason):
                self.end(LostCause.ENDED, f"the peer says: {reason}")
            case Hello() if self.hello is None:
                self.hello = frame
                self._owner.opened(self, frame)
            case _ if self.hello is None:
                raise LinkRejected(RejectReason.FRAME, "it does not introduce itself")
            case Alive():
                self._owner.heard(self)
            case _:
                self._owner.heard(self)
                self._owner.received(self, frame)

    # -- writing

    def _put(self, data: bytes) -> None:
        if not data:
            return
        was_empty = not self._pending
        self._pending += data
        if was_empty:
            self._write_some()
        if self._pending and self.ending is None:
            self._wake_writer.set()
        if len(self._pending) > _PENDING_LIMIT_BYTES:
            self.end(LostCause.ENDED, "the peer is too slow")

    def _write_some(self) -> None:
        try:
            del self._pending[: self.wire.send(self._pending)]
        except OSError as error:
            self._pending.clear()
            if cause_of(error) is LostCause.ENDED:
                self.end(LostCause.ENDED, str(error.strerror))
            # Else the reader finds out, after what the peer has still said: that may be a goodbye.

    async def _write(self) -> None:
        while True:
            await self._wake_writer.wait()
            self._wake_writer = trio.Event()
            while self._pending:
                await self.wire.wait_writable()
                self._write_some()

    async def _stay_alive(self) -> None:
        while True:
            await trio.sleep_until(self._sent_at + self._interval_s)
            if trio.current_time() < self._sent_at + self._interval_s:
                continue
            if self._pending:
                self._sent_at = trio.current_time()  # what waits will say it
            else:
                self.send(Alive())

    # -- the end

    async def _say_goodbye(self, reason: str) -> None:
        self._pending += self._session.seal(encode(Bye(reason)))
        while self._pending:
            await self.wire.wait_writable()
            del self._pending[: self.wire.send(self._pending)]
        self.wire.finish_sending()
        while True:
            await self.wire.wait_readable()
            if self.wire.receive(_RECEIVE_BYTES) == b"":
                return
