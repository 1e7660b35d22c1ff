"""Limits that are reached: said when it begins and when it is over, whatever happens in between. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from balancer.causes import Cause
from hapair.events.event import Details, Happening
from hapair.snapshot import FrontendView, NodeSnapshot

QUIET_S = 60.0
"""A limit that was not met for so long is met no more."""
LIMITS: Final = (
    Cause.TOO_MANY_CONNECTIONS, Cause.CONNECTING_TOO_FAST, Cause.TOO_MANY_REQUESTS, Cause.TOO_MANY_FLOWS,
    Cause.QUEUE_FULL, Cause.QUEUE_TIMEOUT, Cause.QUEUE_TOO_LONG, Cause.HTTP2_FLOOD,
)  # fmt: skip
_WORDS: Final[Mapping[str, str]] = {cause.label: cause.value for cause in LIMITS}
_FULL, _LINES = "max_connections", "log_lines"

Key = tuple[str, str]
"""Whose limit, and which."""


@dataclass(slots=True)
class _Spell:
    """From the first time that a limit was met to a while after the last."""

    began_at: float
    last_at: float
    times: int


class Pressure:
    """What was counted at the last look, and which limits are being met. `now` is on any steady clock, in seconds."""

    def __init__(self) -> None:
        self._counted: dict[Key, int] = {}
        self._spells: dict[Key, _Spell] = {}

    def looked(self, node: NodeSnapshot, now: float) -> Iterator[Happening]:
        """This is how the node looks now."""
        counted = dict(_counts(node))
        full = {(one.name, _FULL): one for one in node.frontends if _is_full(one)}
        for key, count in counted.items():
            risen = count - self._counted.get(key, 0 if self._counted else count)
            if risen > 0:
                yield from self._met(key, risen, now)
        self._counted = counted | {("", ""): 0}  # not empty: the first look was
        for key in full:
            yield from self._met(key, 0, now)
        yield from self._over(now)

    def _met(self, key: Key, times: int, now: float) -> Iterator[Happening]:
        spell = self._spells.get(key)
        if spell is not None:
            spell.last_at, spell.times = now, spell.times + times
            return
        self._spells[key] = _Spell(now, now, times)
        frontend, limit = key
        words = "lines of access logs are lost" if limit == _LINES else f"a limit of {frontend} is reached: {limit}"
        reason = _reason(limit)
        details: Details = {"limit": limit, "times": times}
        yield Happening(
            kind="limits", subject=frontend, words=words, reason=reason, severity="warning", details=details
        )

    def _over(self, now: float) -> Iterator[Happening]:
        for key, spell in list(self._spells.items()):
            if now - spell.last_at < QUIET_S:
                continue
            del self._spells[key]
            frontend, limit = key
            what = (
                "lines of access logs are lost no more" if limit == _LINES else f"{limit} of {frontend} is met no more"
            )
            often = f": {spell.times} times in {spell.last_at - spell.began_at + 1:.0f} s" if spell.times else ""
            details: Details = {"limit": limit, "times": spell.times}
            yield Happening(kind="limits", subject=frontend, words=f"{what}{often}", details=details)


def _counts(node: NodeSnapshot) -> Iterator[tuple[Key, int]]:
    for one in node.frontends:
        yield from (((one.name, name), count) for name, count in one.causes.items() if name in _WORDS)
    yield ("access logs", _LINES), node.log_lines_dropped


def _is_full(frontend: FrontendView) -> bool:
    return 0 < frontend.max_connections <= frontend.counts.open


def _reason(limit: str) -> str:
    if limit == _FULL:
        return "as many connections are open as it may have; more wait until one ends"
    return "whoever takes them is too slow" if limit == _LINES else _WORDS[limit]
