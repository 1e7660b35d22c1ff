import pytest

from balancer.policies import keys
from balancer.policies.base import Request


def of(target: bytes = b"/", fields: bytes = b"\n\r\n") -> Request:
    return Request("192.0.2.1", target, fields)


def test_a_client_is_the_same_by_either_kind_of_socket() -> None:
    assert keys.source(Request("192.0.2.7")) == keys.source(Request("::ffff:192.0.2.7")) == b"192.0.2.7"
    assert keys.source(Request("2001:db8::7")) == b"2001:db8::7"


@pytest.mark.parametrize(
    ("depth", "query", "key"),
    [
        (0, False, b"/a/b/c.png"),
        (0, True, b"/a/b/c.png?x=1?y"),
        (1, False, b"/a"),
        (2, False, b"/a/b"),
        (3, False, b"/a/b/c.png"),
        (9, True, b"/a/b/c.png?x=1?y"),
        (1, True, b"/a?x=1?y"),
    ],
)
def test_uri(depth: int, query: bool, key: bytes) -> None:
    assert keys.uri(query=query, depth=depth)(of(b"/a/b/c.png?x=1?y")) == key


@pytest.mark.parametrize(
    ("fields", "value"),
    [
        (b"\nHost: x\r\nX-User: anna\r\n", b"anna"),
        (b"\nx-user:anna\r\nX-User: bert\r\n", b"anna"),
        (b"\nX-USER: \t anna b \t\r\n", b"anna b"),
        (b"\nX-Users: anna\r\n", b""),
        (b"\nA: X-User: anna\r\n", b""),
        (b"\nX-User:\r\nB: c\r\n", b""),
    ],
)
def test_header(fields: bytes, value: bytes) -> None:
    assert keys.header("X-User")(of(fields=fields)) == value


@pytest.mark.parametrize(
    ("fields", "value"),
    [
        (b"\nCookie: sid=1\r\n", b"1"),
        (b"\ncookie: a=2; sid=1; b=3\r\n", b"1"),
        (b'\nCookie: a=2;sid="1"\r\n', b"1"),
        (b"\nCookie: a=2\r\nCookie: sid=1\r\n", b"1"),
        (b"\nCookie: nosid=1; SID=2\r\n", b""),
        (b"\nX: 1; sid=1\r\n", b""),
    ],
)
def test_cookie(fields: bytes, value: bytes) -> None:
    assert keys.cookie("sid")(of(fields=fields)) == value


@pytest.mark.parametrize(
    ("target", "value"),
    [(b"/?user=anna", b"anna"), (b"/?a=1&user=anna&b", b"anna"), (b"/user=anna", b""), (b"/?xuser=anna", b"")],
)
def test_parameter(target: bytes, value: bytes) -> None:
    assert keys.parameter("user")(of(target)) == value
