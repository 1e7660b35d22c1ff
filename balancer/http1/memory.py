"""Heads seen before. One that is the same to the last byte need not be parsed again. Pure.

Clients that poll, checks and benchmarks repeat themselves so; and a server's heads are the same for as long as Date is.
What is remembered stays in the process, beyond its connection, and might be read there (a core file, swap). So only
heads made of nothing but fields known to be harmless are remembered, and no target with a query: never a cookie, a
credential, or a field that this list does not know.
"""

import re
from typing import Generic, TypeVar

MOST_HEADS = 512
MOST_BYTES = 1_024
"""Of one head. No limit that can be configured refuses as little."""

T = TypeVar("T")


def _made_of(*names: bytes) -> re.Pattern[bytes]:
    return re.compile(rb"(?:\n(?:" + b"|".join(names) + rb"):[^\n]*+)*+\n?", re.IGNORECASE)


_REQUEST_FIELDS = _made_of(
    rb"host|connection|keep-alive|te|user-agent|accept(?:-[a-z]+)?|cache-control|pragma|dnt|range|priority",
    rb"if-(?:none-match|modified-since)|upgrade-insecure-requests|sec-(?:fetch|ch)-[a-z-]+",
)
_RESPONSE_FIELDS = _made_of(
    rb"server|date|connection|keep-alive|transfer-encoding|content-(?:type|length|encoding|language|range)|etag|vary",
    rb"last-modified|accept-ranges|cache-control|expires|age|pragma|strict-transport-security|x-frame-options",
    rb"x-content-type-options|x-powered-by|referrer-policy|access-control-allow-[a-z]+",
)


class Memory(dict[bytes, T], Generic[T]):
    """Up to MOST_HEADS heads, by all of their bytes. Look up with `get`; full, it begins anew."""

    __slots__ = ()

    def remember(self, data: bytes, head: T) -> None:
        """Have `get(data)` give `head` from now on."""
        if len(self) >= MOST_HEADS:
            self.clear()
        self[data] = head


def is_harmless_request(target: bytes, fields: bytes) -> bool:
    """May be remembered. `fields` begin with the LF of the request line."""
    return b"?" not in target and _REQUEST_FIELDS.fullmatch(fields) is not None


def is_harmless_response(fields: bytes) -> bool:
    """May be remembered. `fields` begin with the LF of the status line."""
    return _RESPONSE_FIELDS.fullmatch(fields) is not None
