"""Whom a request belongs to: its cookie says it, else its address."""

from balancer.config_persistence import CookieSettings, SourceSettings
from balancer.persistence.belonging import Belonging
from balancer.persistence.cookies import CookieJar
from balancer.persistence.table import SourceTable
from balancer.policies.base import Request

COOKIE = b"\nCookie: H=0mEHqAi-HR3v3W7By8bvbd5JJOQKW7lt\r\n"


def both(jar: bool = True) -> Belonging:
    cookies = CookieJar(CookieSettings(name="H"), bytes(range(32)), "web", ("web1", "web2"), lambda: 1)
    return Belonging(cookies if jar else None, SourceTable(SourceSettings()), lambda: 10.0, lambda: 1000)


def test_an_address_is_remembered_and_a_cookie_counts_more() -> None:
    one = both()
    assert one.server_of(Request("192.0.2.1")) is None
    one.went_to(Request("192.0.2.1"), "web2")
    assert one.server_of(Request("192.0.2.1")) == "web2"
    assert one.server_of(Request("192.0.2.1", b"/", COOKIE)) == "web1"
    assert both(jar=False).server_of(Request("192.0.2.1", b"/", COOKIE)) is None


def test_who_has_no_address_is_not_remembered() -> None:
    one = both()
    one.went_to(Request(""), "web2")
    assert one.server_of(Request("")) is None
    assert one.table is not None
    assert len(one.table) == 0
