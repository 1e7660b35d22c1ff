"""Response heads (RFC 9112 sections 4 to 6). Pure. A response that is refused here is answered with 502."""

from typing import NamedTuple

from balancer.http1.fields import FIND_IN_RESPONSE, NOT_NOMINABLE, by_name, connection_options, tokens
from balancer.http1.framing import UNTIL_CLOSE, content_length, response_body
from balancer.http1.grammar import RESPONSE_HEAD
from balancer.http1.rejection import reject_response

LARGEST_HEAD = 65_536

_NONE: frozenset[bytes] = frozenset()
_NO_LENGTH_STATUS = 204


class ResponseHead(NamedTuple):
    """A valid response head. Every piece of bytes is as the server sent it."""

    status: int
    line: bytes
    """Status code and reason phrase."""
    fields: bytes
    """The field lines, beginning with the LF that ends the status line and ending with CR LF."""
    size: int
    """How many bytes the head was."""
    body: int
    """A number of bytes, CHUNKED or UNTIL_CLOSE."""
    keep_alive: bool
    """Another request may follow on this connection once the body has been read."""
    plain: bool = True
    """The field lines may be forwarded as they are."""
    drop: frozenset[bytes] = _NONE
    """Names of fields that end here, beyond those that always do."""
    length: int | None = None
    """The Content-Length, where its field line is dropped and has to be said anew."""
    upgrade: bytes = b""
    """The protocols named, a comma-separated list in lower case."""


def parse_response(buffer: bytes, method: bytes) -> ResponseHead | None:
    """The head that `buffer` begins with, in answer to `method`; None while it is incomplete. Raises BadMessage."""
    match = RESPONSE_HEAD.match(buffer)
    if match is None or match.end() > LARGEST_HEAD:
        reject_response(buffer, LARGEST_HEAD)
        return None
    digit, line, code, _ = match.groups()
    fields = buffer[match.start(4) - 1 : match.end(4)]
    found = by_name(FIND_IN_RESPONSE.findall(fields))
    minor = 0 if digit == b"0" else 1
    status = int(code)
    lengths = found.get(b"content-length", [])
    body = response_body(minor, status, method, lengths, found.get(b"transfer-encoding", []))
    if minor and len(found) == 1 and lengths == [b"%d" % body] and status >= 200:
        return ResponseHead(status, line, fields, match.end(), body, True)
    return _with_fields(minor, status, line, fields, match.end(), body, found)


def _with_fields(
    minor: int, status: int, line: bytes, fields: bytes, size: int, body: int, found: dict[bytes, list[bytes]]
) -> ResponseHead:
    options = connection_options(found.get(b"connection", []))
    drop = options - NOT_NOMINABLE
    length = None
    if lengths := found.get(b"content-length"):
        if status < 200 or status == _NO_LENGTH_STATUS:
            drop |= {b"content-length"}
        elif lengths != [b"%d" % content_length(lengths)]:
            drop |= {b"content-length"}
            length = content_length(lengths)
    persistent = b"close" not in options if minor else b"keep-alive" in options
    return ResponseHead(
        status=status,
        line=line,
        fields=fields,
        size=size,
        body=body,
        keep_alive=persistent and body != UNTIL_CLOSE,
        plain=not drop.intersection(found) and found.keys() <= {b"content-length"},
        drop=drop,
        length=length,
        upgrade=b", ".join(tokens(found.get(b"upgrade", []))),
    )
