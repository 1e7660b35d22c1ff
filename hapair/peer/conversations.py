"""Makes authenticated connections to the peer, again and again; at any time at most one is talked on."""

import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from ipaddress import ip_address

import trio

from hapair.replication.stream import PeerStream, StreamEndedError
from vrrp.limitedlog import LimitedLog
from vrrp.liveness.config import LinkConfig
from vrrp.liveness.ports import Listener, Transport, Wire
from vrrp.liveness.session import Role
from vrrp.liveness.tcp import TcpTransport

log = logging.getLogger(__name__)

AGAIN_S = 1.0
DIAL_LIMIT_S = 3.0
_UNKNOWN_LIMIT = 8
"""Connections that have not proved yet who they are."""


class Conversations:
    """One node's end. The node with the lower name dials. `run` must run."""

    def __init__(
        self,
        config: LinkConfig,
        talk: Callable[[PeerStream], Awaitable[None]],
        *,
        transport: Transport | None = None,
    ) -> None:
        """`talk` is called once both have proved who they are, and raises StreamEndedError when it is over.

        A connection that comes later takes the place of an earlier one: the peer made it because it has no other.
        `config.purpose` says what the talk is about.
        """
        self.waits_for = "the peer"
        """What keeps it down, in words."""
        self.rejected: Counter[str] = Counter()
        """Connections that ended with something that is not from the peer, or makes no sense, by reason."""
        self._config = config
        self._talk = talk
        self._transport = transport or TcpTransport()
        self._scope: trio.CancelScope | None = None
        self._unknown = 0
        self._limited = LimitedLog(log)

    async def run(self) -> None:
        """For ever."""
        await (self._dial() if self._config.dial else self._accept())

    async def _dial(self) -> None:
        config = self._config
        while True:
            try:
                with trio.fail_after(DIAL_LIMIT_S):
                    wire = await self._transport.dial(config)
            except (OSError, trio.TooSlowError) as error:
                obstacle = error.strerror if isinstance(error, OSError) else "no answer"
                self.waits_for = f"the peer ({config.peer_address} port {config.port}: {obstacle})"
            else:
                await self._converse(wire, Role.DIALER)
            await trio.sleep(AGAIN_S)

    async def _accept(self) -> None:
        peer = ip_address(str(self._config.peer_address).partition("%")[0]).packed
        listener = await self._listen()
        try:
            async with trio.open_nursery() as nursery:
                while True:
                    wire, source = await listener.accept()
                    if source == peer and self._unknown < _UNKNOWN_LIMIT:
                        nursery.start_soon(self._converse, wire, Role.LISTENER)
                    else:
                        wire.close()
        finally:
            listener.close()

    async def _listen(self) -> Listener:
        while True:
            try:
                return self._transport.listen(self._config)
            except OSError as error:
                self.waits_for = f"{self._config.address} port {self._config.port}: {error.strerror}"
                fields = {"purpose": self._config.purpose, "reason": self.waits_for}
                self._limited.warning("listen", "cannot listen for the peer", fields, now=trio.current_time())
            await trio.sleep(AGAIN_S)

    async def _converse(self, wire: Wire, role: Role) -> None:
        """From the first byte to the end."""
        stream = PeerStream(wire, self._config, role)
        try:
            await self._introduce(stream)
            if self._scope is not None:
                self._scope.cancel()
            with trio.CancelScope() as self._scope:
                await self._talk(stream)
        except* StreamEndedError as group:
            self.rejected.update(_reasons_in(group))
            self.waits_for = f"the peer ({group.exceptions[0]})"
            fields = {"purpose": self._config.purpose, "peer": self._config.peer, "reason": group.exceptions[0]}
            self._limited.warning("ended", "the talk with the peer is over", fields, now=trio.current_time())
        finally:
            stream.close()

    async def _introduce(self, stream: PeerStream) -> None:
        self._unknown += 1
        try:
            await stream.shake_hands()
        finally:
            self._unknown -= 1


def _reasons_in(group: BaseExceptionGroup[StreamEndedError]) -> Iterator[str]:
    for one in group.exceptions:
        if isinstance(one, StreamEndedError):
            yield from [one.rejected] if one.rejected else []
        else:
            yield from _reasons_in(one)
