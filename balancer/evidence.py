"""The last malformed request and response of each frontend and pool: kept, where it is wrong, without secrets. Pure.

Bounded: one of each, and the beginning of it. What names a person (credentials, cookies) is not even kept.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, Literal

from balancer.http1.errors import Reason
from balancer.http1.grammar import FIELD_NAME, ONE_FIELD_LINE, TOKENS

MOST_BYTES: Final = 4096
"""Of a message that are kept."""
_SECRET: Final = re.compile(
    rb"(?im)^((?:proxy-)?authorization|cookie2?|set-cookie2?|(?:proxy-)?authentication-info|x-api-key|x-auth-token)"
    rb"([^\n:]{0,64}:)([^\n]*(?:\n[ \t][^\n]*)*)"
)
_NAMED: Final = {
    Reason.HOST_REPEATED: b"host",
    Reason.HOST_MALFORMED: b"host",
    Reason.LENGTH_MALFORMED: b"content-length",
    Reason.LENGTHS_DIFFER: b"content-length",
    Reason.LENGTH_AND_CODING: b"transfer-encoding",
    Reason.CODING_IN_1_0: b"transfer-encoding",
    Reason.CODING_UNKNOWN: b"transfer-encoding",
    Reason.EXPECTATION: b"expect",
    Reason.MAX_FORWARDS: b"max-forwards",
    Reason.CONNECTION_OPTION: b"connection",
    Reason.UPGRADE_UNASKED: b"upgrade",
}
"""What is wrong with the value of a field, by the field."""
_LINE: Final = frozenset(
    (Reason.OBSOLETE_FOLD, Reason.FIELD_NAME, Reason.UNDERSCORE, Reason.LINE_END, Reason.FIELD_VALUE)
)
_FIRST_LINE: Final = frozenset(
    (Reason.METHOD, Reason.REQUEST_LINE, Reason.VERSION, Reason.TARGET, Reason.TARGET_TOO_LONG, Reason.STATUS_LINE)
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """One malformed message. `at` is on CLOCK_MONOTONIC."""

    kind: Literal["request", "response"]
    frontend: str
    pool: str = ""
    """Empty: none had been chosen."""
    server: str = ""
    client: str
    port: int
    at: float
    number: int
    """How many there were before it at this frontend, in this worker."""
    reason: str
    position: int
    """Where it is wrong, in bytes; as well as can be told."""
    size: int
    """How many bytes there were."""
    data: bytes = field(repr=False)
    """The first of them, without secrets."""

    @property
    def proxy(self) -> str:
        """Whose it is, as HAProxy reckons: a frontend's request, a backend's response."""
        return self.frontend if self.kind == "request" else self.pool


class Evidences:
    """What one frontend met in one worker."""

    __slots__ = ("_last", "count")

    def __init__(self) -> None:
        self.count = 0
        self._last: dict[tuple[str, str], Evidence] = {}

    def __iter__(self) -> Iterator[Evidence]:
        return iter(self._last.values())

    def keep(
        self,
        kind: Literal["request", "response"],
        reason: Reason,
        data: bytes,
        *,
        frontend: str,
        peer: tuple[str, int],
        at: float,
        pool: str = "",
        server: str = "",
    ) -> None:
        """In the place of the one before it."""
        evidence = Evidence(
            kind=kind, frontend=frontend, pool=pool, server=server, client=peer[0], port=peer[1], at=at,
            number=self.count, reason=reason.text, position=position_of(reason, data), size=len(data),
            data=masked(data[:MOST_BYTES]),
        )  # fmt: skip
        self.count += 1
        self._last[kind, pool] = evidence


def masked(data: bytes) -> bytes:
    """The same length, with a `*` for each byte of a value that may be a secret."""

    def hide(match: re.Match[bytes]) -> bytes:
        value = bytes(byte if byte in b"\r\n" else ord("*") for byte in match[3])
        return match[1] + match[2] + value

    return _SECRET.sub(hide, data)


def position_of(reason: Reason, data: bytes) -> int:
    """Where a message is wrong for this reason: its first byte, or line, that is."""
    lines = data.split(b"\n")
    if reason in _FIRST_LINE:
        return _in_first_line(reason, lines[0])
    if reason in _NAMED or reason in _LINE:
        at = len(lines[0]) + 1
        for line in lines[1:]:
            if (within := _within(reason, line + b"\n")) is not None:
                return at + within
            at += len(line) + 1
        return 0
    end = data.find(b"\r\n\r\n")
    return len(data) if end < 0 else end + 4


def _within(reason: Reason, line: bytes) -> int | None:
    """Where it is wrong in this line; None: it is not."""
    name = TOKENS.match(line)
    end = name.end() if name else 0
    if (named := _NAMED.get(reason)) is not None:
        return end + 1 if name and name.group().lower() == named else None
    if reason is Reason.UNDERSCORE:
        return line.find(b"_", 0, end) if b"_" in line[:end] else None
    if not FIELD_NAME.match(line):
        return None if line in (b"\r\n", b"\n") else end
    if ONE_FIELD_LINE.fullmatch(line):
        return None
    bad = re.search(rb"[\x00-\x08\x0a-\x1f\x7f]", line[end + 1 :])
    return None if bad is None else end + 1 + bad.start()


def _in_first_line(reason: Reason, line: bytes) -> int:
    words = line.split(b" ")
    if reason is Reason.METHOD:
        name = TOKENS.match(line)
        return name.end() if name else 0
    if reason is Reason.VERSION:
        return len(line) - len(words[-1])
    if reason is Reason.TARGET:
        return max(len(words[0]) + 1, line.find(b"#"))
    return 0 if reason is Reason.STATUS_LINE or len(words) < 2 else len(words[0]) + 1
