"""Which certificate a name gets."""

import pytest

from balancer.tls.material import Bundle, by_name, key_for

NAMES = {"example.org": 1, "*.example.org": 2, "www.example.org": 3}


def test_bundles_by_name() -> None:
    bundles = (Bundle(names=("a", "b", "a"), pem=b""), Bundle(names=("b",), pem=b""), Bundle(names=(), pem=b""))
    assert by_name(bundles) == {"a": (0,), "b": (0, 1)}


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("example.org", "example.org"),
        ("WWW.Example.ORG", "www.example.org"),
        ("www.example.org.", "www.example.org"),
        ("api.example.org", "*.example.org"),
        ("a.b.example.org", None),
        ("example.com", None),
        ("*.example.org", "*.example.org"),
        ("org", None),
        ("", None),
        (None, None),
    ],
)
def test_exact_before_wildcard_and_a_star_is_one_label(asked: str | None, found: str | None) -> None:
    assert key_for(asked, NAMES) == found


def test_keys_are_not_shown() -> None:
    assert "secret" not in repr(Bundle(names=("a",), pem=b"secret"))
