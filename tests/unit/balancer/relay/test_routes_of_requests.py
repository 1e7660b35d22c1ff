"""Every kind of condition and every outcome of a route, on real connections: a client's socket, a server's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from balancer.config import HeaderRules, Maintenance, Route
from balancer.config_headers import RewritePath
from balancer.config_routes import Conditions, Redirect, Respond
from tests.unit.balancer.relay.test_http import OK

if TYPE_CHECKING:
    from tests.unit.balancer.relay.conftest import RigMaker


def request(line: str = "GET / HTTP/1.1", *fields: str, host: str = "a.example") -> bytes:
    return "\r\n".join([line, f"Host: {host}", *fields, "", ""]).encode()


CONDITIONS: list[tuple[dict[str, Any], list[bytes], list[bytes]]] = [
    (
        {"host": ("a.example",)},
        [request(host="A.Example:8080"), request(host="a.example."), request("GET http://a.example/ HTTP/1.1")],
        [request(host="b.a.example"), request(host="a.example.evil"), b"GET / HTTP/1.0\r\n\r\n"],
    ),
    (
        {"host": ("*.example",)},
        [request(), request(host="x.y.example")],
        [request(host="example"), request(host="aexample"), request(host="a.example.org")],
    ),
    ({"host": (r"~a[0-9]+\.example",)}, [request(host="a12.example")], [request(host="ab.example")]),
    (
        {"path": ("/v1",)},
        [request("GET /v1 HTTP/1.1"), request("GET /v1?x=/ HTTP/1.1")],
        [request("GET /v1/ HTTP/1.1"), request("GET /V1 HTTP/1.1"), request("GET /?/v1 HTTP/1.1")],
    ),
    (
        {"path": ("/v1/*",)},
        [request("GET /v1/a/b HTTP/1.1"), request("GET /v1/ HTTP/1.1")],
        [request("GET /v2/a HTTP/1.1"), request("GET /x/v1/a HTTP/1.1")],
    ),
    (
        {"path": ("/*/photo?.jpg",)},
        [request("GET /me/photo1.jpg HTTP/1.1")],
        [request("GET /me/photo12.jpg HTTP/1.1"), request("GET /photo1.jpg HTTP/1.1")],
    ),
    (
        {"path": (r"~^/u/[0-9]+$",)},
        [request("GET /u/17 HTTP/1.1")],
        [request("GET /u/x HTTP/1.1"), request("GET /u/17x HTTP/1.1")],
    ),
    (
        {"method": ("PUT", "DELETE")},
        [request("PUT / HTTP/1.1", "Content-Length: 0"), request("DELETE / HTTP/1.1")],
        [request(), request("put / HTTP/1.1")],
    ),
    (
        {"header": {"X-Kind": "blue*"}},
        [request("GET / HTTP/1.1", "x-kind: bluebell")],
        [request(), request("GET / HTTP/1.1", "X-Kind: red"), request("GET / HTTP/1.1", "X-Kinds: blue")],
    ),
    ({"header": {"Cookie": "*"}}, [request("GET / HTTP/1.1", "Cookie: a")], [request()]),
    (
        {"query": {"beta": "1"}},
        [request("GET /?beta=1 HTTP/1.1"), request("GET /?a&beta=1&c HTTP/1.1")],
        [request(), request("GET /?beta=12 HTTP/1.1"), request("GET /?xbeta=1 HTTP/1.1")],
    ),
    ({"query": {"id": "~[0-9]+"}}, [request("GET /?id=7 HTTP/1.1")], [request("GET /?id=x HTTP/1.1")]),
    ({"client": ("127.0.0.0/8",)}, [request()], []),
    ({"client": ("10.0.0.0/8", "::1/128")}, [], [request()]),
    (
        {"path": ("/x*",), "method": ("GET",), "unless": (Conditions(path=("/xy",)), Conditions(header={"X": "1"}))},
        [request("GET /x HTTP/1.1")],
        [request("GET /xy HTTP/1.1"), request("GET /x HTTP/1.1", "X: 1"), request("HEAD /x HTTP/1.1")],
    ),
]  # fmt: skip


@pytest.mark.parametrize(("conditions", "matching", "others"), CONDITIONS)
def test_a_condition(
    make_rig: RigMaker, conditions: dict[str, Any], matching: list[bytes], others: list[bytes]
) -> None:
    rig = make_rig(routes=(Route(**conditions, respond=Respond(status=299, body="taken")),))
    for sent in matching:
        assert rig.client(sent).read().startswith(b"HTTP/1.1 299 "), sent
        assert not rig.was_called()
    server = None
    for sent in others:
        client = rig.client(sent)
        server = server or rig.server()  # kept for the next request
        server.read()
        server.send(OK)
        assert client.read().startswith(b"HTTP/1.1 200 "), sent


def test_a_client_by_ipv6(make_rig: RigMaker) -> None:
    rig = make_rig(routes=(Route(client=("::1/128",), deny=403),))
    assert rig.client(request(), host="::1").read().startswith(b"HTTP/1.1 403 ")


def test_the_client_whom_a_trusted_proxy_names(make_rig: RigMaker) -> None:
    rig = make_rig(routes=(Route(client=("192.0.2.0/24",), deny=403),), trusted_proxies=("127.0.0.1/32",))
    assert rig.client(request("GET / HTTP/1.1", "X-Forwarded-For: 192.0.2.7")).read().startswith(b"HTTP/1.1 403 ")
    client = rig.client(request("GET / HTTP/1.1", "X-Forwarded-For: 198.51.100.7"))
    rig.server().send(OK)
    assert client.read() == OK


def test_the_first_that_matches_wins(make_rig: RigMaker) -> None:
    routes = [Route(path=(f"/{'abc'[:n]}*",), respond=Respond(status=290 + n)) for n in (3, 2, 1)]
    rig = make_rig(routes=tuple(routes))
    client = rig.client(request("GET /abcd HTTP/1.1") + request("GET /abd HTTP/1.1") + request("GET /ad HTTP/1.1"))
    assert [line[9:12] for line in client.read().split(b"\r\n") if line.startswith(b"HTTP")] == [b"293", b"292", b"291"]


@pytest.mark.parametrize(
    ("to", "location"),
    [
        ("https://{host}{target}", "https://A.example:81/x/y?q=1"),
        ("https://{hostname}:8443{path}", "https://a.example:8443/x/y"),
        ("{scheme}://new.example/{method}?was={path}&{query}", "http://new.example/GET?was=/x/y&q=1"),
        ("/{client}/{frontend}/{pool}/{sni}/{{}}", "/127.0.0.1/main/-/-/{}"),
    ],
)
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect(make_rig: RigMaker, to: str, location: str, status: Any) -> None:
    rig = make_rig(routes=(Route(redirect=Redirect(to=to, status=status)),))
    lines = rig.client(request("GET /x/y?q=1 HTTP/1.1", host="A.example:81")).read().split(b"\r\n")
    assert lines[0].split()[1] == str(status).encode()
    assert f"Location: {location}".encode() in lines


def test_a_redirect_to_a_rewritten_path(make_rig: RigMaker) -> None:
    rig = make_rig(routes=(Route(redirect=Redirect(to="//x{path}"), rewrite_path=RewritePath(strip="/old")),))
    assert b"\r\nLocation: //x/y\r\n" in rig.client(request("GET /old/y HTTP/1.1")).read()


@pytest.mark.parametrize(
    ("rewrite", "asked", "target"),
    [
        (RewritePath(strip="/api"), "/api/x?y", "/x?y"),
        (RewritePath(strip="/api"), "/api", "/"),
        (RewritePath(strip="/api"), "/apix", "/apix"),
        (RewritePath(replace="/old", by="/new/v2"), "/old/x?y", "/new/v2/x?y"),
        (RewritePath(regex="/u/([0-9]+)", by=r"/user/\1"), "/u/7?u=/u/8", "/user/7?u=/u/8"),
    ],
)
def test_a_rewritten_path(make_rig: RigMaker, rewrite: RewritePath, asked: str, target: str) -> None:
    rig = make_rig(routes=(Route(pool="pool", rewrite_path=rewrite),))
    rig.client(request(f"GET {asked} HTTP/1.1"))
    assert rig.server().read().split(b" ")[1] == target.encode()


def test_headers_are_set_and_removed_both_ways_by_frontend_and_route(make_rig: RigMaker) -> None:
    rig = make_rig(
        request=HeaderRules(set_headers={"X-A": "frontend", "X-B": "frontend"}, remove_headers=("Cookie",)),
        response=HeaderRules(set_headers={"X-C": "frontend", "X-D": "frontend"}, remove_headers=("Server",)),
        routes=(
            Route(
                path=("/in",),
                pool="pool",
                request=HeaderRules(set_headers={"X-B": "{method} {path}"}, remove_headers=("Accept",)),
                response=HeaderRules(set_headers={"X-D": "{server}"}, remove_headers=("X-Powered-By",)),
            ),
        ),
    )
    client = rig.client(request("GET /in HTTP/1.1", "x-a: client", "Cookie: c", "Accept: */*", "X-Kept: 1"))
    server = rig.server()
    heard = server.read().split(b"\r\n")
    assert {b"X-A: frontend", b"X-B: GET /in", b"X-Kept: 1"} <= set(heard)
    assert not any(line.lower().startswith((b"cookie", b"accept:", b"x-a: client")) for line in heard)
    server.send(
        b"HTTP/1.1 200 OK\r\nServer: s\r\nx-powered-by: p\r\nx-c: server\r\nX-E: 1\r\nContent-Length: 0\r\n\r\n"
    )
    answer = client.read().split(b"\r\n")
    assert {b"X-C: frontend", b"X-D: one", b"X-E: 1"} <= set(answer)
    assert not any(line.lower().startswith((b"server", b"x-powered-by", b"x-c: server")) for line in answer)


@pytest.mark.parametrize("status", [401, 403, 404, 410, 451, 503])
def test_a_refusal_and_its_page(make_rig: RigMaker, status: int) -> None:
    rig = make_rig(
        routes=(Route(deny=status),), error_pages={str(status): "no.html"}, files={"no.html": b"<h1>no</h1>"}
    )
    reply = rig.client(request()).read()
    assert reply.startswith(b"HTTP/1.1 %d " % status)
    assert reply.endswith(b"\r\n\r\n<h1>no</h1>")
    assert b"\r\nContent-Type: text/html; charset=utf-8\r\n" in reply


def test_a_page_for_maintenance(make_rig: RigMaker) -> None:
    page = Maintenance(page="later.html", status=503, retry_after_s=120.0)
    rig = make_rig(maintenance=page, files={"later.html": b"<p>later</p>"}, routes=(Route(deny=403),))
    reply = rig.client(request()).read()
    assert reply.startswith(b"HTTP/1.1 503 ")
    assert b"\r\nRetry-After: 120\r\n" in reply
    assert reply.endswith(b"\r\n\r\n<p>later</p>")
