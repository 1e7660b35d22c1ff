"""Why bytes that are no whole valid head are refused, or that more of them are needed. Pure.

Only the slow path comes here. A verdict depends on complete lines alone, first line first, so that it is the same
however the bytes were split on their way.
"""

import re
from collections.abc import Callable

from balancer.http1.errors import BadMessage, Reason
from balancer.http1.grammar import (
    ANY_REQUEST_LINE,
    FIELD_NAME,
    ONE_FIELD_LINE,
    ONE_STATUS_LINE,
    REQUEST_LINES,
    RESPONSE_LINES,
    TOKENS,
)


def reject_request(buffer: bytes, limit: int) -> None:
    """Raises BadMessage for what can never become a request head of at most `limit` bytes; else more must come."""
    start = 2 if buffer.startswith(b"\r\n") else 0
    lines = _complete_lines(buffer, start, limit)
    if lines:
        _check_lines(lines, REQUEST_LINES, _check_request_line)
    elif buffer != b"\r" and len(buffer) > start:
        _check_method(buffer[start:limit], complete=False)
    if len(buffer) > limit:
        raise BadMessage(Reason.HEAD_TOO_LARGE if lines else Reason.TARGET_TOO_LONG)


def reject_response(buffer: bytes, limit: int) -> None:
    """As `reject_request`, for a response head."""
    lines = _complete_lines(buffer, 0, limit)
    if lines:
        _check_lines(lines, RESPONSE_LINES, _check_status_line)
    elif not b"HTTP/1.".startswith(buffer[:7]):
        raise BadMessage(Reason.STATUS_LINE)
    if len(buffer) > limit:
        raise BadMessage(Reason.HEAD_TOO_LARGE)


def _complete_lines(buffer: bytes, start: int, limit: int) -> bytes:
    return buffer[start : buffer.rfind(b"\n", 0, limit) + 1]


def _check_lines(lines: bytes, well_formed: re.Pattern[bytes], check_first: Callable[[bytes], None]) -> None:
    if well_formed.fullmatch(lines):
        return  # at the speed of one expression: a client may send a large head byte by byte
    first, *rest = lines[:-1].split(b"\n")
    check_first(first + b"\n")
    for line in rest:
        _check_field_line(line + b"\n")


def _check_request_line(line: bytes) -> None:
    _check_method(line, complete=True)
    if not line.endswith(b"\r\n"):
        raise BadMessage(Reason.LINE_END)
    match = ANY_REQUEST_LINE.fullmatch(line)
    if not match or match[2] == b"0":
        raise BadMessage(Reason.REQUEST_LINE)
    if match[2] != b"1":
        raise BadMessage(Reason.VERSION)
    if b"#" in match[1]:
        raise BadMessage(Reason.TARGET)


def _check_method(line: bytes, *, complete: bool) -> None:
    method = TOKENS.match(line)
    end = method.end() if method else 0
    if not method or line[end : end + 1] not in (b" ", b"" if not complete else b" "):
        raise BadMessage(Reason.METHOD)


def _check_status_line(line: bytes) -> None:
    if not line.endswith(b"\r\n"):
        raise BadMessage(Reason.LINE_END)
    if not ONE_STATUS_LINE.fullmatch(line):
        raise BadMessage(Reason.STATUS_LINE)


def _check_field_line(line: bytes) -> None:
    if line[:1] in (b" ", b"\t"):
        raise BadMessage(Reason.OBSOLETE_FOLD)
    if not FIELD_NAME.match(line):
        raise BadMessage(Reason.FIELD_NAME)
    if not line.endswith(b"\r\n"):
        raise BadMessage(Reason.LINE_END)
    if not ONE_FIELD_LINE.fullmatch(line):
        raise BadMessage(Reason.FIELD_VALUE)
