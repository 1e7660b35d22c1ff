"""PROXY headers in front of relays, both ways, on real connections."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from balancer.causes import Cause
from balancer.config import ClientLimits, FrontendTimeouts
from balancer.networks import Networks
from balancer.relay import http, tcp
from balancer.relay.proxied import behind_proxies

if TYPE_CHECKING:
    from tests.unit.balancer.relay.conftest import HttpRig, RigMaker

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
V1 = b"PROXY TCP4 192.0.2.7 198.51.100.1 4711 443\r\n"
SIGNATURE = b"\r\n\r\n\x00\r\nQUIT\n"
V2 = SIGNATURE + b"\x21\x11\x00\x0c\xc0\x00\x02\x07\xc6\x33\x64\x01\x12\x67\x01\xbb"
V2_TLS = SIGNATURE + b"\x21\x11\x00\x14\xc0\x00\x02\x07\xc6\x33\x64\x01\x12\x67\x01\xbb\x20\x00\x05\x01\x00\x00\x00\x00"
TOLD = b"X-Forwarded-For: 192.0.2.7\r\nX-Forwarded-Proto: http\r\nX-Forwarded-Port: 443\r\n"


@pytest.fixture
def proxied(make_rig: RigMaker) -> HttpRig:
    return make_rig(relay=behind_proxies(http.serve, Networks(("127.0.0.0/8",))))


@pytest.mark.parametrize("header", [V1, V2])
def test_the_client_is_who_the_header_says(proxied: HttpRig, header: bytes) -> None:
    proxied.client(header + GET)
    assert TOLD in proxied.server().read()


@pytest.mark.parametrize("header", [V1, V2])
def test_a_header_in_single_bytes(proxied: HttpRig, header: bytes) -> None:
    client = proxied.client()
    for byte in header + GET:
        client.send(bytes((byte,)))
    server = proxied.server()
    assert TOLD in server.read()
    server.send(OK)
    assert client.read() == OK


def test_a_client_that_spoke_tls_to_the_proxy(proxied: HttpRig) -> None:
    proxied.client(V2_TLS + GET)
    assert b"X-Forwarded-Proto: https\r\nX-Forwarded-Port: 443\r\n" in proxied.server().read()


@pytest.mark.parametrize("header", [SIGNATURE + b"\x20\x00\x00\x00", b"PROXY UNKNOWN\r\n"])
def test_a_connection_of_the_proxys_own(proxied: HttpRig, header: bytes) -> None:
    proxied.client(header + GET)
    assert b"X-Forwarded-For: 127.0.0.1\r\n" in proxied.server().read()


@pytest.mark.parametrize("data", [GET, V1[:-2] + b"\n", SIGNATURE + b"\x21\x12\x00\x0c", b"\x16\x03\x01"])
def test_a_configured_source_that_brings_no_header(proxied: HttpRig, data: bytes) -> None:
    client = proxied.client(data)
    assert client.read() == b""
    assert client.reset
    assert not proxied.was_called()
    assert proxied.frontend_counts.bad_requests == 1
    assert proxied.slots.cause_counts("main") == {Cause.PROXY_HEADER_INVALID: 1}


def test_connections_are_limited_by_the_client_whom_the_header_names(make_rig: RigMaker) -> None:
    proxies = ("127.0.0.0/8",)
    relay = behind_proxies(http.serve, Networks(proxies))
    rig = make_rig(relay=relay, accept_proxy=proxies, limits=ClientLimits(connections=1))
    first = rig.client(V1 + GET)
    second = rig.client(V1 + GET)
    assert second.read() == b""
    assert second.reset
    rig.client(V1.replace(b"192.0.2.7", b"192.0.2.8") + GET)
    assert rig.causes == {Cause.TOO_MANY_CONNECTIONS: 1}
    first.close()
    rig.server().close()
    third = rig.client(V1 + GET)
    assert third.read() == b""
    assert not third.reset


def test_a_header_that_does_not_come_in_time(make_rig: RigMaker) -> None:
    relay = behind_proxies(http.serve, Networks(("127.0.0.0/8",)))
    rig = make_rig(relay=relay, timeouts=FrontendTimeouts(header_s=3.0))
    client = rig.client(V1[:10])
    rig.pass_time(2.9)
    assert client.read() == b""
    assert not client.ended
    rig.pass_time(0.3)
    client.read()
    assert client.reset
    assert rig.slots.cause_counts("main") == {Cause.PROXY_HEADER_INVALID: 1}


def test_a_connection_that_ends_before_its_header(proxied: HttpRig) -> None:
    for data in (b"", V1[:10]):
        client = proxied.client(data)
        client.shut()
        client.read()
        assert client.ended
    assert proxied.frontend_counts.bad_requests == 0


def test_from_anybody_else_the_bytes_are_ordinary(make_rig: RigMaker) -> None:
    rig = make_rig(relay=behind_proxies(http.serve, Networks(("192.0.2.0/24",))))
    rig.client(GET)
    assert b"X-Forwarded-For: 127.0.0.1\r\n" in rig.server().read()
    assert rig.client(V1 + GET).read().startswith(b"HTTP/1.1 400 ")


def test_a_server_is_told_once_for_each_connection(make_rig: RigMaker) -> None:
    rig = make_rig(relay=behind_proxies(http.serve, Networks(("127.0.0.0/8",))), in_pool={"send_proxy": "v2"})
    client = rig.client(V1 + GET)
    server = rig.server()
    assert server.read().startswith(V2 + b"GET / HTTP/1.1\r\n")
    for _ in range(2):
        server.send(OK)
        assert client.read() == OK
        client.send(GET)
        assert server.read().startswith(b"GET / HTTP/1.1\r\n")
    assert not rig.was_called()


def test_connections_are_not_shared_by_clients_where_servers_are_told(make_rig: RigMaker) -> None:
    rig = make_rig(in_pool={"send_proxy": "v1"})
    client = rig.client(GET)
    server = rig.server()
    assert server.read().startswith(b"PROXY TCP4 127.0.0.1 127.0.0.1 ")
    server.send(OK)
    rig.client(GET)
    assert rig.server().read().startswith(b"PROXY TCP4 127.0.0.1 127.0.0.1 ")
    client.close()
    server.read()
    assert server.ended


def test_each_client_of_a_trusted_proxy_has_a_connection_of_its_own(make_rig: RigMaker) -> None:
    rig = make_rig(trusted_proxies=("127.0.0.1/32",), in_pool={"send_proxy": "v1"})
    client = rig.client(b"GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 192.0.2.7\r\n\r\n")
    server = rig.server()
    assert server.read().startswith(b"PROXY TCP4 192.0.2.7 127.0.0.1 0 ")
    server.send(OK)
    client.send(b"GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 192.0.2.8\r\n\r\n")
    assert rig.server().read().startswith(b"PROXY TCP4 192.0.2.8 127.0.0.1 0 ")
    server.read()
    assert server.ended


def test_mode_tcp_both_ways(make_rig: RigMaker) -> None:
    relay = behind_proxies(tcp.serve, Networks(("127.0.0.0/8",)))
    rig = make_rig(relay=relay, mode="tcp", in_pool={"send_proxy": "v1"})
    client = rig.client(V2 + b"hello")
    server = rig.server()
    assert server.read() == b"PROXY TCP4 192.0.2.7 198.51.100.1 4711 443\r\nhello"
    server.send(b"you")
    assert client.read() == b"you"
