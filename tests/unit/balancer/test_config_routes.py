"""What routes and answers refuse."""

import re
from typing import Any

import pytest

from balancer.config_headers import HeaderRules, RewritePath
from balancer.config_routes import (
    Acme,
    Conditions,
    Maintenance,
    Redirect,
    Respond,
    Route,
    check_error_pages,
    files_of,
)


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        ({"path": ("v1",)}, "path must begin with /"),
        ({"host": ("a.*.example.org",)}, "only as its first label"),
        ({"sni": ("a:443",)}, "sni must be a host name without a port"),
        ({"method": ("get",)}, "method must be written in capitals, for example GET; 'get' is not"),
        ({"method": ("A B",)}, "method must be"),
        ({"header": {"X A": "*"}}, "'X A' is not the name of a header"),
        ({"header": {"X": "~("}}, "header must hold a regular expression"),
        ({"query": {"a b": "~("}}, "query must hold a regular expression"),
    ],
)
def test_conditions_that_never_hold(fields: dict[str, Any], complaint: str) -> None:
    for kind, more in ((Conditions, {}), (Route, {"pool": "a"})):
        with pytest.raises(ValueError, match=re.escape(complaint)):
            kind(**fields, **more)


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        ({}, "write one of pool, redirect, respond and deny"),
        ({"pool": "a", "deny": 403}, "write one of pool, redirect, respond and deny"),
        ({"deny": 200}, "deny must be a status from 400 to 599"),
        ({"deny": 403, "rewrite_path": RewritePath(strip="/a")}, "rewrite_path needs a pool or a redirect"),
        ({"deny": 403, "request": HeaderRules(remove_headers=("a",))}, "request rules need a pool"),
        ({"pool": "a", "request": HeaderRules(set_headers={"X": "{server}"})}, "is not one of"),
        ({"pool": "a", "unless": (Conditions(),)}, "unless needs conditions"),
    ],
)
def test_routes_that_are_refused(fields: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValueError, match=re.escape(complaint)):
        Route(**fields)


@pytest.mark.parametrize(
    ("to", "complaint"),
    [
        ("", "to must be a URL"),
        ("/a b", "to must be a URL"),
        ("/\u00f6", "to must be a URL"),
        ("{server}", "is not one"),
    ],
)
def test_redirects_that_are_refused(to: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=re.escape(complaint)):
        Redirect(to=to)


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        ({"status": 100}, "status must be from 200 to 599"),
        ({"body": "a", "body_file": "b"}, "write body or body_file, not both"),
        ({"status": 204, "body": "a"}, "status 204 has no body"),
        ({"content_type": "text"}, "content_type must be a media type"),
        ({"headers": {"Content-Length": "5"}}, "Content-Length cannot be set"),
    ],
)
def test_answers_that_are_refused(fields: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValueError, match=re.escape(complaint)):
        Respond(**fields)


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [({"status": 204}, "status must be one with a body"), ({"retry_after_s": 0.5}, "retry_after must be at least 1s")],
)
def test_maintenance_that_is_refused(fields: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        Maintenance(**fields)


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        ({}, "write either directory or pool"),
        ({"directory": "/a", "pool": "b"}, "write either directory or pool"),
        ({"directory": "a"}, "directory must be a whole path"),
    ],
)
def test_challenges_that_are_refused(fields: dict[str, str], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        Acme(**fields)


@pytest.mark.parametrize(
    ("pages", "complaint"),
    [({"200": "a"}, "200 is not a status"), ({"5xx": "a"}, "5xx"), ({"503": ""}, "names no file")],
)
def test_error_pages_that_are_refused(pages: dict[str, str], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        check_error_pages(pages)


def test_the_files_of_answers() -> None:
    found = files_of(Respond(body_file="a"), Respond(), Maintenance(page="b"), None, pages={"503": "c"})
    assert list(found) == ["a", "b", "c"]
