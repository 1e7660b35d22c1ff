"""What an admin can do to the pair on the stats page, each by POST: hand over, take over, maintenance.

/page/handover          the other node is to take over
/page/takeover          the other node is to hand over to this one
/page/maintenance       `{"on": true, "force": false}`: this node out of the pair, or back into it
"""

import json
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from functools import partial
from typing import Any, Final

from hapair.admin.router import Request, Response, Route

Story = Callable[[Mapping[str, Any]], AsyncGenerator[Any, None]]
"""Tells what happens, line by line; the last one has `ok` and `words`."""
WANTED: Final[Mapping[str, tuple[str, ...]]] = {"handover": (), "takeover": (), "maintenance": ("on", "force")}
"""What can be said of each."""


class PairActions:
    """`stories`: those of WANTED that this node can do. `refresh` is called when something was changed."""

    def __init__(self, stories: Mapping[str, Story], *, refresh: Callable[[], object]) -> None:
        self._stories = stories
        self._refresh = refresh

    @property
    def names(self) -> list[str]:
        """What can be done."""
        return [name for name in WANTED if name in self._stories]

    def routes(self) -> list[Route]:
        """For admins alone."""
        return [
            Route(path=f"/page/{name}", handler=partial(self.act, name), level="admin", methods=("POST",))
            for name in WANTED
        ]

    async def act(self, name: str, request: Request) -> Response:
        """Ends when it is done, or is not going to be."""
        try:
            wanted = _wanted(name, request.body)
        except (ValueError, RecursionError) as error:
            return answer(ok=False, words=str(error), status=400)
        if name not in self._stories:
            return answer(ok=False, words="this node has no peer to do that with", status=400)
        news: list[str] = []
        async with aclosing(self._stories[name](wanted)) as story:
            async for line in story:
                if "ok" in line:
                    self._refresh()
                    return answer(ok=line["ok"], words=line["words"], news=news)
                news.append(line["news"])
        return answer(ok=False, words="nothing is known of what came of it", news=news)


def _wanted(name: str, body: bytes) -> dict[str, bool]:
    """Raises ValueError, and RecursionError."""
    said = json.loads(body or b"{}")
    if not isinstance(said, dict) or not said.keys() <= set(WANTED[name]):
        raise ValueError("that is not what can be said here")
    if any(type(one) is not bool for one in said.values()) or ("on" in WANTED[name] and "on" not in said):
        raise ValueError("say on, and force: true or false")
    return said


def answer(*, ok: bool, words: str, status: int = 200, news: list[str] | None = None) -> Response:
    """What the page shows of it."""
    content = {"ok": ok, "words": words, "news": news or []}
    return Response(status=status, body=json.dumps(content).encode(), content_type="application/json")
