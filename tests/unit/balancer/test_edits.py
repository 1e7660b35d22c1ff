"""Header rules and rewriting, on bytes."""

from typing import Any

import pytest

from balancer.config_headers import HeaderRules, RewritePath
from balancer.edits import edits, lines_template, rewrite, rewritten
from tests.unit.balancer.asking import FixedAsker, head_of

HEAD = head_of("/x")
REQUEST = b"GET /x HTTP/1.1\r\nHost: a\r\nX-A: 1\r\nx_a: 2\r\nX-AB: 3\r\nVia: 1.1 hapair\r\n\r\n"


def edited(data: bytes, *rules: HeaderRules, of_requests: bool = True) -> bytes:
    made = edits(rules, of_requests=of_requests)
    return data if made is None else made.apply(data, FixedAsker(), HEAD)


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        ({}, REQUEST),
        ({"remove_headers": ("x-a",)}, b"GET /x HTTP/1.1\r\nHost: a\r\nX-AB: 3\r\nVia: 1.1 hapair\r\n\r\n"),
        (
            {"set_headers": {"X-A": "{client}"}},
            b"GET /x HTTP/1.1\r\nHost: a\r\nX-AB: 3\r\nVia: 1.1 hapair\r\nX-A: 192.0.2.7\r\n\r\n",
        ),
        ({"add_headers": {"X-A": "5%"}}, REQUEST[:-2] + b"X-A: 5%\r\n\r\n"),
        ({"set_headers": {"Host": "b"}}, REQUEST.replace(b"Host: a\r\n", b"")[:-2] + b"Host: b\r\n\r\n"),
        ({"remove_headers": ("via",)}, REQUEST.replace(b"Via: 1.1 hapair\r\n", b"")),
    ],
)
def test_rules_for_requests(rules: dict[str, Any], expected: bytes) -> None:
    assert edited(REQUEST, HeaderRules(**rules)) == expected


def test_in_responses_a_dash_is_a_dash() -> None:
    response = b"HTTP/1.1 200 OK\r\nX-A: 1\r\nx_a: 2\r\n\r\n"
    rules = HeaderRules(remove_headers=("x-a",))
    assert edited(response, rules, of_requests=False) == b"HTTP/1.1 200 OK\r\nx_a: 2\r\n\r\n"


def test_later_rules_come_after_earlier_ones() -> None:
    first = HeaderRules(set_headers={"A": "1", "B": "1"}, add_headers={"C": "1"})
    second = HeaderRules(set_headers={"b": "2"}, remove_headers=("a",), add_headers={"C": "2"})
    head = b"HTTP/1.1 200 OK\r\nA: 0\r\nB: 0\r\nC: 0\r\n\r\n"
    assert edited(head, first, second, of_requests=False) == (
        b"HTTP/1.1 200 OK\r\nC: 0\r\nC: 1\r\nb: 2\r\nC: 2\r\n\r\n"
    )


def test_no_rules_are_no_edits() -> None:
    assert edits((HeaderRules(), HeaderRules()), of_requests=True) is None


def test_a_first_line_is_never_a_header() -> None:
    data = b"X-A: /x HTTP/1.1\r\nHost: a\r\n\r\n"
    assert edited(data, HeaderRules(remove_headers=("x-a",))) == data


def test_lines_are_joined_where_nothing_is_filled_in() -> None:
    assert lines_template([("A", "1"), ("B", "{{2}}")]).parts == (b"A: 1\r\nB: {2}\r\n",)


@pytest.mark.parametrize(
    ("config", "target", "expected"),
    [
        (RewritePath(strip="/api"), "/api/x?y=1", b"/x?y=1"),
        (RewritePath(strip="/api/"), "/api/x", b"/x"),
        (RewritePath(strip="/api"), "/api", b"/"),
        (RewritePath(strip="/api"), "/api?y", b"/?y"),
        (RewritePath(strip="/api"), "/apix", b"/apix"),
        (RewritePath(strip="/api"), "/x/api", b"/x/api"),
        (RewritePath(replace="/old", by="/new/er"), "/old/x", b"/new/er/x"),
        (RewritePath(replace="/old", by="/"), "/old/x", b"/x"),
        (RewritePath(replace="/old", by="/new"), "/older", b"/older"),
        (RewritePath(regex="^/user/([0-9]+)$", by=r"/show?id=\1"), "/user/7?x=1", b"/show?id=7&x=1"),
        (RewritePath(regex="^/user/([0-9]+)$", by=r"/show?id=\1"), "/user/x", b"/user/x"),
        (RewritePath(regex="^/+", by=""), "//a", b"/a"),
        (RewritePath(regex="/+", by="/"), "/a//b///c", b"/a/b/c"),
    ],
)
def test_rewriting(config: RewritePath, target: str, expected: bytes) -> None:
    head = rewritten(head_of(target, "X: y"), rewrite(config))
    assert head.target == expected
    assert head.passing == b"GET " + expected + b" HTTP/1.1\r\nHost: a\r\nX: y\r\n"


def test_an_absolute_target_is_rewritten_too() -> None:
    head = rewritten(head_of("http://b/api/x"), rewrite(RewritePath(strip="/api")))
    assert (head.target, head.passing) == (b"/x", b"GET /x HTTP/1.1\r\n")


def test_an_asterisk_is_no_path() -> None:
    head = head_of("*", method="OPTIONS")
    assert rewritten(head, rewrite(RewritePath(regex=".*", by="/x"))) is head
