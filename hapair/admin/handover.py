"""`handover` on the runtime socket: a story whose last line says whether the VIPs are with the peer."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

from hapair.handover.carrier import Carrier
from hapair.handover.events import Moved

BY_HAND = "by hand"


@dataclass(frozen=True, slots=True)
class HandoverStory:
    """Called with the request: `to` may name the node that is to take over."""

    node: str
    nodes: tuple[str, ...]
    """Of the pair, as in the file."""
    carrier: Carrier

    async def __call__(self, request: Mapping[str, Any]) -> AsyncGenerator[dict[str, Any], None]:
        """{"news": words}, again and again; then {"ok", "words", "connections", "took_s"}."""
        obstacle = self._refusal(request.get("to"))
        if obstacle is not None:
            yield result(Moved(False, obstacle))
            return
        async with aclosing(self.carrier.hand_over(BY_HAND)) as news:
            async for one in news:
                yield result(one) if isinstance(one, Moved) else {"news": one.words}

    def _refusal(self, to: object) -> str | None:
        if to is None:
            return None
        if to not in self.nodes:
            return f"there is no node {to} in pair.nodes; there is: {', '.join(self.nodes)}"
        if to == self.node:
            return f"this is {to}: run it on the node that holds the VIPs"
        return None


def result(moved: Moved) -> dict[str, Any]:
    """The last line."""
    return {"ok": moved.ok, "words": moved.words, "connections": moved.flows, "took_s": round(moved.took_s, 3)}
