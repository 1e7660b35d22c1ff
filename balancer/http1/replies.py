"""Responses of our own: small, plain, always closing the connection. Pure."""

from functools import lru_cache

from balancer.http1.fields import without
from balancer.http1.request import RequestHead

PHRASES = {
    200: b"OK",
    201: b"Created",
    202: b"Accepted",
    203: b"Non-Authoritative Information",
    204: b"No Content",
    205: b"Reset Content",
    301: b"Moved Permanently",
    302: b"Found",
    303: b"See Other",
    304: b"Not Modified",
    307: b"Temporary Redirect",
    308: b"Permanent Redirect",
    400: b"Bad Request",
    401: b"Unauthorized",
    402: b"Payment Required",
    403: b"Forbidden",
    404: b"Not Found",
    405: b"Method Not Allowed",
    406: b"Not Acceptable",
    408: b"Request Timeout",
    409: b"Conflict",
    410: b"Gone",
    411: b"Length Required",
    412: b"Precondition Failed",
    413: b"Content Too Large",
    414: b"URI Too Long",
    415: b"Unsupported Media Type",
    417: b"Expectation Failed",
    421: b"Misdirected Request",
    425: b"Too Early",
    426: b"Upgrade Required",
    428: b"Precondition Required",
    429: b"Too Many Requests",
    431: b"Request Header Fields Too Large",
    451: b"Unavailable For Legal Reasons",
    500: b"Internal Server Error",
    501: b"Not Implemented",
    502: b"Bad Gateway",
    503: b"Service Unavailable",
    504: b"Gateway Timeout",
    505: b"HTTP Version Not Supported",
    507: b"Insufficient Storage",
    511: b"Network Authentication Required",
}
ALLOW = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS, TRACE"
_ALLOW = (b"Allow: " + ALLOW.encode("ascii"),)
_TEXT = b"text/plain; charset=utf-8"
_SECRETS = frozenset((b"authorization", b"cookie", b"proxy-authorization"))


def phrase_of(status: int) -> bytes:
    """The reason phrase of a status; empty for one that has none."""
    return PHRASES.get(status, b"")


@lru_cache(maxsize=256)
def refusal(
    status: int,
    why: str,
    *,
    head_only: bool = False,
    retry_after_s: int | None = None,
    page: tuple[bytes, bytes] | None = None,
) -> bytes:
    """A whole error response with `why` as its text, or a page: its media type and itself. It ends the connection."""
    media_type, text = page or (_TEXT, b"%d %b: %b\n" % (status, phrase_of(status), why.encode("ascii")))
    extra = _ALLOW if status == 405 else ()
    if retry_after_s is not None:
        extra = (b"Retry-After: %d" % retry_after_s,)
    return _reply(status, extra, media_type, b"" if head_only else text, len(text))


def answer_here(head: RequestHead) -> bytes:
    """The answer to a TRACE or OPTIONS request whose Max-Forwards is 0 (RFC 9110 section 7.6.2)."""
    if head.method == b"OPTIONS":
        return _reply(200, _ALLOW, _TEXT, b"", 0)
    fields = without(head.fields, head.removed, head.nominated | _SECRETS)
    echo = b"TRACE %b HTTP/1.%d\r%b\r\n" % (head.target, head.minor, fields)
    return _reply(200, (), b"message/http", echo, len(echo))


def _reply(status: int, extra: tuple[bytes, ...], media_type: bytes, body: bytes, length: int) -> bytes:
    lines = (
        b"HTTP/1.1 %d %b" % (status, phrase_of(status)),
        *extra,
        b"Content-Type: " + media_type,
        b"Content-Length: %d" % length,
        b"Cache-Control: no-store",
        b"Connection: close",
    )
    return b"\r\n".join(lines) + b"\r\n\r\n" + body
