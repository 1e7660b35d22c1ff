"""Header fields that a proxy has to read or to take out (RFC 9110 section 7.6, RFC 9112 section 6). Pure.

Header lines are handled as one piece of bytes that begins with the LF of the line before them, so that every field
line of it begins with LF and a search can look for that byte.
"""

import re
from collections.abc import Callable
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
    rb"x[-_]ssl[-_]client[-_][^:\r\n]*",
)
FRAMING_ALIASES = (b"content_length", b"transfer_encoding")

# Framing and routing are ours to say: naming these in Connection takes nothing out.
NOT_NOMINABLE = frozenset((b"host", b"content-length", b"close"))

FORBIDDEN_TRAILERS = re.compile(
    rb"\n(?:connection|keep-alive|proxy-[^:]*|te|trailer|transfer-encoding|upgrade|content-[^:]*|host|authorization"
    rb"|cookie|set-cookie2?|www-authenticate|authentication-info|forwarded|x-forwarded-[^:]*|x-ssl-client-[^:]*|via|expect|range|if-[^:]*"
    rb"|max-forwards|cache-control|pragma|age|date|expires|location|retry-after|vary|warning|[^:]*_[^:]*)"
    rb":[^\n]*+(?=\n)",
    re.IGNORECASE,
)


_WITH_UNDERSCORE = re.compile(rb"\n[^:\n]*_[^:\n]*:[^\n]*+(?=\n)")


def has_underscore(fields: bytes) -> bool:
    """Whether the name of one of these field lines has one. `fields` begin with the LF of the line before them."""
    return _WITH_UNDERSCORE.search(fields) is not None


def without_underscores(fields: bytes) -> bytes:
    """Field lines, or a head, without those whose name has one."""
    return _WITH_UNDERSCORE.sub(b"", fields)


def _finder(names: tuple[bytes, ...]) -> re.Pattern[bytes]:
    return re.compile(rb"\n(" + b"|".join(names) + rb"):([^\r]*+)", re.IGNORECASE)


_ENDS_HERE = (*HOP_BY_HOP, b"http2-settings", b"expect", *FORWARDING, *FRAMING_ALIASES)
FIND_IN_REQUEST = _finder((*_ENDS_HERE, b"host", b"content-length", b"max-forwards"))
FIND_IN_RESPONSE = _finder((*HOP_BY_HOP, b"content-length"))

Found = tuple[tuple[bytes, bytes], ...]
"""Fields as a finder has them: name and value exactly as received."""


def finder_of(name: bytes) -> Callable[[bytes], list[bytes]]:
    """A function of field lines that gives the values of the fields of one name, with the white space around them."""
    return re.compile(rb"\n" + re.escape(name) + rb":([^\r]*+)", re.IGNORECASE).findall


def by_name(found: Found) -> dict[bytes, list[bytes]]:
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


def nominated(options: frozenset[bytes]) -> frozenset[bytes]:
    """Names of fields that Connection options take out, beyond those that never go further."""
    return options - NOT_NOMINABLE - frozenset(HOP_BY_HOP)


def lines_of(found: Found, kept: frozenset[bytes]) -> tuple[bytes, ...]:
    """The field lines of all but the `kept` names, each from the LF before it to its CR: exactly what to cut out.

    A value has neither CR nor LF, so that these bytes appear nowhere but as this line.
    """
    return tuple(b"\n%b:%b\r" % field for field in found if field[0].lower() not in kept)


def without(fields: bytes, lines: tuple[bytes, ...], names: frozenset[bytes]) -> bytes:
    """Field lines without those of `lines_of`, and without those of some further names."""
    for line in lines:
        fields = fields.replace(line, b"")
    return _dropper(names).sub(b"", fields) if names else fields


@lru_cache(maxsize=256)
def _dropper(names: frozenset[bytes]) -> re.Pattern[bytes]:
    alternatives = b"|".join(re.escape(name) for name in sorted(names))
    return re.compile(rb"\n(?:" + alternatives + rb"):[^\n]*+(?=\n)", re.IGNORECASE)
