"""Requests that a frontend with routes and rules decides about, as client and server see it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from balancer.config import Acme, FrontendTimeouts, HeaderRules, HttpLimits, Maintenance, RequestId, Route
from balancer.config_headers import RewritePath
from balancer.config_routes import Redirect, Respond
from tests.unit.balancer.relay.test_http import OK, refusal

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.balancer.relay.conftest import End, HttpRig, RigMaker


def get(target: str = "/", *lines: str, method: str = "GET", body: str = "") -> bytes:
    return "\r\n".join([f"{method} {target} HTTP/1.1", "Host: a", *lines, "", body]).encode()


def lines_of(data: bytes) -> list[bytes]:
    head, _, body = data.partition(b"\r\n\r\n")
    assert body == b""
    return head.split(b"\r\n")


def answered(rig: HttpRig, response: bytes = OK, number: int = 0) -> tuple[End, bytes]:
    """The server's end after an answer, and what it was asked."""
    server = rig.server(number)
    asked = server.read()
    server.send(response)
    return server, asked


def moved(to: str, more: str = "") -> bytes:
    return f"HTTP/1.1 302 Found\r\nLocation: {to}\r\nContent-Length: 0\r\n{more}\r\n".encode()


TO_HTTPS = Route(path=("/old*",), redirect=Redirect(to="https://{hostname}{target}"))


def test_a_redirect_leaves_the_connection_open(make_rig: RigMaker) -> None:
    rig = make_rig(routes=(TO_HTTPS,))
    client = rig.client(get("/old?x") + get("/old2"))
    assert client.read() == moved("https://a/old?x") + moved("https://a/old2")
    client.send(get("/new"))
    answered(rig)
    assert client.read() == OK
    counts = rig.frontend_counts
    assert (counts.requests, counts.status_3xx, counts.status_2xx, counts.answered_here) == (3, 2, 1, 2)


def test_a_client_that_wants_no_more_gets_no_more(make_rig: RigMaker) -> None:
    rig = make_rig(routes=(TO_HTTPS,))
    client = rig.client(get("/old", "Connection: close"))
    assert client.read() == moved("https://a/old", "Connection: close\r\n")
    assert client.ended


def test_an_http_1_0_client_is_told_that_the_connection_lives_on(make_rig: RigMaker) -> None:
    rig = make_rig(routes=(TO_HTTPS,))
    client = rig.client(b"GET /old HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
    assert client.read() == moved("https://127.0.0.1/old", "Connection: keep-alive\r\n")
    assert not client.ended


def test_while_draining_an_answer_is_the_last(make_rig: RigMaker) -> None:
    rig = make_rig(routes=(TO_HTTPS,))
    rig.service.draining = True
    client = rig.client(get("/old"))
    assert client.read() == moved("https://a/old", "Connection: close\r\n")
    assert client.ended


DENIED = Route(method=("POST",), deny=403)
FORBIDDEN = (
    b"HTTP/1.1 403 Forbidden\r\nContent-Type: text/plain; charset=utf-8\r\nCache-Control: no-store\r\n"
    b"Content-Length: 14\r\n%b\r\n403 Forbidden\n"
)
KEPT, CLOSED = FORBIDDEN % b"", FORBIDDEN % b"Connection: close\r\n"


@pytest.mark.parametrize(
    ("lines", "body"),
    [
        ("Content-Length: 5", "hello"),
        ("Transfer-Encoding: chunked", "5\r\nhello\r\n0\r\n\r\n"),
        ("Content-Length: 0", ""),
    ],
)
def test_the_body_of_a_refused_request_is_thrown_away(make_rig: RigMaker, lines: str, body: str) -> None:
    rig = make_rig(routes=(DENIED,))
    client = rig.client(get("/", lines, method="POST", body=body) + get())
    answered(rig)
    assert client.read() == KEPT + OK


@pytest.mark.parametrize(
    ("lines", "pieces"),
    [
        ("Content-Length: 6", (b"abc", b"def")),
        ("Transfer-Encoding: chunked", (b"3\r\nab", b"c\r\n0\r", b"\n\r\n")),
    ],
)
def test_a_body_that_is_still_on_its_way(make_rig: RigMaker, lines: str, pieces: tuple[bytes, ...]) -> None:
    rig = make_rig(routes=(DENIED,))
    client = rig.client(get("/", lines, method="POST"))
    assert client.read() == KEPT
    for piece in pieces[:-1]:
        client.send(piece)
    client.send(pieces[-1] + get())
    answered(rig)
    assert client.read() == OK


@pytest.mark.parametrize(
    "lines",
    [
        ("Content-Length: 65537",),
        ("Content-Length: 5", "Expect: 100-continue"),
        ("Transfer-Encoding: chunked", "Expect: 100-continue"),
    ],
)
def test_a_body_that_cannot_be_waited_for_ends_the_connection(make_rig: RigMaker, lines: tuple[str, ...]) -> None:
    rig = make_rig(routes=(DENIED,))
    client = rig.client(get("/", *lines, method="POST"))
    assert client.read() == CLOSED
    assert client.ended


def test_a_chunked_body_without_end_is_not_read_for_ever(make_rig: RigMaker) -> None:
    rig = make_rig(routes=(DENIED,))
    client = rig.client(get("/", "Transfer-Encoding: chunked", method="POST"))
    client.send((b"1000\r\n" + b"x" * 0x1000 + b"\r\n") * 40)
    assert client.read() == KEPT
    assert client.ended


def test_a_body_that_does_not_come_ends_the_connection(make_rig: RigMaker) -> None:
    rig = make_rig(routes=(DENIED,), timeouts=FrontendTimeouts(header_s=5.0))
    client = rig.client(get("/", "Content-Length: 5", method="POST"))
    assert client.read() == KEPT
    rig.pass_time(5.1)
    client.read()
    assert client.ended
    assert rig.frontend_counts.requests == 1


def test_a_malformed_body_behind_an_answer_ends_the_connection(make_rig: RigMaker) -> None:
    rig = make_rig(routes=(DENIED,))
    client = rig.client(get("/", "Transfer-Encoding: chunked", method="POST"))
    client.send(b"zz\r\n" + get())
    assert client.read() == KEPT
    assert client.ended
    assert not rig.was_called()


def test_a_malformed_body_that_is_there_is_refused(make_rig: RigMaker) -> None:
    rig = make_rig(routes=(DENIED,))
    client = rig.client(get("/", "Transfer-Encoding: chunked", method="POST", body="zz\r\n"))
    assert client.read() == refusal(b"400 Bad Request", b"malformed chunk size")


def test_a_fixed_answer_and_its_head(make_rig: RigMaker) -> None:
    rig = make_rig(routes=(Route(path=("/healthz",), respond=Respond(body="well\n")),))
    client = rig.client(get("/healthz", method="HEAD") + get("/healthz"))
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 5\r\n\r\n"
    assert client.read() == head + head + b"well\n"


def test_rules_for_requests_and_responses(make_rig: RigMaker) -> None:
    rig = make_rig(
        request=HeaderRules(set_headers={"X-Client": "{client}", "Host": "app.internal"}, remove_headers=("cookie",)),
        response=HeaderRules(set_headers={"X-By": "{server}/{pool}"}, remove_headers=("server",)),
    )
    client = rig.client(get("/", "X-Client: 1", "X_client: 2", "Cookie: a"))
    _, asked = answered(rig, b"HTTP/1.1 200 OK\r\nServer: nginx\r\nContent-Length: 2\r\n\r\nok")
    assert lines_of(asked)[0] == b"GET / HTTP/1.1"
    assert [line for line in lines_of(asked) if line.lower().startswith((b"host", b"x-client", b"x_", b"cookie"))] == [
        b"X-Client: 127.0.0.1",
        b"Host: app.internal",
    ]
    assert client.read() == b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-By: one/pool\r\n\r\nok"


def test_rules_hold_for_responses_in_pieces_too(make_rig: RigMaker) -> None:
    rig = make_rig(response=HeaderRules(set_headers={"X": "1"}))
    client = rig.client(get())
    server, _ = answered(rig, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n")
    server.send(b"0\r\n\r\n")
    assert client.read() == (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX: 1\r\n\r\n2\r\nab\r\n0\r\n\r\n")


def test_rules_hold_for_a_switch_of_protocols_too(make_rig: RigMaker) -> None:
    rig = make_rig(response=HeaderRules(set_headers={"X": "{server}"}))
    client = rig.client(get("/", "Connection: Upgrade", "Upgrade: websocket"))
    server = rig.server()
    server.send(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nhello")
    assert client.read() == (
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nX: one\r\n\r\nhello"
    )


def test_rules_hold_for_our_errors_too(make_rig: RigMaker) -> None:
    rig = make_rig(
        servers=0,
        response=HeaderRules(set_headers={"X": "{method} {server}"}),
        routes=(Route(path=("/a",), pool="pool", response=HeaderRules(set_headers={"Y": "1"})),),
    )
    assert b"\r\nX: GET -\r\nY: 1\r\n\r\n503 " in rig.client(get("/a")).read()
    client = rig.client(get("/a", "Content-Length: x"))
    assert b"\r\nX: - -\r\n\r\n400 " in client.read()
    client = rig.client(get("/", "Max-Forwards: 0", method="OPTIONS"))
    assert client.read().endswith(b"\r\nX: OPTIONS -\r\n\r\n")


def test_a_rewritten_path(make_rig: RigMaker) -> None:
    rig = make_rig(routes=(Route(path=("/api/*",), pool="pool", rewrite_path=RewritePath(strip="/api")),))
    rig.client(get("/api/x?y"))
    assert rig.server().read().startswith(b"GET /x?y HTTP/1.1\r\nHost: a\r\n")


def test_the_id_of_a_request_is_made_and_told(make_rig: RigMaker) -> None:
    rig = make_rig(request_id=RequestId(), response=HeaderRules(set_headers={"X-Request-ID": "{request_id}"}))
    client = rig.client(get("/", "X-Request-ID: mine"))
    server, asked = answered(rig)
    ids = [line for line in lines_of(asked) if line.startswith(b"X-Request-ID: ")]
    assert len(ids) == 1
    assert len(ids[0]) == len("X-Request-ID: ") + 32
    assert ids[0] + b"\r\n" in client.read()
    client.send(get())
    assert ids[0] not in server.read()


def test_error_pages(make_rig: RigMaker) -> None:
    rig = make_rig(
        servers=0, error_pages={"503": "sorry.html", "400": "bad.txt"}, files={"sorry.html": b"<p>", "bad.txt": b"?"}
    )
    assert rig.client(get()).read() == (
        b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: 3\r\n"
        b"Cache-Control: no-store\r\nConnection: close\r\n\r\n<p>"
    )
    assert (
        rig.client(b"BAD\r\n\r\n")
        .read()
        .endswith(b"Content-Length: 1\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n?")
    )


def test_a_pool_without_a_server_says_sorry(make_rig: RigMaker) -> None:
    rig = make_rig(
        servers=0, in_pool={"sorry_page": Maintenance(page="sorry.html", status=200)}, files={"sorry.html": b"later"}
    )
    reply = rig.client(get()).read()
    assert reply.startswith(b"HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\n")
    assert reply.endswith(b"Connection: close\r\n\r\nlater")
    counts = rig.frontend_counts
    assert (counts.status_2xx, counts.status_5xx, counts.failed) == (1, 0, 1)


def test_maintenance(make_rig: RigMaker, tmp_path: Path) -> None:
    (tmp_path / "token").write_bytes(b"token.thumb")
    rig = make_rig(maintenance=Maintenance(retry_after_s=60.0), acme=Acme(directory=str(tmp_path)))
    client = rig.client(get("/anything"))
    assert client.read().startswith(b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 60\r\n")
    client.send(get("/.well-known/acme-challenge/token"))
    assert client.read() == (
        b"HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nCache-Control: no-store\r\n"
        b"Content-Length: 11\r\n\r\ntoken.thumb"
    )
    client.send(get("/.well-known/acme-challenge/other"))
    assert client.read().startswith(b"HTTP/1.1 404 Not Found\r\n")
    assert not client.ended


@pytest.mark.parametrize(
    ("underscores", "kept"),
    [
        pytest.param("pass", [b"X_Y: 1", b"X-Y: 2"], id="http-rule-14/pass"),
        pytest.param("drop", [b"X-Y: 2"], id="http-rule-14/drop"),
    ],
)
def test_underscores_in_names(make_rig: RigMaker, underscores: Any, kept: list[bytes]) -> None:
    rig = make_rig(http=HttpLimits(underscores=underscores))
    rig.client(get("/", "X_Y: 1", "X-Y: 2"))
    assert [line for line in lines_of(rig.server().read()) if line[:1] == b"X" and b"Forwarded" not in line] == kept


def test_underscores_can_be_refused(make_rig: RigMaker) -> None:
    rig = make_rig(http=HttpLimits(underscores="reject"))
    client = rig.client(get("/", "X_Y: 1"))
    assert client.read() == refusal(b"400 Bad Request", b"underscore in a header name")
    assert rig.frontend_counts.bad_requests == 1


def test_no_route_leads_anywhere(make_rig: RigMaker) -> None:
    rig = make_rig(routes=(Route(path=("/in",), pool="pool"),), pool=None)
    assert rig.client(get()).read() == refusal(b"503 Service Unavailable", b"no route leads anywhere from here")
