"""The rules of docs/http.md for requests, each as client and server see it. The number of the rule is in the name."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from balancer.config import ClientLimits, FrontendTimeouts, HttpLimits, RequestLimit

if TYPE_CHECKING:
    from tests.unit.balancer.relay.conftest import HttpRig, RigMaker

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
_OURS = re.compile(rb"(?:X-Forwarded-[A-Za-z]+|Forwarded|Via): ")


def get(*lines: bytes) -> bytes:
    return b"\r\n".join((b"GET / HTTP/1.1", b"Host: a", *lines, b"", b""))


def post(*lines: bytes, body: bytes = b"") -> bytes:
    return b"\r\n".join((b"POST / HTTP/1.1", b"Host: a", *lines, b"", body))


def chunked(body: bytes) -> bytes:
    return post(b"Transfer-Encoding: chunked", body=body)


def first(line: bytes, *lines: bytes) -> bytes:
    return b"\r\n".join((line, *lines, b"", b""))


def passed_on(data: bytes) -> bytes:
    """What a server was sent, but for the lines that we always add."""
    head, mark, body = data.partition(b"\r\n\r\n")
    return b"\r\n".join(line for line in head.split(b"\r\n") if not _OURS.match(line)) + mark + body


@pytest.mark.parametrize(
    ("data", "status"),
    [
        pytest.param(first(b"GET / HTTP/1.1"), 400, id="http-rule-1/no-host"),
        pytest.param(first(b"GET / HTTP/1.1", b"Host: a", b"host: a"), 400, id="http-rule-1/two-hosts"),
        *(
            pytest.param(first(b"GET / HTTP/1.1", b"Host: " + host), 400, id=f"http-rule-2/{host!r}")
            for host in (b"", b"a b", b"a/b", b"a,b", b"a@b", b"a:x", b"[::1", b"a%20", b"\xe4", b"a:123456")
        ),
        pytest.param(first(b"GET / HTTP/1.1", b"Host: " + b"a" * 256), 400, id="http-rule-2/longer-than-a-name"),
        pytest.param(first(b"GET * HTTP/1.1", b"Host: a"), 400, id="http-rule-4/get-asterisk"),
        pytest.param(first(b"GET index.html HTTP/1.1", b"Host: a"), 400, id="http-rule-5/relative"),
        pytest.param(first(b"GET /a#b HTTP/1.1", b"Host: a"), 400, id="http-rule-6/fragment"),
        pytest.param(first(b"CONNECT a:443 HTTP/1.1", b"Host: a"), 405, id="http-rule-7/connect"),
        pytest.param(first(b"GET\t/ HTTP/1.1", b"Host: a"), 400, id="http-rule-8/tab"),
        pytest.param(first(b"GET  / HTTP/1.1", b"Host: a"), 400, id="http-rule-8/two-spaces"),
        pytest.param(first(b"GET / HTTP/1.1 ", b"Host: a"), 400, id="http-rule-8/space-at-the-end"),
        pytest.param(b"GET /\r\n", 400, id="http-rule-9/0.9"),
        pytest.param(first(b"GET / HTTP/2.0", b"Host: a"), 505, id="http-rule-9/2.0"),
        pytest.param(first(b"GET / HTTP/1.10", b"Host: a"), 400, id="http-rule-9/1.10"),
        pytest.param(first(b"GET / http/1.1", b"Host: a"), 400, id="http-rule-9/lower-case"),
        pytest.param(get(b"X: a\rb"), 400, id="http-rule-10/cr"),
        pytest.param(get(b"X: a\0b"), 400, id="http-rule-10/nul"),
        pytest.param(get(b"X: a\x01b"), 400, id="http-rule-11/soh"),
        pytest.param(get(b"X: a\x7fb"), 400, id="http-rule-11/del"),
        pytest.param(get(b"X: a\x0bb"), 400, id="http-rule-11/vt"),
        pytest.param(get(b"X : a"), 400, id="http-rule-12/space-before-colon"),
        pytest.param(get(b": a"), 400, id="http-rule-12/empty-name"),
        pytest.param(get(b"X"), 400, id="http-rule-12/no-colon"),
        pytest.param(get(b"X(Y): a"), 400, id="http-rule-13/bad-name"),
        pytest.param(get(b"X\xe4: a"), 400, id="http-rule-13/8-bit-name"),
        pytest.param(get(b"X: a", b" b"), 400, id="http-rule-15/fold"),
        pytest.param(get(b"X: a", b"\tb"), 400, id="http-rule-15/fold-with-tab"),
        pytest.param(b"GET / HTTP/1.1\nHost: a\n\n", 400, id="http-rule-16/lf"),
        pytest.param(b"GET / HTTP/1.1\r\nHost: a\nX: b\r\n\r\n", 400, id="http-rule-16/one-lf"),
        pytest.param(
            post(b"Content-Length: 5", b"Transfer-Encoding: chunked", body=b"0\r\n\r\n"), 400, id="http-rule-17/both"
        ),
        pytest.param(post(b"Content-Length: 1", b"Content-Length: 2", body=b"xx"), 400, id="http-rule-18/two-lengths"),
        pytest.param(post(b"Content-Length: 1, 2", body=b"xx"), 400, id="http-rule-18/list-of-two"),
        *(
            pytest.param(post(b"Content-Length: " + length, body=b"x"), 400, id=f"http-rule-19/{length!r}")
            for length in (b"+1", b"-1", b"1_0", b"0x1", b"", b"1 1", b"\xb2", b"1.0", b"1;")
        ),
        pytest.param(post(b"Content-Length: 9223372036854775808"), 400, id="http-rule-20/2**63"),
        pytest.param(post(b"Content-Length: 00000000000000000001"), 400, id="http-rule-20/20-digits"),
        *(
            pytest.param(post(b"Transfer-Encoding: " + coding, body=b"0\r\n\r\n"), 501, id=f"http-rule-21/{coding!r}")
            for coding in (b"gzip", b"chunked, chunked", b",chunked", b"gzip, chunked", b"identity", b"chunked;a", b"")
        ),
        pytest.param(post(b"Transfer-Encoding: \x0bchunked"), 400, id="http-rule-21/vt"),
        pytest.param(post(b"Transfer-Encoding: \xa0chunked"), 501, id="http-rule-21/nbsp"),
        pytest.param(
            post(b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked"), 501, id="http-rule-21/two-lines"
        ),
        pytest.param(
            first(b"POST / HTTP/1.0", b"Host: a", b"Transfer-Encoding: chunked"), 400, id="http-rule-22/coding-in-1.0"
        ),
        *(
            pytest.param(chunked(size + b"\r\nx\r\n0\r\n\r\n"), 400, id=f"http-rule-23/{size!r}")
            for size in (b"0x1", b"+1", b"-1", b"1_0", b" 1", b"", b"\xb9", b"g")
        ),
        pytest.param(chunked(b"1\nx\r\n0\r\n\r\n"), 400, id="http-rule-24/lf-after-size"),
        pytest.param(chunked(b"1;a\n=b\r\nx\r\n0\r\n\r\n"), 400, id="http-rule-24/lf-in-extension"),
        pytest.param(chunked(b"1\r\nx\n0\r\n\r\n"), 400, id="http-rule-24/lf-after-data"),
        pytest.param(chunked(b"1 \r\nx\r\n0\r\n\r\n"), 400, id="http-rule-25/space-after-size"),
        pytest.param(chunked(b"00000000000000001\r\nx\r\n0\r\n\r\n"), 400, id="http-rule-25/17-digits"),
        pytest.param(chunked(b"ffffffffffffffff\r\n"), 400, id="http-rule-25/2**64"),
        pytest.param(chunked(b"1;" + b"x" * 4_200 + b"\r\nx\r\n0\r\n\r\n"), 400, id="http-rule-26/long-extension"),
        pytest.param(
            chunked((b"1;" + b"x" * 600 + b"\r\nx\r\n") * 8 + b"0\r\n\r\n"), 400, id="http-rule-26/many-extensions"
        ),
        pytest.param(post(b"Expect: 200-ok"), 417, id="http-rule-30/other"),
        pytest.param(get(b"X: " + b"x" * 65_536), 431, id="http-rule-32/64-kib-header"),
        pytest.param(get(*[b"X: y"] * 150), 431, id="http-rule-32/150-headers"),
        pytest.param(first(b"GET /" + b"x" * 40_960 + b" HTTP/1.1", b"Host: a"), 414, id="http-rule-32/40-kib-target"),
        pytest.param(first(b"GET /" + b"x" * 9_000 + b" HTTP/1.1", b"Host: a"), 414, id="http-rule-32/9-kb-target"),
    ],
)
def test_a_request_that_is_refused(rig: HttpRig, data: bytes, status: int) -> None:
    """With an answer, the end of the connection, and nothing read of what follows (rule 43)."""
    client = rig.client(data + GET)
    answer = client.read()
    assert answer.startswith(b"HTTP/1.1 %d " % status)
    assert answer.count(b"\r\n\r\n") == 1
    assert b"\r\nConnection: close\r\n" in answer
    assert client.ended
    assert rig.server_counts().open == 0


@pytest.mark.parametrize(
    ("data", "sent"),
    [
        pytest.param(
            first(b"GET http://b.example:81/x?y HTTP/1.1", b"Host: a"),
            first(b"GET /x?y HTTP/1.1", b"Host: b.example:81"),
            id="http-rule-3/target-overrules-host",
        ),
        pytest.param(
            first(b"GET http://b HTTP/1.1", b"Host: b"), first(b"GET / HTTP/1.1", b"Host: b"), id="http-rule-3/no-path"
        ),
        pytest.param(
            first(b"OPTIONS * HTTP/1.1", b"Host: a"), first(b"OPTIONS * HTTP/1.1", b"Host: a"), id="http-rule-4/options"
        ),
        pytest.param(first(b"GET / HTTP/1.2", b"Host: a"), GET, id="http-rule-9/1.2"),
        pytest.param(get(b"X: a\tb \xe4"), get(b"X: a\tb \xe4"), id="http-rule-11/tab-and-8-bit"),
        pytest.param(get(b"X_Y: 1"), get(b"X_Y: 1"), id="http-rule-14/passed-on"),
        *(
            pytest.param(get(name + b": 1"), GET, id=f"http-rule-14/{name.decode()}")
            for name in (b"X_Forwarded_For", b"x-forwarded_proto", b"Content_Length", b"Transfer_Encoding")
        ),
        pytest.param(
            post(b"Content-Length: 2", b"Content-Length: 2", body=b"ab"),
            post(b"Content-Length: 2", body=b"ab"),
            id="http-rule-18/the-same-twice",
        ),
        pytest.param(
            post(b"Content-Length: 2, 2", body=b"ab"),
            post(b"Content-Length: 2", body=b"ab"),
            id="http-rule-18/a-list-of-the-same",
        ),
        pytest.param(
            chunked(b"2;a=b;c\r\nab\r\n0;d\r\n\r\n"), chunked(b"2\r\nab\r\n0\r\n\r\n"), id="http-rule-26/extensions"
        ),
        pytest.param(
            chunked(b"2\r\nab\r\n0\r\nX: y\r\n\r\n"), chunked(b"2\r\nab\r\n0\r\n\r\n"), id="http-rule-27/dropped"
        ),
        pytest.param(
            post(
                b"Transfer-Encoding: chunked",
                b"TE: trailers",
                body=b"0\r\nX: y\r\nContent-Length: 1\r\nHost: b\r\nAuthorization: c\r\nX_Y: z\r\n\r\n",
            ),
            post(
                b"Transfer-Encoding: chunked",
                b"TE: trailers",
                b"Connection: TE",
                body=b"0\r\nX: y\r\n\r\n",
            ),
            id="http-rule-27/asked-for",
        ),
        pytest.param(get(b"Connection: X-A, close-not", b"X-A: 1", b"X-B: 2"), get(b"X-B: 2"), id="http-rule-28/named"),
        pytest.param(
            get(b"Connection: Host, Content-Length, X-A", b"X-A: 1"), GET, id="http-rule-28/what-cannot-be-named"
        ),
        pytest.param(get(b"Keep-Alive: timeout=5"), GET, id="http-rule-28/keep-alive"),
        pytest.param(get(b"Proxy-Connection: keep-alive"), GET, id="http-rule-28/proxy-connection"),
        pytest.param(get(b"TE: gzip, trailers"), get(b"TE: trailers", b"Connection: TE"), id="http-rule-28/te"),
        pytest.param(get(b"Trailer: X"), GET, id="http-rule-28/trailer"),
        pytest.param(
            get(b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c", b"HTTP2-Settings: AAMAAABk"),
            GET,
            id="http-rule-29/h2c",
        ),
        pytest.param(
            get(b"Connection: upgrade", b"Upgrade: websocket, h2c"),
            get(b"Upgrade: websocket", b"Connection: Upgrade"),
            id="http-rule-29/another-beside-it",
        ),
        pytest.param(get(b"Upgrade: websocket"), GET, id="http-rule-29/not-in-connection"),
        pytest.param(
            post(b"Content-Length: 2", b"Expect: 100-Continue", body=b"ab"),
            post(b"Content-Length: 2", b"Expect: 100-continue", body=b"ab"),
            id="http-rule-30/100-continue",
        ),
        pytest.param(
            first(b"OPTIONS / HTTP/1.1", b"Host: a", b"Max-Forwards: 5"),
            first(b"OPTIONS / HTTP/1.1", b"Host: a", b"Max-Forwards: 4"),
            id="http-rule-31/one-less",
        ),
        pytest.param(get(b"Max-Forwards: 0"), get(b"Max-Forwards: 0"), id="http-rule-31/other-methods"),
        pytest.param(
            first(b"GET /%61//../%2e%2E/;a=b?%zz&c HTTP/1.1", b"Host: a"),
            first(b"GET /%61//../%2e%2E/;a=b?%zz&c HTTP/1.1", b"Host: a"),
            id="http-rule-42/not-a-byte-is-changed",
        ),
    ],
)
def test_what_goes_on_to_a_server(rig: HttpRig, data: bytes, sent: bytes) -> None:
    client = rig.client(data)
    server = rig.server()
    got = passed_on(server.read())
    head, _, body = got.partition(b"\r\n\r\n")
    wanted, _, wanted_body = sent.partition(b"\r\n\r\n")
    assert head.split(b"\r\n")[0] == wanted.split(b"\r\n")[0]
    assert sorted(head.split(b"\r\n")) == sorted(wanted.split(b"\r\n"))
    assert body == wanted_body
    server.send(OK)
    assert client.read().startswith(b"HTTP/1.1 200 OK\r\n")


def test_http_rule_16_lines_that_end_with_lf_alone_are_taken_where_the_file_says_so(make_rig: RigMaker) -> None:
    rig = make_rig(http=HttpLimits(bare_lf=True))
    bare = b"POST /a HTTP/1.1\nHost: a\nX: b\nContent-Length: 4\n\na\nb\n"
    client = rig.client(bare + bare)  # two of them, the body of each with LF in it
    server = rig.server()
    for _ in range(2):
        sent = server.read()
        head, _, body = sent.partition(b"\r\n\r\n")
        assert body == b"a\nb\n"
        assert head.startswith(b"POST /a HTTP/1.1\r\nHost: a\r\nX: b\r\nContent-Length: 4\r\n")
        assert head.count(b"\n") == head.count(b"\r\n")
        server.send(OK)
        assert client.read() == OK
    client.send(b"POST / HTTP/1.1\nHost: a\nTransfer-Encoding: chunked\n\n1\nx\n0\n\n")
    assert client.read().startswith(b"HTTP/1.1 400 ")


@pytest.mark.parametrize("method", [b"OPTIONS", b"TRACE"])
def test_http_rule_31_no_further_than_here(rig: HttpRig, method: bytes) -> None:
    client = rig.client(first(method + b" / HTTP/1.1", b"Host: a", b"Max-Forwards: 0", b"Cookie: secret"))
    answer = client.read()
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"secret" not in answer
    assert not rig.was_called()


def test_http_rule_33_who_the_client_is_says_nobody_but_us(rig: HttpRig) -> None:
    rig.client(get(b"X-Forwarded-For: 192.0.2.1", b"Forwarded: for=192.0.2.1", b"X-Forwarded-Proto: https"))
    sent = rig.server().read()
    assert b"192.0.2.1" not in sent
    assert b"https" not in sent
    assert sent.count(b"X-Forwarded-For: 127.0.0.1\r\n") == 1


def test_http_rule_33_or_a_trusted_proxy(make_rig: RigMaker) -> None:
    rig = make_rig(trusted_proxies=("127.0.0.0/8",))
    rig.client(get(b"X-Forwarded-For: 192.0.2.1", b"X-Forwarded-Proto: https"))
    sent = rig.server().read()
    assert b"\r\nX-Forwarded-For: 192.0.2.1, 127.0.0.1\r\n" in sent
    assert b"\r\nX-Forwarded-Proto: https\r\n" in sent


@pytest.mark.parametrize("underscores", ["drop", "reject"])
def test_http_rule_14_underscores_can_be_dropped_or_refused(make_rig: RigMaker, underscores: str) -> None:
    rig = make_rig(http=HttpLimits(underscores=underscores))  # type: ignore[arg-type]
    client = rig.client(get(b"X_Y: 1"))
    if underscores == "drop":
        assert passed_on(rig.server().read()) == GET
    else:
        assert client.read().startswith(b"HTTP/1.1 400 ")


def test_http_rule_37_a_body_that_no_server_has_read_ends_both_connections(rig: HttpRig) -> None:
    client = rig.client(post(b"Content-Length: 100", body=b"x"))
    server = rig.server()
    server.read()
    server.send(OK)
    assert client.read() == b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"
    assert client.ended
    server.read()
    assert server.ended


def test_http_rule_41_via(rig: HttpRig) -> None:
    rig.client(get(b"Via: 1.0 before"))
    rig.client(first(b"GET / HTTP/1.0", b"Host: a"))
    vias = [re.findall(rb"\r\nVia: ([^\r]*)", rig.server().read()) for _ in range(2)]
    assert vias == [[b"1.0 before", b"1.1 hapair"], [b"1.0 hapair"]]


def test_http_rule_43_an_error_within_a_body_ends_both_connections(rig: HttpRig) -> None:
    client = rig.client(chunked(b"2\r\nab\r\n"))
    server = rig.server()
    server.read()
    client.send(b"0x1\r\n")
    assert client.read().startswith(b"HTTP/1.1 400 ")
    assert client.ended
    server.read()
    assert server.ended


TIMEOUTS = FrontendTimeouts(header_s=10.0, keep_alive_s=60.0, body_s=30.0)


def test_http_rule_44_a_head_has_a_deadline_and_not_an_idle_time(make_rig: RigMaker) -> None:
    rig = make_rig(timeouts=TIMEOUTS)
    client = rig.client(b"GET / HTTP/1.1\r\n")
    for _ in range(9):
        rig.pass_time(1.0)
        client.send(b"X: y\r\n")
    assert client.read() == b""
    rig.pass_time(1.2)
    assert client.read().startswith(b"HTTP/1.1 408 ")
    assert client.ended


def test_http_rule_45_a_body_that_stops(make_rig: RigMaker) -> None:
    rig = make_rig(timeouts=TIMEOUTS)
    client = rig.client(post(b"Content-Length: 10", body=b"x"))
    rig.server().read()
    rig.pass_time(30.2)
    assert client.read().startswith(b"HTTP/1.1 408 ")


def test_http_rule_46_a_connection_that_is_kept_for_too_long(make_rig: RigMaker) -> None:
    rig = make_rig(timeouts=TIMEOUTS)
    client = rig.client(GET)
    rig.server().send(OK)
    assert client.read() == OK
    rig.pass_time(60.2)
    assert client.read() == b""
    assert client.ended


def test_http_rule_47_one_client_has_so_many_requests_and_no_more(make_rig: RigMaker) -> None:
    rig = make_rig(limits=ClientLimits(requests=(RequestLimit(rate=1.0, burst=1),)))
    client = rig.client(GET)
    rig.server().send(OK)
    assert client.read() == OK
    client.send(GET)
    answer = client.read()
    assert answer.startswith(b"HTTP/1.1 429 ")
    assert b"\r\nRetry-After: 1\r\n" in answer


def test_http_rule_48_requests_that_come_at_once_are_answered_in_turn(rig: HttpRig) -> None:
    client = rig.client(first(b"GET /1 HTTP/1.1", b"Host: a") + first(b"GET /2 HTTP/1.1", b"Host: a"))
    server = rig.server()
    assert server.read().startswith(b"GET /1 ")
    server.send(OK)
    assert client.read() == OK
    assert server.read().startswith(b"GET /2 ")


def test_http_rule_48_an_empty_line_before_a_request_is_ignored(rig: HttpRig) -> None:
    rig.client(b"\r\n" + GET)
    assert passed_on(rig.server().read()) == GET


@pytest.mark.parametrize(
    ("lines", "ended"),
    [
        pytest.param((), True, id="http-rule-49/close"),
        pytest.param((b"Connection: Keep-Alive",), False, id="http-rule-49/kept"),
    ],
)
def test_http_1_0(rig: HttpRig, lines: tuple[bytes, ...], ended: bool) -> None:
    client = rig.client(first(b"GET / HTTP/1.0", *lines))
    server = rig.server()
    assert b"\r\nHost: 127.0.0.1\r\n" in server.read()
    server.send(OK)
    assert client.read().endswith(b"ok")
    assert client.ended is ended
