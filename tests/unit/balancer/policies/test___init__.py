from typing import Any, get_args

import pytest

from balancer.config_pools import HashSettings, Policy
from balancer.policies import Candidate, Request, key_of, policy_of

REQUEST = Request("192.0.2.7", b"/a/b?user=anna", b"\nX-User: anna\r\nCookie: who=anna\r\n")


def of(name: Any, **settings: Any) -> Any:
    return policy_of(name, HashSettings(name="X-User", **settings), lambda server: 0, lambda: 0.5)


@pytest.mark.parametrize("name", get_args(Policy))
def test_every_policy_chooses_who_may_be_chosen_and_nobody_else(name: str) -> None:
    policy = of(name)
    assert policy.choose((), REQUEST) is None

    policy.update([Candidate("a", 0, 1), Candidate("b", 2, 2), Candidate("c", 1, 1)])
    assert {policy.choose((), REQUEST) for _ in range(20)} <= {"b", "c"}
    assert policy.choose(("b",), REQUEST) == "c"
    assert policy.choose(("b", "c"), REQUEST) is None

    policy.update([])
    assert policy.choose((), REQUEST) is None


@pytest.mark.parametrize(
    ("name", "settings", "key"),
    [
        ("source_hash", {}, b"192.0.2.7"),
        ("uri_hash", {}, b"/a/b"),
        ("uri_hash", {"query": True}, b"/a/b?user=anna"),
        ("uri_hash", {"depth": 1}, b"/a"),
        ("header_hash", {"name": "X-User"}, b"anna"),
        ("query_hash", {"name": "user"}, b"anna"),
        ("cookie_hash", {"name": "who"}, b"anna"),
    ],
)
def test_what_each_hash_reads(name: Any, settings: dict[str, Any], key: bytes) -> None:
    assert key_of(name, HashSettings(**settings))(REQUEST) == key
