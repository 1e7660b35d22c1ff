"""Request heads (RFC 9112 sections 2, 3, 5). Pure.

`parse_request` looks at all bytes of a head at once; while they are incomplete it is called again with more of them.
"""

from functools import lru_cache
from typing import Final, NamedTuple

from balancer.config import HttpLimits
from balancer.http1.errors import BadMessage, Reason
from balancer.http1.fields import (
    FIND_IN_REQUEST,
    Found,
    by_name,
    connection_options,
    lines_of,
    nominated,
    tokens,
    without,
)
from balancer.http1.framing import CHUNKED, request_body
from balancer.http1.grammar import ABSOLUTE_FORM, DIGITS, HOST, REQUEST_HEAD
from balancer.http1.memory import MOST_BYTES, Memory, is_harmless_request
from balancer.http1.rejection import reject_request
from balancer.http1.relaxed import mended

_MAY_END_HERE = frozenset((b"TRACE", b"OPTIONS"))
_SLASH = ord("/")
_REMOVED: Final = 4
_NOMINATED: Final = 5
_HOST = frozenset((b"host",))


class RequestHead(NamedTuple):
    """A valid request head. Every piece of bytes is as the client sent it."""

    method: bytes
    target: bytes
    """In origin-form, or `*`."""
    fields: bytes
    """The field lines, beginning with the LF that ends the request line and ending with CR LF."""
    size: int
    """How many bytes the head was."""
    lines: int
    """How many field lines there are."""
    passing: bytes
    """The head that goes on, but for lines that have to be added and the empty one."""
    minor: int
    """0 for HTTP/1.0, 1 for HTTP/1.1 and what may come after it."""
    host: bytes
    """With a port if there was one; empty when an HTTP/1.0 client sent none."""
    body: int
    """A number of bytes, or CHUNKED."""
    keep_alive: bool
    removed: tuple[bytes, ...] = ()
    """The field lines that end here."""
    nominated: frozenset[bytes] = frozenset()
    """Names of further fields that end here, because Connection says so."""
    says_host: bool = False
    """Host is to be said anew."""
    says_length: bool = False
    """Content-Length is to be said anew."""
    upgrade: bytes = b""
    """The protocols asked for, a comma-separated list in lower case."""
    trailers: bool = False
    """The client wants trailer fields."""
    expect_continue: bool = False
    adds: bool = False
    """A line has to be added: what was removed in the client's words, or is for this hop alone, goes on in ours."""
    max_forwards: int | None = None
    """Of TRACE and OPTIONS, the methods that can be answered on the way."""


_new = tuple.__new__  # half the time of RequestHead(...), which first sorts its arguments into parameters


def parse_request(buffer: bytes, limits: HttpLimits) -> RequestHead | None:
    """The head that `buffer` begins with, or None while it is incomplete. Raises BadMessage."""
    head = _remembered.get(buffer)
    if head is None:
        size = buffer.find(b"\r\n\r\n", 2) + 4
        head = _head(buffer[:size]) if 4 <= size <= limits.head_bytes else None
        if head is None:
            head = _mended_head(buffer, limits)
            if head is None:
                return None
        elif len(buffer) == size <= MOST_BYTES and is_harmless_request(head.target, head.fields):
            _remembered.remember(buffer, head)
    if len(head.target) > limits.target_bytes:
        raise BadMessage(Reason.TARGET_TOO_LONG)
    if head.lines > limits.header_count:
        raise BadMessage(Reason.TOO_MANY_FIELDS)
    return head


_remembered: Memory[RequestHead] = Memory()


def _mended_head(buffer: bytes, limits: HttpLimits) -> RequestHead | None:
    """What is not well-formed as it is may be so by what a frontend takes besides. Raises BadMessage."""
    if not limits.bare_lf:
        reject_request(buffer, limits.head_bytes)
        return None
    text, size = mended(buffer, limits.head_bytes)
    head = _head(text) if size else None
    if head is None:
        reject_request(text, limits.head_bytes)
        return None
    return head._replace(size=size)


def _head(data: bytes) -> RequestHead | None:
    """A whole head; None where it is not well-formed. Raises BadMessage where it makes no sense."""
    match = REQUEST_HEAD.fullmatch(data)
    if match is None:
        return None
    method, target, digit = match.groups()
    fields = data[match.end(3) + 1 : -2]
    found = tuple(FIND_IN_REQUEST.findall(fields))
    meaning = (_remembered_meaning if len(data) <= MOST_BYTES else _meaning)(method, digit, found)
    passing = _passing(method, target, without(fields, meaning[_REMOVED], meaning[_NOMINATED]))
    lines = fields.count(b"\n") - 1
    head: RequestHead = _new(RequestHead, (method, target, fields, len(data), lines, passing, *meaning))
    return head if target[0] == _SLASH else _resolve(head)


def _passing(method: bytes, target: bytes, fields: bytes) -> bytes:
    return b"%b %b HTTP/1.1\r%b" % (method, target, fields)


_Meaning = tuple[
    int, bytes, int, bool, tuple[bytes, ...], frozenset[bytes], bool, bool, bytes, bool, bool, bool, int | None
]  # the fields of RequestHead from `minor` on


def _meaning(method: bytes, digit: bytes, found: Found) -> _Meaning:
    """What the fields say that concern us, in a request of HTTP/1.`digit`. Raises BadMessage."""
    values = by_name(found)
    minor = 0 if digit == b"0" else 1
    host = _host(values.get(b"host", []), minor)
    lengths = values.get(b"content-length", [])
    body = request_body(minor, lengths, values.get(b"transfer-encoding", []))
    if method == b"CONNECT":
        raise BadMessage(Reason.CONNECT)
    if method == b"TRACE" and body:
        raise BadMessage(Reason.TRACE_WITH_BODY)
    options = connection_options(values.get(b"connection", []))
    max_forwards = _max_forwards(values.get(b"max-forwards", [])) if method in _MAY_END_HERE else None
    kept = _HOST
    says_length = bool(lengths) and lengths != [b"%d" % body]
    if not says_length:
        kept |= {b"content-length"}
    if max_forwards is None:
        kept |= {b"max-forwards"}
    upgrade = _upgrade(values, options) if minor and not body else b""
    trailers = b"trailers" in tokens(values.get(b"te", []))
    expect_continue = minor > 0 and _expects_continue(values)
    says_again = says_length or not host or body == CHUNKED or bool(upgrade) or max_forwards is not None
    return (
        minor,
        host,
        body,
        b"close" not in options if minor else b"keep-alive" in options,
        lines_of(found, kept),
        nominated(options),
        not host,
        says_length,
        upgrade,
        trailers,
        expect_continue,
        says_again or trailers or expect_continue,
        max_forwards,
    )


# Whatever it is that clients ask for, what they say of the connection is much the same.
_remembered_meaning = lru_cache(maxsize=1024)(_meaning)


def _host(hosts: list[bytes], minor: int) -> bytes:
    if len(hosts) > 1:
        raise BadMessage(Reason.HOST_REPEATED)
    if not hosts:
        if minor:
            raise BadMessage(Reason.HOST_MISSING)
        return b""
    if not HOST.fullmatch(hosts[0]):
        raise BadMessage(Reason.HOST_MALFORMED)
    return hosts[0]


def _resolve(head: RequestHead) -> RequestHead:
    """A target that is not in origin-form. Raises BadMessage."""
    if head.target == b"*" and head.method == b"OPTIONS":
        return head
    match = ABSOLUTE_FORM.fullmatch(head.target)
    if not match:
        raise BadMessage(Reason.TARGET)
    path = match[2] or b""
    if not path.startswith(b"/"):
        path = b"*" if head.method == b"OPTIONS" and not path else b"/" + path
    # The target overrules Host (RFC 9112 section 3.2.2).
    lines = lines_of(tuple(FIND_IN_REQUEST.findall(head.fields)), frozenset())
    hosts = tuple(line for line in lines if line[:6].lower() == b"\nhost:")
    removed = head.removed + hosts
    passing = _passing(head.method, path, without(head.fields, removed, head.nominated))
    return head._replace(target=path, host=match[1], passing=passing, removed=removed, says_host=True, adds=True)


def _upgrade(values: dict[bytes, list[bytes]], options: frozenset[bytes]) -> bytes:
    if b"upgrade" not in options:
        return b""
    return b", ".join(token for token in tokens(values.get(b"upgrade", [])) if token != b"h2c")


def _expects_continue(values: dict[bytes, list[bytes]]) -> bool:
    expectations = tokens(values.get(b"expect", []))
    if expectations and set(expectations) != {b"100-continue"}:
        raise BadMessage(Reason.EXPECTATION)
    return bool(expectations)


def _max_forwards(values: list[bytes]) -> int | None:
    if not values:
        return None
    if len(values) != 1 or not DIGITS.fullmatch(values[0]) or len(values[0]) > 9:
        raise BadMessage(Reason.MAX_FORWARDS)
    return int(values[0])
