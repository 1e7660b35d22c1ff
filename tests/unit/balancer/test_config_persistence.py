"""What is said of persistence makes sense, or is refused in words."""

from typing import Any

import pytest

from balancer.config_persistence import CookieSettings, PersistenceSettings, SourceSettings


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"name": "a b"}, "name must be that of a cookie"),
        ({"name": ""}, "name must be that of a cookie"),
        ({"same_site": "none", "secure": False}, "secure must not be false with same_site: none"),
        ({"domain": "a;b"}, "domain must be a name"),
        ({"domain": "a\r\nX: y"}, "domain must be a name"),
        ({"path": "a"}, "path must begin with a slash"),
        ({"path": "/;a"}, "path must begin with a slash"),
        ({"max_idle_s": 0.5}, "max_idle must be at least 1s"),
        ({"max_life_s": 0.0}, "max_life must be at least 1s"),
        ({"max_age_s": 0.0}, "max_age must be at least 1s"),
        ({"mode": "rewrite", "indirect": False}, "indirect needs mode: insert"),
        ({"mode": "prefix", "preserve": True}, "preserve needs mode: insert"),
        ({"mode": "prefix", "max_age_s": 5.0}, "max_age needs mode: insert"),
        ({"mode": "rewrite", "secure": True}, "secure needs mode: insert"),
    ],
)
def test_cookies_that_make_no_sense(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        CookieSettings(**{"name": "H", **settings})


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"size": 0}, "size must be from 1 to 1000000"),
        ({"size": 1_000_001}, "size must be from 1 to 1000000"),
        ({"expiry_s": 0.5}, "expiry must be at least 1s"),
        ({"ipv4_prefix": 33}, "ipv4_prefix must be from 1 to 32"),
        ({"ipv6_prefix": 0}, "ipv6_prefix must be from 1 to 128"),
    ],
)
def test_tables_that_make_no_sense(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        SourceSettings(**settings)


def test_one_of_the_two_is_needed() -> None:
    with pytest.raises(ValueError, match="needs a cookie, a source, or both"):
        PersistenceSettings()


def test_only_a_cookie_with_limits_has_dates() -> None:
    assert not CookieSettings(name="H").dated
    assert CookieSettings(name="H", max_life_s=60.0).dated
    assert CookieSettings(name="H", mode="prefix", max_idle_s=60.0).dated
