"""Paths, answers, and whose page a POST comes from."""

import pytest

from hapair.admin.router import (
    Request,
    Response,
    Route,
    Router,
    head_of,
    is_near_host,
    is_same_origin,
    text,
)


async def answer(request: Request) -> Response:
    return text(200, request.options)


ROUTER = Router([Route(path="/haproxy", handler=answer, methods=("GET", "POST")), Route(path="/", handler=answer)])


@pytest.mark.parametrize(
    ("target", "path", "options"),
    [
        ("/haproxy?stats;csv", "/haproxy", "?stats;csv"),
        ("/haproxy?stats/;csv", "/haproxy", "?stats/;csv"),
        ("/;csv", "/", ";csv"),
        ("/", "/", ""),
        ("/metrics", "/metrics", ""),
    ],
)
def test_path_and_options(target: str, path: str, options: str) -> None:
    request = Request(method="GET", target=target)
    assert (request.path, request.options) == (path, options)


def test_a_route_is_found_by_path_and_method() -> None:
    found = ROUTER.find(Request(method="POST", target="/haproxy?stats"))
    assert isinstance(found, Route)
    assert (found.path, found.level) == ("/haproxy", "viewer")


def test_where_nothing_is() -> None:
    answer = ROUTER.find(Request(method="GET", target="/nothing"))
    assert answer == text(404, "there is nothing at /nothing; there is: /haproxy, /\n")


def test_a_method_that_is_not_for_there() -> None:
    answer = ROUTER.find(Request(method="POST", target="/"))
    assert answer == text(405, "use GET or HEAD\n", {"Allow": "GET, HEAD"})


def test_two_routes_for_a_path_are_a_mistake() -> None:
    with pytest.raises(ValueError, match="two routes for /x"):
        Router([Route(path="/x", handler=answer), Route(path="/x", handler=answer)])


def test_a_head() -> None:
    head = head_of(Response(status=303, headers={"Location": "/x"}), keep_alive=False)
    assert head.startswith(
        b"HTTP/1.1 303 See Other\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 0\r\n"
    )
    assert b"\r\nConnection: close\r\nLocation: /x\r\n\r\n" in head
    assert b"\r\nContent-Security-Policy: default-src 'none'; frame-ancestors 'none'\r\n" in head


@pytest.mark.parametrize(
    ("origin", "referer", "same"),
    [
        (None, None, True),
        ("http://pi-a:1338", None, True),
        ("https://PI-A:1338", None, True),
        ("http://pi-a", None, False),
        ("http://pi-a:1338.evil.example", None, False),
        ("null", None, False),
        ("", None, False),
        ("file://pi-a:1338", None, False),
        (None, "http://pi-a:1338/haproxy?stats", True),
        (None, "http://evil.example/pi-a:1338", False),
        ("http://evil.example", "http://pi-a:1338/", False),
    ],
)
def test_a_post_comes_from_a_page_of_ours_or_from_no_browser(
    origin: str | None, referer: str | None, same: bool
) -> None:
    assert is_same_origin("pi-a:1338", origin, referer) is same


def test_without_a_host_nothing_is_of_the_same_origin() -> None:
    assert not is_same_origin("", "http://", None)


@pytest.mark.parametrize(
    ("host", "near"),
    [("127.0.0.1:1338", True), ("localhost", True), ("LocalHost:1338", True), ("[::1]:1338", True), ("127.1.2.3", True),
     ("evil.example:1338", False), ("127.0.0.1.evil.example", False), ("", False), ("[::2]", False),
     ("localhost.evil.example", False)],
)  # fmt: skip
def test_names_that_somebody_else_resolves_are_not_near(host: str, near: bool) -> None:
    assert is_near_host(host) is near
