"""The stats page, live: Server-Sent Events to everybody who looks, made once a second for all of them together.

Somebody new gets the whole, then each second what has changed. Nothing is made while nobody looks. Who does not read
fast enough is let go: a browser comes back by itself, and gets the whole again.
"""

import json
from collections.abc import AsyncGenerator, Callable
from typing import Any

import trio

from hapair.admin.health_history import HealthHistory
from hapair.admin.history import History
from hapair.admin.page_state import Plain, changes, event_view, samples_of, state_of
from hapair.admin.rates import Rates
from hapair.events.event import Event
from hapair.events.pair import PairEvents, PairReader
from hapair.snapshot import NodeSnapshot

MOST_VIEWERS = 32
MOST_EVENTS = 200
"""Of the past."""
_WAITING = 8
"""Messages that wait for one viewer."""


class TooManyViewers(Exception):  # noqa: N818 - named for what happened
    """There are MOST_VIEWERS."""


class Live:
    """What the page is made of. `tick` is to be called once a second, after `rates` were sampled."""

    def __init__(self, rates: Rates, wall_clock: Callable[[], float], events: PairEvents | None = None) -> None:
        self.history = History()
        self.health = HealthHistory()
        self._events = events
        self._reader: PairReader | None = None
        """It has read what viewers know."""
        self._rates = rates
        self._wall_clock = wall_clock
        self._viewers: set[trio.MemorySendChannel[bytes]] = set()
        self._state: Plain = {}
        self._whole: bytes | None = None
        self._node: NodeSnapshot | None = None
        self._now = 0.0

    @property
    def viewers(self) -> int:
        return len(self._viewers)

    def tick(self, node: NodeSnapshot, now: float) -> None:
        """Another second. `now` is trio's time."""
        self.history.sample(node, now)
        self.health.sample(node, now)
        self._node, self._now, self._whole = node, now, None
        if not self._viewers:
            return
        before, self._state = self._state, state_of(node, self._rates, self.health, now)
        news = _shown([] if self._reader is None else self._reader.rest())
        self._send(message("tick", self._with_clock({"changes": changes(before, self._state), "events": news})))

    def _with_clock(self, content: Plain) -> Plain:
        clock = {"second": self.history.second, "now": self._now, "epoch": self._wall_clock()}
        return content | {"clock": clock, "samples": samples_of(self.history)}

    def _send(self, data: bytes) -> None:
        for viewer in tuple(self._viewers):
            try:
                viewer.send_nowait(data)
            except (trio.WouldBlock, trio.BrokenResourceError):
                self._viewers.discard(viewer)
                viewer.close()

    def watch(self, hello: Plain) -> AsyncGenerator[bytes, None]:
        """Events for one viewer, for ever; `hello` is told first. Raises TooManyViewers."""
        if len(self._viewers) >= MOST_VIEWERS:
            raise TooManyViewers
        return self._follow(hello)

    async def _follow(self, hello: Plain) -> AsyncGenerator[bytes, None]:
        send, receive = trio.open_memory_channel[bytes](_WAITING)
        begin = message("hello", hello) + self._begin()
        self._viewers.add(send)
        try:
            yield begin
            async for data in receive:
                yield data
        finally:
            self._viewers.discard(send)
            send.close()
            receive.close()

    def _begin(self) -> bytes:
        """The whole, of the last tick: what later changes are changes of."""
        if not self._viewers and self._node is not None:
            self._state = state_of(self._node, self._rates, self.health, self._now)
            self._reader = None if self._events is None else self._events.read()
        if self._whole is None:
            events = _shown([] if self._reader is None else self._reader.known())
            self._whole = message("whole", self._with_clock({"state": self._state, "events": events}))
        return self._whole


def _shown(events: list[Event]) -> list[Plain]:
    """The oldest first; no more than a page shows."""
    return [event_view(one) for one in events[-MOST_EVENTS:]]


def message(event: str, content: Any) -> bytes:
    """One event (HTML Living Standard, 9.2): JSON has no line ends of its own."""
    return f"event: {event}\ndata: {json.dumps(content, separators=(',', ':'))}\n\n".encode()
