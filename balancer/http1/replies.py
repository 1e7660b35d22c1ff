"""Responses of our own: small, plain, always closing the connection. Pure."""

from functools import lru_cache

from balancer.http1.fields import without
from balancer.http1.request import RequestHead

PHRASES = {
    200: b"OK",
    400: b"Bad Request",
    403: b"Forbidden",
    405: b"Method Not Allowed",
    408: b"Request Timeout",
    413: b"Content Too Large",
    414: b"URI Too Long",
    417: b"Expectation Failed",
    429: b"Too Many Requests",
    431: b"Request Header Fields Too Large",
    500: b"Internal Server Error",
    501: b"Not Implemented",
    502: b"Bad Gateway",
    503: b"Service Unavailable",
    504: b"Gateway Timeout",
    505: b"HTTP Version Not Supported",
}
_ALLOW = (b"Allow: GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS, TRACE",)
_TEXT = b"text/plain; charset=utf-8"
_SECRETS = frozenset((b"authorization", b"cookie", b"proxy-authorization"))


@lru_cache(maxsize=256)
def refusal(status: int, why: str, *, head_only: bool = False, retry_after_s: int | None = None) -> bytes:
    """A whole error response with `why` as its text. It ends the connection."""
    phrase = PHRASES[status]
    text = b"%d %b: %b\n" % (status, phrase, why.encode("ascii"))
    extra = _ALLOW if status == 405 else ()
    if retry_after_s is not None:
        extra = (b"Retry-After: %d" % retry_after_s,)
    return _reply(status, extra, _TEXT, b"" if head_only else text, len(text))


def answer_here(head: RequestHead) -> bytes:
    """The answer to a TRACE or OPTIONS request whose Max-Forwards is 0 (RFC 9110 section 7.6.2)."""
    if head.method == b"OPTIONS":
        return _reply(200, _ALLOW, _TEXT, b"", 0)
    fields = without(head.fields, head.removed, head.nominated | _SECRETS)
    echo = b"TRACE %b HTTP/1.%d\r%b\r\n" % (head.target, head.minor, fields)
    return _reply(200, (), b"message/http", echo, len(echo))


def _reply(status: int, extra: tuple[bytes, ...], media_type: bytes, body: bytes, length: int) -> bytes:
    lines = (
        b"HTTP/1.1 %d %b" % (status, PHRASES[status]),
        *extra,
        b"Content-Type: " + media_type,
        b"Content-Length: %d" % length,
        b"Cache-Control: no-store",
        b"Connection: close",
    )
    return b"\r\n".join(lines) + b"\r\n\r\n" + body
