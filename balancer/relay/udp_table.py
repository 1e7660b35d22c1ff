"""The flows of one frontend in one worker: which may begin, which goes to make room, when one has had all its replies.

Pure. What a flow is: what one client's address and port sends to one of our addresses, and what it is answered.

Anybody can send datagrams under any number of made-up addresses. So a flow is *proven* once its client has sent again
after an answer: it has got the answer, and is where it says. When there are as many flows as there may be, the one
that was quiet for longest (nearly: see `_oldest`) of those that are not proven makes room; where all are proven, the
new one is refused. A flood of made-up addresses costs no proven flow.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Generic, TypeVar

_LOOKS = 8


class Flow:
    """What is counted of one flow. Subclasses hold its socket."""

    __slots__ = ("answered", "asked", "bound", "filed", "home", "key", "proven", "used_at")

    def __init__(self, home: dict[Hashable, Flow], key: Hashable, now: float) -> None:
        self.home = home
        """Where the flow is found by `key`: its listening socket's flows."""
        self.key = key
        self.bound = False
        """The client's next datagram belongs to it."""
        self.asked = 0
        self.answered = 0
        self.proven = False
        self.used_at = now
        """When its client last sent."""
        self.filed = now


F = TypeVar("F", bound=Flow)


class FlowTable(Generic[F]):
    """`replies` and `requests` as in balancer.config_udp; `now` in seconds on any one clock."""

    __slots__ = ("_replies", "_requests", "_unproven", "open")

    def __init__(self, *, replies: int | None = None, requests: int | None = None) -> None:
        self._replies = replies
        self._requests = requests
        self._unproven: dict[F, None] = {}
        self.open: set[F] = set()
        """All of them, those that wait for replies and get no more datagrams as well."""

    def victim(self) -> F | None:
        """Which flow makes room for a new one; None where all are proven. It is the caller's to `remove`."""
        return self._oldest()

    def _oldest(self) -> F | None:
        """The flow that stands first. One that was used since it was filed is filed anew, but only so many at once."""
        for _ in range(_LOOKS):
            first = next(iter(self._unproven), None)
            if first is None or first.used_at <= first.filed:
                return first
            first.filed = first.used_at
            del self._unproven[first]
            self._unproven[first] = None
        return next(iter(self._unproven), None)

    def add(self, flow: F) -> None:
        """A new flow; whoever had its key before gets no more datagrams."""
        previous = flow.home.get(flow.key)
        if previous is not None:
            previous.bound = False
        flow.home[flow.key] = flow
        flow.bound = True
        self.open.add(flow)
        self._unproven[flow] = None

    def asked(self, flow: F, now: float) -> None:
        """The client has sent a datagram, which was passed on."""
        flow.asked += 1
        flow.used_at = now
        if flow.answered and not flow.proven:
            flow.proven = True
            del self._unproven[flow]
        if flow.asked == self._requests:
            self._unbind(flow)

    def answered(self, flow: F, count: int = 1) -> bool:
        """The server has replied. True where that was the last reply that is expected: the flow is over."""
        flow.answered += count
        replies = self._replies
        return replies is not None and flow.answered >= replies * flow.asked

    def remove(self, flow: F) -> bool:
        """A flow has ended; False where it had before."""
        if flow not in self.open:
            return False
        self.open.discard(flow)
        self._unproven.pop(flow, None)
        self._unbind(flow)
        return True

    def _unbind(self, flow: F) -> None:
        if flow.bound:
            flow.bound = False
            del flow.home[flow.key]

    def is_over(self, flow: F) -> bool:
        """Nothing more is to come after what was just asked: no replies, and no further datagrams."""
        return self._replies == 0 and not flow.bound
