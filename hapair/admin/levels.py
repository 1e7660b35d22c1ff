"""What somebody may do by HAProxy's commands: a user looks, an operator looks closer, an admin changes things. Pure."""

from collections.abc import Sequence
from typing import Final, Literal

Level = Literal["user", "operator", "admin"]
LEVELS: Final[tuple[Level, ...]] = ("user", "operator", "admin")
DENIED: Final = "Permission denied\n"
_HARMLESS: Final = frozenset({"show", "get", "help"})
_CLOSER: Final = frozenset({("show", "sess"), ("show", "errors"), ("show", "env"), ("clear", "counters")})


def level_of(words: Sequence[str]) -> Level:
    """The least that a command asks for. Whoever looks at connections sees addresses of clients."""
    if tuple(words[:2]) in _CLOSER and tuple(words[:3]) != ("clear", "counters", "all"):
        return "operator"
    return "user" if words and words[0] in _HARMLESS else "admin"


def may(level: Level, least: Level) -> bool:
    """Whether that is enough."""
    return LEVELS.index(level) >= LEVELS.index(least)
