"""The link between the two node processes: says what is posted, and hands over what comes."""

import logging
from collections import Counter
from collections.abc import Callable, Hashable
from typing import Any

import trio

from hapair.peer.conversations import Conversations
from hapair.peer.messages import Alive, Assembler, MessageRejected, Unreadable, pieces
from hapair.replication.stream import PeerStream, StreamEndedError
from vrrp.limitedlog import LimitedLog
from vrrp.liveness.config import LinkConfig
from vrrp.liveness.ports import Transport

log = logging.getLogger(__name__)

ALIVE_S = 1.0
WAITING_LIMIT = 1024
"""Messages; one more, and the oldest is dropped."""


class PeerLink:
    """One node's end. `run` must run; `post` and `hear` return at once."""

    def __init__(
        self,
        config: LinkConfig,
        *,
        on_change: Callable[[], None] = lambda: None,
        transport: Transport | None = None,
    ) -> None:
        """`on_change` is called when it comes up (what was posted before is lost) or goes down."""
        self.up = False
        self.since_at = trio.current_time()
        """Since when it is up or down, on trio's clock."""
        self.rejected: Counter[str] = Counter()
        self.dropped = 0
        """Messages that found too many waiting."""
        self._conversations = Conversations(config, self._talk, transport=transport)
        self._on_change = on_change
        self._limited = LimitedLog(log)
        self._handlers: dict[type, list[Callable[[Any], None]]] = {}
        self._waiting: dict[Hashable, object] = {}
        self._wake = trio.Event()
        self._stream: PeerStream | None = None

    @property
    def waits_for(self) -> str | None:
        """What keeps it down, in words; None: it is up."""
        return None if self.up else self._conversations.waits_for

    def hear(self, kind: type, handler: Callable[[Any], None]) -> None:
        """Have messages of this type (one of hapair.peer.messages.KNOWN) given to `handler`, too."""
        self._handlers.setdefault(kind, []).append(handler)

    def post(self, message: object, key: Hashable = None) -> None:
        """Say this to the peer; instead of what still waits under the same key. Lost where the link is down."""
        if not self.up:
            return
        if len(self._waiting) >= WAITING_LIMIT and key not in self._waiting:
            del self._waiting[next(iter(self._waiting))]
            self.dropped += 1
            fields = {"dropped": self.dropped}
            self._limited.warning(
                "full", "the peer takes too little: messages are dropped", fields, now=trio.current_time()
            )
        self._waiting[object() if key is None else key] = message
        self._wake.set()

    async def run(self) -> None:
        """For ever."""
        await self._conversations.run()

    async def _talk(self, stream: PeerStream) -> None:
        self._stream = stream
        self._waiting.clear()
        self._set(up=True)
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._send, stream)
                nursery.start_soon(self._stay_alive)
                nursery.start_soon(self._receive, stream)
        finally:
            if self._stream is stream:
                self._stream = None
                self._set(up=False)

    def _set(self, *, up: bool) -> None:
        if up != self.up:
            self.since_at = trio.current_time()
        self.up = up
        self._on_change()

    async def _send(self, stream: PeerStream) -> None:
        while True:
            while self._waiting:
                message = self._waiting.pop(next(iter(self._waiting)))
                for piece in pieces(message):
                    await stream.send(piece)
            self._wake = trio.Event()
            await self._wake.wait()

    async def _stay_alive(self) -> None:
        while True:
            self.post(Alive(), key="alive")
            await trio.sleep(ALIVE_S)

    async def _receive(self, stream: PeerStream) -> None:
        assembler = Assembler()
        while True:
            try:
                message = assembler.take(await stream.receive())
            except MessageRejected as rejected:
                self.rejected[rejected.reason.name.lower()] += 1
                if rejected.reason is not Unreadable.CONTENT:
                    raise StreamEndedError(str(rejected)) from rejected
                continue
            for handler in self._handlers.get(type(message), ()):
                handler(message)
