"""Request heads (RFC 9112 sections 2, 3, 5). Pure.

`parse_request` looks at all bytes of a head at once; while they are incomplete it is called again with more of them.
"""

from typing import NamedTuple

from balancer.config import HttpLimits
from balancer.http1.errors import BadMessage, Reason
from balancer.http1.fields import FIND_IN_REQUEST, NOT_NOMINABLE, by_name, connection_options, tokens
from balancer.http1.framing import request_body
from balancer.http1.grammar import ABSOLUTE_FORM, DIGITS, HOST, REQUEST_HEAD
from balancer.http1.rejection import reject_request

_NONE: frozenset[bytes] = frozenset()
_MAY_END_HERE = frozenset((b"TRACE", b"OPTIONS"))


class RequestHead(NamedTuple):
    """A valid request head. Every piece of bytes is as the client sent it."""

    method: bytes
    target: bytes
    """In origin-form, or `*`."""
    host: bytes
    """With a port if there was one; empty when an HTTP/1.0 client sent none."""
    minor: int
    """The x of HTTP/1.x."""
    fields: bytes
    """The field lines, beginning with the LF that ends the request line and ending with CR LF."""
    size: int
    """How many bytes the head was."""
    body: int
    """A number of bytes, or CHUNKED."""
    keep_alive: bool
    plain: bool = True
    """The field lines may be forwarded as they are."""
    drop: frozenset[bytes] = _NONE
    """Names of fields that end here, beyond those that always do."""
    upgrade: bytes = b""
    """The protocols asked for, a comma-separated list in lower case."""
    trailers: bool = False
    """The client wants trailer fields."""
    expect_continue: bool = False
    max_forwards: int | None = None
    """Of TRACE and OPTIONS, the methods that can be answered on the way."""


def parse_request(buffer: bytes, limits: HttpLimits) -> RequestHead | None:
    """The head that `buffer` begins with, or None while it is incomplete. Raises BadMessage."""
    match = REQUEST_HEAD.match(buffer)
    if match is None or match.end() > limits.head_bytes:
        reject_request(buffer, limits.head_bytes)
        return None
    method, target, digit, lines = match.groups()
    if len(target) > limits.target_bytes:
        raise BadMessage(Reason.TARGET_TOO_LONG)
    if lines.count(b"\n") > limits.header_count:
        raise BadMessage(Reason.TOO_MANY_FIELDS)
    start = match.start(4) - 1
    fields = buffer[start : match.end(4)]
    minor = 0 if digit == b"0" else 1
    found = FIND_IN_REQUEST.findall(fields)
    if minor and len(found) == 1 and target.startswith(b"/") and len(found[0][0]) == 4 and method != b"CONNECT":
        # By far the most common: Host is the only field that concerns us (no other of them has a name of four letters).
        host = found[0][1].strip(b" \t")
        if HOST.fullmatch(host):
            return RequestHead(method, target, host, 1, fields, match.end(), 0, True)
    return _with_fields(method, target, minor, fields, match.end(), by_name(found))


def _with_fields(
    method: bytes, target: bytes, minor: int, fields: bytes, size: int, found: dict[bytes, list[bytes]]
) -> RequestHead:
    authority = _host(found, minor)
    target, host = _resolve(method, target, authority)
    body = request_body(minor, found.get(b"content-length", []), found.get(b"transfer-encoding", []))
    if method == b"TRACE" and body:
        raise BadMessage(Reason.TRACE_WITH_BODY)
    options = connection_options(found.get(b"connection", []))
    trailers = b"trailers" in tokens(found.get(b"te", []))
    max_forwards = _max_forwards(method, found)
    drop = options - NOT_NOMINABLE
    if host != authority or not host:
        drop |= {b"host"}
    if max_forwards is not None:
        drop |= {b"max-forwards"}
    if body >= 0 and found.get(b"content-length", [b"%d" % body]) != [b"%d" % body]:
        drop |= {b"content-length"}
    plain = not drop.intersection(found) and not found.keys() - _LEFT_ALONE
    return RequestHead(
        method=method,
        target=target,
        host=host,
        minor=minor,
        fields=fields,
        size=size,
        body=body,
        keep_alive=b"close" not in options if minor else b"keep-alive" in options,
        plain=plain and bool(host),
        drop=drop,
        upgrade=_upgrade(found, options) if minor and body == 0 else b"",
        trailers=trailers,
        expect_continue=minor > 0 and _expects_continue(found),
        max_forwards=max_forwards,
    )


_LEFT_ALONE = frozenset((b"host", b"content-length", b"max-forwards"))


def _host(found: dict[bytes, list[bytes]], minor: int) -> bytes:
    hosts = found.get(b"host", [])
    if len(hosts) > 1:
        raise BadMessage(Reason.HOST_REPEATED)
    if not hosts:
        if minor:
            raise BadMessage(Reason.HOST_MISSING)
        return b""
    if not HOST.fullmatch(hosts[0]):
        raise BadMessage(Reason.HOST_MALFORMED)
    return hosts[0]


def _resolve(method: bytes, target: bytes, host: bytes) -> tuple[bytes, bytes]:
    """Target in origin-form and host; an absolute-form target overrules Host (RFC 9112 section 3.2.2)."""
    if method == b"CONNECT":
        raise BadMessage(Reason.CONNECT)
    if target.startswith(b"/"):
        return target, host
    if target == b"*" and method == b"OPTIONS":
        return target, host
    match = ABSOLUTE_FORM.fullmatch(target)
    if not match:
        raise BadMessage(Reason.TARGET)
    path = match[2] or b""
    if not path.startswith(b"/"):
        path = b"*" if method == b"OPTIONS" and not path else b"/" + path
    return path, match[1]


def _upgrade(found: dict[bytes, list[bytes]], options: frozenset[bytes]) -> bytes:
    if b"upgrade" not in options:
        return b""
    return b", ".join(token for token in tokens(found.get(b"upgrade", [])) if token != b"h2c")


def _expects_continue(found: dict[bytes, list[bytes]]) -> bool:
    expectations = tokens(found.get(b"expect", []))
    if expectations and set(expectations) != {b"100-continue"}:
        raise BadMessage(Reason.EXPECTATION)
    return bool(expectations)


def _max_forwards(method: bytes, found: dict[bytes, list[bytes]]) -> int | None:
    values = found.get(b"max-forwards")
    if not values or method not in _MAY_END_HERE:
        return None
    if len(values) != 1 or not DIGITS.fullmatch(values[0]) or len(values[0]) > 9:
        raise BadMessage(Reason.MAX_FORWARDS)
    return int(values[0])
