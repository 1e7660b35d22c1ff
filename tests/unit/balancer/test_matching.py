"""Conditions of routes, asked about requests."""

from typing import Any

import pytest

from balancer.config_routes import Conditions
from balancer.http1.request import RequestHead
from balancer.matching import Matcher, name_of, query_values
from tests.unit.balancer.asking import FixedAsker, head_of


def holds(conditions: Conditions, head: RequestHead, asker: FixedAsker | None = None, *unless: Conditions) -> bool:
    path = head.target.partition(b"?")[0]
    return Matcher(conditions, unless).matches(name_of(head.host), path, head, asker or FixedAsker())


@pytest.mark.parametrize(
    ("conditions", "head", "expected"),
    [
        ({}, head_of(), True),
        ({"host": ("a", "b")}, head_of(host="B:80"), True),
        ({"host": ("a", "b")}, head_of(host="c"), False),
        ({"path": ("/x*",)}, head_of("/xy?a=/z"), True),
        ({"path": ("/x",)}, head_of("/y?/x"), False),
        ({"host": ("a",), "path": ("/x",)}, head_of("/x", host="b"), False),
        ({"method": ("GET", "HEAD")}, head_of(method="HEAD"), True),
        ({"method": ("GET", "HEAD")}, head_of(method="POST"), False),
        ({"header": {"x-a": "1"}}, head_of("/", "X-A:  1 "), True),
        ({"header": {"x-a": "1"}}, head_of("/", "X-A: 12"), False),
        ({"header": {"x-a": "1"}}, head_of("/", "XX-A: 1", "Y: X-A: 1"), False),
        ({"header": {"x-a": "1"}}, head_of("/", "X-A: 0", "x-a: 1"), True),
        ({"header": {"x-a": "*"}}, head_of("/", "X-A:"), True),
        ({"header": {"x-a": "*"}}, head_of(), False),
        ({"header": {"Cookie": "~(?:^|; )beta=1"}}, head_of("/", "Cookie: a=b; beta=1"), True),
        ({"header": {"a": "1", "b": "2"}}, head_of("/", "a: 1"), False),
        ({"query": {"v": "2"}}, head_of("/?u=1&v=2"), True),
        ({"query": {"v": "2"}}, head_of("/v=2"), False),
        ({"query": {"v": "*"}}, head_of("/?v"), True),
        ({"query": {"v": "*"}}, head_of("/?vv"), False),
        ({"query": {"name": "J\u00f6rg M"}}, head_of("/?n%61me=J%C3%B6rg+M"), True),
        ({"client": ("192.0.2.0/24", "2001:db8::/32")}, head_of(), True),
        ({"client": ("198.51.100.0/24",)}, head_of(), False),
        ({"sni": ("*.example.org",)}, head_of(), False),
    ],
)
def test_conditions(conditions: dict[str, Any], head: RequestHead, expected: bool) -> None:
    assert holds(Conditions(**conditions), head) is expected


def test_the_server_name_of_tls() -> None:
    conditions = Conditions(sni=("*.example.org",))
    assert holds(conditions, head_of(), FixedAsker(sni="A.example.org"))
    assert not holds(conditions, head_of(), FixedAsker(sni="example.org"))


def test_unless_all_of_one_holds() -> None:
    exceptions = (Conditions(client=("192.0.2.0/24",), method=("GET",)), Conditions(path=("/open",)))
    assert not holds(Conditions(), head_of(), None, *exceptions)
    assert holds(Conditions(), head_of(method="POST"), None, *exceptions)
    assert not holds(Conditions(), head_of("/open", method="POST"), None, *exceptions)


@pytest.mark.parametrize(
    ("target", "values"),
    [(b"/?a=1&b=2&a=%33", [b"1", b"3"]), (b"/?a", [b""]), (b"/", []), (b"/?&&a=%zz", [b"%zz"]), (b"/?a=b=c", [b"b=c"])],
)
def test_query_values(target: bytes, values: list[bytes]) -> None:
    assert query_values(target, b"a") == values
