"""Keeps a liveness link to the peer: dials or listens, again and again; at any time at most one connection counts."""

import logging
import secrets
import time
from collections.abc import Mapping
from dataclasses import replace
from ipaddress import ip_address
from typing import NoReturn

import trio

from vrrp.config import Address
from vrrp.limitedlog import LimitedLog
from vrrp.liveness.config import LinkConfig, LinkSnapshot
from vrrp.liveness.connection import Connection, Ending
from vrrp.liveness.frames import Advert, Frame, Hello, Message
from vrrp.liveness.ports import LinkObserver, Listener, LostCause, Transport, Wire
from vrrp.liveness.session import NONCE_BYTES, RejectReason, Role, Session
from vrrp.liveness.tcp import PortTakenError, TcpTransport

log = logging.getLogger(__name__)

_REDIAL_MIN_S, _REDIAL_MAX_S = 0.1, 1.0
_DIAL_LIMIT_S = 1.0
_ACCEPT_PAUSE_S = 0.02
"""Between two connections that are taken: whoever opens thousands of them costs the announcer next to nothing."""
_UNKNOWN_LIMIT = 8
"""Connections that have not proved yet who they are. One more, and the oldest must go: the peer is quick."""


class LivenessLink:
    """One node's end. `run` must run. Everything else returns at once and may be called from the observer."""

    def __init__(
        self, config: LinkConfig, *, observer: LinkObserver, epoch: int, transport: Transport | None = None
    ) -> None:
        """`epoch`: when this process started, in seconds of the Unix epoch. `transport`: TCP, if nothing else."""
        self.config = config
        self._observer = observer
        self._scope = trio.CancelScope()
        self._transport = transport or TcpTransport()
        self._hello = Hello(node=config.node, epoch=epoch, incarnation=secrets.randbits(64))
        self._current: Connection | None = None
        self._unknown: list[Connection] = []
        self._since = time.monotonic()
        self._lost = 0
        self._last: Ending | None = None
        self._waiting_for: str | None = "the peer"
        self._rejected: dict[str, int] = {}
        self._warnings = LimitedLog(log)

    @property
    def up(self) -> bool:
        """Whether the peer is there."""
        return self._current is not None

    def set_sources(self, sources: Mapping[str, Address]) -> None:
        """By virtual router, where our advertisements come from. The peer is told, now and each time it is met."""
        hello = self._hello
        if hello.sources == sources:
            return
        self._hello = Hello(node=hello.node, epoch=hello.epoch, incarnation=hello.incarnation, sources=dict(sources))
        for connection in self._connections():
            connection.introduce(self._hello)

    def go_by(self, interval_s: float) -> None:
        """Have another interval from now on, also on a connection that is up."""
        self.config = replace(self.config, interval_s=interval_s)
        for connection in self._connections():
            connection.go_by(self.config.pace_s, self.config.silence_limit_s)

    def send(self, frame: Advert | Message) -> bool:
        """Send a frame, or forget it: False where the link is down, or has ended by it because the peer is too slow.

        Nothing waits longer than a connection lives. Raises ValueError on a frame that is too long.
        """
        return self._current is not None and self._current.send(frame)

    def snapshot(self) -> LinkSnapshot:
        """The link now."""
        return LinkSnapshot(
            up=self.up,
            since_monotonic=self._since,
            peer=self.config.peer,
            peer_address=str(self.config.peer_address),
            lost=self._lost,
            last_cause=self._last.cause.value if self._last else None,
            last_detail=self._last.detail if self._last else None,
            waiting_for=self._waiting_for,
            rejected=dict(self._rejected),
            round_trip_s=self._current.wire.round_trip_s() if self._current else None,
        )

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Until `leave`. Cancelled, it ends its connections as a death does: whoever does not say goodbye has not left.

        Raises PortTakenError, in a group, where another program has the port.
        """
        with self._scope:
            async with trio.open_nursery() as nursery:
                self._nursery = nursery
                task_status.started()
                await (self._dial() if self.config.dial else self._listen())

    def leave(self, reason: str) -> None:
        """Say goodbye, close everything, and let `run` return: the peer does not take this for a death."""
        for connection in self._connections():
            connection.leave(reason)
        self._scope.cancel()

    def _connections(self) -> tuple[Connection, ...]:
        return (*self._unknown, self._current) if self._current else tuple(self._unknown)

    # -- making connections

    async def _dial(self) -> NoReturn:
        delay_s = _REDIAL_MIN_S
        while True:
            if await self._dial_once():
                delay_s = _REDIAL_MIN_S
            await trio.sleep(delay_s)
            delay_s = min(2 * delay_s, _REDIAL_MAX_S)

    async def _dial_once(self) -> bool:
        """Whether it came up."""
        try:
            with trio.fail_after(_DIAL_LIMIT_S):
                wire = await self._transport.dial(self.config)
        except (OSError, trio.TooSlowError) as error:
            obstacle = error.strerror if isinstance(error, OSError) else "no answer"
            self._waiting_for = f"{self.config.peer_address} port {self.config.port}: {obstacle}"
            return False
        ending = await self.carry(wire)
        if not ending.was_up:
            self._waiting_for = ending.detail
        return ending.was_up

    async def _listen(self) -> NoReturn:
        listener = await self._open_listener()
        try:
            while True:
                wire, source = await listener.accept()
                if source == self.config.peer_address.packed:
                    self._nursery.start_soon(self.carry, wire)
                else:
                    wire.close()
                    self._reject(RejectReason.ADDRESS, f"it comes from {ip_address(source)}")
                await trio.sleep(_ACCEPT_PAUSE_S)
        finally:
            listener.close()

    async def _open_listener(self) -> Listener:
        while True:
            try:
                return self._transport.listen(self.config)
            except PortTakenError:
                raise
            except OSError as error:  # an IPv6 link-local address whose interface is not there yet
                self._waiting_for = f"{self.config.address}: {error.strerror}"
            await trio.sleep(_REDIAL_MAX_S)

    async def carry(self, wire: Wire) -> Ending:
        """Run one connection until its end. Its farewell goes on in the background."""
        connection = self._connection(wire)
        if len(self._unknown) >= _UNKNOWN_LIMIT:
            self._unknown[0].end(LostCause.ENDED, "too many at once", RejectReason.CROWD)
        self._unknown.append(connection)
        try:
            ending = await connection.run()
        except BaseException:
            wire.close()
            raise
        self._nursery.start_soon(connection.bid_farewell)
        return ending

    def _connection(self, wire: Wire) -> Connection:
        config = self.config
        session = Session(
            secret=config.secret,
            purpose=config.purpose,
            node=config.node,
            peer=config.peer,
            role=Role.DIALER if config.dial else Role.LISTENER,
            nonce=secrets.token_bytes(NONCE_BYTES),
        )
        limits = {"interval_s": config.pace_s, "silence_limit_s": config.silence_limit_s}
        return Connection(wire, session, self, hello=self._hello, **limits)

    # -- what connections tell

    def opened(self, connection: Connection, hello: Hello) -> None:
        """A newer connection replaces an older one: the peer made it because it has no other.

        Made by another process than the older one, it tells that the peer's former process is dead, though we have not
        seen its end: the machine lost power, or the network was cut just then.
        """
        former, self._current = self._current, connection
        self._unknown.remove(connection)
        if former is not None and former.hello is not None:
            same = former.hello.incarnation == hello.incarnation
            former.end(LostCause.ENDED if same else LostCause.DIED, "the peer connects again")
            self._tell_lost(former)
        self._since, self._waiting_for = time.monotonic(), None
        self._observer.on_up(hello)
        log.info("link up", extra={"peer": hello.node})

    def heard(self, connection: Connection) -> None:
        """See `LinkObserver.on_heard`."""
        if connection is self._current:
            self._observer.on_heard()

    def received(self, connection: Connection, frame: Frame) -> None:
        """See `LinkObserver.on_frame`."""
        if connection is self._current and isinstance(frame, Advert | Message | Hello):
            self._observer.on_frame(frame)

    def closed(self, connection: Connection, ending: Ending) -> None:
        """The observer first: nothing is more urgent than a death."""
        if connection is self._current:
            self._current = None
            self._tell_lost(connection)
        elif connection in self._unknown:
            self._unknown.remove(connection)
        if ending.rejected is not None:
            self._reject(ending.rejected, ending.detail)

    def _tell_lost(self, connection: Connection) -> None:
        assert connection.ending is not None
        self._last, self._since, self._waiting_for = connection.ending, time.monotonic(), "the peer"
        self._lost += 1
        self._observer.on_lost(connection.ending.cause)
        log.warning(
            "link lost",
            extra={
                "peer": self.config.peer,
                "cause": connection.ending.cause.value,
                "detail": connection.ending.detail,
            },
        )

    def _reject(self, reason: RejectReason, detail: str) -> None:
        self._rejected[reason.value] = self._rejected.get(reason.value, 0) + 1
        fields = {"reason": reason.value, "detail": detail}
        self._warnings.warning(reason.value, "connection refused", fields, now=trio.current_time())
