"""Each node tells the other what happened on it: the newest when they meet, then each as it happens."""

import secrets
from collections.abc import Callable
from typing import Any, Protocol

import trio

from hapair.events.feed import EventFeed
from hapair.events.messages import MOST, PeerEvents, event_heard
from hapair.wire import to_plain

PAUSE_S = 0.5
"""Between two messages: a storm is told in few, and only its end."""


class Link(Protocol):
    """What is used of hapair.peer.link.PeerLink."""

    up: bool

    def post(self, message: object, key: object = None) -> None: ...

    def hear(self, kind: type, handler: Callable[[Any], None]) -> None: ...


class NodePeerEvents:
    """`own` is told; `theirs` is what the peer tells. `run` must run, and `greet` be called when the link comes up."""

    def __init__(self, own: EventFeed, theirs: EventFeed, link: Link | None) -> None:
        self.unreadable = 0
        """Events of the peer that make no sense here."""
        self._own = own
        self._theirs = theirs
        self._link = link
        self._life = secrets.token_hex(4)
        self._their_life = ""
        self._their_last = 0
        self._reader = own.read(own.last_id)
        if link is not None:
            link.hear(PeerEvents, self.hear)

    def greet(self) -> None:
        """The peer is heard: it learns what it may have missed."""
        self._tell(0)

    async def run(self) -> None:
        """For ever."""
        while self._link is not None:
            place = self._reader.place
            await self._reader.next()
            self._tell(place)
            await trio.sleep(PAUSE_S)

    def _tell(self, after: int) -> None:
        newest = self._own.after(after)[-MOST:]
        if self._link is not None and self._link.up and newest:
            self._link.post(PeerEvents(self._life, tuple(map(to_plain, newest))))

    def hear(self, message: PeerEvents) -> None:
        """What the peer tells. It tells some again when it is heard again."""
        if message.life != self._their_life:
            self._their_life, self._their_last = message.life, 0
        for plain in message.events[:MOST]:
            event = event_heard(plain, self._theirs.node)
            if event is None:
                self.unreadable += 1
            elif event.id > self._their_last:
                self._their_last = event.id
                self._theirs.hear(event)
