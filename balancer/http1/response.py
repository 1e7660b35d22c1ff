"""Response heads (RFC 9112 sections 4 to 6). Pure. A response that is refused here is answered with 502."""

from functools import lru_cache
from typing import Final, NamedTuple

from balancer.http1.fields import (
    FIND_IN_RESPONSE,
    Found,
    by_name,
    connection_options,
    lines_of,
    nominated,
    tokens,
    without,
)
from balancer.http1.framing import UNTIL_CLOSE, content_length, response_body
from balancer.http1.grammar import RESPONSE_HEAD
from balancer.http1.memory import MOST_BYTES, Memory, is_harmless_response
from balancer.http1.rejection import reject_response

LARGEST_HEAD = 65_536

_NO_LENGTH_STATUS = 204
_WITH_UPGRADE = frozenset((101, 426))
_REMOVED: Final = 3
_NOMINATED: Final = 4


class ResponseHead(NamedTuple):
    """A valid response head. Every piece of bytes is as the server sent it."""

    line: bytes
    """Status code, a space and the reason phrase."""
    fields: bytes
    """The field lines, beginning with the LF that ends the status line and ending with CR LF."""
    size: int
    """How many bytes the head was."""
    passing: bytes
    """The head that goes on, whole but for lines that may have to be added before its last CR LF."""
    status: int
    body: int
    """A number of bytes, CHUNKED or UNTIL_CLOSE."""
    keep_alive: bool
    """Another request may follow on this connection once the body has been read."""
    removed: tuple[bytes, ...] = ()
    """The field lines that end here."""
    nominated: frozenset[bytes] = frozenset()
    """Names of further fields that end here, because Connection says so."""
    adds: bool = False
    """`length` or `upgrade` has to be added."""
    length: int | None = None
    """The Content-Length, where it has to be said anew."""
    upgrade: bytes = b""
    """The protocols named with a status that names some, a comma-separated list in lower case."""


_new = tuple.__new__  # half the time of ResponseHead(...), which first sorts its arguments into parameters


def parse_response(buffer: bytes, method: bytes) -> ResponseHead | None:
    """The head that `buffer` begins with, in answer to `method`; None while it is incomplete. Raises BadMessage."""
    size = buffer.find(b"\r\n\r\n") + 4
    data = buffer[:size]
    to_head = method == b"HEAD"
    head = None if to_head else _remembered.get(data)
    if head is None:
        head = _head(data, to_head) if 4 <= size <= LARGEST_HEAD else None
        if head is None:
            reject_response(buffer, LARGEST_HEAD)
        elif size <= MOST_BYTES and not to_head and is_harmless_response(head.fields):
            _remembered.remember(data, head)
    return head


# What is asked for often is answered with the very same head for as long as its Date does not change: a second.
_remembered: Memory[ResponseHead] = Memory()


def _head(data: bytes, to_head: bool) -> ResponseHead | None:
    """A whole head; None where it is not well-formed. Raises BadMessage where it makes no sense."""
    match = RESPONSE_HEAD.fullmatch(data)
    if match is None:
        return None
    digit, line, code = match.groups()
    fields = data[match.end(2) + 1 : -2]
    found = tuple(FIND_IN_RESPONSE.findall(fields))
    if len(line) == len(code):
        line += b" "  # it belongs there even with no reason phrase
    meaning = (_remembered_meaning if len(data) <= MOST_BYTES else _meaning)(digit, code, found, to_head)
    passing = b"HTTP/1.1 %b\r%b\r\n" % (line, without(fields, meaning[_REMOVED], meaning[_NOMINATED]))
    head: ResponseHead = _new(ResponseHead, (line, fields, len(data), passing, *meaning))
    return head


_Meaning = tuple[
    int, int, bool, tuple[bytes, ...], frozenset[bytes], bool, int | None, bytes
]  # the fields of ResponseHead from `status` on


def _meaning(digit: bytes, code: bytes, found: Found, to_head: bool) -> _Meaning:
    """What status and fields say that concern us, in a response of HTTP/1.`digit` to HEAD or not. Raises BadMessage."""
    minor, status = 0 if digit == b"0" else 1, int(code)
    values = by_name(found)
    lengths = values.get(b"content-length", [])
    options = connection_options(values.get(b"connection", []))
    body = response_body(minor, status, lengths, values.get(b"transfer-encoding", []), to_head=to_head)
    kept: frozenset[bytes] = frozenset()
    length = None
    if lengths and status >= 200 and status != _NO_LENGTH_STATUS:
        length = content_length(lengths)
        if lengths == [b"%d" % length]:
            kept, length = frozenset((b"content-length",)), None
    upgrade = b", ".join(tokens(values.get(b"upgrade", []))) if status in _WITH_UPGRADE else b""
    persistent = b"close" not in options if minor else b"keep-alive" in options
    return (
        status,
        body,
        persistent and body != UNTIL_CLOSE,
        lines_of(found, kept),
        nominated(options),
        length is not None or bool(upgrade),
        length,
        upgrade,
    )


# Whatever the response, what a server says of the connection is much the same.
_remembered_meaning = lru_cache(maxsize=1024)(_meaning)
