"""Header fields that a proxy has to read or to take out (RFC 9110 section 7.6, RFC 9112 section 6). Pure.

Header lines are handled as one piece of bytes that begins with the LF of the line before them, so that every field
line of it begins with LF and a search can look for that byte.
"""

import re
from functools import lru_cache

from balancer.http1.errors import BadMessage, Reason
from balancer.http1.grammar import CONNECTION_OPTIONS, TOKENS

HOP_BY_HOP = (b"connection", b"keep-alive", b"proxy-connection", b"te", b"trailer", b"transfer-encoding", b"upgrade")

# What only we may say about a client. An underscore is read as a dash by CGI, WSGI and their kind.
FORWARDING = (
    rb"forwarded",
    rb"x[-_]forwarded[-_]for",
    rb"x[-_]forwarded[-_]proto",
    rb"x[-_]forwarded[-_]host",
    rb"x[-_]forwarded[-_]port",
)
FRAMING_ALIASES = (b"content_length", b"transfer_encoding")

REQUEST_DROPS = (*HOP_BY_HOP, b"http2-settings", b"expect", *FORWARDING, *FRAMING_ALIASES)
RESPONSE_DROPS = HOP_BY_HOP

# Framing and routing are ours to say: naming these in Connection takes nothing out.
NOT_NOMINABLE = frozenset((b"host", b"content-length", b"close"))

FORBIDDEN_TRAILERS = re.compile(
    rb"\n(?:connection|keep-alive|proxy-[^:]*|te|trailer|transfer-encoding|upgrade|content-[^:]*|host|authorization"
    rb"|cookie|set-cookie2?|www-authenticate|authentication-info|forwarded|x-forwarded-[^:]*|via|expect|range|if-[^:]*"
    rb"|max-forwards|cache-control|pragma|age|date|expires|location|retry-after|vary|warning|[^:]*_[^:]*)"
    rb":[^\n]*+(?=\n)",
    re.IGNORECASE,
)


def _finder(names: tuple[bytes, ...]) -> re.Pattern[bytes]:
    return re.compile(rb"\n(" + b"|".join(names) + rb"):([^\r]*+)", re.IGNORECASE)


FIND_IN_REQUEST = _finder((*REQUEST_DROPS, b"host", b"content-length", b"max-forwards"))
FIND_IN_RESPONSE = _finder((*RESPONSE_DROPS, b"content-length"))


def by_name(found: list[tuple[bytes, bytes]]) -> dict[bytes, list[bytes]]:
    """Values without surrounding white space by lower-case name, in order of appearance."""
    fields: dict[bytes, list[bytes]] = {}
    for name, value in found:
        fields.setdefault(name.lower(), []).append(value.strip(b" \t"))
    return fields


def tokens(values: list[bytes]) -> list[bytes]:
    """The members of comma-separated lists, in lower case, white space and empty members left out."""
    members = (part.strip(b" \t") for value in values for part in value.lower().split(b","))
    return [member for member in members if member]


def connection_options(values: list[bytes]) -> frozenset[bytes]:
    """The options of Connection fields. Raises BadMessage."""
    for value in values:
        if not CONNECTION_OPTIONS.fullmatch(value):
            raise BadMessage(Reason.CONNECTION_OPTION)
    return frozenset(TOKENS.findall(b",".join(values).lower()))


def without(fields: bytes, always: tuple[bytes, ...], also: frozenset[bytes]) -> bytes:
    """Field lines without those of the patterns in `always` and of the names in `also`."""
    return _dropper(always, also).sub(b"", fields)


@lru_cache(maxsize=256)
def _dropper(always: tuple[bytes, ...], also: frozenset[bytes]) -> re.Pattern[bytes]:
    names = (*always, *(re.escape(name) for name in sorted(also)))
    return re.compile(rb"\n(?:" + b"|".join(names) + rb"):[^\n]*+(?=\n)", re.IGNORECASE)
