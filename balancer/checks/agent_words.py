"""What an agent says of its server: one line of words, as HAProxy's agent-check has it. Pure.

up 75%   drain   down #disk full   weight:200 maxconn:50 ready
"""

import re
from dataclasses import dataclass
from typing import Literal

from balancer.standing import Admin

_SEPARATORS = re.compile(rb"[ \t,]+")
_PERCENT = re.compile(rb"([0-9]{1,4})%")
_WEIGHT = re.compile(rb"weight:([0-9]{1,4})(%?)")
_LIMIT = re.compile(rb"maxconn:([0-9]{1,9})")
_HEALTH: dict[bytes, Literal["up", "down"]] = {b"up": "up", b"down": "down", b"stopped": "down", b"fail": "down"}
_ADMIN: dict[bytes, Admin] = {b"ready": "ready", b"drain": "drain", b"maint": "maint"}


@dataclass(frozen=True, slots=True)
class AgentWords:
    """What was said; None: nothing of that kind."""

    health: Literal["up", "down"] | None = None
    admin: Admin | None = None
    weight: int | None = None
    percent: int | None = None
    """Of the weight in the file."""
    max_connections: int | None = None
    text: str = ""
    """For people: the word that told the health, and what followed a `#`."""


def parse_words(line: bytes) -> AgentWords | None:
    """A line without its end; None where no word is known. Of two words of one kind the last one counts."""
    words, comment = _split(line)
    health = admin = weight = percent = limit = None
    said = b""
    for word in words:
        lower = word.lower()
        if lower in _HEALTH:
            health, said = _HEALTH[lower], lower
        elif lower in _ADMIN:
            admin = _ADMIN[lower]
        elif match := _PERCENT.fullmatch(lower):
            weight, percent = None, int(match[1])
        elif match := _WEIGHT.fullmatch(lower):
            weight, percent = (None, int(match[1])) if match[2] else (int(match[1]), None)
        elif match := _LIMIT.fullmatch(lower):
            limit = int(match[1])
    if all(one is None for one in (health, admin, weight, percent, limit)):
        return None
    text = " ".join(part for part in (said.decode(), _printable(comment)) if part)
    return AgentWords(health, admin, weight, percent, limit, text)


def _split(line: bytes) -> tuple[list[bytes], bytes]:
    """The words, and what follows a `#` that begins a word."""
    match = re.search(rb"(?:^|[ \t,])#", line)
    comment = line[match.end() :] if match else b""
    words = line[: match.start()] if match else line
    return [word for word in _SEPARATORS.split(words) if word], comment


def _printable(data: bytes) -> str:
    text = data.decode("utf-8", "replace")
    return "".join(char if char.isprintable() else " " for char in text).strip()[:200]
