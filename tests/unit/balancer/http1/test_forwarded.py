"""Who sent a request: what is believed, and what is told to servers."""

import pytest

from balancer.http1.forwarded import Origin, fields_for, node_address, taken_over
from balancer.networks import Networks

TRUSTED = Networks(("10.0.0.0/8", "2001:db8:a::/48"))
DIRECT = Origin("10.0.0.1", "http", 8080)


def origin(*lines: bytes, direct: Origin = DIRECT) -> Origin:
    return taken_over(direct, tuple(b"\n" + line + b"\r" for line in lines), TRUSTED)


@pytest.mark.parametrize(
    ("lines", "client"),
    [
        ([], "10.0.0.1"),
        ([b"X-Forwarded-For: 192.0.2.7"], "192.0.2.7"),
        ([b"x-forwarded-for:192.0.2.7"], "192.0.2.7"),
        ([b"X-Forwarded-For: 198.51.100.9, 192.0.2.7"], "192.0.2.7"),
        ([b"X-Forwarded-For: 198.51.100.9, 192.0.2.7, 10.0.0.2"], "192.0.2.7"),
        ([b"X-Forwarded-For: 198.51.100.9", b"X-Forwarded-For: 192.0.2.7,10.0.0.2"], "192.0.2.7"),
        ([b"X-Forwarded-For: 10.0.0.3, 10.0.0.2"], "10.0.0.3"),
        ([b"X-Forwarded-For: 192.0.2.7, unknown, 10.0.0.2"], "10.0.0.2"),
        ([b"X-Forwarded-For: 192.0.2.7, x' OR 1=1"], "10.0.0.1"),
        ([b"X-Forwarded-For: ,, 192.0.2.7 ,"], "192.0.2.7"),
        ([b"X-Forwarded-For: 192.0.2.7:4711"], "192.0.2.7"),
        ([b"X-Forwarded-For: [2001:db8::7]:4711, 2001:db8:a::1"], "2001:db8::7"),
        ([b"X-Forwarded-For: ::ffff:192.0.2.7"], "192.0.2.7"),
        ([b"X_Forwarded_For: 192.0.2.7"], "10.0.0.1"),
        ([b"X-Forwarded_For: 192.0.2.7"], "10.0.0.1"),
        ([b"Forwarded: for=192.0.2.7"], "192.0.2.7"),
        ([b'Forwarded: for="[2001:db8::7]:4711";proto=https, for=10.0.0.2'], "2001:db8::7"),
        ([b"Forwarded: for=198.51.100.9, FOR=192.0.2.7"], "192.0.2.7"),
        ([b"Forwarded: for=_hidden, for=10.0.0.2"], "10.0.0.2"),
        ([b"Forwarded: proto=https"], "10.0.0.1"),
        ([b"Forwarded: for=192.0.2.7, for=", b"X: y"], "10.0.0.1"),
        ([b"Forwarded: for=198.51.100.9", b"X-Forwarded-For: 192.0.2.7"], "192.0.2.7"),
    ],
)
def test_the_client_is_the_first_from_the_right_that_is_not_trusted(lines: list[bytes], client: str) -> None:
    assert origin(*lines).address == client


@pytest.mark.parametrize(
    ("lines", "scheme", "host", "port"),
    [
        ([], "http", b"", 8080),
        ([b"X-Forwarded-Proto: https"], "https", b"", 443),
        ([b"X-Forwarded-Proto: HTTP"], "http", b"", 80),
        ([b"X-Forwarded-Proto: http, https"], "https", b"", 443),
        ([b"X-Forwarded-Proto: gopher"], "http", b"", 8080),
        ([b"X-Forwarded-Proto: https", b"X-Forwarded-Port: 8443"], "https", b"", 8443),
        ([b"X-Forwarded-Port: 0443"], "http", b"", 8080),
        ([b"X-Forwarded-Port: 65536"], "http", b"", 8080),
        ([b"X-Forwarded-Host: example.org"], "http", b"example.org", 8080),
        ([b"X-Forwarded-Host: example.org:81", b"X-Forwarded-Proto: https"], "https", b"example.org:81", 81),
        ([b"X-Forwarded-Host: [2001:db8::1]:81"], "http", b"[2001:db8::1]:81", 81),
        ([b"X-Forwarded-Host: a\xff"], "http", b"", 8080),
        ([b"Forwarded: for=192.0.2.7;proto=https;host=\"example.org:82\""], "https", b"example.org:82", 82),
    ],
)  # fmt: skip
def test_scheme_host_and_port_are_the_clients(lines: list[bytes], scheme: str, host: bytes, port: int) -> None:
    found = origin(*lines)
    assert (found.scheme, found.host, found.port) == (scheme, host, port)


@pytest.mark.parametrize(
    ("found", "lines"),
    [
        (
            Origin("192.0.2.7", "http", 80),
            b"X-Forwarded-For: 192.0.2.7\r\nX-Forwarded-Proto: http\r\nX-Forwarded-Port: 80\r\n"
            b"Forwarded: for=192.0.2.7;proto=http\r\n",
        ),
        (
            Origin("2001:db8::1", "https", 443),
            b"X-Forwarded-For: 2001:db8::1\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Port: 443\r\n"
            b'Forwarded: for="[2001:db8::1]";proto=https\r\n',
        ),
        (
            origin(b"X-Forwarded-For: x, 192.0.2.7", b"X-Forwarded-Proto: https", b"X-Forwarded-Host: b"),
            b"X-Forwarded-Host: b\r\nX-Forwarded-For: x, 192.0.2.7, 10.0.0.1\r\nX-Forwarded-Proto: https\r\n"
            b"X-Forwarded-Port: 443\r\nForwarded: for=unknown, for=192.0.2.7, for=10.0.0.1;proto=http\r\n",
        ),
        (
            origin(b"Forwarded: for=_x, for=\"[2001:db8::7]:1\";by=y"),
            b"X-Forwarded-For: unknown, 2001:db8::7, 10.0.0.1\r\nX-Forwarded-Proto: http\r\nX-Forwarded-Port: 8080\r\n"
            b'Forwarded: for=_x, for="[2001:db8::7]:1";by=y, for=10.0.0.1;proto=http\r\n',
        ),
        (
            origin(b"X-Forwarded-For: 192.0.2.7", b"Forwarded: for=192.0.2.7;;"),
            b"X-Forwarded-For: 192.0.2.7, 10.0.0.1\r\nX-Forwarded-Proto: http\r\nX-Forwarded-Port: 8080\r\n"
            b"Forwarded: for=192.0.2.7, for=10.0.0.1;proto=http\r\n",
        ),
        (
            origin(),
            b"X-Forwarded-For: 10.0.0.1\r\nX-Forwarded-Proto: http\r\nX-Forwarded-Port: 8080\r\n"
            b"Forwarded: for=10.0.0.1;proto=http\r\n",
        ),
    ],
    ids=["ipv4", "ipv6", "appended", "from-forwarded", "malformed-forwarded-is-replaced", "nothing-said"],
)  # fmt: skip
def test_what_servers_are_told(found: Origin, lines: bytes) -> None:
    assert fields_for(found) == lines


@pytest.mark.parametrize("node", [b"", b"[192.0.2.1", b"192.0.2.256", b"2001:db8::1:::", b"_x", b"1.2.3.4:", b"\xff"])
def test_what_is_no_address(node: bytes) -> None:
    assert node_address(node) is None
