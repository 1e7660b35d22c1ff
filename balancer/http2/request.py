"""A request's header list as an HTTP/1.1 head (RFC 9113 section 8). Pure.

Nothing that is written here is trusted: the head is read by the same strict parser as one that came by HTTP/1.1. What
only HTTP/2 can get wrong is refused here, and so is every byte that would end a line of HTTP/1.1.
"""

import re
from typing import NamedTuple

from balancer.http1.framing import LONGEST
from balancer.http1.grammar import DIGITS, TOKENS
from balancer.http2.compression import Fields
from balancer.http2.errors import Reason, Violation

_PSEUDO = frozenset((b":method", b":scheme", b":authority", b":path"))
_CONNECTION = frozenset((b"connection", b"proxy-connection", b"keep-alive", b"transfer-encoding", b"upgrade"))
_READ_HERE = _CONNECTION | {b"host", b"cookie", b"content-length", b"te"}
_SAYS_LENGTH = frozenset((b"POST", b"PUT", b"PATCH"))

_NAME = re.compile(rb"[!#$%&'*+\-.^_`|~0-9a-z]++")
_BAD_VALUE = re.compile(rb"[\x00\r\n]|\A[ \t]|[ \t]\Z")
_VISIBLE = re.compile(rb"[!-~]++")
_SCHEME = re.compile(rb"[A-Za-z][A-Za-z0-9+.\-]*+")


class Request(NamedTuple):
    """What a header list asks for."""

    head: bytes
    """As HTTP/1.1 has it."""
    method: bytes
    length: int | None
    """What Content-Length says."""
    chunked: bool
    """The body goes on in chunks: there is one, and nobody has said how long it is."""


def request_of(fields: Fields, *, ended: bool) -> Request:
    """`ended`: no body follows. Raises Violation: a stream error."""
    pseudo, regular = _split(fields)
    method = _method(pseudo)
    lines: list[bytes] = []
    hosts: list[bytes] = []
    cookies: list[bytes] = []
    lengths: list[bytes] = []
    for name, value in regular:
        if name in _READ_HERE:
            if name in _CONNECTION:
                raise Violation(Reason.CONNECTION_FIELD)
            if name == b"te" and value.lower() != b"trailers":
                raise Violation(Reason.TE)
            kept = {b"host": hosts, b"cookie": cookies, b"content-length": lengths}.get(name)
            if kept is not None:
                kept.append(value)
                continue
        lines.append(b"%b: %b\r\n" % (name, value))
    target = _target(pseudo, method)
    lines[:0] = [b"%b %b HTTP/1.1\r\n" % (method, target), *_hosts(pseudo.get(b":authority"), hosts)]
    if cookies:
        lines.append(b"cookie: %b\r\n" % b"; ".join(cookies))  # RFC 9113 section 8.2.3
    length = _length(lengths)
    if ended and length:
        raise Violation(Reason.LENGTH_DIFFERS)
    chunked = length is None and not ended
    if chunked:
        lines.append(b"transfer-encoding: chunked\r\n")
    elif length is not None or method in _SAYS_LENGTH:
        lines.append(b"content-length: %d\r\n" % (length or 0))
    return Request(b"".join(lines) + b"\r\n", method, length, chunked)


def trailer_lines(fields: Fields) -> bytes:
    """Field lines of a trailer section. Raises Violation: a stream error."""
    pseudo, regular = _split(fields)
    if pseudo:
        raise Violation(Reason.PSEUDO_IN_TRAILER)
    if any(name in _CONNECTION for name, _ in regular):
        raise Violation(Reason.CONNECTION_FIELD)
    return b"".join(b"%b: %b\r\n" % field for field in regular)


def _split(fields: Fields) -> tuple[dict[bytes, bytes], Fields]:
    """Pseudo-header fields, which come first, and the others."""
    pseudo: dict[bytes, bytes] = {}
    regular: Fields = []
    for name, value in fields:
        if _BAD_VALUE.search(value):
            raise Violation(Reason.FIELD_VALUE)
        if name[:1] == b":":
            if name not in _PSEUDO:
                raise Violation(Reason.PSEUDO_UNKNOWN)
            if name in pseudo:
                raise Violation(Reason.PSEUDO_REPEATED)
            if regular:
                raise Violation(Reason.PSEUDO_LATE)
            pseudo[name] = value
        elif _NAME.fullmatch(name):
            regular.append((name, value))
        else:
            raise Violation(Reason.FIELD_NAME)
    return pseudo, regular


def _method(pseudo: dict[bytes, bytes]) -> bytes:
    method = pseudo.get(b":method")
    if method is None:
        raise Violation(Reason.PSEUDO_MISSING)
    if not TOKENS.fullmatch(method):
        raise Violation(Reason.METHOD)
    return method


def _target(pseudo: dict[bytes, bytes], method: bytes) -> bytes:
    authority, scheme, path = (pseudo.get(name) for name in (b":authority", b":scheme", b":path"))
    if authority is not None and (not _VISIBLE.fullmatch(authority) or b"@" in authority):
        raise Violation(Reason.AUTHORITY)
    if method == b"CONNECT":
        if authority is None or scheme is not None or path is not None:
            raise Violation(Reason.CONNECT)
        return authority
    if scheme is None or path is None:
        raise Violation(Reason.PSEUDO_MISSING)
    if not _SCHEME.fullmatch(scheme):
        raise Violation(Reason.SCHEME)
    if not _VISIBLE.fullmatch(path) or not (path[:1] == b"/" or (path == b"*" and method == b"OPTIONS")):
        raise Violation(Reason.PATH)
    return path


def _hosts(authority: bytes | None, hosts: list[bytes]) -> list[bytes]:
    """Host lines: one that says what :authority does; without that, what the client says, for the parser to judge."""
    if authority is not None:
        if any(host.lower() != authority.lower() for host in hosts):
            raise Violation(Reason.HOST_DIFFERS)
        hosts = [authority]
    return [b"host: %b\r\n" % host for host in hosts]


def _length(lengths: list[bytes]) -> int | None:
    if not lengths:
        return None
    if len(set(lengths)) != 1 or not DIGITS.fullmatch(lengths[0]) or len(lengths[0]) > 19:
        raise Violation(Reason.LENGTH_MALFORMED)
    length = int(lengths[0])
    if length > LONGEST:
        raise Violation(Reason.LENGTH_MALFORMED)
    return length
