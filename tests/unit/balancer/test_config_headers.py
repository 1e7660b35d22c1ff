"""What header rules and their kind refuse."""

import re
from typing import Any

import pytest

from balancer.config_headers import HeaderRules, Hsts, RequestId, RewritePath, check_request_rules


@pytest.mark.parametrize(
    ("rules", "complaint"),
    [
        ({"set_headers": {"X A": "1"}}, "'X A' is not the name of a header"),
        ({"set_headers": {"Content-Length": "1"}}, "Content-Length cannot be set or removed"),
        ({"remove_headers": ("transfer-encoding",)}, "transfer-encoding cannot be set or removed"),
        ({"add_headers": {"Connection": "close"}}, "Connection cannot be set or removed"),
        ({"add_headers": {"X": "{clint}"}}, "X: {clint} is not one of"),
        ({"set_headers": {"X": "a\r\nY: b"}}, "X: a value must not hold control characters"),
    ],
)
def test_rules_that_are_refused(rules: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValueError, match=re.escape(complaint)):
        HeaderRules(**rules)


def test_rules_say_whether_there_are_any() -> None:
    assert not HeaderRules()
    assert HeaderRules(remove_headers=("a",))


@pytest.mark.parametrize(
    ("rules", "complaint"),
    [
        (HeaderRules(set_headers={"X": "{server}"}), "is not one of"),
        (HeaderRules(add_headers={"Host": "a"}), "Host can be set, not added or removed"),
        (HeaderRules(remove_headers=("host",)), "Host can be set, not added or removed"),
    ],
)
def test_rules_that_make_no_sense_for_requests(rules: HeaderRules, complaint: str) -> None:
    with pytest.raises(ValueError, match=re.escape(complaint)):
        check_request_rules(rules)
    check_request_rules(HeaderRules(set_headers={"Host": "a"}))


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        ({}, "write one of strip, replace and regex"),
        ({"strip": "/a", "regex": "b", "by": "c"}, "write one of strip, replace and regex"),
        ({"strip": "a"}, "'a' is not the beginning of a path"),
        ({"strip": "/"}, "'/' is not the beginning of a path"),
        ({"strip": "/a", "by": "/b"}, "strip takes none"),
        ({"replace": "/a"}, "replace and regex need by"),
        ({"replace": "/a", "by": "b"}, "by must begin with /"),
        ({"regex": "(", "by": "b"}, "regex must hold a regular expression, and '(' is none"),
        ({"regex": "a", "by": "b c"}, "neither spaces"),
        ({"regex": "(a)", "by": r"\2"}, "the regular expression has 1 groups"),
        ({"regex": "(a)", "by": "\\"}, "by '\\\\'"),
        ({"regex": "a", "by": r"/\nX-Evil:1"}, r"by must have no escapes but those of groups"),
        ({"regex": "a", "by": r"/\012"}, r"by must have no escapes but those of groups"),
        ({"regex": "a", "by": r"/\0"}, r"by must have no escapes but those of groups"),
        ({"regex": "(a)", "by": r"/\141"}, r"by must have no escapes but those of groups"),
    ],
)
def test_rewriting_that_is_refused(fields: dict[str, str], complaint: str) -> None:
    with pytest.raises(ValueError, match=re.escape(complaint)):
        RewritePath(**fields)


def test_an_id_needs_a_header() -> None:
    with pytest.raises(ValueError, match="is not the name of a header"):
        RequestId(header="a b")


@pytest.mark.parametrize(
    ("hsts", "value"),
    [
        (Hsts(), "max-age=31536000"),
        (Hsts(max_age_s=300.5), "max-age=300"),
        (Hsts(include_subdomains=True, preload=True), "max-age=31536000; includeSubDomains; preload"),
    ],
)
def test_what_hsts_says(hsts: Hsts, value: str) -> None:
    assert hsts.value == value


def test_preload_has_its_conditions() -> None:
    with pytest.raises(ValueError, match="preload must come with include_subdomains"):
        Hsts(preload=True)
