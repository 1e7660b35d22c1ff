"""Clients come back to the server that they had: real connections, a cookie or an address."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

import pytest

from balancer.config import (
    AccessLog,
    Compression,
    CookieSettings,
    HeaderRules,
    PersistenceSettings,
    Route,
    SourceSettings,
)
from balancer.persistence.memory import Memory
from balancer.pool import PoolState
from balancer.reactor import Reactor
from balancer.relay import tcp
from balancer.service import PoolService, link_pools
from balancer.testing import FakeClock
from tests.unit.balancer.relay.udp_house import House

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.unit.balancer.relay.conftest import Http2Client, HttpRig, Logged, LoggedRig, RigMaker

GET = b"GET / HTTP/1.1\r\nHost: a\r\n%b\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"
TOKEN = re.compile(rb"Set-Cookie: H=([A-Za-z0-9_-]{32});")


def sticky(make_rig: RigMaker, *, servers: int = 2, source: bool = False, **more: Any) -> HttpRig:
    cookie, frontend = more.pop("cookie", {}), more
    said = PersistenceSettings(
        cookie=None if source else CookieSettings(**{"name": "H", **cookie}),
        source=SourceSettings() if source else None,
    )
    rig = make_rig(servers=servers, in_pool={"persistence": said, "retries": 1}, **frontend)
    return furnished(rig)


def furnished(rig: HttpRig) -> HttpRig:
    memory = Memory(bytes(32), lambda: rig.clock.now, lambda: rig.clock.now + 1e9)
    memory.equip(rig.config.pools, {name: pool.state for name, pool in rig.service.pools.items()})
    link_pools(rig.service.pools)
    return rig


def ask(rig: HttpRig, number: int, cookie: bytes = b"", response: bytes = OK) -> tuple[bytes, bytes]:
    """What the server of this number was asked, and what the client got."""
    line = b"Cookie: %b\r\n" % cookie if cookie else b""
    client = rig.client(GET % line)
    server = rig.server(number)
    asked = server.read()
    server.send(response)
    got = client.read()
    client.close()
    server.close()
    return asked, got


def token_of(got: bytes) -> bytes:
    found = TOKEN.search(got)
    assert found is not None
    return found[1]


def test_who_brings_a_cookie_comes_back_and_others_take_turns(make_rig: RigMaker) -> None:
    rig = sticky(make_rig)
    _, got = ask(rig, 0)
    assert got.endswith(b"\r\nContent-Length: 2\r\nSet-Cookie: H=%b; Path=/; HttpOnly; SameSite=Lax\r\n"
                        b"Cache-Control: private\r\n\r\nhi" % token_of(got))  # fmt: skip
    for _ in range(3):
        asked, again = ask(rig, 0, b"a=1; H=" + token_of(got))
        assert b"\r\nCookie: a=1\r\n" in asked
        assert again == OK
    _, other = ask(rig, 1)
    assert token_of(other) != token_of(got)


def test_a_server_that_drains_keeps_its_clients_one_in_maint_does_not(make_rig: RigMaker) -> None:
    rig = sticky(make_rig)
    state = rig.service.pools["pool"].state
    token = token_of(ask(rig, 0)[1])
    state.set_admin("one", "drain")
    assert ask(rig, 0, b"H=" + token)[1] == OK
    ask(rig, 1)
    state.set_admin("one", "maint")
    _, got = ask(rig, 1, b"H=" + token)
    other = token_of(got)
    assert other != token
    state.set_admin("one", "ready")
    assert ask(rig, 1, b"H=" + other)[1] == OK


def test_where_the_server_cannot_be_reached_another_answers_with_its_own_cookie(make_rig: RigMaker) -> None:
    rig = sticky(make_rig)
    token = token_of(ask(rig, 0)[1])
    rig.peers[0].close()
    _, got = ask(rig, 1, b"H=" + token)
    assert token_of(got) != token


def test_a_forged_one_is_ignored(make_rig: RigMaker) -> None:
    rig = sticky(make_rig)
    jar = rig.service.pools["pool"].state.belonging
    assert jar is not None
    assert jar.jar is not None
    token = token_of(ask(rig, 0)[1])
    asked, got = ask(rig, 1, b"H=" + token[:-1] + b"_")
    assert b"Cookie" not in asked
    assert token_of(got) != token
    assert jar.jar.counts == {"set": 2, "forged": 1}


def test_every_response_of_one_connection_is_looked_at(make_rig: RigMaker) -> None:
    rig = sticky(make_rig, servers=1)
    client = rig.client(GET % b"")
    server = rig.server()
    server.read()
    server.send(OK)
    cookie = b"Cookie: H=%b\r\n" % token_of(client.read())
    client.send(GET % cookie)
    server.send(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + OK)
    assert client.read() == b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + OK
    client.send(GET % b"")
    server.send(b"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n")
    server.send(b"0\r\n\r\n")
    assert token_of(client.read())


def test_a_switch_of_protocols_may_bring_one(make_rig: RigMaker) -> None:
    rig = sticky(make_rig, servers=1)
    client = rig.client(GET % b"Connection: upgrade\r\nUpgrade: websocket\r\n")
    rig.server().send(b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n")
    got = client.read()
    assert token_of(got)
    assert got.startswith(b"HTTP/1.1 101 ")


def test_compression_and_header_rules_and_cookies_of_servers(make_rig: RigMaker) -> None:
    rules = HeaderRules(set_headers={"X-Us": "1"})
    rig = sticky(make_rig, servers=1, compression=Compression(minimum_bytes=1), response=rules)
    text = b"hello " * 100
    plain = b"HTTP/1.1 200 OK\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\nContent-Type: text/plain\r\n"
    client = rig.client(GET % b"Accept-Encoding: gzip\r\n")
    rig.server().send(plain + b"Content-Length: 600\r\n\r\n" + text)
    got = client.read()
    assert b"Set-Cookie: a=1\r\nSet-Cookie: b=2\r\n" in got
    assert b"Content-Encoding: gzip\r\n" in got
    assert b"X-Us: 1\r\n" in got
    assert token_of(got)


@pytest.mark.parametrize(("mode", "given"), [("rewrite", b"%b"), ("prefix", b"%b~secret")])
def test_the_servers_own_cookie_may_carry_it(make_rig: RigMaker, mode: str, given: bytes) -> None:
    rig = sticky(make_rig, cookie={"mode": mode})
    own = OK.replace(b"Content", b"Set-Cookie: H=secret; Path=/x\r\nContent")
    got = ask(rig, 0, response=own)[1]
    found = re.search(rb"Set-Cookie: H=([^;]+); Path=/x\r\n", got)
    assert found is not None
    assert re.fullmatch(given % rb"[A-Za-z0-9_-]{32}", found[1])
    asked, got = ask(rig, 0, b"H=" + found[1])
    assert got == OK
    assert b"\r\nCookie: H=%b\r\n" % (b"secret" if mode == "prefix" else found[1]) in asked


def test_a_client_of_http2(make_rig: RigMaker, make_http2_client: Callable[..., Http2Client]) -> None:
    from balancer.config import Http2

    rig = sticky(make_rig, http2=Http2())
    client = make_http2_client(rig.client())
    client.request(1)
    server = rig.server()
    server.read()
    server.send(OK)
    client.read()
    from h2.events import ResponseReceived

    [response] = client.of(ResponseReceived)
    cookie = dict(response.headers)[b"set-cookie"].partition(b";")[0]
    client.request(3, (b"cookie", b"a=1"), (b"cookie", cookie))
    assert b"cookie: a=1\r\n" in server.read().lower()
    server.send(OK)
    client.read()
    [response] = client.of(ResponseReceived, 3)
    assert b"set-cookie" not in dict(response.headers)


def test_a_route_may_lead_to_a_pool_without(make_rig: RigMaker) -> None:
    rig = sticky(make_rig, servers=1, routes=(Route(path=("/x",), pool="pool"),))
    assert token_of(ask(rig, 0)[1])


def test_an_address_comes_back_in_http_and_tcp(make_rig: RigMaker) -> None:
    rig = sticky(make_rig, source=True)
    for _ in range(3):
        assert ask(rig, 0)[1] == OK
    other = sticky(make_rig, source=True, mode="tcp", relay=tcp.serve)
    for _ in range(3):
        client = other.client(b"hello")
        server = other.server(0)
        assert server.read() == b"hello"
        client.close()
        server.close()
    other.service.pools["pool"].state.set_health("one", up=False)
    other.client(b"hello")
    assert other.server(1).read() == b"hello"


def test_an_address_comes_back_in_udp(reactor: Reactor, clock: FakeClock) -> None:
    house = House(reactor, clock, servers=2)
    house.start({"persistence": PersistenceSettings(source=SourceSettings())})
    memory = Memory(b"", lambda: clock.now, lambda: clock.now + 1e9)
    pool = house.service.pools["pool"]
    memory.equip({"pool": pool.config}, {"pool": pool.state})
    link_pools(house.service.pools)
    for number in range(3):
        house.ask(house.client(), b"%d" % number)
    assert house.heard() == [b"0", b"1", b"2"]
    assert house.heard(1) == []
    house.close()


def test_a_pool_that_stands_in_has_its_own(make_rig: RigMaker) -> None:
    rig = sticky(make_rig)
    token = token_of(ask(rig, 0)[1])
    pools = rig.service.pools
    spare = replace(rig.config.pools["pool"], persistence=PersistenceSettings(cookie=CookieSettings(name="S")))
    counters = {name: rig.slots.server(0, "pool", name) for name in spare.servers}
    pools["spare"] = PoolService("spare", spare, PoolState(spare, lambda _: 0), counters)
    memory = Memory(bytes(32), lambda: 0.0, lambda: 1e9)
    memory.equip({"spare": spare}, {"spare": pools["spare"].state})
    pools["spare"].fall_back_on(None)
    pools["pool"].fall_back_on(pools["spare"])
    for name in spare.servers:
        pools["pool"].state.set_health(name, up=False)
    asked, got = ask(rig, 0, b"a=1; H=%b; S=x" % token)
    assert b"\r\nCookie: a=1\r\n" in asked
    found = re.search(rb"Set-Cookie: S=([^;]+);", got)
    assert found is not None
    assert ask(rig, 0, b"S=" + found[1])[1] == OK


def sticky_and_logged(
    logged: Logged, format: Literal["httplog", "json"] = "httplog", **cookie: Any
) -> tuple[HttpRig, LoggedRig]:
    said = PersistenceSettings(cookie=CookieSettings(name="H", **cookie))
    rig, log = logged(AccessLog(format=format), servers=2, in_pool={"persistence": said, "retries": 1})
    return furnished(rig), log


def codes(log: LoggedRig) -> list[str]:
    """Of each line."""
    return [line.split(" - - ")[1].split(" ")[0] for line in log.lines]


def test_a_log_tells_what_cookie_came_and_what_was_done(logged: Logged) -> None:
    rig, log = sticky_and_logged(logged)
    token = token_of(ask(rig, 0)[1])
    ask(rig, 0, b"H=" + token)
    ask(rig, 1, b"H=nonsense")
    rig.service.pools["pool"].state.set_admin("one", "maint")
    other = token_of(ask(rig, 1, b"H=" + token)[1])
    ask(rig, 1, b"H=" + other, OK.replace(b"Content", b"Set-Cookie: H=\r\nContent"))
    ask(rig, 1, b"", OK.replace(b"Content", b"Set-Cookie: H=\r\nContent"))
    assert codes(log) == ["--NI", "--VN", "--II", "--DI", "--VD", "--NI"]


def test_of_one_who_could_not_reach_its_server(logged: Logged) -> None:
    rig, log = sticky_and_logged(logged)
    token = token_of(ask(rig, 0)[1])
    rig.peers[0].close()
    ask(rig, 1, b"H=" + token)
    rig.peers[1].close()
    rig.client(GET % b"")
    rig.pass_time(1.1)
    assert codes(log) == ["--NI", "--DI", "SCNN"]


@pytest.mark.parametrize(("settings", "seconds", "code"), [
    ({"max_idle_s": 100.0}, 9, "--VN"),
    ({"max_idle_s": 100.0}, 10, "--VU"),
    ({"max_idle_s": 100.0}, 101, "--EI"),
    ({"max_life_s": 100.0}, 101, "--OI"),
    ({"max_life_s": 100.0}, 99, "--VN"),
    ({"post_only": True}, 0, "--VN"),
])  # fmt: skip
def test_of_one_that_is_old(logged: Logged, settings: dict[str, Any], seconds: float, code: str) -> None:
    rig, log = sticky_and_logged(logged, **settings)
    client = rig.client(GET.replace(b"GET", b"POST") % b"Content-Length: 0\r\n")
    server = rig.server()
    server.send(OK)
    found = re.search(rb"Set-Cookie: H=([^;]+);", client.read())
    assert found is not None
    server.close()
    rig.clock.now += seconds
    ask(rig, 0 if code[2] == "V" else 1, b"H=" + found[1])
    assert codes(log)[1:] == [code]


def test_of_one_that_the_server_sets_itself(logged: Logged) -> None:
    own = OK.replace(b"Content", b"Set-Cookie: H=secret\r\nContent")
    for settings, code in (({"preserve": True}, "--NP"), ({"mode": "rewrite"}, "--NR"), ({"mode": "prefix"}, "--NR")):
        rig, log = sticky_and_logged(logged, **settings)
        ask(rig, 0, b"", own)
        assert codes(log) == [code]


def test_of_a_request_that_no_server_was_chosen_for_and_in_json(logged: Logged) -> None:
    rig, log = sticky_and_logged(logged, format="json")
    ask(rig, 0)
    rig.client(b"GET / HTTP/1.1\r\nHost : a\r\n\r\n")
    found = [json.loads(line) for line in log.lines]
    assert [one.get("persistence") for one in found] == ["NI", None]
    assert [one["termination"] for one in found] == ["--", "PR"]


def test_of_a_pool_that_stands_in(logged: Logged, make_rig: RigMaker) -> None:
    (rig, log), spare = sticky_and_logged(logged), make_rig()
    token = token_of(ask(rig, 0)[1])
    rig.service.pools["pool"].fall_back_on(spare.service.pools["pool"])
    for server in ("one", "two"):
        rig.service.pools["pool"].state.set_health(server, up=False)
    rig.client(GET % (b"Cookie: H=%b\r\n" % token))
    spare.server().send(OK)
    assert codes(log) == ["--NI", "--DN"]


def test_who_belongs_to_a_full_server_waits_for_it_and_goes_before_others(make_rig: RigMaker) -> None:
    rig = sticky(make_rig, each_server={"max_connections": 1})
    _, got = ask(rig, 0)
    cookie = b"Cookie: H=%b\r\n" % token_of(got)
    rig.client(GET % cookie)
    first = rig.server(0)
    first.read()
    rig.client(GET % b"")
    second = rig.server(1)
    second.read()
    stranger, own = rig.client(GET % b"X: stranger\r\n"), rig.client(GET % (b"X: own\r\n" + cookie))
    first.send(OK)
    assert b"X: own\r\n" in first.read()  # it came later, but to nobody else
    second.send(OK)
    assert b"X: stranger\r\n" in second.read()
    first.send(OK)
    second.send(OK)
    assert (own.read()[:15], stranger.read()[:15]) == (b"HTTP/1.1 200 OK", b"HTTP/1.1 200 OK")
