"""Which route leaves another nothing to do."""

from typing import Any

import pytest

from balancer.config_routes import Conditions, Route
from balancer.covering import covers, implied, takes_everything


@pytest.mark.parametrize(
    ("earlier", "later", "expected"),
    [
        ({}, {"host": ("a",), "path": ("/x",)}, True),
        ({"host": ("a",)}, {}, False),
        ({"host": ("a", "*.b")}, {"host": ("x.b", "A")}, True),
        ({"host": ("a", "*.b")}, {"host": ("x.b", "b")}, False),
        ({"host": ("*",)}, {}, True),
        ({"path": ("/*",)}, {}, True),
        ({"path": ("/v1/*",)}, {"host": ("a",), "path": ("/v1/x/*",)}, True),
        ({"path": ("/v1/*",)}, {"host": ("a",)}, False),
        ({"method": ("GET", "HEAD")}, {"method": ("GET",)}, True),
        ({"method": ("GET",)}, {"method": ("GET", "HEAD")}, False),
        ({"method": ("GET",)}, {}, False),
        ({"header": {"X": "*"}}, {"header": {"x": "1", "y": "2"}}, True),
        ({"header": {"X": "1"}}, {"header": {"x": "*"}}, False),
        ({"query": {"v": "1"}}, {"query": {"V": "1"}}, False),
        ({"query": {"v": "1*"}}, {"query": {"v": "12"}}, True),
        ({"client": ("10.0.0.0/8", "2001:db8::/32")}, {"client": ("10.1.0.0/16", "2001:db8:1::/48")}, True),
        ({"client": ("10.0.0.0/8",)}, {"client": ("10.1.0.0/16", "::/0")}, False),
        ({"client": ("10.0.0.0/8",)}, {}, False),
        ({"sni": ("*.a",)}, {"sni": ("x.a",)}, True),
        ({"sni": ("*",)}, {}, False),
        ({"unless": (Conditions(path=("/open",)),)}, {"path": ("/x",)}, False),
        ({"unless": (Conditions(path=("/open",)),)}, {"unless": (Conditions(path=("/open", "/x")),)}, True),
        ({"unless": (Conditions(path=("/open", "/x")),)}, {"unless": (Conditions(path=("/open",)),)}, False),
        ({"unless": (Conditions(method=("GET",)),)}, {"method": ("POST",)}, True),
        ({"unless": (Conditions(method=("GET",)),)}, {"method": ("POST", "GET")}, False),
        ({"path": ("/a",)}, {"path": ("/a",), "unless": (Conditions(method=("GET",)),)}, True),
    ],
)
def test_covering(earlier: dict[str, Any], later: dict[str, Any], expected: bool) -> None:
    assert covers(Route(pool="a", **earlier), Route(pool="b", **later)) is expected


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, True),
        ({"path": ("/a", "/*")}, True),
        ({"path": ("/a",)}, False),
        ({"unless": (Conditions(host=("a",)),)}, False),
    ],
)
def test_taking_everything(fields: dict[str, Any], expected: bool) -> None:
    assert takes_everything(Route(pool="a", **fields)) is expected


def test_conditions_imply_themselves() -> None:
    conditions = Conditions(host=("~x",), path=("~y",), header={"a": "~b"}, client=("::/0",))
    assert implied(conditions, conditions)
