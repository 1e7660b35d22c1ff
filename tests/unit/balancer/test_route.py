"""Routes: the first whose conditions all hold."""

import pytest

from balancer.config import Route
from balancer.route import RouteTable, host_name

TABLE = RouteTable(
    [
        Route(pool="exact", host="api.example.org", path="/v1"),
        Route(pool="prefix", host="API.example.org", path="/v1/*"),
        Route(pool="wildcard", host="*.example.org"),
        Route(pool="path", path="/static/*"),
        Route(pool="unreachable", path="/static/x"),
        Route(pool="ipv6", host="[2001:db8::1]"),
    ],
    "default",
)


@pytest.mark.parametrize(
    ("host", "target", "pool"),
    [
        (b"api.example.org", b"/v1", "exact"),
        (b"Api.Example.ORG:8080", b"/v1?x=/v1/y", "exact"),
        (b"api.example.org.", b"/v1/x", "prefix"),
        (b"api.example.org", b"/v1/", "prefix"),
        (b"api.example.org", b"/v10", "wildcard"),
        (b"a.b.example.org", b"/", "wildcard"),
        (b"example.org", b"/", "default"),
        (b".example.org", b"/", "default"),
        (b"badexample.org", b"/", "default"),
        (b"example.org", b"/static/x", "path"),
        (b"example.org", b"/Static/x", "default"),
        (b"example.org", b"/?/static/x", "default"),
        (b"", b"/static/", "path"),
        (b"[2001:db8::1]:80", b"/", "ipv6"),
        (b"x", b"*", "default"),
    ],
)
def test_first_match_wins(host: bytes, target: bytes, pool: str) -> None:
    assert TABLE.choose(host, target) == pool


def test_without_routes_everything_goes_to_the_default_pool() -> None:
    assert RouteTable((), "default").choose(b"a", b"/") == "default"


def test_without_a_default_pool_some_go_nowhere() -> None:
    table = RouteTable([Route(pool="a", path="/a")], None)
    assert table.choose(b"x", b"/a") == "a"
    assert table.choose(b"x", b"/b") is None


@pytest.mark.parametrize(
    ("host", "name"),
    [(b"A", b"a"), (b"a:80", b"a"), (b"a.:80", b"a"), (b"[::1]", b"[::1]"), (b"[::1]:8", b"[::1]"), (b"", b"")],
)
def test_host_name(host: bytes, name: bytes) -> None:
    assert host_name(host) == name
