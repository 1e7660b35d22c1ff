"""How servers and virtual routers stood in the last hour: when each changed, to what. Fed once a second. Pure.

Bounded: of a server that flaps the last MOST changes are kept, and nothing that had ended an hour ago.
"""

from collections.abc import Iterator, Mapping
from typing import Final

from hapair.snapshot import NodeSnapshot, ServerView

SPAN_S: Final = 3600
MOST: Final = 60
Key = tuple[str, ...]
"""`("server", pool, name)`, `("router", name)`, `("link",)`."""
Change = tuple[int, str]
"""From this second on it stood so."""


class HealthHistory:
    """`now` is on any one clock, in seconds."""

    def __init__(self) -> None:
        self.changes: dict[Key, tuple[Change, ...]] = {}
        """The oldest first. Values are replaced, never changed."""

    def sample(self, node: NodeSnapshot, now: float) -> None:
        """Take note of who stands otherwise than before, and forget who is gone."""
        standings = dict(_standings(node))
        for gone in self.changes.keys() - standings.keys():
            del self.changes[gone]
        second = int(now)
        for key, standing in standings.items():
            known = self.changes.get(key, ())
            if not known or known[-1][1] != standing:
                known = (*known, (second, standing))[-MOST:]
                self.changes[key] = known
            while len(known) > 1 and known[1][0] <= second - SPAN_S:
                known = known[1:]
                self.changes[key] = known


def _standings(node: NodeSnapshot) -> Iterator[tuple[Key, str]]:
    for pool in node.pools:
        for server in pool.servers:
            yield ("server", pool.name, server.name), standing_of(server)
    for router in node.routers:
        yield ("router", router.name), router.state
    if node.link is not None:
        yield ("link",), "up" if node.link.up else "down"


_WORDS: Final[Mapping[tuple[bool, bool], str]] = {
    (True, False): "up",
    (True, True): "failing",
    (False, False): "down",
    (False, True): "returning",
}


def standing_of(server: ServerView) -> str:
    """`up`, `failing` (UP, and checks fail), `down`, `returning` (DOWN, and checks succeed), `drain` or `maint`."""
    if server.admin != "ready" and (server.admin == "maint" or server.up):
        return server.admin
    return _WORDS[server.up, "/" in server.health]
