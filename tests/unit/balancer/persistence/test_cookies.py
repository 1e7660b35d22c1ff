"""Cookies of ours in heads: put in, read again, taken out."""

from typing import Any

import pytest

from balancer.config_limits import HttpLimits
from balancer.config_persistence import CookieSettings
from balancer.http1.request import RequestHead, parse_request
from balancer.http1.response import parse_response
from balancer.persistence.cookies import CookieJar, CookieJars
from balancer.persistence.tokens import Verdict

KEY = bytes(range(32))
WEB1 = b"0mEHqAi-HR3v3W7By8bvbd5JJOQKW7lt"
NOW = 1_800_000_000


def jar(*, pool: str = "web", **settings: Any) -> CookieJar:
    return CookieJar(CookieSettings(**{"name": "H", **settings}), KEY, pool, ("web1", "web2"), lambda: NOW)


def asked(*cookies: bytes, method: bytes = b"GET") -> RequestHead:
    lines = b"".join(b"Cookie: %b\r\n" % one for one in cookies)
    head = parse_request(method + b" / HTTP/1.1\r\nHost: a\r\n" + lines + b"\r\n", HttpLimits())
    assert head is not None
    return head


def answered(one: CookieJar, head: RequestHead, *fields: bytes, server: str = "web1", secure: bool = False) -> bytes:
    lines = b"".join(field + b"\r\n" for field in fields)
    response = parse_response(b"HTTP/1.1 200 OK\r\n" + lines + b"Content-Length: 0\r\n\r\n", head.method)
    assert response is not None
    passing = one.marked(head, response, server, secure=secure).passing
    assert passing.startswith(b"HTTP/1.1 200 OK\r\n")
    assert passing.endswith(b"\r\n\r\n")
    return passing[len(b"HTTP/1.1 200 OK\r\n") : -2]


def test_a_first_request_gets_one_and_the_next_does_not() -> None:
    one = jar()
    cookie = b"Set-Cookie: H=%b; Path=/; HttpOnly; SameSite=Lax\r\n" % WEB1
    assert answered(one, asked()) == b"Content-Length: 0\r\n" + cookie + b"Cache-Control: private\r\n"
    back = asked(b"H=" + WEB1)
    assert one.read(back.fields).server == "web1"
    assert answered(one, back) == b"Content-Length: 0\r\n"
    assert b"Set-Cookie: H=" in answered(one, back, server="web2")
    assert one.counts == {"set": 2, "moved": 1}


def test_attributes() -> None:
    one = jar(domain="example.org", path="/app", max_age_s=60.0, http_only=False, same_site=None)
    attributes = b"; Path=/app; Domain=example.org; Max-Age=60"
    assert b"Set-Cookie: H=%b%b\r\n" % (WEB1, attributes) in answered(one, asked())
    assert b"Set-Cookie: H=%b%b; Secure\r\n" % (WEB1, attributes) in answered(one, asked(), secure=True)
    assert b"Secure" not in answered(jar(secure=False), asked(), secure=True)
    assert b"Secure" in answered(jar(secure=True), asked())
    assert b"; Secure; HttpOnly; SameSite=None\r\n" in answered(jar(same_site="none"), asked())


def test_caches_are_told_once() -> None:
    assert answered(jar(), asked(), b"Cache-Control: no-store").count(b"Cache-Control") == 1
    assert answered(jar(), asked(), b"Cache-Control: max-age=9").count(b"Cache-Control: private") == 1
    assert b"Cache-Control" not in answered(jar(nocache=False), asked())


def test_post_only() -> None:
    assert b"Set-Cookie" not in answered(jar(post_only=True), asked())
    assert b"Set-Cookie" in answered(jar(post_only=True), asked(method=b"POST"))


def test_other_cookies_of_a_server_go_on_and_its_own_of_this_name_only_where_it_is_to() -> None:
    theirs = (b"Set-Cookie: a=1", b"Set-Cookie: H=x; Path=/", b"set-cookie:HH=2")
    got = answered(jar(), asked(), *theirs)
    assert got.count(b"et-") == 4 - 1
    assert b"Set-Cookie: a=1\r\n" in got
    assert b"H=x" not in got
    assert b"set-cookie:HH=2\r\n" in got
    kept = answered(jar(preserve=True), asked(), *theirs)
    assert b"Set-Cookie: H=x; Path=/\r\n" in kept
    assert WEB1 not in kept


@pytest.mark.parametrize(
    ("cookies", "left"),
    [
        ((b"H=x",), b""),
        ((b"a=1; H=x",), b"Cookie: a=1\r\n"),
        ((b"H=x; a=1",), b"Cookie: a=1\r\n"),
        ((b"a=1;H=x;b=2",), b"Cookie: a=1;b=2\r\n"),
        ((b"H=x; H=y",), b""),
        ((b"H=x", b"b=2"), b"Cookie: b=2\r\n"),
        ((b"HH=x; h=1",), b"Cookie: HH=x; h=1\r\n"),
        ((b"H",), b""),
        ((b"a=H",), b"Cookie: a=H\r\n"),
    ],
)
def test_servers_do_not_see_it(cookies: tuple[bytes, ...], left: bytes) -> None:
    head = asked(*cookies)
    assert jar().stripped(head.fields, head.passing) == b"GET / HTTP/1.1\r\nHost: a\r\n" + left
    assert jar(indirect=False).stripped(head.fields, head.passing) == head.passing
    assert jar(mode="rewrite").stripped(head.fields, head.passing) == head.passing


@pytest.mark.parametrize("cookie", [b"H=%b", b"a=1; H=%b", b"a=1;H=%b; b", b"H = %b", b'H="%b"', b"xH=1; H=%b ;c"])
def test_it_is_found_wherever_it_stands(cookie: bytes) -> None:
    assert jar().read(asked(cookie % WEB1).fields).server == "web1"


def test_what_is_none_of_ours_is_counted_and_belongs_to_nobody() -> None:
    one = jar()
    for cookies in ((), (b"H=1",), (b"H=" + WEB1,), (b"H=" + b"A" * 32,), (b"a=b",)):
        head = asked(*cookies)
        one.stripped(head.fields, head.passing)
    assert one.counts == {"forged": 2, "accepted": 1}
    other = jar(pool="api")
    head = asked(b"H=" + WEB1)
    assert other.read(head.fields).verdict is Verdict.STALE
    other.stripped(head.fields, head.passing)
    assert other.counts == {"stale": 1}


def test_rewrite_takes_the_place_of_a_value() -> None:
    one = jar(mode="rewrite")
    assert answered(one, asked()) == b"Content-Length: 0\r\n"
    got = answered(one, asked(), b"Set-Cookie: a=1", b"Set-Cookie: H=secret; Path=/; Secure")
    assert b"Set-Cookie: a=1\r\nSet-Cookie: H=%b; Path=/; Secure\r\n" % WEB1 in got


def test_prefix_stands_in_front_of_a_value_and_is_taken_away_again() -> None:
    one = jar(mode="prefix")
    got = answered(one, asked(), b"Set-Cookie: H=abc~d; Path=/")
    assert b"Set-Cookie: H=%b~abc~d; Path=/\r\n" % WEB1 in got
    head = asked(b"a=1; H=%b~abc~d" % WEB1)
    assert one.read(head.fields).server == "web1"
    assert one.stripped(head.fields, head.passing).endswith(b"\r\nCookie: a=1; H=abc~d\r\n")
    forged = asked(b"H=%b~abc" % (b"A" * 32))
    assert one.stripped(forged.fields, forged.passing).endswith(b"\r\nCookie: H=abc\r\n")
    foreign = asked(b"H=abc~d")
    assert one.stripped(foreign.fields, foreign.passing) == foreign.passing
    assert one.counts == {"set": 1, "accepted": 1, "forged": 1}


def test_one_that_may_grow_old_is_renewed_and_remembers_when_it_began() -> None:
    now = [NOW]
    settings = CookieSettings(name="H", max_idle_s=100.0, max_life_s=1000.0)
    one = CookieJar(settings, KEY, "web", ("web1",), lambda: now[0])
    token = answered(one, asked()).partition(b"H=")[2][:48]
    for _ in range(10):
        now[0] += 95
        head = asked(b"H=" + token)
        assert one.read(head.fields).server == "web1"
        token = answered(one, head).partition(b"H=")[2][:48]
    now[0] += 95
    assert one.read(asked(b"H=" + token).fields).verdict is Verdict.STALE


def test_a_pool_and_what_it_falls_back_on_have_each_its_own() -> None:
    jars = CookieJars({"web": jar(), "other": jar(pool="other", name="O")})
    head = asked(b"H=%b; a=1; O=2" % WEB1)
    assert jars.stripped(head).passing.endswith(b"\r\nCookie: a=1\r\n")
    response = parse_response(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", b"GET")
    assert response is not None
    assert b"Set-Cookie: O=" in jars.marked(head, response, "other", "web1", secure=False).passing
    assert jars.marked(head, response, "third", "x", secure=False) is response
    assert jars.stripped(nothing := asked()) is nothing


@pytest.mark.parametrize(("settings", "sets", "known", "done"), [
    ({}, b"", False, "I"),
    ({}, b"", True, "N"),
    ({}, b"H=x", False, "I"),
    ({}, b"H=x", True, "D"),
    ({"preserve": True}, b"H=x", False, "P"),
    ({"post_only": True}, b"", False, "N"),
    ({"max_idle_s": 100.0}, b"", True, "U"),
    ({"mode": "rewrite"}, b"H=x", False, "R"),
    ({"mode": "rewrite"}, b"", False, "N"),
    ({"mode": "prefix"}, b"H=x", True, "R"),
])  # fmt: skip
def test_what_was_done_has_haproxys_letter(settings: dict[str, Any], sets: bytes, known: bool, done: str) -> None:
    one = jar(**settings)
    value = WEB1 + b"~v" if settings.get("mode") == "prefix" else WEB1
    answered(one, asked(*((b"H=" + value,) if known else ())), *((b"Set-Cookie: " + sets,) if sets else ()))
    assert one.done == done
    assert CookieJars({"web": one}).done("web") == done
    assert CookieJars({"web": one}).done("api") == ""


@pytest.mark.parametrize(("mode", "cookie", "code"), [
    ("prefix", b"a=1", "N"),
    ("prefix", b"a=1; H=own", "I"),
    ("prefix", b"H=%b~own" % WEB1, "V"),
    ("rewrite", b"H=own", "I"),
    ("rewrite", b"H=%b" % WEB1, "V"),
    ("insert", b"X=%b" % WEB1, "N"),
])  # fmt: skip
def test_what_came_has_haproxys_letter(mode: str, cookie: bytes, code: str) -> None:
    assert jar(mode=mode).code_of(asked(cookie).fields) == code
