"""One test per rule for response heads. A refused response is a 502, whatever the reason."""

import pytest

from balancer.http1.errors import BadMessage, Reason
from balancer.http1.framing import CHUNKED, UNTIL_CLOSE
from balancer.http1.response import ResponseHead, parse_response


def parse(data: bytes, method: bytes = b"GET") -> ResponseHead:
    head = parse_response(data, method)
    assert head is not None
    return head


def ok(*lines: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\n" + b"".join(line + b"\r\n" for line in lines) + b"\r\n"


REFUSED = {
    "not-http": (b"SSH-2.0-OpenSSH_9.2\r\n", Reason.STATUS_LINE),
    "not-http/binary": (b"\x15\x03\x01\x00\x02\x02", Reason.STATUS_LINE),
    "version/2.0": (b"HTTP/2.0 200 OK\r\n\r\n", Reason.STATUS_LINE),
    "version/0.9": (b"HTTP/0.9 200 OK\r\n\r\n", Reason.STATUS_LINE),
    "status/two-digits": (b"HTTP/1.1 20 OK\r\n\r\n", Reason.STATUS_LINE),
    "status/four-digits": (b"HTTP/1.1 2000 OK\r\n\r\n", Reason.STATUS_LINE),
    "status/out-of-range": (b"HTTP/1.1 600 OK\r\n\r\n", Reason.STATUS_LINE),
    "status/signed": (b"HTTP/1.1 +20 OK\r\n\r\n", Reason.STATUS_LINE),
    "status/two-spaces": (b"HTTP/1.1  200 OK\r\n\r\n", Reason.STATUS_LINE),
    "reason/control": (b"HTTP/1.1 200 O\x00K\r\n\r\n", Reason.STATUS_LINE),
    "bare-lf": (b"HTTP/1.1 200 OK\nX: y\n\n", Reason.LINE_END),
    "bare-lf/field": (b"HTTP/1.1 200 OK\r\nX: y\nZ: a\r\n\r\n", Reason.LINE_END),
    "fold": (ok(b"X: a", b" b"), Reason.OBSOLETE_FOLD),
    "name/space-before-colon": (ok(b"X : a"), Reason.FIELD_NAME),
    "name/no-colon": (ok(b"X"), Reason.FIELD_NAME),
    "value/cr": (ok(b"X: a\rb"), Reason.FIELD_VALUE),
    "value/nul": (ok(b"X: a\x00"), Reason.FIELD_VALUE),
    "length/malformed": (ok(b"Content-Length: 1x"), Reason.LENGTH_MALFORMED),
    "length/negative": (ok(b"Content-Length: -1"), Reason.LENGTH_MALFORMED),
    "length/conflicting": (ok(b"Content-Length: 1", b"Content-Length: 2"), Reason.LENGTHS_DIFFER),
    "length+coding": (ok(b"Content-Length: 1", b"Transfer-Encoding: chunked"), Reason.LENGTH_AND_CODING),
    "coding/gzip": (ok(b"Transfer-Encoding: gzip"), Reason.CODING_UNKNOWN),
    "coding/twice": (ok(b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked"), Reason.CODING_UNKNOWN),
    "coding/1.0": (b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", Reason.CODING_IN_1_0),
    "connection/malformed": (ok(b"Connection: ()"), Reason.CONNECTION_OPTION),
    "head/too-large": (ok(b"X: " + b"a" * 70_000), Reason.HEAD_TOO_LARGE),
    "head/endless": (b"HTTP/1.1 200 " + b"a" * 70_000, Reason.HEAD_TOO_LARGE),
}


@pytest.mark.parametrize(("data", "reason"), REFUSED.values(), ids=REFUSED)
def test_refused(data: bytes, reason: Reason) -> None:
    with pytest.raises(BadMessage) as refused:
        parse_response(data, b"GET")
    assert refused.value.reason == reason


def parse_growing(data: bytes, step: int) -> None:
    for end in (*range(1, len(data), step), len(data)):
        parse_response(data[:end], b"GET")


@pytest.mark.parametrize(("data", "reason"), REFUSED.values(), ids=REFUSED)
def test_refused_for_the_same_reason_in_pieces(data: bytes, reason: Reason) -> None:
    with pytest.raises(BadMessage) as refused:
        parse_growing(data, step=1 if len(data) < 2_000 else 4_999)
    assert refused.value.reason == reason


UNDERSTOOD = {
    "length": (ok(b"Content-Length: 5"), b"GET", {"status": 200, "line": b"200 OK", "body": 5, "keep_alive": True}),
    "length/same-twice": (
        ok(b"Content-Length: 5", b"Content-Length: 5"),
        b"GET",
        {"body": 5, "length": 5, "removed": (b"\nContent-Length: 5\r", b"\nContent-Length: 5\r")},
    ),
    "chunked": (
        ok(b"Transfer-Encoding: chunked"),
        b"GET",
        {"body": CHUNKED, "removed": (b"\nTransfer-Encoding: chunked\r",)},
    ),
    "until-close": (ok(), b"GET", {"body": UNTIL_CLOSE, "keep_alive": False}),
    "until-close/keep-alive-is-no-promise": (ok(b"Connection: keep-alive"), b"GET", {"keep_alive": False}),
    "head": (ok(b"Content-Length: 5"), b"HEAD", {"body": 0, "keep_alive": True, "removed": ()}),
    "head/chunked": (ok(b"Transfer-Encoding: chunked"), b"HEAD", {"body": 0}),
    "204": (
        b"HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n",
        b"GET",
        {"body": 0, "removed": (b"\nContent-Length: 5\r",), "length": None},
    ),
    "304": (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", b"GET", {"body": 0, "removed": ()}),
    "100": (b"HTTP/1.1 100 Continue\r\n\r\n", b"POST", {"status": 100, "body": 0, "size": 25}),
    "101": (
        b"HTTP/1.1 101 X\r\nConnection: upgrade\r\nUpgrade: WebSocket\r\n\r\n",
        b"GET",
        {"body": 0, "upgrade": b"websocket"},
    ),
    "close": (ok(b"Content-Length: 0", b"Connection: close"), b"GET", {"keep_alive": False}),
    "1.0": (b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n", b"GET", {"keep_alive": False}),
    "1.0/keep-alive": (
        b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\nConnection: keep-alive\r\n\r\n",
        b"GET",
        {"keep_alive": True},
    ),
    "no-reason": (b"HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n", b"GET", {"line": b"200 "}),
    "no-reason-no-space": (b"HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", b"GET", {"line": b"200 "}),
    "8-bit-value": (ok(b"X: \xe4", b"Content-Length: 0"), b"GET", {"body": 0}),
    "nominated": (
        ok(b"Content-Length: 0", b"Connection: X-Secret"),
        b"GET",
        {"nominated": frozenset({b"x-secret"}), "removed": (b"\nConnection: X-Secret\r",)},
    ),
}


@pytest.mark.parametrize(("data", "method", "expected"), UNDERSTOOD.values(), ids=UNDERSTOOD)
def test_understood(data: bytes, method: bytes, expected: dict[str, object]) -> None:
    head = parse(data, method)
    assert {name: getattr(head, name) for name in expected} == expected
    for end in range(len(data)):
        assert parse_response(data[:end], method) is None


def test_framing_is_checked_even_where_there_is_no_body() -> None:
    with pytest.raises(BadMessage):
        parse_response(ok(b"Content-Length: 1, 2"), b"HEAD")


def test_large_field_sections_are_understood_too() -> None:
    assert parse(ok(b"X: " + b"a" * 2_000, b"Content-Length: 7")).body == 7
