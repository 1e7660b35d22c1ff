"""The story that a handover is on the runtime socket."""

from collections.abc import AsyncGenerator
from typing import Any

import pytest

from hapair.admin.handover import HandoverStory
from hapair.handover.events import Moved, Progress


class FakeCarrier:
    """Hands over whenever it is asked."""

    def __init__(self) -> None:
        self.reasons: list[str] = []

    async def hand_over(self, reason: str) -> AsyncGenerator[Progress | Moved, None]:
        self.reasons.append(reason)
        yield Progress("asking pi-b to take over")
        yield Moved(True, "pi-b took over in 0.043 s", 200, 0.0431)


async def tell(request: dict[str, Any]) -> tuple[list[dict[str, Any]], list[str]]:
    carrier = FakeCarrier()
    story = HandoverStory("pi-a", ("pi-a", "pi-b"), carrier)  # type: ignore[arg-type]
    return [line async for line in story(request)], carrier.reasons


@pytest.mark.parametrize("to", [{}, {"to": None}, {"to": "pi-b"}])
async def test_news_and_a_result(to: dict[str, Any]) -> None:
    assert await tell({"command": "handover", **to}) == (
        [
            {"news": "asking pi-b to take over"},
            {"ok": True, "words": "pi-b took over in 0.043 s", "connections": 200, "took_s": 0.043},
        ],
        ["by hand"],
    )


@pytest.mark.parametrize(
    ("to", "words"),
    [
        ("pi-c", "there is no node pi-c in pair.nodes; there is: pi-a, pi-b"),
        (7, "there is no node 7 in pair.nodes; there is: pi-a, pi-b"),
        ("pi-a", "this is pi-a: run it on the node that holds the VIPs"),
    ],
)
async def test_another_node_than_the_peer_cannot_take_over(to: object, words: str) -> None:
    assert await tell({"command": "handover", "to": to}) == (
        [{"ok": False, "words": words, "connections": 0, "took_s": 0.0}],
        [],
    )
