"""The routes of a frontend: the first whose conditions all hold, ready to be carried out."""

from typing import Any

import pytest

from balancer.config import Acme, Frontend, HeaderRules, Hsts, HttpLimits, Maintenance, RequestId, Route
from balancer.config_headers import RewritePath
from balancer.config_routes import Redirect
from balancer.fieldtypes import Endpoint
from balancer.route import CompiledRoute, RouteTable
from tests.unit.balancer.asking import FixedAsker, head_of

LISTEN = (Endpoint("127.0.0.1", 1),)


def table(
    *routes: Route, pool: str | None = "default", files: dict[str, bytes] | None = None, **more: Any
) -> RouteTable:
    return RouteTable(Frontend(listen=LISTEN, pool=pool, routes=routes, **more), files)


def chosen(table: RouteTable, host: str, target: str, asker: FixedAsker | None = None) -> CompiledRoute | None:
    method = "OPTIONS" if target == "*" else "GET"
    version = "1.1" if host else "1.0"
    return table.choose(head_of(target, host=host, method=method, version=version), asker or FixedAsker())


TABLE = table(
    Route(pool="exact", host=("api.example.org",), path=("/v1",)),
    Route(pool="prefix", host=("API.example.org",), path=("/v1/*",)),
    Route(pool="wildcard", host=("*.example.org",)),
    Route(pool="path", path=("/static/*",)),
    Route(pool="unreachable", path=("/static/x",)),
    Route(pool="ipv6", host=("[2001:db8::1]",)),
    Route(pool="lan", client=("192.0.2.0/25",)),
)


@pytest.mark.parametrize(
    ("host", "target", "pool"),
    [
        ("api.example.org", "/v1", "exact"),
        ("Api.Example.ORG:8080", "/v1?x=/v1/y", "exact"),
        ("api.example.org.", "/v1/x", "prefix"),
        ("api.example.org", "/v1/", "prefix"),
        ("api.example.org", "/v10", "wildcard"),
        ("a.b.example.org", "/", "wildcard"),
        ("example.org", "/", "default"),
        ("badexample.org", "/", "default"),
        ("example.org", "/static/x", "path"),
        ("example.org", "/Static/x", "default"),
        ("example.org", "/?/static/x", "default"),
        ("", "/static/", "path"),
        ("[2001:db8::1]:80", "/", "ipv6"),
        ("x", "*", "default"),
    ],
)
def test_first_match_wins(host: str, target: str, pool: str) -> None:
    route = chosen(TABLE, host, target, FixedAsker(address="198.51.100.1"))
    assert route is not None
    assert route.pool == pool


def test_the_client_s_address_counts() -> None:
    route = chosen(TABLE, "example.org", "/", FixedAsker(address="192.0.2.1"))
    assert route is not None
    assert route.pool == "lan"


def test_without_routes_everything_goes_to_the_default_pool() -> None:
    plain = table()
    route = chosen(plain, "a", "/")
    assert route is not None
    assert (route.pool, route.request, route.response, plain.is_plain) == ("default", None, (None, None), True)
    assert plain.initial is None


def test_without_a_default_pool_some_go_nowhere() -> None:
    some = table(Route(pool="a", path=("/a",)), pool=None)
    route = chosen(some, "x", "/a")
    assert route is not None
    assert route.pool == "a"
    assert chosen(some, "x", "/b") is None


@pytest.mark.parametrize(
    "more",
    [
        {"routes": (Route(pool="a"),)},
        {"acme": Acme(directory="/a")},
        {"maintenance": Maintenance()},
        {"request": HeaderRules(remove_headers=("a",))},
        {"response": HeaderRules(remove_headers=("a",))},
        {"request_id": RequestId()},
        {"hsts": Hsts()},
        {"http": HttpLimits(underscores="drop")},
        {"pool": None, "routes": (Route(pool="a"),)},
    ],
)
def test_what_makes_a_frontend_more_than_plain(more: dict[str, Any]) -> None:
    assert not RouteTable(Frontend(**{"listen": LISTEN, "pool": "default", **more})).is_plain


def test_error_pages_alone_cost_nothing() -> None:
    pages = table(error_pages={"503": "sorry.html"}, files={"sorry.html": b"x"})
    assert pages.is_plain
    assert pages.pages == {503: (b"text/html; charset=utf-8", b"x")}


def test_challenges_come_before_maintenance_and_that_before_all_routes() -> None:
    some = table(Route(pool="a"), acme=Acme(directory="/acme"), maintenance=Maintenance())
    challenge = chosen(some, "a", "/.well-known/acme-challenge/token")
    other = chosen(some, "a", "/.well-known/acme")
    assert challenge is not None
    assert (challenge.challenges, challenge.pool) == ("/acme", None)
    assert other is not None
    assert other.answer is not None
    assert other.answer.status == 503


def test_challenges_can_go_to_a_pool() -> None:
    route = chosen(table(acme=Acme(pool="certbot")), "a", "/.well-known/acme-challenge/token")
    assert route is not None
    assert (route.pool, route.answer) == ("certbot", None)


HEAD = head_of()


def added(route: CompiledRoute | None, scheme: str = "http") -> tuple[bytes, bytes]:
    """What is put into a request and a response."""
    assert route is not None
    start = b"GET / HTTP/1.1\r\n\r\n"
    response = route.response[scheme == "https"]
    return (
        b"" if route.request is None else route.request.apply(start, FixedAsker(), HEAD)[16:-2],
        b"" if response is None else response.apply(start, FixedAsker(), HEAD)[16:-2],
    )


def test_rules_of_the_frontend_come_before_those_of_the_route() -> None:
    some = table(
        Route(
            pool="a",
            path=("/a",),
            request=HeaderRules(set_headers={"X": "route"}),
            response=HeaderRules(remove_headers=("y",)),
        ),
        request=HeaderRules(set_headers={"X": "frontend"}),
        response=HeaderRules(set_headers={"Y": "frontend"}),
    )
    assert added(chosen(some, "a", "/a")) == (b"X: route\r\n", b"")
    assert added(chosen(some, "a", "/")) == (b"X: frontend\r\n", b"Y: frontend\r\n")
    assert added(some.initial) == (b"", b"Y: frontend\r\n")


def test_the_id_of_a_request() -> None:
    some = table(request_id=RequestId(header="X-Id"))
    assert some.request_id == b"X-Id"
    assert added(chosen(some, "a", "/")) == (b"X-Id: 0123abcd\r\n", b"")


def test_hsts_is_said_over_tls_only() -> None:
    route = chosen(table(hsts=Hsts(include_subdomains=True)), "a", "/")
    assert added(route) == (b"", b"")
    said = b"Strict-Transport-Security: max-age=31536000; includeSubDomains\r\n"
    assert added(route, "https") == (b"", said)


def test_what_a_route_answers() -> None:
    some = table(
        Route(path=("/old",), redirect=Redirect(to="/new", status=301)),
        Route(path=("/secret",), deny=403),
        Route(path=("/api/*",), pool="api", rewrite_path=RewritePath(strip="/api")),
        error_pages={"403": "no.html"},
        files={"no.html": b"no"},
    )
    moved, denied, api = (chosen(some, "a", target) for target in ("/old", "/secret", "/api/x"))
    assert moved is not None
    assert moved.answer is not None
    assert moved.answer.status == 301
    assert denied is not None
    assert denied.answer is not None
    assert denied.answer.render(FixedAsker(), HEAD, keep_alive=True, edits=None).endswith(b"\r\n\r\nno")
    assert api is not None
    assert api.rewrite is not None
    assert api.rewrite(b"/api/x") == b"/x"
