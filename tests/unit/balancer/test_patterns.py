"""How conditions write text, what they match, and which covers which."""

import pytest

from balancer.patterns import (
    check_host,
    check_path,
    check_value,
    covers_host,
    covers_path,
    covers_value,
    host_test,
    path_test,
    value_test,
)


@pytest.mark.parametrize(
    ("pattern", "host", "matches"),
    [
        ("api.example.org", b"api.example.org", True),
        ("API.example.org.", b"api.example.org", True),
        ("api.example.org", b"xapi.example.org", False),
        ("*.example.org", b"a.b.example.org", True),
        ("*.example.org", b"example.org", False),
        ("*.example.org", b".example.org", False),
        ("*.example.org", b"badexample.org", False),
        ("[2001:db8::1]", b"[2001:db8::1]", True),
        ("*", b"anything", True),
        (r"~^[a-c]\.example", b"b.example.org", True),
        (r"~^[a-c]\.example", b"xb.example.org", False),
    ],
)
def test_a_host(pattern: str, host: bytes, matches: bool) -> None:
    assert bool(host_test((pattern,))(host)) is matches


def test_several_hosts() -> None:
    test = host_test(("a", "*.b", "~^c"))
    assert [bool(test(host)) for host in (b"a", b"x.b", b"cc", b"b")] == [True, True, True, False]


@pytest.mark.parametrize(
    ("pattern", "path", "matches"),
    [
        ("/v1", b"/v1", True),
        ("/v1", b"/v1/", False),
        ("/v1", b"/V1", False),
        ("/v1/*", b"/v1/", True),
        ("/v1/*", b"/v1/a/b", True),
        ("/v1/*", b"/v1", False),
        ("/v*", b"/v2/x", True),
        ("/*/edit", b"/a/edit", True),
        ("/*/edit", b"/a/b/edit", False),
        ("/*/x/*", b"/a/x/b/c", True),
        ("/photo?", b"/photo1", True),
        ("/photo?", b"/photo12", False),
        ("/photo?", b"/photo/", False),
        ("/a.b", b"/axb", False),
        ("/%20", b"/%20", True),
        ("~^/v[0-9]+/", b"/v12/x", True),
        ("~^/v[0-9]+/", b"/x/v12/", False),
        (r"~\.php$", b"/a/b.php", True),
    ],
)
def test_a_path(pattern: str, path: bytes, matches: bool) -> None:
    assert bool(path_test((pattern,))(path)) is matches


def test_several_paths() -> None:
    test = path_test(("/a", "/b/*", "/c/*/d", "~^/e"))
    assert [bool(test(path)) for path in (b"/a", b"/b/x", b"/c/x/d", b"/ex", b"/d")] == [True] * 4 + [False]


@pytest.mark.parametrize(
    ("pattern", "value", "matches"),
    [
        ("yes", b"yes", True),
        ("yes", b"Yes", False),
        ("*", b"", True),
        ("curl/*", b"curl/8.0", True),
        ("*bot*", b"a bot/of mine", True),
        ("*bot*", b"nobody", False),
        ("~(?i)BOT", b"a bot", True),
        ("J\u00f6rg", b"J\xc3\xb6rg", True),
    ],
)
def test_a_value(pattern: str, value: bytes, matches: bool) -> None:
    assert bool(value_test(pattern)(value)) is matches


@pytest.mark.parametrize("pattern", ["a.*.example.org", "*a.example.org", "a:80", "a b", "::1", "~("])
def test_hosts_that_are_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match=r"^sni must "):
        check_host("sni", pattern)


@pytest.mark.parametrize("pattern", ["v1", "/a b", "/a#b", "/\u00f6", "~("])
def test_paths_that_are_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match=r"^path must "):
        check_path(pattern)


def test_a_value_that_is_refused() -> None:
    check_value("query", "(")
    with pytest.raises(ValueError, match=r"^query must hold a regular expression, and"):
        check_value("query", "~(")


@pytest.mark.parametrize(
    ("wide", "narrow", "covers"),
    [
        ("a.org", "a.org", True),
        ("a.org", "A.org.", True),
        ("*", "~x", True),
        ("*.org", "a.org", True),
        ("*.org", "*.a.org", True),
        ("*.a.org", "*.org", False),
        ("*.org", "*", False),
        ("~^a", "a.org", True),
        ("~^a", "b.org", False),
        ("~^a", "~^ab", False),
        ("~a", "*.a", False),
    ],
)
def test_covering_hosts(wide: str, narrow: str, covers: bool) -> None:
    assert covers_host(wide, narrow) is covers


@pytest.mark.parametrize(
    ("wide", "narrow", "covers"),
    [
        ("/*", "~x", True),
        ("/a/*", "/a/b", True),
        ("/a/*", "/a/b/*", True),
        ("/a/*", "/a/*/b", True),
        ("/a/*", "/a", False),
        ("/a/b/*", "/a/*", False),
        ("/a/*", "/*/b", False),
        ("/*/b", "/a/b", True),
        ("/*/b", "/*/b", True),
        ("/*/b", "/a/*", False),
        ("~^/a", "/ab", True),
        ("~^/a", "/ab*", False),
        ("/a*", "~^/a", False),
    ],
)
def test_covering_paths(wide: str, narrow: str, covers: bool) -> None:
    assert covers_path(wide, narrow) is covers


@pytest.mark.parametrize(
    ("wide", "narrow", "covers"),
    [("*", "~x", True), ("a*", "ab", True), ("a*", "ab*", False), ("~b", "abc", True), ("a", "b", False)],
)
def test_covering_values(wide: str, narrow: str, covers: bool) -> None:
    assert covers_value(wide, narrow) is covers
