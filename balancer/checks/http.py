"""An HTTP request and what its response must be. Pure."""

import re
from collections.abc import Generator

from balancer.checks.exchanges import Exchange, Passed, Unhealthy
from balancer.config_checks import Check, parse_status_ranges
from balancer.http1.chunked import ChunkedDecoder
from balancer.http1.errors import BadMessage
from balancer.http1.framing import CHUNKED
from balancer.http1.response import ResponseHead, parse_response

LARGEST_HEAD_BYTES = 16_384
"""All that is read of a response's head, interim ones included."""
LARGEST_BODY_BYTES = 65_536
"""What must be in a body must be in this much of it."""
_SWITCHING_PROTOCOLS = 101


def http(check: Check, host: str) -> Exchange:
    """One request, on a connection of its own."""
    head, received = yield from _final_head(check, host)
    if not any(head.status in passing for passing in parse_status_ranges(check.expect)):
        raise Unhealthy(f"HTTP {head.status}", "L7STS")
    wanted = _wanted(check)
    if wanted is not None:
        yield from _find(wanted, head, received)
    return Passed(f"HTTP {head.status}")


def request_of(check: Check, host: str) -> bytes:
    """The whole request."""
    body = (check.body or "").encode()
    lines = [f"{check.http} HTTP/{check.http_version}"]
    ours = {"Host": host, "User-Agent": "hapair", "Accept": "*/*", "Connection": "close"}
    if check.body is not None:
        ours["Content-Length"] = str(len(body))
    given = {name.lower() for name in check.headers}
    lines += [f"{name}: {value}" for name, value in ours.items() if name.lower() not in given]
    lines += [f"{name}: {value}" for name, value in check.headers.items()]
    return "\r\n".join((*lines, "", "")).encode("ascii") + body


def _final_head(check: Check, host: str) -> Generator[bytes, bytes, tuple[ResponseHead, bytes]]:
    method = (check.http or "").partition(" ")[0].encode("ascii")
    buffer, unsent, size = b"", request_of(check, host), 0
    while True:
        received = yield unsent
        unsent = b""
        if not received:
            raise Unhealthy("connection closed before the end of a response head")
        size += len(received)
        buffer += received
        head, buffer = _read_heads(buffer, method) if b"\n" in received else (None, buffer)
        if head is not None:
            return head, buffer
        if size >= LARGEST_HEAD_BYTES:
            raise Unhealthy(f"response head larger than {LARGEST_HEAD_BYTES // 1024} KiB")


def _read_heads(buffer: bytes, method: bytes) -> tuple[ResponseHead | None, bytes]:
    """The final head, or None and what must be added to before there can be one; and the rest."""
    try:
        while head := parse_response(buffer, method):
            buffer = buffer[head.size :]
            if head.status >= 200 or head.status == _SWITCHING_PROTOCOLS:
                return head, buffer
    except BadMessage as error:
        raise Unhealthy(f"not an HTTP response: {error}") from None
    return None, buffer


def _wanted(check: Check) -> re.Pattern[bytes] | None:
    if check.expect_body_regex is not None:
        return re.compile(check.expect_body_regex.encode(), re.DOTALL)
    return None if check.expect_body is None else re.compile(re.escape(check.expect_body.encode()))


def _find(wanted: re.Pattern[bytes], head: ResponseHead, received: bytes) -> Generator[bytes, bytes, None]:
    """Read the body until what is wanted is in it. Raises Unhealthy."""
    decoder = ChunkedDecoder() if head.body == CHUNKED else None
    body = b""
    while True:
        body += _decoded(decoder, received)
        whole = decoder.done if decoder is not None else 0 <= head.body <= len(body)
        if wanted.search(body[: head.body] if head.body >= 0 else body):
            return
        if whole or len(body) >= LARGEST_BODY_BYTES:
            break
        received = yield b""
        if not received:
            break
    raise Unhealthy(f"HTTP {head.status}, and the body is not what it should be", "L7RSP")


def _decoded(decoder: ChunkedDecoder | None, received: bytes) -> bytes:
    if decoder is None:
        return received
    try:
        return decoder.feed(received)
    except BadMessage as error:
        raise Unhealthy(f"not an HTTP response: {error}") from None
