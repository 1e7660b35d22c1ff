"""One test per rule for request heads: what is refused and why, what is accepted and what is understood."""

import pytest

from balancer.config import HttpLimits
from balancer.http1.errors import BadMessage, Reason
from balancer.http1.framing import CHUNKED
from balancer.http1.request import RequestHead, parse_request

LIMITS = HttpLimits()


def parse(data: bytes) -> RequestHead:
    head = parse_request(data, LIMITS)
    assert head is not None
    return head


def with_line(line: bytes) -> bytes:
    return b"GET / HTTP/1.1\r\nHost: a\r\n" + line + b"\r\n\r\n"


REFUSED = {
    "host/missing": (b"GET / HTTP/1.1\r\n\r\n", Reason.HOST_MISSING, 400),
    "host/twice": (with_line(b"Host: a"), Reason.HOST_REPEATED, 400),
    "host/twice-in-1.0": (b"GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n", Reason.HOST_REPEATED, 400),
    "host/empty": (b"GET / HTTP/1.1\r\nHost:\r\n\r\n", Reason.HOST_MALFORMED, 400),
    "host/slash": (b"GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", Reason.HOST_MALFORMED, 400),
    "host/userinfo": (b"GET / HTTP/1.1\r\nHost: u@a\r\n\r\n", Reason.HOST_MALFORMED, 400),
    "host/list": (b"GET / HTTP/1.1\r\nHost: a, b\r\n\r\n", Reason.HOST_MALFORMED, 400),
    "host/space": (b"GET / HTTP/1.1\r\nHost: a b\r\n\r\n", Reason.HOST_MALFORMED, 400),
    "host/port-not-a-number": (b"GET / HTTP/1.1\r\nHost: a:b\r\n\r\n", Reason.HOST_MALFORMED, 400),
    "host/8-bit": (b"GET / HTTP/1.1\r\nHost: \xa0a\r\n\r\n", Reason.HOST_MALFORMED, 400),
    "target/asterisk-with-get": (b"GET * HTTP/1.1\r\nHost: a\r\n\r\n", Reason.TARGET, 400),
    "target/relative": (b"GET index.html HTTP/1.1\r\nHost: a\r\n\r\n", Reason.TARGET, 400),
    "target/dots": (b"GET ../x HTTP/1.1\r\nHost: a\r\n\r\n", Reason.TARGET, 400),
    "target/fragment": (b"GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n", Reason.TARGET, 400),
    "target/other-scheme": (b"GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n", Reason.TARGET, 400),
    "target/absolute-with-userinfo": (b"GET http://u@a/ HTTP/1.1\r\nHost: a\r\n\r\n", Reason.TARGET, 400),
    "target/absolute-without-host": (b"GET http:///x HTTP/1.1\r\nHost: a\r\n\r\n", Reason.TARGET, 400),
    "target/8-bit": (b"GET /\xe4 HTTP/1.1\r\nHost: a\r\n\r\n", Reason.REQUEST_LINE, 400),
    "target/nul": (b"GET /\x00 HTTP/1.1\r\nHost: a\r\n\r\n", Reason.REQUEST_LINE, 400),
    "connect": (b"CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n", Reason.CONNECT, 405),
    "connect/path": (b"CONNECT /x HTTP/1.1\r\nHost: a:443\r\n\r\n", Reason.CONNECT, 405),
    "line/tab": (b"GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n", Reason.METHOD, 400),
    "line/tab-before-version": (b"GET /\tHTTP/1.1\r\nHost: a\r\n\r\n", Reason.REQUEST_LINE, 400),
    "line/two-spaces": (b"GET  / HTTP/1.1\r\nHost: a\r\n\r\n", Reason.REQUEST_LINE, 400),
    "line/two-spaces-before-version": (b"GET /  HTTP/1.1\r\nHost: a\r\n\r\n", Reason.REQUEST_LINE, 400),
    "line/space-at-end": (b"GET / HTTP/1.1 \r\nHost: a\r\n\r\n", Reason.REQUEST_LINE, 400),
    "line/space-at-start": (b" GET / HTTP/1.1\r\nHost: a\r\n\r\n", Reason.METHOD, 400),
    "line/two-empty-lines-ahead": (b"\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", Reason.METHOD, 400),
    "method/not-a-token": (b"G@T / HTTP/1.1\r\nHost: a\r\n\r\n", Reason.METHOD, 400),
    "method/tls-hello": (b"\x16\x03\x01\x02\x00", Reason.METHOD, 400),
    "version/0.9": (b"GET / HTTP/0.9\r\nHost: a\r\n\r\n", Reason.REQUEST_LINE, 400),
    "version/none": (b"GET /\r\n\r\n", Reason.REQUEST_LINE, 400),
    "version/2.0": (b"GET / HTTP/2.0\r\nHost: a\r\n\r\n", Reason.VERSION, 505),
    "version/h2-preface": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", Reason.VERSION, 505),
    "version/1.10": (b"GET / HTTP/1.10\r\nHost: a\r\n\r\n", Reason.REQUEST_LINE, 400),
    "version/lower-case": (b"GET / http/1.1\r\nHost: a\r\n\r\n", Reason.REQUEST_LINE, 400),
    "version/no-dot": (b"GET / HTTP/11\r\nHost: a\r\n\r\n", Reason.REQUEST_LINE, 400),
    "value/cr": (with_line(b"X: a\rb"), Reason.FIELD_VALUE, 400),
    "value/nul": (with_line(b"X: a\x00b"), Reason.FIELD_VALUE, 400),
    "value/control": (with_line(b"X: a\x01b"), Reason.FIELD_VALUE, 400),
    "value/vertical-tab": (with_line(b"X: a\x0bb"), Reason.FIELD_VALUE, 400),
    "value/delete": (with_line(b"X: a\x7fb"), Reason.FIELD_VALUE, 400),
    "name/space-before-colon": (with_line(b"X : a"), Reason.FIELD_NAME, 400),
    "name/tab-before-colon": (with_line(b"Content-Length\t: 3"), Reason.FIELD_NAME, 400),
    "name/empty": (with_line(b": a"), Reason.FIELD_NAME, 400),
    "name/no-colon": (with_line(b"Xyz"), Reason.FIELD_NAME, 400),
    "name/8-bit": (with_line(b"X\xe4: a"), Reason.FIELD_NAME, 400),
    "name/not-a-token": (with_line(b"X(y): a"), Reason.FIELD_NAME, 400),
    "fold": (with_line(b"X: a\r\n b"), Reason.OBSOLETE_FOLD, 400),
    "fold/tab": (with_line(b"X: a\r\n\tb"), Reason.OBSOLETE_FOLD, 400),
    "fold/first-line": (b"GET / HTTP/1.1\r\n Host: a\r\n\r\n", Reason.OBSOLETE_FOLD, 400),
    "bare-lf/request-line": (b"GET / HTTP/1.1\nHost: a\r\n\r\n", Reason.LINE_END, 400),
    "bare-lf/field": (with_line(b"X: a\nY: b"), Reason.LINE_END, 400),
    "bare-lf/everywhere": (b"GET / HTTP/1.1\nHost: a\n\n", Reason.LINE_END, 400),
    "length+coding": (with_line(b"Content-Length: 3\r\nTransfer-Encoding: chunked"), Reason.LENGTH_AND_CODING, 400),
    "length/differing": (with_line(b"Content-Length: 3\r\nContent-Length: 4"), Reason.LENGTHS_DIFFER, 400),
    "length/differing-list": (with_line(b"Content-Length: 3, 4"), Reason.LENGTHS_DIFFER, 400),
    "length/plus": (with_line(b"Content-Length: +3"), Reason.LENGTH_MALFORMED, 400),
    "length/minus": (with_line(b"Content-Length: -3"), Reason.LENGTH_MALFORMED, 400),
    "length/underscore": (with_line(b"Content-Length: 1_0"), Reason.LENGTH_MALFORMED, 400),
    "length/hexadecimal": (with_line(b"Content-Length: 0x3"), Reason.LENGTH_MALFORMED, 400),
    "length/empty": (with_line(b"Content-Length:"), Reason.LENGTH_MALFORMED, 400),
    "length/empty-member": (with_line(b"Content-Length: 3,"), Reason.LENGTH_MALFORMED, 400),
    "length/fraction": (with_line(b"Content-Length: 3.0"), Reason.LENGTH_MALFORMED, 400),
    "length/inner-space": (with_line(b"Content-Length: 3 4"), Reason.LENGTH_MALFORMED, 400),
    "length/no-break-space": (with_line(b"Content-Length: \xa03"), Reason.LENGTH_MALFORMED, 400),
    "length/overflow": (with_line(b"Content-Length: 9223372036854775808"), Reason.LENGTH_MALFORMED, 400),
    "length/overflow-long": (with_line(b"Content-Length: " + b"9" * 40), Reason.LENGTH_MALFORMED, 400),
    "coding/gzip": (with_line(b"Transfer-Encoding: gzip"), Reason.CODING_UNKNOWN, 501),
    "coding/gzip-chunked": (with_line(b"Transfer-Encoding: gzip, chunked"), Reason.CODING_UNKNOWN, 501),
    "coding/chunked-identity": (with_line(b"Transfer-Encoding: chunked, identity"), Reason.CODING_UNKNOWN, 501),
    "coding/twice": (
        with_line(b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked"),
        Reason.CODING_UNKNOWN,
        501,
    ),
    "coding/comma": (with_line(b"Transfer-Encoding: ,chunked"), Reason.CODING_UNKNOWN, 501),
    "coding/no-break-space": (with_line(b"Transfer-Encoding: \xa0chunked"), Reason.CODING_UNKNOWN, 501),
    "coding/vertical-tab": (with_line(b"Transfer-Encoding: \x0bchunked"), Reason.FIELD_VALUE, 400),
    "coding/parameter": (with_line(b"Transfer-Encoding: chunked;q=1"), Reason.CODING_UNKNOWN, 501),
    "coding/quoted": (with_line(b'Transfer-Encoding: "chunked"'), Reason.CODING_UNKNOWN, 501),
    "coding/empty": (with_line(b"Transfer-Encoding:"), Reason.CODING_UNKNOWN, 501),
    "coding/1.0": (
        b"POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
        Reason.CODING_IN_1_0,
        400,
    ),
    "expect/other": (with_line(b"Expect: 200-ok"), Reason.EXPECTATION, 417),
    "connection/not-a-token": (with_line(b"Connection: a;b"), Reason.CONNECTION_OPTION, 400),
    "trace/body": (b"TRACE / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n", Reason.TRACE_WITH_BODY, 400),
    "max-forwards/not-a-number": (
        b"OPTIONS / HTTP/1.1\r\nHost: a\r\nMax-Forwards: -1\r\n\r\n",
        Reason.MAX_FORWARDS,
        400,
    ),
    "max-forwards/twice": (
        b"TRACE / HTTP/1.1\r\nHost: a\r\nMax-Forwards: 1\r\nMax-Forwards: 2\r\n\r\n",
        Reason.MAX_FORWARDS,
        400,
    ),
    "limit/one-header-of-64KiB": (with_line(b"X: " + b"a" * 65_536), Reason.HEAD_TOO_LARGE, 431),
    "limit/150-headers": (with_line(b"X: a\r\n" * 149 + b"X: a"), Reason.TOO_MANY_FIELDS, 431),
    "limit/target-of-9000": (b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", Reason.TARGET_TOO_LONG, 414),
    "limit/target-of-40KB": (b"GET /" + b"a" * 40_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", Reason.TARGET_TOO_LONG, 414),
    "limit/endless-method": (b"A" * 20_000, Reason.TARGET_TOO_LONG, 414),
}


@pytest.mark.parametrize(("data", "reason", "status"), REFUSED.values(), ids=REFUSED)
def test_refused(data: bytes, reason: Reason, status: int) -> None:
    with pytest.raises(BadMessage) as refused:
        parse_request(data, LIMITS)
    assert (refused.value.reason, refused.value.status) == (reason, status)


def parse_growing(data: bytes, step: int) -> None:
    for end in (*range(1, len(data), step), len(data)):
        parse_request(data[:end], LIMITS)


@pytest.mark.parametrize(("data", "reason", "status"), REFUSED.values(), ids=REFUSED)
def test_refused_for_the_same_reason_byte_by_byte(data: bytes, reason: Reason, status: int) -> None:
    with pytest.raises(BadMessage) as refused:
        parse_growing(data, step=1 if len(data) < 2_000 else 997)
    assert refused.value.reason == reason


UNDERSTOOD = {
    "plain": (b"GET /a?b HTTP/1.1\r\nHost: example.org:8080\r\n\r\n", {"target": b"/a?b", "host": b"example.org:8080"}),
    "plain/keep-alive": (with_line(b"X: y"), {"keep_alive": True, "body": 0, "minor": 1, "removed": ()}),
    "empty-line-ahead": (b"\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", {"method": b"GET", "size": 29}),
    "host/ipv6": (b"GET / HTTP/1.1\r\nHost: [2001:db8::1]:80\r\n\r\n", {"host": b"[2001:db8::1]:80"}),
    "host/white-space-around": (b"GET / HTTP/1.1\r\nHost: \t a\t \r\n\r\n", {"host": b"a"}),
    "host/none-in-1.0": (b"GET / HTTP/1.0\r\n\r\n", {"host": b"", "minor": 0, "keep_alive": False, "says_host": True}),
    "keep-alive-in-1.0": (b"GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", {"keep_alive": True}),
    "close": (with_line(b"Connection: x, Close"), {"keep_alive": False, "nominated": frozenset({b"x"})}),
    "version/1.2-is-1.1": (b"GET / HTTP/1.2\r\nHost: a\r\n\r\n", {"minor": 1, "keep_alive": True}),
    "absolute-form/target-wins": (
        b"GET http://b:81/x HTTP/1.1\r\nHost: a\r\n\r\n",
        {"target": b"/x", "host": b"b:81", "removed": (b"\nHost: a\r",), "says_host": True},
    ),
    "absolute-form/no-path": (b"GET HTTPS://b HTTP/1.1\r\nHost: b\r\n\r\n", {"target": b"/", "host": b"b"}),
    "absolute-form/query-only": (b"GET http://b?x HTTP/1.1\r\nHost: b\r\n\r\n", {"target": b"/?x"}),
    "absolute-form/options": (b"OPTIONS http://b HTTP/1.1\r\nHost: b\r\n\r\n", {"target": b"*"}),
    "asterisk-form": (b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", {"target": b"*"}),
    "target/odd-but-allowed": (b"GET //a/../%00|{}^ HTTP/1.1\r\nHost: a\r\n\r\n", {"target": b"//a/../%00|{}^"}),
    "length": (with_line(b"Content-Length: 12"), {"body": 12, "removed": ()}),
    "length/same-twice": (
        with_line(b"Content-Length: 5\r\nContent-Length: 5"),
        {"body": 5, "says_length": True, "removed": (b"\nContent-Length: 5\r", b"\nContent-Length: 5\r")},
    ),
    "length/same-list": (with_line(b"Content-Length: 5, 5"), {"body": 5, "says_length": True}),
    "length/leading-zero": (with_line(b"Content-Length: 05"), {"body": 5, "says_length": True}),
    "length/largest": (with_line(b"Content-Length: 9223372036854775807"), {"body": 9223372036854775807}),
    "length/white-space": (with_line(b"Content-Length: \t5 "), {"body": 5, "says_length": False}),
    "length/nominated": (
        with_line(b"Content-Length: 5\r\nConnection: content-length, host"),
        {"body": 5, "nominated": frozenset(), "removed": (b"\nConnection: content-length, host\r",)},
    ),
    "coding": (with_line(b"Transfer-Encoding: Chunked"), {"body": CHUNKED}),
    "underscore/content-length": (
        with_line(b"Content_Length: 5"),
        {"body": 0, "removed": (b"\nContent_Length: 5\r",)},
    ),
    "underscore/transfer-encoding": (with_line(b"Transfer_Encoding: chunked"), {"body": 0}),
    "underscore/x-forwarded-for": (
        with_line(b"X_Forwarded-For: 1.2.3.4"),
        {"removed": (b"\nX_Forwarded-For: 1.2.3.4\r",)},
    ),
    "underscore/other-is-kept": (with_line(b"X_Y: a"), {"removed": ()}),
    "upgrade": (with_line(b"Connection: Upgrade\r\nUpgrade: WebSocket"), {"upgrade": b"websocket"}),
    "upgrade/not-nominated": (with_line(b"Upgrade: websocket"), {"upgrade": b""}),
    "upgrade/h2c": (with_line(b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c"), {"upgrade": b""}),
    "upgrade/h2c-and-another": (with_line(b"Connection: upgrade\r\nUpgrade: h2c, foo/2"), {"upgrade": b"foo/2"}),
    "upgrade/with-a-body": (with_line(b"Connection: upgrade\r\nUpgrade: x\r\nContent-Length: 1"), {"upgrade": b""}),
    "upgrade/1.0": (b"GET / HTTP/1.0\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n", {"upgrade": b""}),
    "te/trailers": (with_line(b"TE: deflate, trailers"), {"trailers": True}),
    "te/other": (with_line(b"TE: deflate"), {"trailers": False}),
    "expect": (with_line(b"Expect: 100-Continue"), {"expect_continue": True}),
    "expect/1.0": (b"GET / HTTP/1.0\r\nExpect: 100-continue\r\n\r\n", {"expect_continue": False}),
    "max-forwards": (b"TRACE / HTTP/1.1\r\nHost: a\r\nMax-Forwards: 7\r\n\r\n", {"max_forwards": 7}),
    "max-forwards/other-methods": (with_line(b"Max-Forwards: x"), {"max_forwards": None, "removed": ()}),
    "limit/100-headers": (with_line(b"X: a\r\n" * 98 + b"X: a"), {"host": b"a"}),
}


@pytest.mark.parametrize(("data", "expected"), UNDERSTOOD.values(), ids=UNDERSTOOD)
def test_understood(data: bytes, expected: dict[str, object]) -> None:
    head = parse(data)
    assert {name: getattr(head, name) for name in expected} == expected


@pytest.mark.parametrize("data", [data for data, _ in UNDERSTOOD.values()], ids=UNDERSTOOD)
def test_a_head_in_pieces_is_incomplete_until_its_last_byte(data: bytes) -> None:
    for end in range(len(data)):
        assert parse_request(data[:end], LIMITS) is None
    assert parse(data).size == len(data)


def test_what_follows_a_head_is_left_alone() -> None:
    data = b"GET / HTTP/1.1\r\nHost: a\r\n\r\nGET \x00"
    assert parse(data).size == 27


def test_the_same_fields_mean_the_same_again() -> None:
    assert parse(with_line(b"Connection: close"))[3:] == parse(with_line(b"Connection: close"))[3:]


def test_large_field_sections_are_understood_too() -> None:
    assert parse(with_line(b"X: " + b"a" * 2_000 + b"\r\nConnection: close")).keep_alive is False


def test_a_limit_is_reached_exactly() -> None:
    limits = HttpLimits(head_bytes=1024)
    head = with_line(b"X: " + b"a" * (1024 - 28 - 4))
    assert len(head) == 1024
    assert parse_request(head, limits) is not None
    with pytest.raises(BadMessage):
        parse_request(with_line(b"X: " + b"a" * (1024 - 28 - 3)), limits)
